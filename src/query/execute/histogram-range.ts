import type { Histogram } from "../../model/histogram.ts";
import { isHistogramAt, type SampleBuffer } from "../../model/sample.ts";
import type { RangeFunction } from "../plan/shard-plan.ts";
import type { Notebook } from "./notebook.ts";
import { evaluateRange, type PreparedRange } from "./range-function.ts";
import { dropStale, locateWindows, type Windows } from "./windows.ts";

/** Whether there is a native histogram among the samples. */
export function holdsHistogram(series: SampleBuffer): boolean {
  if (series.histograms === undefined || series.histograms.length === 0) return false;
  const { values, words, length } = series;
  for (let i = 0; i < length; i++) if (Number.isNaN(values[i]) && isHistogramAt(words, i)) return true;
  return false;
}

/** Range functions that count native histograms as they count floats. */
const COUNTS: ReadonlySet<RangeFunction> = new Set([
  "count_over_time",
  "present_over_time",
  "ts_of_first_over_time",
  "ts_of_last_over_time",
]);

/** A range function over a series with native histograms; its windows have been located. See `evaluateRange`. */
export function evaluateHistogramRange(
  prepared: PreparedRange,
  series: SampleBuffer,
  w: Windows,
  _pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
  _book: Notebook,
  _check: (work: number) => void,
): void {
  if (!COUNTS.has(prepared.call.func)) {
    dropStale(series, true);
    locateWindows(w, series.ts, series.length);
  }
  evaluateRange(prepared, series, w, out, present, base);
}
