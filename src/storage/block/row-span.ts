/** Cutting the rows of a buffer to a span of time, or a span out of them. */
import { firstAfter, firstAt } from "../../lib/search.ts";
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  ROLLUP_COLUMNS,
  type RollupBuffer,
} from "../../model/rollup.ts";
import type { SampleBuffer } from "../../model/sample.ts";

/** Keeps the samples in [minT, maxT], or with `cut` all others. */
export function keepSamples(out: SampleBuffer, minT: number, maxT: number, cut = false): void {
  const n = out.length;
  const first = firstAt(out.ts, 0, n, minT);
  const end = firstAfter(out.ts, first, n, maxT);
  if (!cut) {
    if (first > 0) moveSamples(out, 0, first, end);
    out.length = end - first;
  } else if (end > first) {
    moveSamples(out, first, end, n);
    out.length = n - (end - first);
  }
}

function moveSamples(out: SampleBuffer, to: number, from: number, end: number): void {
  out.ts.copyWithin(to, from, end);
  out.words.copyWithin(2 * to, 2 * from, 2 * end);
  out.startTs?.copyWithin(to, from, end);
}

/** The same for the buckets from row `base` on, by their starts. */
export function keepRows(out: RollupBuffer, base: number, minT: number, maxT: number, cut = false): void {
  const n = out.length;
  const first = firstAt(out.start, base, n, minT);
  const end = firstAfter(out.start, first, n, maxT);
  if (!cut) {
    if (first > base) moveRows(out, base, first, end);
    out.length = base + end - first;
  } else if (end > first) {
    moveRows(out, first, end, n);
    out.length = n - (end - first);
  }
}

function moveRows(out: RollupBuffer, to: number, from: number, end: number): void {
  out.start.copyWithin(to, from, end);
  for (const name of ROLLUP_COLUMNS) out.columns[name].copyWithin(to, from, end);
  const { histograms } = out;
  if (histograms === undefined) return;
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) histograms.numbers[name].copyWithin(to, from, end);
  for (const name of HISTOGRAM_ROLLUP_REFS) histograms.refs[name].copyWithin(to, from, end);
}
