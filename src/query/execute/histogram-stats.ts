import { type Histogram, RESET_NO, RESET_UNKNOWN, RESET_YES } from "../../model/histogram.ts";
import { isStaleHistogram } from "../../model/histogram-code.ts";
import { histogramRef, isHistogramAt, type SampleBuffer } from "../../model/sample.ts";
import { detectReset } from "../histogram/reset.ts";
import { decodeStats } from "../histogram/stats.ts";
import { histogramAt } from "./histogram-pool.ts";
import type { Windows } from "./windows.ts";

/**
 * Native histograms read without buckets (plan/stats-only.ts). A hint that the histogram does not have is found out by comparing
 * it with the one that was read before it, which Prometheus does while it goes through a series: what has been read, and how
 * often, follows its iterators.
 */

/** The last two whole histograms: each is compared with the one before it and with the one after it. */
export interface StatsReader {
  readonly samples: SampleBuffer;
  readonly places: [number, number];
  readonly whole: [Histogram | undefined, Histogram | undefined];
}

/** Over the samples' memory, which must stay as it is. */
export function makeStatsReader(samples: SampleBuffer): StatsReader {
  return { samples, places: [-1, -1], whole: [undefined, undefined] };
}

/**
 * Count, sum, schema and hint of the histogram at sample k.
 *
 * @param before the histogram that was read before it: -1, none; it itself, it has been read twice
 */
export function statsAt(reader: StatsReader, k: number, before: number): Histogram {
  const { words, histograms } = reader.samples;
  const stats = decodeStats((histograms as NonNullable<typeof histograms>).bytes, histogramRef(words, k));
  if (stats.resetHint !== RESET_UNKNOWN) return stats;
  if (before < 0) {
    if (isHistogramBefore(reader, k) && !detectReset(wholeAt(reader, k), wholeAt(reader, k - 1))) {
      stats.resetHint = RESET_NO;
    }
    return stats;
  }
  const reset = before !== k && detectReset(wholeAt(reader, k), wholeAt(reader, before));
  stats.resetHint = reset ? RESET_YES : RESET_NO;
  return stats;
}

/**
 * Whether a counter that was not reset goes on at sample k. Prometheus's storage knows that of all but the first histogram of
 * its chunks, also of those that nothing was read before; a reset begins a chunk.
 */
function isHistogramBefore({ samples }: StatsReader, k: number): boolean {
  const { values, words, histograms } = samples;
  if (k === 0 || histograms === undefined || !Number.isNaN(values[k - 1]) || !isHistogramAt(words, k - 1)) return false;
  return !isStaleHistogram(histograms.bytes, histogramRef(words, k - 1));
}

function wholeAt({ samples, places, whole }: StatsReader, k: number): Histogram {
  const slot = places[0] === k ? 0 : places[1] === k ? 1 : places[0] < places[1] ? 0 : 1;
  if (places[slot] === k) return whole[slot] as Histogram;
  const h = histogramAt(samples, k);
  places[slot] = k;
  whole[slot] = h;
  return h;
}

/**
 * The times from which on a range selector's samples are not compared with earlier ones: it seeks where a window begins after all
 * that has been looked at. Ascending; for all samples, staleness markers among them.
 */
export function seekTimes({ ts, length }: SampleBuffer, { start, end, before, after, steps }: Windows): number[] {
  const seeks: number[] = [];
  let k = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (let s = 0; s < steps; s++) {
    const from = (start[s] as number) - before;
    const to = (end[s] as number) + after;
    if (from > reached) {
      // Nothing at the first window's start or before it is read; later ones meet a sample that is right there.
      seeks.push(s === 0 ? from + 1 : from);
      while (k < length && (ts[k] as number) < from) k++;
    }
    while (k < length && (ts[k] as number) < to) k++;
    if (k === length) return seeks;
    reached = ts[k] as number;
  }
  return seeks;
}

/** Whether there is a seek between the sample at `earlier` and the one at `later`. */
export function soughtBetween(seeks: readonly number[], earlier: number, later: number): boolean {
  let lo = 0;
  let hi = seeks.length;
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if ((seeks[middle] as number) > earlier) hi = middle;
    else lo = middle + 1;
  }
  return lo < seeks.length && (seeks[lo] as number) <= later;
}
