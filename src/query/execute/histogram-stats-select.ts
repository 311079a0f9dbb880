import type { Histogram } from "../../model/histogram.ts";
import { isStaleHistogram } from "../../model/histogram-code.ts";
import { histogramRef, isHistogramAt, isStaleAt, type SampleBuffer } from "../../model/sample.ts";
import { makeStatsReader, statsAt } from "./histogram-stats.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * `selectNewest` of values over a series that has native histograms, read without buckets. Prometheus looks at a sample once when
 * it reaches it as the first one that is not before the evaluation time, and again when it goes past it: a histogram looked at
 * twice is compared with itself, and so are what it is compared with next.
 */
export function selectNewestStats(
  series: SampleBuffer,
  { start, end, steps }: Windows,
  pool: Histogram[],
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values, words, histograms, length } = series;
  const reader = makeStatsReader(series);
  /** The sample that has been reached, and the one before it (-1: none) with the histogram that it was compared with. */
  let k = 0;
  let previous = -1;
  let previousAgainst = -1;
  /** The histogram looked at last. */
  let looked = -1;
  let reached = Number.NEGATIVE_INFINITY;
  const look = (i: number): number => {
    const against = looked;
    if (!Number.isNaN(values[i]) || histograms === undefined || !isHistogramAt(words, i)) return against;
    if (!isStaleHistogram(histograms.bytes, histogramRef(words, i))) looked = i;
    return against;
  };
  let pooled = -1;
  let pooledAgainst = -1;
  for (let s = 0; s < steps; s++) {
    const t = end[s] as number;
    const from = start[s] as number;
    const cell = base + s;
    if (s > 0 && t === end[s - 1]) {
      // The same at every step (`@`): read once.
      out[cell] = out[cell - 1] as number;
      present[cell] = present[cell - 1] as number;
      continue;
    }
    if (k < length && from > reached) {
      previous = -1;
      looked = -1;
      while (k < length && ((ts[k] as number) < from || (s === 0 && ts[k] === from))) k++;
    }
    while (k < length && (ts[k] as number) < t) {
      previousAgainst = look(k);
      previous = k++;
    }
    if (k < length) reached = ts[k] as number;
    const against = k < length ? look(k) : -1;
    const now = k < length && ts[k] === t;
    const chosen = now ? k : previous;
    if (chosen < 0 || (ts[chosen] as number) <= from) continue;
    if (!Number.isNaN(values[chosen]) || !isHistogramAt(words, chosen)) {
      if (isStaleAt(words, chosen)) continue;
      out[cell] = values[chosen] as number;
      present[cell] = PRESENT_FLOAT;
      continue;
    }
    if (isStaleHistogram((histograms as NonNullable<typeof histograms>).bytes, histogramRef(words, chosen))) continue;
    const chosenAgainst = now ? against : previousAgainst;
    if (chosen !== pooled || chosenAgainst !== pooledAgainst) pool.push(statsAt(reader, chosen, chosenAgainst));
    pooled = chosen;
    pooledAgainst = chosenAgainst;
    out[cell] = pool.length - 1;
    present[cell] = PRESENT_HISTOGRAM;
  }
}
