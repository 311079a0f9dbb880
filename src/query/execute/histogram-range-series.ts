import { appendSamples } from "../../model/copy-samples.ts";
import type { Histogram } from "../../model/histogram.ts";
import { isHistogramAt, makeSampleBuffer, type SampleBuffer } from "../../model/sample.ts";
import { histogramAt } from "./histogram-pool.ts";
import { makeStatsReader, type StatsReader, soughtBetween, statsAt } from "./histogram-stats.ts";
import { dropStale, sliceWindows, type Windows } from "./windows.ts";

/** A series with native histograms, each of which is taken apart once while windows pass over it. No staleness markers. */
export interface HistogramSeries {
  readonly samples: SampleBuffer;
  /** Histograms before sample k, for k in [0, length]. */
  readonly before: Int32Array;
  readonly decoded: (Histogram | undefined)[];
  /** Those before it are not needed any more. */
  forgotten: number;
  /** Only its floats, once they have been asked for. */
  floats: SampleBuffer | undefined;
  /** Where they are read without buckets. */
  readonly stats: { readonly reader: StatsReader; readonly seeks: readonly number[] } | undefined;
}

/** Whether there is a native histogram among the samples. */
export function holdsHistogram(series: SampleBuffer): boolean {
  if (series.histograms === undefined || series.histograms.length === 0) return false;
  const { values, words, length } = series;
  for (let i = 0; i < length; i++) if (Number.isNaN(values[i]) && isHistogramAt(words, i)) return true;
  return false;
}

/**
 * Over the samples' memory, which must stay as it is.
 *
 * @param seeks the histograms are read without buckets, and this is what `seekTimes` says
 */
export function makeHistogramSeries(samples: SampleBuffer, seeks?: readonly number[]): HistogramSeries {
  const { values, words, length } = samples;
  const before = new Int32Array(length + 1);
  let count = 0;
  for (let k = 0; k < length; k++) {
    before[k] = count;
    if (Number.isNaN(values[k]) && isHistogramAt(words, k)) count++;
  }
  before[length] = count;
  const stats = seeks === undefined ? undefined : { reader: makeStatsReader(samples), seeks };
  return { samples, before, decoded: new Array(length), forgotten: 0, floats: undefined, stats };
}

export function isHistogram({ before }: HistogramSeries, k: number): boolean {
  return before[k + 1] !== before[k];
}

/** How many of the samples [i, j) are histograms. */
export function histogramsIn({ before }: HistogramSeries, i: number, j: number): number {
  return (before[j] as number) - (before[i] as number);
}

/** The histogram that sample k is; shared, not to be changed. */
export function pointAt(series: HistogramSeries, k: number): Histogram {
  const known = series.decoded[k];
  if (known !== undefined) return known;
  const { samples, stats } = series;
  const h =
    stats === undefined ? histogramAt(samples, k) : statsAt(stats.reader, k, readBefore(series, k, stats.seeks));
  series.decoded[k] = h;
  return h;
}

/** The histogram that was read before the one at k; -1: none since a seek. */
function readBefore(series: HistogramSeries, k: number, seeks: readonly number[]): number {
  const { ts } = series.samples;
  for (let i = k - 1; i >= 0; i--) {
    if (isHistogram(series, i)) return soughtBetween(seeks, ts[i] as number, ts[k] as number) ? -1 : i;
  }
  return -1;
}

/** The samples [i, j), histograms all of them. */
export function pointsOf(series: HistogramSeries, i: number, j: number): Histogram[] {
  const points: Histogram[] = [];
  for (let k = i; k < j; k++) points.push(pointAt(series, k));
  return points;
}

/** Windows from now on begin at sample k or after it. */
export function forgetBefore(series: HistogramSeries, k: number): void {
  for (; series.forgotten < k; series.forgotten++) series.decoded[series.forgotten] = undefined;
}

/** The samples that are floats. */
export function floatsOf(series: HistogramSeries): SampleBuffer {
  if (series.floats !== undefined) return series.floats;
  const floats = makeSampleBuffer(series.samples.length);
  appendSamples(series.samples, floats);
  dropStale(floats, true);
  series.floats = floats;
  return floats;
}

/** The same windows with other samples: none yet. */
export function emptiedWindows(w: Windows): Windows {
  return { ...sliceWindows(w, 0, w.steps), lo: new Int32Array(w.steps), hi: new Int32Array(w.steps) };
}

/** The windows over `floatsOf`. */
export function floatWindows({ before }: HistogramSeries, w: Windows): Windows {
  const only = emptiedWindows(w);
  for (let s = 0; s < w.steps; s++) {
    const i = w.lo[s] as number;
    const j = w.hi[s] as number;
    only.lo[s] = i - (before[i] as number);
    only.hi[s] = j - (before[j] as number);
  }
  return only;
}
