import type { Histogram } from "../../model/histogram.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import { BOUNDS_RECONCILED, INCOMPATIBLE } from "../histogram/add.ts";
import { sameHistogram } from "../histogram/compare.ts";
import { detectReset } from "../histogram/reset.ts";
import { addToTotal, makeTotal, resetCollision, totalOf } from "../histogram/total.ts";
import { reconciledBounds, resetsCollide } from "./histogram-aggregate-notes.ts";
import { sayIgnored, sayMixedSamples, sayMixedSchemas } from "./histogram-range-notes.ts";
import { extendedHistogram, extrapolatedHistogram, instantHistogramRate, noteOverlap } from "./histogram-range-rate.ts";
import {
  emptiedWindows,
  floatsOf,
  floatWindows,
  forgetBefore,
  type HistogramSeries,
  histogramsIn,
  isHistogram,
  makeHistogramSeries,
  pointAt,
} from "./histogram-range-series.ts";
import type { Notebook } from "./notebook.ts";
import { evaluateRange, type PreparedRange } from "./range-function.ts";
import { placeTransitions, restartedByStartTime, transitionCounts } from "./rate.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM } from "./vector.ts";
import { sliceWindows, type Windows } from "./windows.ts";

/**
 * Range functions over a series that has native histograms. A window of floats is left to the functions of floats; these see
 * the windows of histograms, and of both, as empty ones.
 */

/** Samples of windows that are gone through at once: some milliseconds. */
const SLICE_SAMPLES = 4096;
/** The work of a slice as the evaluator counts it: enough to have the clock looked at. */
const SLICE_WORK = 1_000_000;

/** See `evaluateRange`; staleness markers are out. Results that are histograms go to `pool`. `check`: see `makeRowEvaluator`; `seeks`: see `makeHistogramSeries`. */
export function evaluateHistogramRange(
  prepared: PreparedRange,
  samples: SampleBuffer,
  w: Windows,
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
  book: Notebook,
  check: (work: number) => void,
  seeks?: readonly number[],
): void {
  const series = makeHistogramSeries(samples, seeks);
  for (let from = 0; from < w.steps; ) {
    const to = histogramSliceEnd(series, w, from);
    evaluateHistogramSlice(prepared, series, w, from, to, pool, out, present, base, book);
    if (to < w.steps) check(SLICE_WORK);
    from = to;
  }
}

/** Where the slice of steps ends that is evaluated at once when it begins at `from`. */
export function histogramSliceEnd({ samples }: HistogramSeries, { lo, hi, steps }: Windows, from: number): number {
  // Functions of floats look at the whole series in each slice.
  const most = Math.max(SLICE_SAMPLES, samples.length / 4);
  let total = 0;
  let to = from;
  while (to < steps && total <= most) {
    total += (hi[to] as number) - (lo[to] as number) + 1;
    to++;
  }
  return to;
}

/** `evaluateHistogramRange` for the steps [from, to) only. Slices go in order. */
export function evaluateHistogramSlice(
  { call, params }: PreparedRange,
  series: HistogramSeries,
  windows: Windows,
  from: number,
  to: number,
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  rowBase: number,
  book: Notebook,
): void {
  const part = { call, params: params.map((p) => p.subarray(from, to)) };
  const w = sliceWindows(windows, from, to);
  const base = rowBase + from;
  const { samples } = series;
  forgetBefore(series, w.lo[0] as number);
  const ofFloats = (floats: SampleBuffer, over: Windows): void => evaluateRange(part, floats, over, out, present, base);
  const put = (s: number, h: Histogram | undefined): void => {
    if (h === undefined) return;
    out[base + s] = pool.push(h) - 1;
    present[base + s] = PRESENT_HISTOGRAM;
  };
  const { func } = call;
  switch (func) {
    case "count_over_time":
    case "present_over_time":
    case "ts_of_first_over_time":
    case "ts_of_last_over_time":
      ofFloats(samples, w);
      return;
    case "first_over_time":
    case "last_over_time":
      outermost(series, w, func === "first_over_time", pool, out, present, base);
      return;
    case "rate":
    case "increase":
    case "delta": {
      const extended = call.anchored === true || call.smoothed === true;
      const counted = func !== "delta" && !extended;
      const one = extended ? extendedHistogram : extrapolatedHistogram;
      const pure = separate(series, w, book, (s) => put(s, one(call, series, w, s, book)));
      ofFloats(samples, pure);
      if (counted && samples.startTs !== undefined) {
        for (let s = 0; s < w.steps; s++) noteOverlap(series, pure.lo[s] as number, pure.hi[s] as number, book);
      }
      return;
    }
    case "sum_over_time":
    case "avg_over_time": {
      const mean = func === "avg_over_time";
      ofFloats(
        samples,
        separate(series, w, book, (s) => put(s, totalAt(series, w, s, mean, book))),
      );
      return;
    }
    case "irate":
    case "idelta":
      ofFloats(
        samples,
        separateLastTwo(series, w, book, (s, j) => put(s, instantHistogramRate(func, series, j, book))),
      );
      return;
    case "changes":
    case "resets":
      transitions(series, w, func);
      placeTransitions(samples, w, call.anchored === true, out, present, base);
      return;
    default: {
      const floats = floatWindows(series, w);
      for (let s = 0; s < w.steps; s++) {
        const some = (floats.hi[s] as number) - (floats.lo[s] as number);
        if (some > 0 && some < (w.hi[s] as number) - (w.lo[s] as number)) sayIgnored(book);
      }
      ofFloats(floatsOf(series), floats);
    }
  }
}

/** Calls `one` with the steps whose windows have histograms only; returns the windows of floats only, the others emptied. */
function separate(series: HistogramSeries, w: Windows, book: Notebook, one: (s: number) => void): Windows {
  const pure = emptiedWindows(w);
  for (let s = 0; s < w.steps; s++) {
    const i = w.lo[s] as number;
    const j = w.hi[s] as number;
    const count = histogramsIn(series, i, j);
    pure.lo[s] = i;
    pure.hi[s] = count === 0 ? j : i;
    if (count === 0) continue;
    if (count < j - i) sayMixedSamples(book);
    else one(s);
  }
  return pure;
}

/** The same for functions that look at the last two samples; `one` gets the last one's place, too. */
function separateLastTwo(
  series: HistogramSeries,
  w: Windows,
  book: Notebook,
  one: (s: number, j: number) => void,
): Windows {
  const pure = emptiedWindows(w);
  for (let s = 0; s < w.steps; s++) {
    const i = w.lo[s] as number;
    const j = w.hi[s] as number;
    const count = j - i < 2 ? 0 : histogramsIn(series, j - 2, j);
    pure.lo[s] = i;
    pure.hi[s] = count === 0 ? j : i;
    if (count === 1) sayMixedSamples(book);
    else if (count === 2) one(s, j - 1);
  }
  return pure;
}

/** first_over_time and last_over_time. */
function outermost(
  series: HistogramSeries,
  { lo, hi, steps }: Windows,
  first: boolean,
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  let pooled = -1;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    const k = first ? i : j - 1;
    if (!isHistogram(series, k)) {
      out[base + s] = series.samples.values[k] as number;
      present[base + s] = PRESENT_FLOAT;
      continue;
    }
    if (pooled !== k) pool.push(pointAt(series, k));
    pooled = k;
    out[base + s] = pool.length - 1;
    present[base + s] = PRESENT_HISTOGRAM;
  }
}

/** sum_over_time and avg_over_time of a window of histograms. */
function totalAt(series: HistogramSeries, w: Windows, s: number, mean: boolean, book: Notebook): Histogram | undefined {
  const total = makeTotal(mean);
  for (let k = w.lo[s] as number; k < (w.hi[s] as number); k++) addToTotal(total, pointAt(series, k));
  if ((total.flags & INCOMPATIBLE) !== 0) {
    sayMixedSchemas(book);
    return undefined;
  }
  if (resetCollision(total)) book.say("warning", resetsCollide());
  if ((total.flags & BOUNDS_RECONCILED) !== 0) book.say("info", reconciledBounds());
  return totalOf(total);
}

/** Counts changes or resets between the samples that the windows have; a float and a histogram are always one. */
function transitions(series: HistogramSeries, { lo, hi, steps }: Windows, what: "changes" | "resets"): void {
  const { samples } = series;
  const { values, ts, startTs } = samples;
  const counts = transitionCounts(samples.length);
  const from = lo[0] as number;
  const to = hi[steps - 1] as number;
  let count = 0;
  counts[from] = 0;
  for (let k = from + 1; k < to; k++) {
    const histograms = histogramsIn(series, k - 1, k + 1);
    if (histograms === 1) count++;
    else if (what === "resets" && startTs !== undefined && restartedByStartTime(startTs, ts, k)) count++;
    else if (histograms === 2) {
      const h = pointAt(series, k);
      const previous = pointAt(series, k - 1);
      if (what === "changes" ? !sameHistogram(h, previous) : detectReset(h, previous)) count++;
    } else {
      const v = values[k] as number;
      const p = values[k - 1] as number;
      if (what === "changes" ? v !== p && !(Number.isNaN(v) && Number.isNaN(p)) : v < p) count++;
    }
    counts[k] = count;
  }
}
