import type { Histogram } from "../../model/histogram.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { fillBuckets, makeBucketTable } from "./buckets.ts";
import { exp2, log2 } from "./log-scale.ts";

export type QuantileNote = "none" | "result is NaN" | "skewed";

const table = makeBucketTable();
let note: QuantileNote = "none";

/**
 * The q-quantile: interpolated on a logarithmic scale in exponential buckets, linearly in buckets of given bounds and in the
 * zero bucket. NaN without observations, -Inf and +Inf for q outside [0, 1].
 */
export function quantileOfHistogram(q: number, h: Histogram): number {
  note = "none";
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  if (h.count === 0 || Number.isNaN(q)) return Number.NaN;
  fillBuckets(h, table);
  // Observations of NaN are in the count, but in no bucket: they lie above all others.
  const maybeNaN = Number.isNaN(h.sum);
  const forward = maybeNaN || q < 0.5;
  let rank = forward ? q * h.count : (1 - q) * h.count;
  const { n } = table;
  let count = 0;
  let at = forward ? 0 : n - 1;
  const end = forward ? n : -1;
  const step = forward ? 1 : -1;
  let found = -1;
  for (; at !== end; at += step) {
    found = at;
    const inBucket = table.count[at] as number;
    if (inBucket === 0) continue;
    count += inBucket;
    if (count >= rank) break;
  }
  let lower = found < 0 ? 0 : (table.lower[found] as number);
  let upper = found < 0 ? 0 : (table.upper[found] as number);
  let inBucket = found < 0 ? 0 : (table.count[found] as number);
  const custom = hasCustomBuckets(h);
  if (custom) {
    if (lower === Number.NEGATIVE_INFINITY) {
      if (upper <= 0) return upper;
      lower = 0;
    } else if (upper === Number.POSITIVE_INFINITY) return lower;
  } else if (lower < 0 && upper > 0) {
    // The zero bucket of a histogram with observations on one side.
    if (h.negative.length === 0 && h.positive.length > 0) lower = 0;
    else if (h.positive.length === 0 && h.negative.length > 0) upper = 0;
  }
  if (count > h.count) count = h.count;
  if (count < rank) {
    if (!maybeNaN) return upper;
    note = "result is NaN";
    return Number.NaN;
  }
  if (forward) rank -= count - inBucket;
  else rank = count - rank;
  if (maybeNaN) {
    // Infinite observations of both signs make the sum NaN too. Prometheus looks for them so that the share of the bucket is
    // that of the last one then.
    for (at++; at < n; at++) {
      inBucket = table.count[at] as number;
      lower = table.lower[at] as number;
      upper = table.upper[at] as number;
      count += inBucket;
    }
    if (count < h.count) note = "skewed";
  }
  const share = rank / inBucket;
  if (custom || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * share;
  const near = log2(Math.abs(lower));
  const far = log2(Math.abs(upper));
  if (lower > 0) return exp2(near + (far - near) * share);
  return -exp2(far + (near - far) * (1 - share));
}

/** What is to be told of observations of NaN along with the quantile of this histogram. */
export function quantileNote(q: number, h: Histogram): QuantileNote {
  if (!Number.isNaN(h.sum)) return "none";
  quantileOfHistogram(q, h);
  return note;
}
