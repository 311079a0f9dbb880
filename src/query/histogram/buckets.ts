import type { Histogram } from "../../model/histogram.ts";
import { customBound, exponentialBound, hasCustomBuckets } from "./bounds.ts";

/** Which bounds belong to a bucket; the HTTP API's numbers. */
export const UPPER_ONLY = 0;
export const LOWER_ONLY = 1;
export const NEITHER = 2;
export const BOTH = 3;

/** Buckets of a histogram in ascending order, a column each; filled anew for each histogram. */
export interface BucketTable {
  n: number;
  lower: Float64Array;
  upper: Float64Array;
  count: Float64Array;
  /** UPPER_ONLY, LOWER_ONLY, NEITHER or BOTH. */
  inclusive: Uint8Array;
}

export function makeBucketTable(): BucketTable {
  return {
    n: 0,
    lower: new Float64Array(64),
    upper: new Float64Array(64),
    count: new Float64Array(64),
    inclusive: new Uint8Array(64),
  };
}

/**
 * All buckets of spans, empty ones too, and the zero bucket if it is populated. A bucket that reaches into the zero bucket ends
 * at that one's bound.
 */
export function fillBuckets(h: Histogram, table: BucketTable): void {
  const { schema, zeroThreshold } = h;
  reserve(table, h.positive.length + h.negative.length + 1);
  table.n = h.negative.length;
  fillSide(h.negativeSpans, h.negative, table.n - 1, -1, table, -1, (index) => exponentialBound(index, schema));
  if (h.zeroCount > 0) put(table, table.n++, -zeroThreshold, zeroThreshold, h.zeroCount, BOTH);
  const from = table.n;
  table.n += h.positive.length;
  if (hasCustomBuckets(h)) {
    const { customBounds } = h;
    fillSide(h.positiveSpans, h.positive, from, 1, table, 1, (index) => customBound(index, customBounds));
    table.inclusive.fill(UPPER_ONLY, from, table.n);
    if (h.positive.length > 0 && firstIndex(h.positiveSpans) === 0) table.inclusive[from] = BOTH;
    return;
  }
  fillSide(h.positiveSpans, h.positive, from, 1, table, 1, (index) => exponentialBound(index, schema));
  for (let i = 0; i < table.n; i++) {
    const upper = table.upper[i] as number;
    const lower = table.lower[i] as number;
    if (upper < 0 && upper > -zeroThreshold) table.upper[i] = -zeroThreshold;
    else if (lower > 0 && lower < zeroThreshold) table.lower[i] = zeroThreshold;
  }
}

function fillSide(
  spans: readonly number[],
  counts: readonly number[],
  from: number,
  step: 1 | -1,
  table: BucketTable,
  sign: 1 | -1,
  bound: (index: number) => number,
): void {
  let index = 0;
  let at = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    const length = spans[i + 1] as number;
    if (length === 0) continue;
    let near = bound(index - 1);
    for (let j = 0; j < length && at < counts.length; j++, at++) {
      const far = bound(index++);
      const lower = sign === 1 ? near : -far;
      const upper = sign === 1 ? far : -near;
      const inclusive = lower < 0 ? (upper > 0 ? BOTH : LOWER_ONLY) : upper > 0 ? UPPER_ONLY : NEITHER;
      put(table, from + step * at, lower, upper, counts[at] as number, inclusive);
      near = far;
    }
  }
}

function put(table: BucketTable, i: number, lower: number, upper: number, count: number, inclusive: number): void {
  table.lower[i] = lower;
  table.upper[i] = upper;
  table.count[i] = count;
  table.inclusive[i] = inclusive;
}

function firstIndex(spans: readonly number[]): number {
  let index = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    if ((spans[i + 1] as number) > 0) break;
  }
  return index;
}

function reserve(table: BucketTable, n: number): void {
  if (n <= table.count.length) return;
  const size = 2 * n;
  table.lower = new Float64Array(size);
  table.upper = new Float64Array(size);
  table.count = new Float64Array(size);
  table.inclusive = new Uint8Array(size);
}
