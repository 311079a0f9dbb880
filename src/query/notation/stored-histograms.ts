import { type Histogram, RESET_GAUGE, RESET_NO, RESET_UNKNOWN, RESET_YES } from "../../model/histogram.ts";
import { bucketsOf } from "./histogram-notation.ts";
import type { Point } from "./series-notation.ts";

/**
 * The points of a series with the counter reset hints that Prometheus gives back for them: a counter that goes on in the chunk
 * of the one before it has not been reset, the first one of a chunk is not known to be. What begins a chunk: another kind of
 * sample before, a reset, another layout. (Chunks that are full begin one as well: not here, where series are short.)
 */
export function storedHistograms(points: readonly Point[]): Point[] {
  let before: Histogram | undefined;
  return points.map((p) => {
    if (p.kind === "none") return p;
    if (p.kind !== "histogram") {
      before = undefined;
      return p;
    }
    const { histogram } = p;
    const resetHint = histogram.resetHint === RESET_GAUGE ? RESET_GAUGE : goesOn(before, histogram);
    before = histogram;
    return { ...p, histogram: { ...histogram, resetHint } };
  });
}

function goesOn(before: Histogram | undefined, h: Histogram): number {
  if (before === undefined || before.resetHint === RESET_GAUGE || h.resetHint === RESET_YES) return RESET_UNKNOWN;
  const sameLayout =
    h.schema === before.schema &&
    h.zeroThreshold === before.zeroThreshold &&
    String(h.customBounds) === String(before.customBounds);
  const grown =
    !(h.count < before.count) &&
    !(h.zeroCount < before.zeroCount) &&
    grownBuckets(before.positiveSpans, before.positive, h.positiveSpans, h.positive) &&
    grownBuckets(before.negativeSpans, before.negative, h.negativeSpans, h.negative);
  return sameLayout && grown ? RESET_NO : RESET_UNKNOWN;
}

function grownBuckets(
  oldSpans: readonly number[],
  old: readonly number[],
  spans: readonly number[],
  counts: readonly number[],
): boolean {
  const now = bucketsOf(spans, counts);
  for (const [i, n] of bucketsOf(oldSpans, old)) if (n > (now.get(i) ?? 0)) return false;
  return true;
}
