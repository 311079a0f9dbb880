import type { Histogram } from "../../model/histogram.ts";
import { isStaleHistogram } from "../../model/histogram-code.ts";
import { histogramRef, isHistogramAt, isStaleAt, type SampleBuffer } from "../../model/sample.ts";
import { interpolate } from "./extended-rate.ts";
import { histogramAt } from "./histogram-pool.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * An instant selector over the windows of one series (range = lookback): the newest sample of each window, absent when that
 * is a staleness marker. `what`: its value (native histograms go to `pool`), its time or its start time (seconds, 0 when it is
 * not known).
 */
export function selectNewest(
  series: SampleBuffer,
  w: Windows,
  what: "value" | "timestamp" | "startTimestamp",
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  let histogramOf = -1;
  const { ts, values, words, startTs, histograms } = series;
  const { lo, hi, steps } = w;
  for (let s = 0; s < steps; s++) {
    const k = (hi[s] as number) - 1;
    if (k < (lo[s] as number)) continue;
    const v = values[k] as number;
    if (Number.isNaN(v)) {
      if (isStaleAt(words, k)) continue;
      if (histograms !== undefined && isHistogramAt(words, k)) {
        if (isStaleHistogram(histograms.bytes, histogramRef(words, k))) continue;
        if (what !== "value") {
          out[base + s] = what === "timestamp" ? (ts[k] as number) / 1000 : (startTs?.[k] ?? 0) / 1000;
          present[base + s] = PRESENT_FLOAT;
          continue;
        }
        if (k !== histogramOf) pool.push(histogramAt(series, k));
        histogramOf = k;
        out[base + s] = pool.length - 1;
        present[base + s] = PRESENT_HISTOGRAM;
        continue;
      }
    }
    if (what === "value") out[base + s] = v;
    else if (what === "timestamp") out[base + s] = (ts[k] as number) / 1000;
    else out[base + s] = startTs === undefined ? 0 : (startTs[k] as number) / 1000;
    present[base + s] = PRESENT_FLOAT;
  }
}

/**
 * `selector smoothed`: the value on the line between the samples around the evaluation time; the last one where none
 * follows within the lookback. The windows reach ahead by the lookback; staleness markers have been removed.
 */
export function selectSmoothed(
  series: SampleBuffer,
  w: Windows,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values } = series;
  const { lo, hi, end, steps } = w;
  for (let s = 0; s < steps; s++) {
    let k = lo[s] as number;
    const n = hi[s] as number;
    const t = end[s] as number;
    if (k >= n || (ts[k] as number) > t) continue;
    while (k + 1 < n && (ts[k + 1] as number) <= t) k++;
    const exact = (ts[k] as number) === t || k + 1 === n;
    out[base + s] = exact ? (values[k] as number) : interpolate(series, k, t, false);
    present[base + s] = PRESENT_FLOAT;
  }
}
