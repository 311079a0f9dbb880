import type { Histogram } from "../../model/histogram.ts";
import { exponentialBound } from "./bounds.ts";
import { lossOf } from "./side.ts";

/** The zero bucket that a histogram would have with a larger threshold. */
interface ZeroBucket {
  threshold: number;
  count: number;
  lost: number;
}

/**
 * The zero bucket with at least the given threshold: the observations of buckets within it are its own. A threshold inside a
 * populated bucket moves to that bucket's far end.
 */
export function widerZeroBucket(h: Histogram, threshold: number, lost?: Histogram): ZeroBucket {
  const zero: ZeroBucket = { threshold, count: h.zeroCount, lost: lost?.zeroCount ?? 0 };
  if (threshold === h.zeroThreshold) return zero;
  while (true) {
    zero.count = h.zeroCount;
    zero.lost = lost?.zeroCount ?? 0;
    absorb(zero, h.schema, h.positiveSpans, h.positive, lost?.positive);
    const before = zero.threshold;
    absorb(zero, h.schema, h.negativeSpans, h.negative, lost?.negative);
    // The positive side was counted with a smaller threshold.
    if (zero.threshold === before) return zero;
  }
}

function absorb(
  zero: ZeroBucket,
  schema: number,
  spans: readonly number[],
  counts: readonly number[],
  lost: readonly number[] | undefined,
): void {
  let index = 0;
  let at = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    for (let j = 0; j < (spans[i + 1] as number); j++, at++, index++) {
      if (exponentialBound(index - 1, schema) >= zero.threshold) return;
      const count = counts[at] as number;
      if (lost !== undefined) zero.lost = lossOf(zero.count, count, zero.lost) + (lost[at] as number);
      zero.count += count;
      const upper = exponentialBound(index, schema);
      if (upper > zero.threshold) {
        if (count !== 0) zero.threshold = upper;
        return;
      }
    }
  }
}

/** Makes the zero bucket wider, in place; the threshold must be one that `widerZeroBucket` told. */
function widen(h: Histogram, zero: ZeroBucket, lost: Histogram | undefined): void {
  h.zeroThreshold = zero.threshold;
  h.zeroCount = zero.count;
  const positive = bucketsWithin(zero.threshold, h.schema, h.positiveSpans);
  const negative = bucketsWithin(zero.threshold, h.schema, h.negativeSpans);
  dropFirst(h, positive, negative);
  if (lost === undefined) return;
  lost.zeroThreshold = zero.threshold;
  lost.zeroCount = zero.lost;
  dropFirst(lost, positive, negative);
}

function bucketsWithin(threshold: number, schema: number, spans: readonly number[]): number {
  let index = 0;
  let buckets = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    for (let j = 0; j < (spans[i + 1] as number); j++, index++, buckets++) {
      if (exponentialBound(index - 1, schema) >= threshold) return buckets;
    }
  }
  return buckets;
}

function dropFirst(h: Histogram, positive: number, negative: number): void {
  h.positiveSpans = spansWithoutFirst(h.positiveSpans, positive);
  h.positive = h.positive.slice(positive);
  h.negativeSpans = spansWithoutFirst(h.negativeSpans, negative);
  h.negative = h.negative.slice(negative);
}

function spansWithoutFirst(spans: readonly number[], buckets: number): number[] {
  const out: number[] = [];
  let offset = 0;
  let left = buckets;
  for (let i = 0; i < spans.length; i += 2) {
    offset += spans[i] as number;
    const length = spans[i + 1] as number;
    const cut = Math.min(left, length);
    left -= cut;
    if (cut === length) {
      offset += length;
      continue;
    }
    out.push(offset + cut, length - cut);
    offset = 0;
  }
  return out;
}

/**
 * Widens the zero bucket in place until both histograms could have it. Returns the count that `other`, which stays as it is,
 * would have in it. `lost`: the compensation of `h`.
 */
export function reconcileZeroBuckets(h: Histogram, other: Histogram, lost?: Histogram): number {
  let count = other.zeroCount;
  let threshold = other.zeroThreshold;
  while (threshold < h.zeroThreshold || threshold > h.zeroThreshold) {
    if (h.zeroThreshold > threshold) {
      const wider = widerZeroBucket(other, h.zeroThreshold);
      count = wider.count;
      threshold = wider.threshold;
    }
    if (threshold > h.zeroThreshold) widen(h, widerZeroBucket(h, threshold, lost), lost);
  }
  return count;
}
