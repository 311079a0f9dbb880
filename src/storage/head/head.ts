/**
 * The newest data of one shard, in memory: series with their labels, an inverted index, and their samples in Gorilla
 * chunks. Everything that grows with series or samples lives in typed arrays; there is no object a series or a sample.
 *
 * Invariants:
 * - a series is (tenant, labels); its 64-bit hash names it on the bus, its id (an integer) here;
 * - samples of a series in order of time go to its open chunk (append.ts), which is sealed at CHUNK_SAMPLES samples or where a
 *   2 h boundary lies between two samples; sealed chunks never change (chunk-arena.ts);
 * - samples at or before the newest time go to the series' late samples (late.ts); of two samples with one time the late one
 *   is the newer one and wins, at read;
 * - ids and postings only grow, in order of definition, so that a replay of the same frames gives the same head.
 */
import type { Labels } from "../../model/labels.ts";
import { arenaBytes, type ChunkArena, makeChunkArena } from "./chunk-arena.ts";
import type { CutLog } from "./cut-log.ts";
import { type ExemplarRing, makeExemplarRing } from "./exemplar-ring.ts";
import { type HistogramArena, histogramArenaBytes, makeHistogramArena } from "./histogram-arena.ts";
import { type MatchedValues, makeMatchedValues } from "./match-values.ts";
import { makePastChanges, type PastChanges } from "./past-changes.ts";
import { EVERYTHING, makePostings, obtainList, type Postings, postingsBytes, pushPosting } from "./postings.ts";
import {
  addSeries,
  firstOfHash,
  HASH_HI,
  HASH_LO,
  makeSeriesTable,
  markAmbiguous,
  ROW_SHIFT,
  type SeriesTable,
  SHAPE,
  seriesTableBytes,
  UNKNOWN,
  VALUES,
} from "./series-table.ts";
import { type SeriesText, type Shape, shapeOfText, textOfSeries } from "./shapes.ts";
import { makeStartTimes, type StartTimes } from "./start-times.ts";
import { internBytes, isSymbol, makeSymbols, type Symbols, symbolsBytes, symbolText } from "./symbols.ts";
import { makeWordPool, poolBytes, SLAB_MASK, SLAB_SHIFT, SLAB_WORDS, type WordPool } from "./word-pool.ts";

export interface HeadOptions {
  /** How far behind its series' newest sample a sample may be. */
  readonly outOfOrderWindowMs: number;
  /** Exemplars that are kept; the default is DEFAULT_EXEMPLARS (exemplar-ring.ts). */
  readonly maxExemplars?: number;
}

/** The series that share one hash, and which of them the current frame defined: -1 none, -2 several. */
interface Collision {
  readonly ids: number[];
  frame: number;
  resolved: number;
}

export interface Head {
  readonly options: HeadOptions;
  readonly series: SeriesTable;
  readonly symbols: Symbols;
  readonly shapes: Shape[];
  /** Bounded by the number of distinct label name sets. */
  readonly shapesByKey: Map<string, number>;
  /** Label values of the series: a bump arena, `next` over all slabs. */
  readonly values: { readonly slabs: Int32Array[]; next: number };
  readonly postings: Postings;
  readonly matched: MatchedValues;
  /** Blocks of open chunks, late samples and postings. */
  readonly pool: WordPool;
  readonly chunks: ChunkArena;
  /** Bytes of the native histograms in the chunks. */
  readonly histograms: HistogramArena;
  readonly starts: StartTimes;
  readonly exemplars: ExemplarRing;
  readonly collisions: Map<string, Collision>;
  /** For whoever keeps something of the samples; begun anew by him. */
  readonly past: PastChanges;
  /** While a cut goes on (cut.ts). */
  cut: CutLog | undefined;
  frame: number;
  /** Looked-up ids of the frame being appended. */
  ids: Int32Array;
  openChunks: number;
  minT: number;
  maxT: number;
  readonly totals: HeadTotals;
}

/** Counted since the head was made. */
export interface HeadTotals {
  appended: number;
  duplicates: number;
  overwritten: number;
  outOfOrder: number;
  tooOld: number;
  invalidTime: number;
}

export function createHead(options: HeadOptions): Head {
  const pool = makeWordPool();
  return {
    options,
    series: makeSeriesTable(),
    symbols: makeSymbols(),
    shapes: [],
    shapesByKey: new Map(),
    values: { slabs: [], next: 0 },
    postings: makePostings(pool),
    matched: makeMatchedValues(),
    pool,
    chunks: makeChunkArena(),
    histograms: makeHistogramArena(),
    starts: makeStartTimes(),
    exemplars: makeExemplarRing(options.maxExemplars),
    collisions: new Map(),
    past: makePastChanges(),
    cut: undefined,
    frame: 0,
    ids: new Int32Array(4096),
    openChunks: 0,
    minT: Number.POSITIVE_INFINITY,
    maxT: Number.NEGATIVE_INFINITY,
    totals: { appended: 0, duplicates: 0, overwritten: 0, outOfOrder: 0, tooOld: 0, invalidTime: 0 },
  };
}

/**
 * Begins a frame: what the definitions of the frame before said about hashes with several label sets is forgotten. Call
 * it before a frame's definitions.
 */
export function beginFrame(head: Head): void {
  head.frame++;
}

/**
 * Makes a series known under its hash.
 * - "new": it was not known, now it is. "known": it was.
 * - "collision": the hash has more than one label set (this one is known now as well). Samples under this hash are
 *   taken only in a frame that defines exactly one of them, and belong to that one; tell senders to always send its labels.
 * `check` is the third word of the hash: it is not looked at here, but names the series outside of this head.
 */
export function defineSeries(
  head: Head,
  hashLo: number,
  hashHi: number,
  tenant: string,
  labels: Labels,
  check = 0,
): Defined {
  return defineText(head, hashLo, hashHi, check, textOfSeries(tenant, labels));
}

export type Defined = "new" | "known" | "collision";

/** The same for a series whose strings are given as bytes. */
export function defineText(head: Head, hashLo: number, hashHi: number, check: number, text: SeriesText): Defined {
  const { series } = head;
  const first = firstOfHash(series, hashLo, hashHi);
  if (first === UNKNOWN) {
    createSeries(head, hashLo, hashHi, check, text, true);
    return "new";
  }
  const shape = shapeOfText(head, text);
  const key = `${hashHi >>> 0}:${hashLo >>> 0}`;
  let collision = head.collisions.get(key);
  if (collision === undefined) {
    if (hasLabels(head, first, shape, text)) return "known";
    collision = { ids: [first], frame: -1, resolved: UNKNOWN };
    head.collisions.set(key, collision);
    markAmbiguous(series, first);
  }
  let id = collision.ids.find((candidate) => hasLabels(head, candidate, shape, text));
  if (id === undefined) {
    id = createSeries(head, hashLo, hashHi, check, text, false);
    collision.ids.push(id);
  }
  if (collision.frame !== head.frame) {
    collision.frame = head.frame;
    collision.resolved = id;
  } else if (collision.resolved !== id) {
    collision.resolved = SEVERAL;
  }
  return "collision";
}

const SEVERAL = -2;

/** The series that the current frame's definitions give an ambiguous hash, or a negative number. */
export function resolveInFrame(head: Head, hashLo: number, hashHi: number): number {
  const collision = head.collisions.get(`${hashHi >>> 0}:${hashLo >>> 0}`);
  return collision === undefined || collision.frame !== head.frame ? UNKNOWN : collision.resolved;
}

function createSeries(
  head: Head,
  hashLo: number,
  hashHi: number,
  check: number,
  text: SeriesText,
  listed: boolean,
): number {
  const { series, postings, symbols } = head;
  const shapeId = shapeOfText(head, text);
  const { fields, everything } = head.shapes[shapeId] as Shape;
  const id = addSeries(series, hashLo, hashHi, check, listed);
  const { bytes, at: starts, first, labels } = text;
  const at = allocateValues(head, labels);
  const slab = head.values.slabs[at >>> SLAB_SHIFT] as Int32Array;
  const row = id << ROW_SHIFT;
  series.rows[row + VALUES] = at;
  series.rows[row + SHAPE] = shapeId;
  const to = at & SLAB_MASK;
  for (let i = 0, k = first + 2; i < labels; i++, k += 2) {
    const value = internBytes(symbols, bytes, starts[k] as number, (starts[k + 1] as number) - 1);
    slab[to + i] = value;
    pushPosting(postings, obtainList(postings, fields[i] as number, value), id);
  }
  pushPosting(postings, everything, id);
  return id;
}

/** Label values take n words of the value arena. */
function allocateValues(head: Head, n: number): number {
  const { values } = head;
  if ((values.next & SLAB_MASK) + n > SLAB_WORDS) values.next = values.slabs.length * SLAB_WORDS;
  if (values.next + n > values.slabs.length * SLAB_WORDS) values.slabs.push(new Int32Array(SLAB_WORDS));
  const at = values.next;
  values.next += n;
  return at;
}

/** The postings list of all series of a tenant, -1 when it has none. */
export function tenantList(head: Head, tenant: number): number {
  const field = head.postings.fields.get(tenant * 0x1_0000_0000 + EVERYTHING);
  return field === undefined ? -1 : (head.postings.fieldFirst[field] as number) - 1;
}

function hasLabels(head: Head, id: number, shape: number, { bytes, at, first, labels }: SeriesText): boolean {
  const row = id << ROW_SHIFT;
  if (head.series.rows[row + SHAPE] !== shape) return false;
  const values = (head.series.rows[row + VALUES] as number) >>> 0;
  const slab = head.values.slabs[values >>> SLAB_SHIFT] as Int32Array;
  for (let i = 0, k = first + 2; i < labels; i++, k += 2) {
    const value = slab[(values & SLAB_MASK) + i] as number;
    if (!isSymbol(head.symbols, value, bytes, at[k] as number, (at[k + 1] as number) - 1)) return false;
  }
  return true;
}

/** The series' labels; strings are shared between series. */
export function seriesLabels(head: Head, id: number): Labels {
  const row = id << ROW_SHIFT;
  const { rows } = head.series;
  const { names } = head.shapes[rows[row + SHAPE] as number] as Shape;
  const at = (rows[row + VALUES] as number) >>> 0;
  const slab = head.values.slabs[at >>> SLAB_SHIFT] as Int32Array;
  const out: string[] = [];
  for (let i = 0; i < names.length; i++) {
    out.push(
      symbolText(head.symbols, names[i] as number),
      symbolText(head.symbols, slab[(at & SLAB_MASK) + i] as number),
    );
  }
  return out;
}

/** Writes what names the series outside of this head, the three words of its hash: low, high, check. */
export function headIdentity(head: Head, id: number, out: Uint32Array, at: number): void {
  const row = id << ROW_SHIFT;
  const { rows, checks } = head.series;
  out[at] = rows[row + HASH_LO] as number;
  out[at + 1] = rows[row + HASH_HI] as number;
  out[at + 2] = checks[id] as number;
}

export function seriesTenant(head: Head, id: number): string {
  const shape = head.shapes[head.series.rows[(id << ROW_SHIFT) + SHAPE] as number] as Shape;
  return symbolText(head.symbols, shape.tenant);
}

/** Symbol of the series' value for a label name (symbol), -1 when it has no such label. */
export function seriesValue(head: Head, id: number, name: number): number {
  const row = id << ROW_SHIFT;
  const { rows } = head.series;
  const i = (head.shapes[rows[row + SHAPE] as number] as Shape).names.indexOf(name);
  if (i < 0) return -1;
  const at = ((rows[row + VALUES] as number) >>> 0) + i;
  return (head.values.slabs[at >>> SLAB_SHIFT] as Int32Array)[at & SLAB_MASK] as number;
}

export interface HeadStats extends HeadTotals {
  readonly series: number;
  readonly chunks: number;
  /** Of the chunks: not sealed yet. */
  readonly openChunks: number;
  /** Memory held outside of the JavaScript heap. Pages that were never written are counted too. */
  readonly bytes: number;
  /** Infinity and -Infinity when there are no samples. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly symbols: number;
  readonly ambiguousHashes: number;
}

export function headStats(head: Head): HeadStats {
  return {
    ...head.totals,
    series: head.series.count - head.starts.count,
    chunks: head.chunks.chunks + head.openChunks,
    openChunks: head.openChunks,
    bytes:
      seriesTableBytes(head.series) +
      symbolsBytes(head.symbols) +
      postingsBytes(head.postings) +
      poolBytes(head.pool) +
      arenaBytes(head.chunks) +
      histogramArenaBytes(head.histograms) +
      head.values.slabs.length * SLAB_WORDS * 4,
    minTime: head.minT,
    maxTime: head.maxT,
    symbols: head.symbols.count,
    ambiguousHashes: head.collisions.size,
  };
}
