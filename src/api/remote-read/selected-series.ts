import type { Histogram } from "../../model/histogram.ts";
import { decodeHistogram } from "../../model/histogram-code.ts";
import { compareLabels, type Labels } from "../../model/labels.ts";
import { histogramRef, isHistogramAt } from "../../model/sample.ts";
import type { ShardRaw } from "../../query/plan/shard-plan.ts";
import { labelSets } from "../shard-plans.ts";

/** One series of a shard's answer: its samples are [from, to) of the answer's columns. */
export interface SelectedSeries {
  readonly labels: Labels;
  readonly ts: Float64Array;
  /** The values' words, bit-exact. */
  readonly words: Uint32Array;
  readonly histograms: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The series of all shards in the order of their labels. */
export function selectedSeries(answers: readonly ShardRaw[]): SelectedSeries[] {
  const out: SelectedSeries[] = [];
  for (const { labels: packed, ends, ts, values, histograms } of answers) {
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
    let from = 0;
    let row = 0;
    for (const labels of labelSets(packed)) {
      const to = ends[row++] as number;
      out.push({ labels, ts, words, histograms, from, to });
      from = to;
    }
  }
  return out.sort((a, b) => compareLabels(a.labels, b.labels));
}

/** The native histogram at index i; undefined where there is a float. */
export function histogramOf({ words, histograms }: SelectedSeries, i: number): Histogram | undefined {
  return isHistogramAt(words, i) ? decodeHistogram(histograms, histogramRef(words, i)) : undefined;
}
