import { type Histogram, RESET_NO, RESET_YES } from "../../model/histogram.ts";
import { exponentialBound, hasCustomBuckets } from "./bounds.ts";
import { commonBounds, mergeIntoBounds } from "./custom-bounds.ts";
import { coarserSide, equalNumbers, readSide, type Side } from "./side.ts";
import { widerZeroBucket } from "./zero-bucket.ts";

/**
 * Whether the counter was reset between two samples of one series: the current one says so, or a count (not the sum) is smaller
 * or a populated bucket is gone. Resolution that rises and a zero bucket that shrinks are resets too: without one they only get
 * coarser. A gauge is looked at as if it were a counter.
 */
export function detectReset(current: Histogram, previous: Histogram): boolean {
  if (current.resetHint === RESET_YES) return true;
  if (current.resetHint === RESET_NO) return false;
  if (current.count < previous.count) return true;
  if (hasCustomBuckets(current)) {
    if (!hasCustomBuckets(previous)) return true;
    if (!equalNumbers(current.customBounds, previous.customBounds)) return resetInCommonBounds(current, previous);
  }
  // Also where given bounds were followed by exponential buckets.
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
  const zero = widerZeroBucket(previous, current.zeroThreshold);
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true;
  const steps = previous.schema - current.schema;
  return (
    resetInSide(current, current.positiveSpans, current.positive, previous.positiveSpans, previous.positive, steps) ||
    resetInSide(current, current.negativeSpans, current.negative, previous.negativeSpans, previous.negative, steps)
  );
}

function resetInSide(
  current: Histogram,
  spans: readonly number[],
  counts: readonly number[],
  previousSpans: readonly number[],
  previousCounts: readonly number[],
  steps: number,
): boolean {
  if (previousCounts.length === 0) return false;
  if (steps === 0 && equalNumbers(spans, previousSpans) && !startsInZeroBucket(current, spans[0] as number)) {
    for (let i = 0; i < counts.length; i++) if ((counts[i] as number) < (previousCounts[i] as number)) return true;
    return false;
  }
  let previous = readSide(previousSpans, previousCounts);
  if (steps > 0) previous = coarserSide(previous, steps);
  let first = 0;
  while (first < previous.index.length && startsInZeroBucket(current, previous.index[first] as number)) first++;
  return lessThan(readSide(spans, counts), previous, first);
}

function startsInZeroBucket(h: Histogram, index: number): boolean {
  return h.zeroThreshold > 0 && exponentialBound(index, h.schema) <= h.zeroThreshold;
}

/** Whether a bucket of `b`, from the given one on, has more observations than in `a`, or is populated and not in `a`. */
function lessThan(a: Side, b: Side, firstOfB: number): boolean {
  let i = 0;
  for (let j = firstOfB; j < b.index.length; j++) {
    const index = b.index[j] as number;
    while (i < a.index.length && (a.index[i] as number) < index) i++;
    const count = b.count[j] as number;
    if (i < a.index.length && a.index[i] === index) {
      if ((a.count[i] as number) < count) return true;
    } else if (count !== 0) return true;
  }
  return false;
}

function resetInCommonBounds(current: Histogram, previous: Histogram): boolean {
  const bounds = commonBounds(current.customBounds, previous.customBounds);
  const a = mergeIntoBounds(readSide(current.positiveSpans, current.positive), current.customBounds, bounds);
  const b = mergeIntoBounds(readSide(previous.positiveSpans, previous.positive), previous.customBounds, bounds);
  return lessThan(a, b, 0);
}
