import type { Histogram } from "../../model/histogram.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { equalNumbers } from "./side.ts";

/**
 * Whether two histograms have the same counts, sum and layout of buckets, empty ones too; what they say of counter resets does
 * not matter. Counts are compared bit by bit: NaN equals NaN.
 */
export function sameHistogram(a: Histogram, b: Histogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    (!hasCustomBuckets(a) || equalNumbers(a.customBounds, b.customBounds)) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    sameCounts(a.negative, b.negative) &&
    sameCounts(a.positive, b.positive) &&
    equalNumbers(withoutEmptySpans(a.negativeSpans), withoutEmptySpans(b.negativeSpans)) &&
    equalNumbers(withoutEmptySpans(a.positiveSpans), withoutEmptySpans(b.positiveSpans))
  );
}

function sameCounts(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function withoutEmptySpans(spans: readonly number[]): readonly number[] {
  let empty = false;
  for (let i = 1; i < spans.length; i += 2) if (spans[i] === 0) empty = true;
  if (!empty) return spans;
  const out: number[] = [];
  let offset = 0;
  for (let i = 0; i < spans.length; i += 2) {
    offset += spans[i] as number;
    if (spans[i + 1] === 0) continue;
    out.push(offset, spans[i + 1] as number);
    offset = 0;
  }
  return out;
}
