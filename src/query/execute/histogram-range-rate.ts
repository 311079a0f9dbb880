import type { Histogram } from "../../model/histogram.ts";
import { addHistogram, BOUNDS_RECONCILED, INCOMPATIBLE } from "../histogram/add.ts";
import { cloneHistogram } from "../histogram/copy.ts";
import { extendedHistogramRate } from "../histogram/extended-rate.ts";
import { histogramRate, instantHistogram, RECONCILED_IN_ADDITION } from "../histogram/rate.ts";
import { divideHistogram, multiplyHistogram } from "../histogram/scale.ts";
import type { RangeCall } from "../plan/shard-plan.ts";
import { startTimeOverlap } from "./annotations.ts";
import { sayDifference, sayMixedSchemas } from "./histogram-range-notes.ts";
import { type HistogramSeries, pointAt, pointsOf } from "./histogram-range-series.ts";
import type { Notebook } from "./notebook.ts";
import { hasOverlappingStart, restartedByStartTime } from "./rate.ts";
import type { Windows } from "./windows.ts";

/** rate, increase, delta, irate and idelta of one window that has native histograms only; undefined: no result. */

/** rate, increase and delta, extrapolated as `extrapolatedRate` does it for floats. */
export function extrapolatedHistogram(
  { func, range }: RangeCall,
  series: HistogramSeries,
  w: Windows,
  s: number,
  book: Notebook,
): Histogram | undefined {
  const { ts, startTs } = series.samples;
  const i = w.lo[s] as number;
  const j = (w.hi[s] as number) - 1;
  const isCounter = func !== "delta";
  const from = w.start[s] as number;
  const firstT = ts[i] as number;
  const lastT = ts[j] as number;
  let result: Histogram | undefined;
  if (j > i) {
    const restartedAt = startTs === undefined ? undefined : (k: number) => restartedByStartTime(startTs, ts, i + k);
    const { histogram, notes } = histogramRate(pointsOf(series, i, j + 1), isCounter, restartedAt);
    sayDifference(book, notes);
    if (histogram === undefined) return undefined;
    if (isCounter) noteOverlap(series, i, j + 1, book);
    result = histogram;
  }
  const started = isCounter && startTs !== undefined ? (startTs[i] as number) : 0;
  const first = pointAt(series, i);
  // In seconds, and in this order of operations: results are Prometheus's to the last bit.
  const average = j > i ? (lastT - firstT) / 1000 / (j - i) : 0;
  const threshold = average * 1.1;
  let sampled = (lastT - firstT) / 1000;
  let toStart = 0;
  if (started !== 0 && started > from && started < firstT) {
    // The counter is known to have been nothing at its start time, which lies in the window.
    sampled = (lastT - started) / 1000;
    result = addFirst(result, first, book);
    if (result === undefined) return undefined;
  } else if (result === undefined) return undefined;
  else {
    toStart = (firstT - from) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    // A counter cannot be negative: do not extrapolate beyond the point where it would have been nothing.
    if (isCounter && result.count > 0 && first.count >= 0) {
      const toZero = sampled * (first.count / result.count);
      if (toZero < toStart) toStart = toZero;
    }
  }
  let toEnd = ((w.end[s] as number) - lastT) / 1000;
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  if (func === "rate") factor /= range / 1000;
  return multiplyHistogram(result, factor);
}

/** What was there at the first sample already, added to what has come since (undefined: there are no further samples). */
function addFirst(since: Histogram | undefined, first: Histogram, book: Notebook): Histogram | undefined {
  if (since === undefined) return cloneHistogram(first);
  const flags = addHistogram(since, first);
  if ((flags & INCOMPATIBLE) !== 0) {
    sayMixedSchemas(book);
    return undefined;
  }
  if ((flags & BOUNDS_RECONCILED) !== 0) sayDifference(book, RECONCILED_IN_ADDITION);
  return since;
}

/** Says it when the samples [i, j) have start times that overlap. */
export function noteOverlap({ samples }: HistogramSeries, i: number, j: number, book: Notebook): void {
  if (hasOverlappingStart(samples, i, j)) book.say("warning", startTimeOverlap(book.metric()));
}

/** rate, increase and delta with `anchored` or `smoothed`; the window reaches back (and ahead) by the lookback. */
export function extendedHistogram(
  { func, range, smoothed }: RangeCall,
  series: HistogramSeries,
  w: Windows,
  s: number,
  book: Notebook,
): Histogram | undefined {
  const { ts } = series.samples;
  let i = w.lo[s] as number;
  let n = w.hi[s] as number;
  const from = w.start[s] as number;
  const to = w.end[s] as number;
  while (i + 1 < n && (ts[i + 1] as number) <= from) i++;
  if (smoothed === true) {
    let k = i;
    while (k < n - 1 && (ts[k] as number) < to) k++;
    n = k + 1;
  }
  const times = ts.subarray(i, n);
  const isCounter = func !== "delta";
  const points = pointsOf(series, i, n);
  const { histogram, notes } = extendedHistogramRate(points, times, from, to, isCounter, smoothed === true);
  sayDifference(book, notes);
  return histogram !== undefined && func === "rate" ? divideHistogram(histogram, range / 1000) : histogram;
}

/** irate and idelta of the samples j-1 and j, histograms both. */
export function instantHistogramRate(
  func: "irate" | "idelta",
  series: HistogramSeries,
  j: number,
  book: Notebook,
): Histogram | undefined {
  const { ts, startTs } = series.samples;
  const isRate = func === "irate";
  const restarted = startTs !== undefined && restartedByStartTime(startTs, ts, j);
  const { histogram, notes } = instantHistogram(pointAt(series, j - 1), pointAt(series, j), isRate, restarted);
  sayDifference(book, notes);
  if (histogram === undefined || !isRate) return histogram;
  return divideHistogram(histogram, ((ts[j] as number) - (ts[j - 1] as number)) / 1000);
}
