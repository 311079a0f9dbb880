import type { Histogram } from "../../model/histogram.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { fillBuckets, makeBucketTable } from "./buckets.ts";
import { log2 } from "./log-scale.ts";

const table = makeBucketTable();

/**
 * The share of observations between two values, the inverse of the quantile and interpolated as that is. NaN without
 * observations and for bounds that are NaN; 0 where `lower` is not below `upper`. Observations of NaN are in no share.
 */
export function fractionOfHistogram(lower: number, upper: number, h: Histogram): number {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  fillBuckets(h, table);
  const count = Number.isNaN(h.sum) ? countOfBuckets() : h.count;
  return (rankOf(upper, h, count) - rankOf(lower, h, count)) / h.count;
}

/** Whether observations of NaN, left out of the fraction, are to be told of. */
export function fractionLeavesOutNaN(lower: number, upper: number, h: Histogram): boolean {
  if (!Number.isNaN(h.sum) || h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper) || lower >= upper)
    return false;
  fillBuckets(h, table);
  return countOfBuckets() < h.count;
}

function countOfBuckets(): number {
  let count = 0;
  for (let i = 0; i < table.n; i++) count += table.count[i] as number;
  return count;
}

/** Observations below a value, at most `count`. */
function rankOf(value: number, h: Histogram, count: number): number {
  const custom = hasCustomBuckets(h);
  let rank = 0;
  for (let i = 0; i < table.n; i++) {
    let lower = table.lower[i] as number;
    let upper = table.upper[i] as number;
    const inBucket = table.count[i] as number;
    let linear = custom;
    if (lower <= 0 && upper >= 0) {
      // With observations on one side only, 0 is the bound; so it is of any bucket of given bounds around 0.
      linear = true;
      if (h.negative.length === 0 && h.positive.length > 0) lower = 0;
      else if (h.positive.length === 0 && h.negative.length > 0) upper = 0;
    }
    if (lower >= value) return Math.min(rank, count);
    if (upper > value) return Math.min(partOf(rank, inBucket, lower, upper, value, linear), count);
    rank += inBucket;
  }
  return count;
}

function partOf(rank: number, count: number, lower: number, upper: number, value: number, linear: boolean): number {
  if (linear) {
    // Nothing can be said of where in a bucket of infinite width its observations lie.
    if (lower === Number.NEGATIVE_INFINITY) return count;
    return rank + (count * (value - lower)) / (upper - lower);
  }
  const near = log2(Math.abs(lower));
  const far = log2(Math.abs(upper));
  const at = log2(Math.abs(value));
  return rank + count * (value > 0 ? (at - near) / (far - near) : 1 - (at - far) / (near - far));
}
