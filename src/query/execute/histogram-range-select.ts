import { type Histogram, RESET_UNKNOWN } from "../../model/histogram.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import { hasCustomBuckets } from "../histogram/bounds.ts";
import { cloneHistogram } from "../histogram/copy.ts";
import { interpolateHistograms, isGauge } from "../histogram/rate.ts";
import { sayDifference, sayMixedSamples, sayMixedSchemas } from "./histogram-range-notes.ts";
import {
  emptiedWindows,
  forgetBefore,
  type HistogramSeries,
  histogramsIn,
  makeHistogramSeries,
  pointAt,
} from "./histogram-range-series.ts";
import { selectSmoothed } from "./instant.ts";
import type { Notebook } from "./notebook.ts";
import { PRESENT_HISTOGRAM } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * `selectSmoothed` over a series that has native histograms, which go to `pool`. A window that has floats as well has no result.
 * `seeks`: see `makeHistogramSeries`.
 */
export function selectSmoothedHistograms(
  samples: SampleBuffer,
  w: Windows,
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
  book: Notebook,
  seeks?: readonly number[],
): void {
  const series = makeHistogramSeries(samples, seeks);
  const floats = emptiedWindows(w);
  for (let s = 0; s < w.steps; s++) {
    const i = w.lo[s] as number;
    const j = w.hi[s] as number;
    const count = histogramsIn(series, i, j);
    floats.lo[s] = i;
    floats.hi[s] = count === 0 ? j : i;
    if (count === 0) continue;
    if (count < j - i) {
      sayMixedSamples(book);
      continue;
    }
    forgetBefore(series, i);
    const h = smoothedAt(series, i, j, w.end[s] as number, book);
    if (h === undefined) continue;
    out[base + s] = pool.push(h) - 1;
    present[base + s] = PRESENT_HISTOGRAM;
  }
  selectSmoothed(samples, floats, out, present, base);
}

/** The histogram at time t, of the samples [i, j). */
function smoothedAt(series: HistogramSeries, i: number, j: number, t: number, book: Notebook): Histogram | undefined {
  const { ts } = series.samples;
  let k = i;
  while (k < j && (ts[k] as number) < t) k++;
  if (k < j && ts[k] === t) return pointAt(series, k);
  if (k === i) return undefined;
  const previous = pointAt(series, k - 1);
  if (k === j) {
    // What it said of a reset was about the sample before it, not about its value.
    const h = cloneHistogram(previous);
    h.resetHint = RESET_UNKNOWN;
    return h;
  }
  const next = pointAt(series, k);
  if (hasCustomBuckets(previous) !== hasCustomBuckets(next)) {
    sayMixedSchemas(book);
    return undefined;
  }
  const isCounter = !(isGauge(previous) && isGauge(next));
  const t1 = ts[k - 1] as number;
  const { histogram, notes } = interpolateHistograms(previous, t1, next, ts[k] as number, t, isCounter);
  sayDifference(book, notes);
  return histogram;
}
