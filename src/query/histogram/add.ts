import { type Histogram, RESET_GAUGE, RESET_UNKNOWN } from "../../model/histogram.ts";
import { exponentialBound, hasCustomBuckets } from "./bounds.ts";
import { cloneHistogram } from "./copy.ts";
import { commonBounds, mergeIntoBounds } from "./custom-bounds.ts";
import { reduceResolution } from "./resolution.ts";
import { coarserSide, equalNumbers, lossOf, makeSide, readSide, type Side, spansOf } from "./side.ts";
import { reconcileZeroBuckets } from "./zero-bucket.ts";

/** Flags of an addition. One histogram has exponential buckets, the other given bounds: nothing was done. */
export const INCOMPATIBLE = 1;
/** One histogram says that it follows a counter reset, the other that it does not. */
export const RESET_COLLISION = 2;
/** Bounds differed; the result has those that both have. */
export const BOUNDS_RECONCILED = 4;

/**
 * Adds `other` to `h` in place. The result has the coarser of the two schemas, a zero bucket that holds both, and a gauge's
 * reset hint if one of them is a gauge. Returns flags, 0 in the common case. Buckets may be left empty (compactHistogram).
 */
export function addHistogram(h: Histogram, other: Histogram): number {
  return combine(h, other, 1, undefined);
}

/** Subtracts `other` from `h` in place, with the flags and reset hints of an addition; the operator `-` makes a gauge of it. */
export function subtractHistogram(h: Histogram, other: Histogram): number {
  return combine(h, other, -1, undefined);
}

/**
 * Adds `other` to `h` and what that loses to rounding to `lost`, both in place: compensated (Neumaier) summation of every count.
 * `lost` is from `makeCompensation(h)` and is added to `h` at the end. Returns flags.
 */
export function addCompensated(h: Histogram, other: Histogram, lost: Histogram): number {
  return combine(h, other, 1, lost);
}

/** A compensation of nothing, with the layout of `h`. */
export function makeCompensation(h: Histogram): Histogram {
  const lost = cloneHistogram(h);
  lost.zeroCount = 0;
  lost.count = 0;
  lost.sum = 0;
  lost.positive.fill(0);
  lost.negative.fill(0);
  return lost;
}

function combine(h: Histogram, other: Histogram, sign: 1 | -1, lost: Histogram | undefined): number {
  const custom = hasCustomBuckets(h);
  if (custom !== hasCustomBuckets(other)) return INCOMPATIBLE;
  let flags = adjustResetHint(h, other);
  if (!custom) {
    const zeroCount = sign * reconcileZeroBuckets(h, other, lost);
    if (lost !== undefined) lost.zeroCount = lossOf(h.zeroCount, zeroCount, lost.zeroCount);
    h.zeroCount += zeroCount;
  }
  if (lost !== undefined) {
    lost.count = lossOf(h.count, sign * other.count, lost.count);
    lost.sum = lossOf(h.sum, sign * other.sum, lost.sum);
  }
  h.count += sign * other.count;
  h.sum += sign * other.sum;
  if (custom && !equalNumbers(h.customBounds, other.customBounds)) {
    addReconciled(h, other, sign, lost);
    flags |= BOUNDS_RECONCILED;
  } else addBuckets(h, other, sign, lost);
  return flags;
}

function adjustResetHint(h: Histogram, other: Histogram): number {
  const a = h.resetHint;
  const b = other.resetHint;
  if (a === b || a === RESET_GAUGE) return 0;
  if (b === RESET_GAUGE) {
    h.resetHint = RESET_GAUGE;
    return 0;
  }
  h.resetHint = RESET_UNKNOWN;
  return a === RESET_UNKNOWN || b === RESET_UNKNOWN ? 0 : RESET_COLLISION;
}

function addBuckets(h: Histogram, other: Histogram, sign: 1 | -1, lost: Histogram | undefined): void {
  if (other.schema < h.schema) reduceResolution(h, other.schema, lost);
  const steps = other.schema - h.schema;
  if (!addInPlace(h, h.positiveSpans, h.positive, lost?.positive, other.positiveSpans, other.positive, steps, sign)) {
    const side = merged(
      h,
      h.positiveSpans,
      h.positive,
      lost?.positive,
      other.positiveSpans,
      other.positive,
      steps,
      sign,
    );
    h.positiveSpans = spansOf(side.index);
    h.positive = side.count;
    if (lost !== undefined) {
      lost.positiveSpans = h.positiveSpans.slice();
      lost.positive = side.lost as number[];
    }
  }
  if (!addInPlace(h, h.negativeSpans, h.negative, lost?.negative, other.negativeSpans, other.negative, steps, sign)) {
    const side = merged(
      h,
      h.negativeSpans,
      h.negative,
      lost?.negative,
      other.negativeSpans,
      other.negative,
      steps,
      sign,
    );
    h.negativeSpans = spansOf(side.index);
    h.negative = side.count;
    if (lost !== undefined) {
      lost.negativeSpans = h.negativeSpans.slice();
      lost.negative = side.lost as number[];
    }
  }
}

/** The common case, every bucket of the other histogram is in the layout: no allocation. False, nothing done, otherwise. */
function addInPlace(
  h: Histogram,
  spans: readonly number[],
  counts: number[],
  lost: number[] | undefined,
  otherSpans: readonly number[],
  other: readonly number[],
  steps: number,
  sign: 1 | -1,
): boolean {
  if (other.length === 0) return true;
  if (steps !== 0 || insideZeroBucket(h, otherSpans[0] as number)) return false;
  if (!addWithin(spans, counts, lost, otherSpans, other, 0)) return false;
  return addWithin(spans, counts, lost, otherSpans, other, sign);
}

/** Whether every bucket of `otherSpans` is one of `spans`; adds their counts times `sign` on the way, which 0 only looks for. */
function addWithin(
  spans: readonly number[],
  counts: number[],
  lost: number[] | undefined,
  otherSpans: readonly number[],
  other: readonly number[],
  sign: 1 | 0 | -1,
): boolean {
  let span = 0;
  let start = spans.length > 0 ? (spans[0] as number) : 0;
  let atStart = 0;
  let index = 0;
  let at = 0;
  for (let i = 0; i < otherSpans.length; i += 2) {
    index += otherSpans[i] as number;
    const length = otherSpans[i + 1] as number;
    if (length === 0) continue;
    while (span < spans.length && start + (spans[span + 1] as number) < index + length) {
      const skipped = spans[span + 1] as number;
      atStart += skipped;
      span += 2;
      if (span < spans.length) start += skipped + (spans[span] as number);
    }
    if (span >= spans.length || start > index) return false;
    if (sign !== 0) addRun(counts, lost, atStart + index - start, other, at, length, sign);
    index += length;
    at += length;
  }
  return true;
}

function addRun(
  counts: number[],
  lost: number[] | undefined,
  to: number,
  other: readonly number[],
  from: number,
  length: number,
  sign: 1 | -1,
): void {
  for (let i = 0; i < length; i++) {
    const count = counts[to + i] as number;
    const value = sign * (other[from + i] as number);
    if (lost !== undefined) lost[to + i] = lossOf(count, value, lost[to + i] as number);
    counts[to + i] = count + value;
  }
}

function insideZeroBucket(h: Histogram, index: number): boolean {
  return h.zeroThreshold > 0 && exponentialBound(index, h.schema) <= h.zeroThreshold;
}

function merged(
  h: Histogram,
  spans: readonly number[],
  counts: readonly number[],
  lost: readonly number[] | undefined,
  otherSpans: readonly number[],
  otherCounts: readonly number[],
  steps: number,
  sign: 1 | -1,
): Side {
  let other = readSide(otherSpans, otherCounts);
  if (steps > 0) other = coarserSide(other, steps);
  // What lies in the zero bucket has been added to that.
  let first = 0;
  if (!hasCustomBuckets(h)) {
    while (first < other.index.length && insideZeroBucket(h, other.index[first] as number)) first++;
  }
  return addSides(readSide(spans, counts, lost), other, first, sign);
}

/** The buckets of both; those of `b` from the given one on, times `sign`. */
function addSides(a: Side, b: Side, firstOfB: number, sign: 1 | -1): Side {
  const out = makeSide(a.lost !== undefined);
  let i = 0;
  let j = firstOfB;
  while (i < a.index.length || j < b.index.length) {
    const x = i < a.index.length ? (a.index[i] as number) : Number.POSITIVE_INFINITY;
    const y = j < b.index.length ? (b.index[j] as number) : Number.POSITIVE_INFINITY;
    let count = 0;
    let lost = 0;
    if (x <= y) {
      count = a.count[i] as number;
      if (a.lost !== undefined) lost = a.lost[i] as number;
      i++;
    }
    if (y <= x) {
      const value = sign * (b.count[j] as number);
      lost = lossOf(count, value, lost);
      count += value;
      j++;
    }
    out.index.push(Math.min(x, y));
    out.count.push(count);
    out.lost?.push(lost);
  }
  return out;
}

function addReconciled(h: Histogram, other: Histogram, sign: 1 | -1, lost: Histogram | undefined): void {
  const bounds = commonBounds(h.customBounds, other.customBounds);
  const a = mergeIntoBounds(readSide(h.positiveSpans, h.positive, lost?.positive), h.customBounds, bounds);
  const b = mergeIntoBounds(readSide(other.positiveSpans, other.positive), other.customBounds, bounds);
  const side = withoutEmpty(addSides(a, b, 0, sign));
  h.customBounds = bounds;
  h.positiveSpans = spansOf(side.index);
  h.positive = side.count;
  if (lost === undefined) return;
  lost.customBounds = bounds.slice();
  lost.positiveSpans = h.positiveSpans.slice();
  lost.positive = side.lost as number[];
}

function withoutEmpty(side: Side): Side {
  const out = makeSide(side.lost !== undefined);
  for (let i = 0; i < side.index.length; i++) {
    const lost = side.lost === undefined ? 0 : (side.lost[i] as number);
    if (side.count[i] === 0 && lost === 0) continue;
    out.index.push(side.index[i] as number);
    out.count.push(side.count[i] as number);
    out.lost?.push(lost);
  }
  return out;
}
