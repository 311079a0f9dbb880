import { type Histogram, makeHistogram } from "../../model/histogram.ts";

/** A copy that shares nothing with the histogram. */
export function cloneHistogram(h: Histogram): Histogram {
  return {
    float: h.float,
    resetHint: h.resetHint,
    stale: h.stale,
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: h.zeroCount,
    count: h.count,
    sum: h.sum,
    positiveSpans: h.positiveSpans.slice(),
    positive: h.positive.slice(),
    negativeSpans: h.negativeSpans.slice(),
    negative: h.negative.slice(),
    customBounds: h.customBounds.slice(),
  };
}

/** The histogram with float counts: itself when it has them, else a copy. */
export function toFloatHistogram(h: Histogram): Histogram {
  if (h.float) return h;
  const copy = cloneHistogram(h);
  copy.float = true;
  return copy;
}

/** A histogram without observations that has the same kind of buckets; its zero bucket has no width. */
export function emptyLike(h: Histogram): Histogram {
  const empty = makeHistogram();
  empty.float = true;
  empty.schema = h.schema;
  empty.customBounds = h.customBounds.slice();
  return empty;
}
