/**
 * One source made of several: the head and the blocks of a shard. A series that several of them have is one series here.
 *
 * Invariants:
 * - ids and symbols count from 0 in each request (`begin`) and are valid until the next one;
 * - the same identity (96-bit hash) is the same series; its parts are kept in the order of the sources, oldest data first;
 * - where two parts have a sample at one time, that of the later source wins: a block made later, and the head over all.
 */
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import type { SeriesSource } from "../../model/series-source.ts";
import type { IdentifiedSource } from "./identified-source.ts";
import { mergeSamples } from "./merge-samples.ts";

export interface SourcePart {
  readonly source: IdentifiedSource;
  /** Samples lie within, inclusive. */
  readonly minT: number;
  readonly maxT: number;
}

export interface MergedSource extends SeriesSource {
  /** Begins a request over these parts, the ones that win last; ids and symbols of the request before are void. */
  begin(parts: readonly SourcePart[]): void;
}

/** Where a merged series is found: chains of (part, id in the part), in the order of the parts. */
interface Members {
  count: number;
  part: Uint16Array;
  id: Uint32Array;
  /** Next entry of the series + 1. */
  next: Uint32Array;
}

interface Identities {
  count: number;
  /** Three words a series. */
  words: Uint32Array;
  /** First and last entry of the series' chain. */
  first: Uint32Array;
  last: Uint32Array;
  /** Number of the last `select` that found it. */
  seen: Uint32Array;
  /** Open addressing: series + 1. */
  slots: Uint32Array;
}

export function makeMergedSource(): MergedSource {
  let parts: readonly SourcePart[] = [];
  let members = makeMembers(256);
  let series = makeIdentities(256);
  let selects = 0;
  let symbols = makeSymbols();
  const words = new Uint32Array(3);
  const piece = makeSampleBuffer(1024);

  const addMember = (m: number, part: number, id: number): void => {
    let e = series.first[m] as number;
    // A second selection finds the same parts again.
    for (;;) {
      if (members.part[e] === part && members.id[e] === id) return;
      const next = members.next[e] as number;
      if (next === 0) break;
      e = next - 1;
    }
    const entry = pushMember(members, part, id);
    insertInOrder(series, members, m, entry);
  };

  const select = (tenant: string, matchers: readonly Matcher[], minT: number, maxT: number): Uint32Array => {
    selects++;
    let found = new Uint32Array(64);
    let n = 0;
    for (let p = 0; p < parts.length; p++) {
      const part = parts[p] as SourcePart;
      if (part.maxT < minT || part.minT > maxT) continue;
      const ids = part.source.select(tenant, matchers, minT, maxT);
      if (n + ids.length > found.length) found = grown(found, Math.max(n + ids.length, 2 * found.length));
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i] as number;
        part.source.identity(id, words, 0);
        const m = obtain(series, words);
        if (m === series.count - 1 && series.seen[m] === 0) {
          const entry = pushMember(members, p, id);
          series.first[m] = entry;
          series.last[m] = entry;
        } else addMember(m, p, id);
        if (series.seen[m] === selects) continue;
        series.seen[m] = selects;
        found[n++] = m;
      }
    }
    return found.subarray(0, n);
  };

  const home = (m: number): { part: number; id: number } => {
    const e = series.first[m] as number;
    return { part: members.part[e] as number, id: members.id[e] as number };
  };
  const names = (read: (source: SeriesSource) => string[], minT: number, maxT: number): string[] => {
    const hit = parts.filter((p) => p.maxT >= minT && p.minT <= maxT);
    if (hit.length === 1) return read((hit[0] as SourcePart).source);
    return [...new Set(hit.flatMap((p) => read(p.source)))].sort();
  };

  return {
    begin: (next) => {
      parts = next;
      if (series.slots.length > LARGE) {
        members = makeMembers(256);
        series = makeIdentities(256);
      } else {
        members.count = 0;
        series.seen.fill(0, 0, series.count);
        series.count = 0;
        series.slots.fill(0);
      }
      selects = 0;
      symbols = makeSymbols();
    },
    select,
    labels: (m): Labels => {
      const { part, id } = home(m);
      return (parts[part] as SourcePart).source.labels(id);
    },
    symbol: (text) => internText(symbols, text),
    text: (symbol) => symbols.texts[symbol] as string,
    valueSymbol: (m, name) => {
      const { part, id } = home(m);
      const { source } = parts[part] as SourcePart;
      const own = partSymbols(symbols, part);
      let ownName = own.names.get(name);
      if (ownName === undefined) {
        ownName = source.symbol(symbols.texts[name] as string);
        own.names.set(name, ownName);
      }
      if (ownName < 0) return -1;
      const value = source.valueSymbol(id, ownName);
      if (value < 0) return -1;
      let symbol = own.values.get(value);
      if (symbol === undefined) {
        symbol = internText(symbols, source.text(value));
        own.values.set(value, symbol);
      }
      return symbol;
    },
    read: (m, minT, maxT, out: SampleBuffer) => {
      let e = series.first[m] as number;
      let whole = true;
      for (;;) {
        const part = parts[members.part[e] as number] as SourcePart;
        if (part.maxT >= minT && part.minT <= maxT) {
          if (whole) part.source.read(members.id[e] as number, minT, maxT, out);
          else {
            part.source.read(members.id[e] as number, minT, maxT, piece);
            mergeSamples(out, piece);
          }
          whole = false;
        }
        const next = members.next[e] as number;
        if (next === 0) break;
        e = next - 1;
      }
      if (whole) out.length = 0;
    },
    labelNames: (tenant, matchers, minT, maxT) => names((s) => s.labelNames(tenant, matchers, minT, maxT), minT, maxT),
    labelValues: (tenant, name, matchers, minT, maxT) =>
      names((s) => s.labelValues(tenant, name, matchers, minT, maxT), minT, maxT),
  };
}

/** Tables larger than this many slots are given back after the request. */
const LARGE = 1 << 20;

function makeMembers(size: number): Members {
  return { count: 0, part: new Uint16Array(size), id: new Uint32Array(size), next: new Uint32Array(size) };
}

function makeIdentities(size: number): Identities {
  return {
    count: 0,
    words: new Uint32Array(3 * size),
    first: new Uint32Array(size),
    last: new Uint32Array(size),
    seen: new Uint32Array(size),
    slots: new Uint32Array(2 * size),
  };
}

function pushMember(members: Members, part: number, id: number): number {
  const e = members.count++;
  if (e === members.id.length) {
    const size = 2 * e;
    const larger = new Uint16Array(size);
    larger.set(members.part);
    members.part = larger;
    members.id = grown(members.id, size);
    members.next = grown(members.next, size);
  }
  members.part[e] = part;
  members.id[e] = id;
  members.next[e] = 0;
  return e;
}

/** Selections over other ranges may find an earlier part later: the chain stays in the order of the parts. */
function insertInOrder(series: Identities, members: Members, m: number, entry: number): void {
  const part = members.part[entry] as number;
  const last = series.last[m] as number;
  if ((members.part[last] as number) <= part) {
    members.next[last] = entry + 1;
    series.last[m] = entry;
    return;
  }
  const first = series.first[m] as number;
  if ((members.part[first] as number) > part) {
    members.next[entry] = first + 1;
    series.first[m] = entry;
    return;
  }
  let before = first;
  for (;;) {
    const next = (members.next[before] as number) - 1;
    if ((members.part[next] as number) > part) break;
    before = next;
  }
  members.next[entry] = members.next[before] as number;
  members.next[before] = entry + 1;
}

/** The series of an identity; a new one has the highest number and `seen` 0. */
function obtain(series: Identities, words: Uint32Array): number {
  const a = words[0] as number;
  const b = words[1] as number;
  const c = words[2] as number;
  if (3 * (series.count + 1) > series.slots.length * 2) growSeries(series);
  const mask = series.slots.length - 1;
  let slot = (a ^ (b >>> 7)) & mask;
  for (;;) {
    const found = series.slots[slot] as number;
    if (found === 0) break;
    const at = 3 * (found - 1);
    if (series.words[at] === a && series.words[at + 1] === b && series.words[at + 2] === c) return found - 1;
    slot = (slot + 1) & mask;
  }
  if (series.count === series.first.length) growSeries(series);
  const m = series.count++;
  series.words[3 * m] = a;
  series.words[3 * m + 1] = b;
  series.words[3 * m + 2] = c;
  series.seen[m] = 0;
  place(series, m);
  return m;
}

function place(series: Identities, m: number): void {
  const mask = series.slots.length - 1;
  let slot = ((series.words[3 * m] as number) ^ ((series.words[3 * m + 1] as number) >>> 7)) & mask;
  while (series.slots[slot] !== 0) slot = (slot + 1) & mask;
  series.slots[slot] = m + 1;
}

function growSeries(series: Identities): void {
  const size = 2 * series.first.length;
  series.words = grown(series.words, 3 * size);
  series.first = grown(series.first, size);
  series.last = grown(series.last, size);
  series.seen = grown(series.seen, size);
  series.slots = new Uint32Array(2 * size);
  for (let m = 0; m < series.count; m++) place(series, m);
}

function grown(old: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(size);
  next.set(old);
  return next;
}

/** Symbols of the request: texts that somebody asked for, and how each part numbers them. */
interface RequestSymbols {
  readonly texts: string[];
  readonly numbers: Map<string, number>;
  readonly parts: Map<number, { readonly names: Map<number, number>; readonly values: Map<number, number> }>;
}

function makeSymbols(): RequestSymbols {
  return { texts: [], numbers: new Map(), parts: new Map() };
}

function internText(symbols: RequestSymbols, text: string): number {
  let number = symbols.numbers.get(text);
  if (number === undefined) {
    number = symbols.texts.push(text) - 1;
    symbols.numbers.set(text, number);
  }
  return number;
}

function partSymbols(symbols: RequestSymbols, part: number) {
  let own = symbols.parts.get(part);
  if (own === undefined) {
    own = { names: new Map(), values: new Map() };
    symbols.parts.set(part, own);
  }
  return own;
}
