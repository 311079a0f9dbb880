/**
 * One source made of several: the head and the blocks of a shard. A series that several of them have is one series here.
 *
 * Invariants:
 * - ids and symbols count from 0 in each request (`begin`) and are valid until the next one;
 * - the same identity (96-bit hash) is the same series; its parts are kept in the order of the sources, oldest data first;
 * - where two parts have a sample at one time, that of the later source wins: a block made later, and the head over all;
 * - what is beyond the age of a series is not served, whether or not it is still on disk.
 */
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { makeRollupBuffer, type RollupBuffer, type Tier } from "../../model/rollup.ts";
import { makeSampleBuffer, type SampleBuffer, type SampleView } from "../../model/sample.ts";
import type { Coverage, RollupSource, SeriesSource } from "../../model/series-source.ts";
import { mergeRollups } from "../merge/merge-rollups.ts";
import { mergeSamples } from "../merge/merge-samples.ts";
import type { RuleCoverage, SeriesCoverage } from "./coverage.ts";
import { estimateParts, readCountsOf } from "./estimate-parts.ts";
import type { IdentifiedSource } from "./identified-source.ts";
import { grown, insertInOrder, makeIdentities, makeMembers, NOWHERE, obtain, pushMember } from "./merged-series.ts";
import { internText, makeSymbols, partSymbols } from "./request-symbols.ts";
import {
  appendKept,
  keepSeries,
  keptUntil,
  type SeriesCache,
  seriesNumber,
  viewKept,
  viewSamples,
} from "./series-cache.ts";

export interface SourcePart {
  readonly source: IdentifiedSource;
  readonly tier: Tier;
  /** Samples lie within, inclusive; buckets end within. */
  readonly minT: number;
  readonly maxT: number;
  /** Of a tier of rollups: replaces the content of `out` by the rows of the buckets in (after, until]. */
  readonly readRollup?: (id: number, after: number, until: number, need: number, out: RollupBuffer) => void;
}

export interface MergedSource extends SeriesSource {
  readonly rollups: RuledRollups;
  /** Begins a request over these parts, the ones that win last; ids and symbols of the request before are void. */
  begin(parts: readonly SourcePart[], coverage: SeriesCoverage, problems?: Problems): void;
}

/** Series that retention rules speak of have a coverage of their own. */
export interface RuledRollups extends RollupSource {
  /** All there are; the first is that of `coverage`. */
  coverages(): readonly Coverage[];
  /** Which of them is that of a selected series. */
  coverageOf(id: number): number;
}

/** What is missing in answers about these times, in words. */
export type Problems = (minT: number, maxT: number) => readonly string[];

/** @param cache keeps what is read of series again and again; absent: nothing is kept */
export function makeMergedSource(cache?: SeriesCache): MergedSource {
  let parts: readonly SourcePart[] = [];
  let members = makeMembers(256);
  let series = makeIdentities(256);
  let selects = 0;
  let symbols = makeSymbols();
  const words = new Uint32Array(3);
  const piece = makeSampleBuffer(1024);
  const rows = makeRollupBuffer(256);
  const gathered = makeSampleBuffer(4096);
  let { byRule, ruleOf } = KEEP_ALL;
  /** Raw samples of every series are kept after this. */
  let rawAfter = Number.NEGATIVE_INFINITY;
  /** Numbers of rules + 1 by series, as far as they were asked for. */
  let known = new Uint16Array(256);
  let problems: Problems = () => [];
  /** What was selected in this request, for parts that are only looked into when they are read. */
  let asked: Selection[] = [];
  /** Parts in which every selection of the request has been made. */
  const complete = new Set<number>();

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

  const enter = (p: number, id: number): number => {
    (parts[p] as SourcePart).source.identity(id, words, 0);
    const m = obtain(series, words);
    if (series.first[m] === NOWHERE) {
      const entry = pushMember(members, p, id);
      series.first[m] = entry;
      series.last[m] = entry;
    } else addMember(m, p, id);
    return m;
  };

  /** Whether rollups may name series that no raw samples do: of times whose samples are gone or lost. */
  const namesMore = (part: SourcePart, minT: number, maxT: number): boolean =>
    (minT <= rawAfter && part.minT <= rawAfter) ||
    (byRule[0].coverage.rawGaps ?? []).some(
      (g) => g.until >= minT && g.after <= maxT && g.until >= part.minT && g.after <= part.maxT,
    );

  const select = (tenant: string, matchers: readonly Matcher[], minT: number, maxT: number): Uint32Array => {
    selects++;
    asked.push({ tenant, matchers, minT, maxT });
    let found = new Uint32Array(64);
    let n = 0;
    for (let p = 0; p < parts.length; p++) {
      const part = parts[p] as SourcePart;
      if (part.maxT < minT || part.minT > maxT) continue;
      // Where raw samples are kept, they name every series that the rollups have.
      if (part.tier !== "raw" && !namesMore(part, minT, maxT)) {
        complete.delete(p);
        continue;
      }
      const ids = part.source.select(tenant, matchers, minT, maxT);
      if (n + ids.length > found.length) found = grown(found, Math.max(n + ids.length, 2 * found.length));
      for (let i = 0; i < ids.length; i++) {
        const m = enter(p, ids[i] as number);
        if (series.seen[m] === selects) continue;
        series.seen[m] = selects;
        found[n++] = m;
      }
    }
    return found.subarray(0, n);
  };

  /** Finds the selected series in the parts of a tier; once a request, since most requests read none. */
  const enterTier = (tier: Tier): void => {
    for (let p = 0; p < parts.length; p++) {
      const part = parts[p] as SourcePart;
      if (part.tier !== tier || complete.has(p)) continue;
      complete.add(p);
      for (const { tenant, matchers, minT, maxT } of asked) {
        if (part.maxT < minT || part.minT > maxT) continue;
        for (const id of part.source.select(tenant, matchers, minT, maxT)) enter(p, id);
      }
    }
  };

  const readRollup: RollupSource["read"] = (m, tier, start, until, need, out) => {
    const after = byRule.length === 1 ? start : Math.max(start, ruled(m).rowsFrom[tier]);
    if (after >= until) return;
    enterTier(tier);
    const from = out.length;
    for (let e = (series.first[m] as number) + 1; e !== 0; e = members.next[e - 1] as number) {
      const part = parts[members.part[e - 1] as number] as SourcePart;
      if (part.tier !== tier || part.maxT <= after || part.minT > until) continue;
      part.readRollup?.(members.id[e - 1] as number, after, until, need, rows);
      mergeRollups(out, from, rows);
    }
  };

  const home = (m: number): { part: number; id: number } => {
    const e = series.first[m] as number;
    return { part: members.part[e] as number, id: members.id[e] as number };
  };

  const valueSymbol = (m: number, name: number): number => {
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
  };

  const ruleNumber = (m: number): number => {
    if (m >= known.length) {
      const larger = new Uint16Array(Math.max(m + 1, 2 * known.length));
      larger.set(known);
      known = larger;
    }
    if (known[m] === 0) {
      // A request is one tenant's.
      const { tenant } = asked.at(-1) as Selection;
      known[m] =
        1 +
        ruleOf(tenant, (name) => {
          const value = valueSymbol(m, internText(symbols, name));
          return value < 0 ? "" : (symbols.texts[value] as string);
        });
    }
    return (known[m] as number) - 1;
  };
  const ruled = (m: number): RuleCoverage => byRule[ruleNumber(m)] as RuleCoverage;

  /** Since when there is anything of a series that retention rules speak of. */
  const keptAfter = (m: number, start: number): number =>
    byRule.length > 1 && start <= rawAfter ? Math.max(start, ruled(m).coverage.rawAfter + 1) : start;

  const read = (m: number, start: number, maxT: number, out: SampleBuffer, once = false): void => {
    const minT = keptAfter(m, start);
    let e = series.first[m] as number;
    let whole = true;
    for (;;) {
      const part = parts[members.part[e] as number] as SourcePart;
      if (part.tier === "raw" && part.maxT >= minT && part.minT <= maxT) {
        if (whole) part.source.read(members.id[e] as number, minT, maxT, out, once);
        else {
          part.source.read(members.id[e] as number, minT, maxT, piece, once);
          mergeSamples(out, piece);
        }
        whole = false;
      }
      const next = members.next[e] as number;
      if (next === 0) break;
      e = next - 1;
    }
    if (whole) out.length = 0;
  };

  const view = (m: number, start: number, maxT: number, out: SampleView): boolean => {
    if (cache === undefined || asked.length !== 1 || series.count > WIDEST) return false;
    const last = series.last[m] as number;
    const newest = (parts[members.part[last] as number] as SourcePart).source.newestT?.(members.id[last] as number);
    if (Number.isNaN(newest)) return false;
    const inHead = newest !== undefined;
    const number = seriesNumber(cache, series.words.subarray(3 * m, 3 * m + 3));
    if (cache.refused.has(number)) return false;
    const minT = keptAfter(m, start);
    const until = keptUntil(cache, number, minT, maxT, inHead);
    let isKept = until !== undefined;
    if (until !== undefined && inHead && newest > until) {
      read(m, until + 1, Number.POSITIVE_INFINITY, gathered);
      isKept = appendKept(cache, number, gathered);
    }
    if (!isKept) {
      const span = keepSpan(m, minT, maxT, inHead);
      if (span === undefined) return false;
      const { damage } = cache;
      cache.misses++;
      const from = keptAfter(m, span.from);
      read(m, from, span.to, gathered, true);
      // What cannot be read for now may be read again later; newer samples than the head's are of no sender that is there.
      const isAll = cache.damage === damage && (!inHead || gathered.ts[gathered.length - 1] === newest);
      const outcome = isAll ? keepSeries(cache, number, from, span.to, gathered) : "refused";
      if (outcome === "refused") return false;
      if (outcome !== "kept") {
        viewSamples(cache, gathered, minT, maxT, out);
        return true;
      }
    }
    viewKept(cache, number, minT, maxT, out);
    return true;
  };

  /**
   * The times that are kept for a request of [minT, maxT], somewhat more than these: all that comes later as well where the series
   * is in the head. Undefined where not all samples of them can be told.
   */
  const keepSpan = (
    m: number,
    minT: number,
    maxT: number,
    inHead: boolean,
  ): { from: number; to: number } | undefined => {
    const [selection] = asked;
    if (selection === undefined || minT < selection.minT || maxT > selection.maxT) return undefined;
    // Requests move along with the time, some a little behind others.
    const slack = SLACK_MS + Math.floor((maxT - minT) / 16);
    let from = minT - slack;
    let to = inHead ? Number.POSITIVE_INFINITY : maxT + slack;
    let e = (series.first[m] as number) + 1;
    for (let p = 0; p < parts.length; p++) {
      if (e !== 0 && members.part[e - 1] === p) {
        e = members.next[e - 1] as number;
        continue;
      }
      const part = parts[p] as SourcePart;
      if (part.tier !== "raw" || part.maxT < from || part.minT > to) continue;
      // Of a part in which the series was not found, only the times of the selection are known: there is nothing.
      if (part.minT < selection.minT) from = Math.max(from, Math.min(part.maxT + 1, selection.minT));
      if (part.maxT > selection.maxT) to = Math.min(to, Math.max(part.minT - 1, selection.maxT));
    }
    if (inHead && to !== Number.POSITIVE_INFINITY) return undefined;
    return { from: Math.min(from, minT), to };
  };

  const names = (read: (source: SeriesSource) => string[], minT: number, maxT: number): string[] => {
    const hit = parts.filter((p) => {
      const counts = p.tier === "raw" || namesMore(p, minT, maxT);
      return counts && p.maxT >= minT && p.minT <= maxT;
    });
    const [only] = hit;
    if (only !== undefined && hit.length === 1) return read(only.source);
    return [...new Set(hit.flatMap((p) => read(p.source)))].sort();
  };

  return {
    begin: (next, covered, missing = () => []) => {
      parts = next;
      ({ byRule, ruleOf } = covered);
      rawAfter = Math.max(...byRule.map((r) => r.coverage.rawAfter));
      known.fill(0);
      problems = missing;
      asked = [];
      complete.clear();
      if (series.slots.length > LARGE) {
        known = new Uint16Array(256);
        members = makeMembers(256);
        series = makeIdentities(256);
      } else {
        members.count = 0;
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
    valueSymbol,
    read,
    view,
    problems: (minT, maxT) => problems(minT, maxT),
    estimate: (ids, minT, maxT, spent) => estimateParts(parts, { series, members }, "raw", ids, minT, maxT, spent),
    readCounts: () => readCountsOf(parts, cache),
    rollups: {
      coverage: () => byRule[0].coverage,
      coverages: () => byRule.map((r) => r.coverage),
      coverageOf: (m) => (byRule.length === 1 ? 0 : ruleNumber(m)),
      read: readRollup,
      estimate: (ids, tier, after, until, spent) => {
        enterTier(tier);
        // Buckets are found by their starts.
        return estimateParts(parts, { series, members }, tier, ids, after, until - 1, spent);
      },
    },
    labelNames: (tenant, matchers, minT, maxT) => names((s) => s.labelNames(tenant, matchers, minT, maxT), minT, maxT),
    labelValues: (tenant, name, matchers, minT, maxT) =>
      names((s) => s.labelValues(tenant, name, matchers, minT, maxT), minT, maxT),
  };
}

const KEEP_ALL: SeriesCoverage = {
  byRule: [
    {
      coverage: { rawAfter: Number.NEGATIVE_INFINITY, tiers: [] },
      rowsFrom: { "1m": Number.NEGATIVE_INFINITY, "1h": Number.NEGATIVE_INFINITY },
    },
  ],
  ruleOf: () => 0,
};

interface Selection {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  readonly minT: number;
  readonly maxT: number;
}

/** Selections of more series than this would drive out everything else, and be driven out by themselves. */
const WIDEST = 1 << 17;
/** How far before a request samples are kept besides, at least. */
const SLACK_MS = 60_000;

/** Tables larger than this many slots are given back after the request. */
const LARGE = 1 << 20;
