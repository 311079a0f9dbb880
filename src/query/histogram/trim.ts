import type { Histogram } from "../../model/histogram.ts";
import { customBound, exponentialBound, hasCustomBuckets } from "./bounds.ts";
import { compactHistogram } from "./compact.ts";
import { cloneHistogram } from "./copy.ts";
import { log2 } from "./log-scale.ts";

/** What stays so far; the sum is estimated from the middles of what is kept. */
interface Kept {
  count: number;
  sum: number;
  trimmed: boolean;
}

/** A bucket, or what is left of one. */
interface Part {
  count: number;
  middle: number;
}

/**
 * A copy with the observations below `at` only (`keepBelow`, the operator `</`) or above it only (`>/`). The bucket around
 * `at` is divided as quantiles divide it; of a bucket of infinite width, where nothing is known of the distribution, all or
 * nothing stays. If anything goes, count and sum are made anew from what is left; else they stay as they are.
 */
export function trimHistogram(h: Histogram, at: number, keepBelow: boolean): Histogram {
  const out = cloneHistogram(h);
  const kept: Kept = { count: 0, sum: 0, trimmed: false };
  const hasPositive = trimSide(out, out.positiveSpans, out.positive, 1, at, keepBelow, kept);
  const hasNegative = trimSide(out, out.negativeSpans, out.negative, -1, at, keepBelow, kept);
  if (out.zeroCount > 0) {
    const lower = hasPositive && !hasNegative ? 0 : -out.zeroThreshold;
    const upper = hasNegative && !hasPositive ? 0 : out.zeroThreshold;
    const part = trimZeroBucket(lower, upper, out.zeroCount, at, keepBelow);
    if (part.count !== out.zeroCount) kept.trimmed = true;
    out.zeroCount = part.count;
    keep(kept, part);
  }
  if (!kept.trimmed) return out;
  out.count = kept.count;
  out.sum = kept.sum;
  return compactHistogram(out, 0);
}

function keep(kept: Kept, part: Part): void {
  kept.count += part.count;
  kept.sum += part.middle * part.count;
}

/** Trims the buckets of one side in place. Returns whether any of them was populated. */
function trimSide(
  h: Histogram,
  spans: readonly number[],
  counts: number[],
  sign: 1 | -1,
  at: number,
  keepBelow: boolean,
  kept: Kept,
): boolean {
  const custom = hasCustomBuckets(h);
  const bound = (index: number) =>
    custom ? customBound(index, h.customBounds) : sign * exponentialBound(index, h.schema);
  let populated = false;
  let index = 0;
  let i = 0;
  for (let s = 0; s < spans.length; s += 2) {
    index += spans[s] as number;
    for (let j = 0; j < (spans[s + 1] as number); j++, index++, i++) {
      const count = counts[i] as number;
      if (count === 0) continue;
      populated = true;
      const lower = bound(sign === 1 ? index - 1 : index);
      const upper = bound(sign === 1 ? index : index - 1);
      if (keepBelow ? upper <= at : lower >= at) {
        keep(kept, { count, middle: middleOf(lower, upper, sign, custom) });
        continue;
      }
      let rest = 0;
      if (keepBelow ? lower < at : upper > at) {
        const part = divideBucket(lower, upper, count, at, keepBelow, sign, custom);
        keep(kept, part);
        rest = part.count;
      }
      if (rest !== count) kept.trimmed = true;
      counts[i] = rest;
    }
  }
  return populated;
}

function divideBucket(
  lower: number,
  upper: number,
  count: number,
  at: number,
  keepBelow: boolean,
  sign: 1 | -1,
  custom: boolean,
): Part {
  if (lower === Number.NEGATIVE_INFINITY) return divideLowest(upper, count, at, keepBelow);
  if (upper === Number.POSITIVE_INFINITY) {
    if (!keepBelow && at >= lower) return { count, middle: at };
    return { count: 0, middle: 0 };
  }
  const below = count * shareBelow(lower, upper, at, sign, custom);
  if (keepBelow) return { count: below, middle: middleOf(lower, at, sign, custom) };
  return { count: count - below, middle: middleOf(at, upper, sign, custom) };
}

/** The bucket from -Inf on; where it ends above 0 its observations are taken to be positive. */
function divideLowest(upper: number, count: number, at: number, keepBelow: boolean): Part {
  const finite = upper !== Number.POSITIVE_INFINITY;
  if (keepBelow) {
    if (at > 0 && upper > 0 && finite) return { count: (count * at) / upper, middle: at / 2 };
    return upper <= 0 ? { count, middle: at } : { count: 0, middle: 0 };
  }
  if (at >= 0 && upper > at && finite) return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
  return { count: 0, middle: 0 };
}

/** The share of a bucket's observations that is below a value in it. */
function shareBelow(lower: number, upper: number, at: number, sign: 1 | -1, linear: boolean): number {
  if (at <= lower) return 0;
  if (at >= upper) return 1;
  if (linear) return (at - lower) / (upper - lower);
  const near = log2(Math.abs(lower));
  const far = log2(Math.abs(upper));
  const between = log2(Math.abs(at));
  return sign === 1 ? (between - near) / (far - near) : 1 - (between - far) / (near - far);
}

function trimZeroBucket(lower: number, upper: number, count: number, at: number, keepBelow: boolean): Part {
  const none = { count: 0, middle: 0 };
  const all = { count, middle: (lower + upper) / 2 };
  if (at <= lower) return keepBelow ? none : all;
  if (at >= upper) return keepBelow ? all : none;
  if (keepBelow) return { count: count * ((at - lower) / (upper - lower)), middle: (lower + at) / 2 };
  return { count: count * ((upper - at) / (upper - lower)), middle: (at + upper) / 2 };
}

/** The value that stands for the observations between two bounds. */
function middleOf(lower: number, upper: number, sign: 1 | -1, linear: boolean): number {
  if (lower === Number.NEGATIVE_INFINITY || lower === Number.POSITIVE_INFINITY) {
    if (upper === Number.NEGATIVE_INFINITY || upper === Number.POSITIVE_INFINITY) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (upper === Number.NEGATIVE_INFINITY || upper === Number.POSITIVE_INFINITY) return lower;
  if (linear) return (lower + upper) / 2;
  return sign * Math.sqrt(Math.abs(lower * upper));
}
