import type { Histogram } from "../../model/histogram.ts";
import { decodeHistogram } from "../../model/histogram-code.ts";
import { histogramRef, type SampleBuffer } from "../../model/sample.ts";
import { type Held, hold } from "./memory.ts";

/**
 * Native histograms of a query's vectors: objects that are never changed, in a pool in which cells tell their places. Those of
 * selectors are float histograms from here on, as all of PromQL's are.
 */

/** Points that a histogram counts for in the limits: one for every 16 bytes, as in Prometheus. */
export function histogramPoints(h: Histogram): number {
  const numbers = 8 + h.positive.length + h.negative.length + h.customBounds.length;
  return (numbers + (h.positiveSpans.length + h.negativeSpans.length) / 2 + 1) / 2;
}

/** Takes a histogram into the query's pool; returns its place. Throws `QueryError` ("execution") when there are too many. */
export function addHistogram(to: Held & { readonly histograms: Histogram[] }, h: Histogram): number {
  hold(to, histogramPoints(h));
  return to.histograms.push(h) - 1;
}

/** The native histogram at sample i, which must be one. */
export function histogramAt(series: SampleBuffer, i: number): Histogram {
  const { bytes } = series.histograms as NonNullable<SampleBuffer["histograms"]>;
  const h = decodeHistogram(bytes, histogramRef(series.words, i));
  h.float = true;
  return h;
}
