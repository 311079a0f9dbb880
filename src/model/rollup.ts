import type { HistogramBytes } from "./sample.ts";

/**
 * A rolled-up series: one row a bucket that has samples or ends the series. A bucket is (start, start + width]: open to the
 * left and closed to the right like a PromQL window, so that windows whose ends are multiples of the width hold whole buckets.
 */
export const TIERS = ["raw", "1m", "1h"] as const;
export type Tier = (typeof TIERS)[number];
export type RollupTier = Exclude<Tier, "raw">;

/** Width of a tier's buckets in ms. */
export const TIER_MS: Readonly<Record<RollupTier, number>> = { "1m": 60_000, "1h": 3_600_000 };

/**
 * The columns of a bucket, in this order. They are of the float samples; staleness markers are no samples.
 *
 * - count, sum: sum is the compensated one, rounded once.
 * - min, max: NaN only where every sample is; of equal values (0 and -0) the last one.
 * - first, last, firstT, lastT: the outermost samples and their times (Unix ms).
 * - resets: the sum, in time order, of the values that stood before each counter reset inside the bucket (a smaller value, or
 *   a start timestamp that says so); resetCount: their number; changes: how often the value changed inside.
 * - firstStart, lastStart: start timestamps (Unix ms, 0 unknown) of the outermost samples. What happens between two buckets is
 *   worked out by the reader from last and first.
 * - stale: 1 when the newest thing in the bucket is a staleness marker. A bucket that has nothing but markers is a row with
 *   count 0, stale 1 and 0 in the other columns.
 */
export const ROLLUP_COLUMNS = [
  "count",
  "sum",
  "min",
  "max",
  "first",
  "last",
  "firstT",
  "lastT",
  "resets",
  "resetCount",
  "changes",
  "firstStart",
  "lastStart",
  "stale",
] as const;
export type RollupColumn = (typeof ROLLUP_COLUMNS)[number];

/** Bit i stands for ROLLUP_COLUMNS[i]. */
export function columnMask(columns: Iterable<RollupColumn>): number {
  let mask = 0;
  for (const c of columns) mask |= 1 << ROLLUP_COLUMNS.indexOf(c);
  return mask;
}

/** Beside the bits of columns: the native histograms' part is needed as well. */
export const HISTOGRAM_ROLLUPS: number = 1 << ROLLUP_COLUMNS.length;
export const ALL_ROLLUP_COLUMNS: number = columnMask(ROLLUP_COLUMNS);

/** Rows of one series, ascending in time; `start[i]` is the excluded start of bucket i, Unix ms. */
export interface RollupBuffer {
  length: number;
  start: Float64Array;
  readonly columns: Record<RollupColumn, Float64Array>;
  /** The native histograms' part, only where there are any (or with no bytes in use); its columns are as long as `start`. */
  histograms?: RollupHistograms;
}

/** Numbers of the native histogram samples of a bucket, with the meaning of the columns of the same name above. */
export const HISTOGRAM_ROLLUP_NUMBERS = ["count", "firstT", "lastT", "firstStart", "lastStart"] as const;
export type HistogramRollupNumber = (typeof HISTOGRAM_ROLLUP_NUMBERS)[number];

/** The outermost histograms of a bucket, their bytes as they were: columns of references into `bytes`, -1 where there is none. */
export const HISTOGRAM_ROLLUP_REFS = ["first", "last"] as const;
export type HistogramRollupRef = (typeof HISTOGRAM_ROLLUP_REFS)[number];

export interface RollupHistograms {
  readonly numbers: Record<HistogramRollupNumber, Float64Array>;
  readonly refs: Record<HistogramRollupRef, Float64Array>;
  readonly bytes: HistogramBytes;
}

export function makeRollupBuffer(capacity: number): RollupBuffer {
  const columns = {} as Record<RollupColumn, Float64Array>;
  for (const name of ROLLUP_COLUMNS) columns[name] = new Float64Array(capacity);
  return { length: 0, start: new Float64Array(capacity), columns };
}

/** An empty histogram part for a buffer of `capacity` rows: no bucket has histograms. */
export function makeRollupHistograms(capacity: number): RollupHistograms {
  const numbers = {} as Record<HistogramRollupNumber, Float64Array>;
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) numbers[name] = new Float64Array(capacity);
  const refs = {} as Record<HistogramRollupRef, Float64Array>;
  for (const name of HISTOGRAM_ROLLUP_REFS) refs[name] = new Float64Array(capacity).fill(-1);
  return { numbers, refs, bytes: { bytes: new Uint8Array(0), length: 0 } };
}

/** Makes room for `capacity` rows, keeping what is there. */
export function reserveRollup(buffer: RollupBuffer, capacity: number): void {
  if (buffer.start.length >= capacity) return;
  const size = Math.max(capacity, 2 * buffer.start.length);
  const grown = (from: Float64Array, empty = 0): Float64Array => {
    const to = new Float64Array(size);
    to.set(from.subarray(0, buffer.length));
    if (empty !== 0) to.fill(empty, buffer.length);
    return to;
  };
  buffer.start = grown(buffer.start);
  for (const name of ROLLUP_COLUMNS) buffer.columns[name] = grown(buffer.columns[name]);
  const { histograms } = buffer;
  if (histograms === undefined) return;
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) histograms.numbers[name] = grown(histograms.numbers[name]);
  for (const name of HISTOGRAM_ROLLUP_REFS) histograms.refs[name] = grown(histograms.refs[name], -1);
}
