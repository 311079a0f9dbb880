/**
 * Samples of series that were asked for lately, decoded and put together from head and blocks: what a dashboard reads every few
 * seconds is a view of memory.
 *
 * Invariants:
 * - an entry of a series in the head has every sample from its `from` on, up to the newest that the head had when it was looked
 *   at last: newer ones are appended when it is asked for. An entry of a series that the head has nothing of, in the times of the
 *   request, has every sample of [from, to], and ends when the head has something;
 * - a change of the past ends an entry (head/past-changes.ts), any change of the blocks ends them all (`forgetAll`);
 * - only series of floats without start times are kept, and only what is asked for a second time: to keep what is read costs as
 *   much as to read it, and who looks at a month once does not come back for it;
 * - series with samples at the same times share these; what was given out as a view never changes.
 *
 * Entries are made with some room at the end. One that is full is made anew, without what nobody asks for any more.
 */
import { firstAfter, firstAt } from "../../lib/search.ts";
import { isHistogramAt, type SampleBuffer, type SampleView } from "../../model/sample.ts";
import { type BlockCache, type CacheSlots, cacheDrop, cacheForget, cachePut } from "../block/cache.ts";
import { FALLS, HAS_NAN, shapeOf } from "../column/value-shape.ts";
import { type Identities, makeIdentities, obtain } from "./merged-series.ts";

export interface SeriesCache {
  readonly memory: BlockCache;
  /** The list of blocks that the entries were read of. */
  blocks: readonly unknown[];
  /** Of which series there has been an entry, or the wish for one. */
  known: Identities;
  /** Entries by the number of the series in `known`. */
  entries: CacheSlots;
  /** Series that have no entry, as they are not of floats alone; by the same number. */
  refused: Set<number>;
  /** Times of entries made lately, by the first of them. */
  readonly times: Map<number, Times>;
  /** The same of samples that were looked at and not kept. */
  readonly lent: Map<number, Times>;
  /** By the same number, of the request before that read the series: from and to; NaN where there was none. */
  asked: Float64Array;
  /** Damage that was met by readers: what they have read may lack samples. */
  damage: number;
  /** Counts to what is let in when the memory is full. */
  turn: number;
  hits: number;
  misses: number;
}

/** Times of samples, appended to and never changed otherwise. */
interface Times {
  readonly ts: Float64Array;
  length: number;
  /** The view given out last: ts[first, end). */
  first: number;
  end: number;
  view: Float64Array;
}

interface Entry {
  /** Every sample in [from, to] is there; `to` is infinite where newer ones come through the head. */
  readonly from: number;
  readonly to: number;
  readonly times: Times;
  readonly values: Float64Array;
  readonly words: Uint32Array;
  length: number;
  hasNan: boolean;
  ascending: boolean;
}

/** Memory that the objects around an entry take, about. */
const OVERHEAD = 500;
/** For samples that come: a series that is asked for every few seconds is read anew after so many. */
const MOST_ROOM = 1024;
const MOST_KNOWN = 1 << 20;
const MOST_TIMES = 512;
/** Few: what is read once is no reason to hold much of it. */
const MOST_LENT = 16;
/** Of entries that come when there is no room, one in so many is let in: going round more than fits keeps a part of it. */
const LET_IN = 16;

export function makeSeriesCache(memory: BlockCache): SeriesCache {
  return {
    memory,
    blocks: [],
    known: makeIdentities(256),
    entries: [],
    refused: new Set(),
    times: new Map(),
    lent: new Map(),
    asked: new Float64Array(0),
    damage: 0,
    turn: 0,
    hits: 0,
    misses: 0,
  };
}

export function forgetAll(cache: SeriesCache): void {
  if (cache.known.count === 0) return;
  cacheForget(cache.memory, cache.entries);
  cache.known = makeIdentities(256);
  cache.refused.clear();
  cache.times.clear();
  cache.lent.clear();
  cache.asked.fill(Number.NaN);
}

/** The number of the series with this identity (96 bits). */
export function seriesNumber(cache: SeriesCache, identity: Uint32Array): number {
  if (cache.known.count >= MOST_KNOWN) forgetAll(cache);
  return obtain(cache.known, identity);
}

export function forgetSeries(cache: SeriesCache, series: number): void {
  cache.refused.delete(series);
  const entry = cache.entries[series];
  if (entry !== undefined) cacheDrop(cache.memory, entry);
}

/** The time of the newest sample of the entry, if there is one of [minT, maxT] and it is of the kind asked for; else undefined. */
export function keptUntil(
  cache: SeriesCache,
  series: number,
  minT: number,
  maxT: number,
  inHead: boolean,
): number | undefined {
  const entry = cache.entries[series]?.value as Entry | undefined;
  if (entry === undefined || entry.from > minT || entry.to < maxT) return undefined;
  if ((entry.to === Number.POSITIVE_INFINITY) !== inHead) return undefined;
  return entry.times.ts[entry.length - 1];
}

/** Appends newer samples to an entry; false when they do not fit: the entry is gone then. */
export function appendKept(cache: SeriesCache, series: number, newer: SampleBuffer): boolean {
  const entry = cache.entries[series]?.value as Entry;
  const { times, values, words } = entry;
  const n = newer.length;
  const fits = entry.length + n <= values.length && isPlain(newer) && joinTimes(times, entry.length, newer.ts, n);
  if (!fits) {
    forgetSeries(cache, series);
    return false;
  }
  words.set(newer.words.subarray(0, 2 * n), 2 * entry.length);
  noteShape(entry, entry.length, entry.length + n);
  entry.length += n;
  return true;
}

/**
 * Keeps the samples of a series, all that there are in [from, to]. "refused": they are not of a kind that is kept;
 * "not yet": it is the first time that the series is asked for in these times; "full": there is no room for now.
 */
export function keepSeries(
  cache: SeriesCache,
  series: number,
  from: number,
  to: number,
  samples: SampleBuffer,
): "kept" | "refused" | "not yet" | "full" {
  const { memory } = cache;
  forgetSeries(cache, series);
  const n = samples.length;
  if (n === 0 || !isPlain(samples)) {
    cache.refused.add(series);
    return "refused";
  }
  const last = samples.ts[n - 1] as number;
  if (!askedBefore(cache, series, from, Math.min(to, last))) return "not yet";
  const room = to === Number.POSITIVE_INFINITY ? n + Math.min(n >> 2, MOST_ROOM) + 32 : n;
  const times = shareTimes(cache, samples, n, room);
  const bytes = OVERHEAD + 8 * room + (times.view.length === 0 ? 8 * times.ts.length : 0);
  if (memory.bytes + bytes > memory.maxBytes && cache.turn++ % LET_IN !== 0) return "full";
  const values = new Float64Array(room);
  const words = new Uint32Array(values.buffer);
  words.set(samples.words.subarray(0, 2 * n));
  const entry: Entry = { from, to, times, values, words, length: n, hasNan: false, ascending: true };
  noteShape(entry, 0, n);
  cachePut(memory, cache.entries, series, entry, bytes);
  return cache.entries[series] === undefined ? "full" : "kept";
}

/** Whether the last request read half of these times of the series, or more; this one is the last one from now on. */
function askedBefore(cache: SeriesCache, series: number, from: number, to: number): boolean {
  const at = 2 * series;
  if (at >= cache.asked.length) {
    const larger = new Float64Array(Math.max(512, 2 * at)).fill(Number.NaN);
    larger.set(cache.asked);
    cache.asked = larger;
  }
  const both = Math.min(to, cache.asked[at + 1] as number) - Math.max(from, cache.asked[at] as number);
  cache.asked[at] = from;
  cache.asked[at + 1] = to;
  return 2 * both >= to - from;
}

/** Makes `out` a view of samples that are not kept: all of a series in more than [minT, maxT], floats alone. */
export function viewSamples(
  cache: SeriesCache,
  samples: SampleBuffer,
  minT: number,
  maxT: number,
  out: SampleView,
): void {
  const { values, words, length } = samples;
  const times = timesFor(cache, samples, length);
  const { first, end } = cutTimes(times, length, minT, maxT);
  const shape = shapeOf(values, first, end);
  out.ts = times.view;
  out.values = values.subarray(first, end);
  out.words = words.subarray(2 * first, 2 * end);
  out.length = end - first;
  out.hasNan = (shape & HAS_NAN) !== 0;
  out.ascending = (shape & FALLS) === 0;
}

/** Makes `out` a view of the entry's samples in [minT, maxT]; minT is not before the entry's `from`. */
export function viewKept(cache: SeriesCache, series: number, minT: number, maxT: number, out: SampleView): void {
  const slot = cache.entries[series] as NonNullable<CacheSlots[number]>;
  slot.used = true;
  cache.hits++;
  const { times, values, words, length, hasNan, ascending } = slot.value as Entry;
  const { first, end } = cutTimes(times, length, minT, maxT);
  out.ts = times.view;
  out.values = values.subarray(first, end);
  out.words = words.subarray(2 * first, 2 * end);
  out.length = end - first;
  out.hasNan = hasNan;
  out.ascending = ascending;
}

/** Makes the view those of the first `length` times that are in [minT, maxT]. */
function cutTimes(times: Times, length: number, minT: number, maxT: number): { first: number; end: number } {
  const first = firstAt(times.ts, 0, length, minT);
  const end = firstAfter(times.ts, first, length, maxT);
  if (times.first !== first || times.end !== end) {
    times.first = first;
    times.end = end;
    times.view = times.ts.subarray(first, end);
  }
  return { first, end };
}

function isPlain({ startTs, histograms, words, values, length }: SampleBuffer): boolean {
  if (startTs !== undefined) for (let i = 0; i < length; i++) if (startTs[i] !== 0) return false;
  if (histograms === undefined || histograms.length === 0) return true;
  for (let i = 0; i < length; i++) if (Number.isNaN(values[i]) && isHistogramAt(words, i)) return false;
  return true;
}

/** Looks at the values [from, to) that have come. */
function noteShape(entry: Entry, from: number, to: number): void {
  const shape = shapeOf(entry.values, from, to);
  if ((shape & FALLS) !== 0) entry.ascending = false;
  if ((shape & HAS_NAN) !== 0) entry.hasNan = true;
}

/** Times that begin with those of the samples: of an entry that came before, or new ones. */
function shareTimes(cache: SeriesCache, { ts }: SampleBuffer, n: number, room: number): Times {
  const start = ts[0] as number;
  const known = cache.times.get(start);
  if (known !== undefined && joinTimes(known, 0, ts, n)) return known;
  const own = new Float64Array(room);
  own.set(ts.subarray(0, n));
  const times: Times = { ts: own, length: n, first: 0, end: 0, view: own.subarray(0, 0) };
  if (known === undefined && cache.times.size >= MOST_TIMES) {
    const [oldest] = cache.times.keys();
    cache.times.delete(oldest as number);
  }
  cache.times.set(start, times);
  return times;
}

/** Those of samples that are not kept. */
function timesFor(cache: SeriesCache, { ts }: SampleBuffer, n: number): Times {
  const { times, lent } = cache;
  const start = ts[0] as number;
  for (const known of [times.get(start), lent.get(start)]) {
    if (known !== undefined && joinTimes(known, 0, ts, n)) return known;
  }
  const own: Times = { ts: ts.slice(0, n), length: n, first: 0, end: 0, view: new Float64Array(0) };
  if (lent.size >= MOST_LENT) {
    const [oldest] = lent.keys();
    lent.delete(oldest as number);
  }
  lent.set(start, own);
  return own;
}

/** Whether times[at, at + n) are those of `ts`, after appending what is missing at the end. */
function joinTimes(times: Times, at: number, ts: Float64Array, n: number): boolean {
  const shared = Math.min(n, times.length - at);
  // As bytes: that takes no loop that a process which was just started has yet to compile.
  if (shared > 0 && Buffer.compare(bytesOf(times.ts, at, shared), bytesOf(ts, 0, shared)) !== 0) return false;
  if (at + n > times.ts.length) return false;
  if (shared < n) times.ts.set(ts.subarray(shared, n), at + shared);
  times.length = Math.max(times.length, at + n);
  return true;
}

function bytesOf({ buffer, byteOffset }: Float64Array, at: number, n: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset + 8 * at, 8 * n);
}
