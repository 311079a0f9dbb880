import { formatFloatG } from "../../lib/float-format.ts";
import { PRESENT_FLOAT, type Vector } from "../execute/vector.ts";

/**
 * Classic histograms: samples that differ in `le` only are the cumulative buckets of one histogram. Which buckets there are
 * may differ from step to step.
 */

const NUMBER = /^[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** strconv.ParseFloat as far as bucket labels go; undefined for what is no number. */
export function parseBound(text: string): number | undefined {
  if (NUMBER.test(text)) return Number(text);
  const m = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (m === null) return undefined;
  if (m[2]?.toLowerCase() === "nan") return Number.NaN;
  return m[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The buckets of one step, bounds ascending and distinct. */
export interface Buckets {
  n: number;
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
}

/** Room for so many buckets. */
export function makeBuckets(size: number): Buckets {
  return { n: 0, bounds: new Float64Array(size), counts: new Float64Array(size) };
}

/** The buckets at step `s`, from the rows of a histogram in the order of their upper bounds. */
export function gatherBuckets(
  vector: Vector,
  rows: readonly number[],
  bounds: readonly number[],
  s: number,
  out: Buckets,
): void {
  out.n = 0;
  for (let i = 0; i < rows.length; i++) {
    const cell = (rows[i] as number) * vector.steps + s;
    if (vector.present[cell] !== PRESENT_FLOAT) continue;
    const bound = bounds[i] as number;
    const count = vector.values[cell] as number;
    if (out.n > 0 && out.bounds[out.n - 1] === bound) {
      // Different spellings of one bound.
      out.counts[out.n - 1] = (out.counts[out.n - 1] as number) + count;
    } else {
      out.bounds[out.n] = bound;
      out.counts[out.n++] = count;
    }
  }
}

/** Whether there is a +Inf bucket, without which nothing can be said. */
export function isComplete(b: Buckets): boolean {
  return b.bounds[b.n - 1] === Number.POSITIVE_INFINITY;
}

/** Relative difference of counts that is taken for lost precision, not for data. */
const SMALL_DELTA = 1e-12;

/** What was changed to make counts ascend; nothing where `maxDiff` is 0. */
export interface Raised {
  minBucket: number;
  maxBucket: number;
  maxDiff: number;
}

/** Makes counts ascend; true when real data had to be changed for that, which `raised` tells of then. */
export function makeMonotonic(b: Buckets, raised: Raised): boolean {
  raised.minBucket = Number.POSITIVE_INFINITY;
  raised.maxBucket = Number.NEGATIVE_INFINITY;
  raised.maxDiff = 0;
  let forced = false;
  let previous = b.counts[0] as number;
  for (let i = 1; i < b.n; i++) {
    const count = b.counts[i] as number;
    if (count === previous) continue;
    const small = Math.abs(count - previous) / (Math.abs(count) + Math.abs(previous)) < SMALL_DELTA;
    if (small) b.counts[i] = previous;
    else if (count < previous) {
      b.counts[i] = previous;
      forced = true;
      raised.minBucket = Math.min(raised.minBucket, b.bounds[i] as number);
      raised.maxBucket = Math.max(raised.maxBucket, b.bounds[i] as number);
      raised.maxDiff = Math.max(raised.maxDiff, previous - count);
    } else previous = count;
  }
  return forced;
}

/** The q-quantile (q in [0, 1]) by linear interpolation in the bucket that holds it, counts ascending. NaN without observations. */
export function bucketQuantile(q: number, b: Buckets): number {
  const last = b.n - 1;
  if (b.n < 2) return Number.NaN;
  const observations = b.counts[last] as number;
  if (observations === 0 || Number.isNaN(observations)) return Number.NaN;
  let rank = q * observations;
  let i = 0;
  while (i < last && !((b.counts[i] as number) >= rank)) i++;
  if (i === last) return b.bounds[last - 1] as number;
  const upper = b.bounds[i] as number;
  if (i === 0 && upper <= 0) return upper;
  let lower = 0;
  let count = b.counts[i] as number;
  if (i > 0) {
    lower = b.bounds[i - 1] as number;
    count -= b.counts[i - 1] as number;
    rank -= b.counts[i - 1] as number;
  }
  return lower + (upper - lower) * (rank / count);
}

/** The share of observations between two values, by linear interpolation; none within a bucket of infinite width. */
export function bucketFraction(lower: number, upper: number, b: Buckets): number {
  const count = b.counts[b.n - 1] as number;
  if (count === 0 || Number.isNaN(count) || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, b) - rankOf(lower, b)) / count;
}

/** Observations below a value. */
function rankOf(value: number, b: Buckets): number {
  let rank = 0;
  for (let i = 0; i < b.n; i++) {
    const upper = b.bounds[i] as number;
    const lower = i > 0 ? (b.bounds[i - 1] as number) : upper > 0 ? 0 : Number.NEGATIVE_INFINITY;
    if (lower >= value) return rank;
    const count = b.counts[i] as number;
    if (upper > value) {
      if (lower === Number.NEGATIVE_INFINITY) return count;
      return rank + (count - rank) * ((value - lower) / (upper - lower));
    }
    rank = count;
  }
  return rank;
}

/** A quantile as OpenMetrics writes it in a label: always with a point or exponent. */
export function formatQuantileLabel(q: number): string {
  const text = formatFloatG(q);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
