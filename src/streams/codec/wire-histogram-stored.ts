import { type Histogram, histogramProblem, RESET_GAUGE, RESET_UNKNOWN } from "../../model/histogram.ts";
import { encodeHistogram, MAX_HISTOGRAM_BYTES } from "../../model/histogram-code.ts";
import type { HistogramBytes } from "../../model/sample.ts";

/** Why a histogram cannot be stored, in words; undefined when it can. */
export function unstorable(h: Histogram): string | undefined {
  return histogramProblem(h) ?? tooLarge(h);
}

function tooLarge(h: Histogram): string | undefined {
  const numbers = h.positive.length + h.negative.length + h.customBounds.length;
  const spans = h.positiveSpans.length + h.negativeSpans.length;
  if (64 + 8 * numbers + 8 * spans <= MAX_HISTOGRAM_BYTES) return undefined;
  return `${numbers} buckets in ${spans / 2} spans are too many`;
}

/**
 * Appends the code of a histogram that is to be stored (one that is not `unstorable`); returns where it starts.
 * Whoever reads a counter compares it with the one before, which may not be the one that its sender knew of (samples get lost, come
 * late, are merged): what a sender says of resets is left out, as Prometheus's storage does. Only gauges stay gauges.
 */
export function storeHistogram(h: Histogram, into: HistogramBytes): number {
  const known = h.resetHint === RESET_GAUGE || h.resetHint === RESET_UNKNOWN;
  return encodeHistogram(known ? h : { ...h, resetHint: RESET_UNKNOWN }, into);
}
