import type { Histogram } from "../../model/histogram.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { fillBuckets, makeBucketTable } from "./buckets.ts";
import { lossOf } from "./side.ts";

const table = makeBucketTable();

/** The arithmetic mean of the observations; NaN without any. */
export function histogramAverage(h: Histogram): number {
  return h.sum / h.count;
}

/**
 * The variance of the observations, each taken to be at its bucket's middle: the geometric mean of its bounds, of given bounds
 * the arithmetic mean, 0 in the zero bucket.
 */
export function histogramVariance(h: Histogram): number {
  const mean = h.sum / h.count;
  const custom = hasCustomBuckets(h);
  fillBuckets(h, table);
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < table.n; i++) {
    const count = table.count[i] as number;
    if (count === 0) continue;
    const lower = table.lower[i] as number;
    const upper = table.upper[i] as number;
    let middle = 0;
    if (custom) middle = (upper + lower) / 2;
    else if (!(lower <= 0 && upper >= 0)) middle = upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower);
    const square = count * (middle - mean) * (middle - mean);
    lost = lossOf(sum, square, lost);
    sum += square;
  }
  return (sum + lost) / h.count;
}

/** The standard deviation; the square root of the variance. */
export function histogramDeviation(h: Histogram): number {
  return Math.sqrt(histogramVariance(h));
}
