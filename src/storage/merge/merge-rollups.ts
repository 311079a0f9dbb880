/** Rows of one rolled-up series from several blocks put together: of two rows for one bucket the later block's stays. */
import { appendHistogramBytes, histogramBytes } from "../../model/histogram-code.ts";
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  makeRollupBuffer,
  makeRollupHistograms,
  ROLLUP_COLUMNS,
  type RollupBuffer,
  type RollupHistograms,
  reserveRollup,
} from "../../model/rollup.ts";

const kept = makeRollupBuffer(256);

/** Merges `newer` into the rows of `out` from row `from` on; both ascending in time, no bucket twice. */
export function mergeRollups(out: RollupBuffer, from: number, newer: RollupBuffer): void {
  const n = out.length;
  const m = newer.length;
  if (m === 0) return;
  const shift = takeBytes(out, newer);
  if (n === from || (out.start[n - 1] as number) < (newer.start[0] as number)) {
    reserveRollup(out, n + m);
    appendRows(newer, out, shift);
    out.length = n + m;
    return;
  }
  // The rows that are there are set aside, with references that stay valid in `out`.
  kept.length = 0;
  reserveRollup(kept, n - from);
  if (out.histograms !== undefined && (kept.histograms?.numbers.count.length ?? 0) < kept.start.length) {
    kept.histograms = makeRollupHistograms(kept.start.length);
  }
  for (let i = from; i < n; i++) copyRow(out, i, kept, i - from, 0);
  reserveRollup(out, n + m);
  let i = 0;
  let j = 0;
  let k = from;
  while (i < n - from || j < m) {
    const a = i < n - from ? (kept.start[i] as number) : Number.POSITIVE_INFINITY;
    const b = j < m ? (newer.start[j] as number) : Number.POSITIVE_INFINITY;
    if (a < b) copyRow(kept, i, out, k++, 0);
    else copyRow(newer, j, out, k++, shift);
    if (a <= b) i++;
    if (b <= a) j++;
  }
  out.length = k;
}

/** Appends the histogram bytes of `from` to `to`; returns by how much its references move. */
function takeBytes(to: RollupBuffer, from: RollupBuffer): number {
  if (from.histograms === undefined) return 0;
  to.histograms ??= makeRollupHistograms(to.start.length);
  return appendHistogramBytes(histogramBytes(from.histograms.bytes), to.histograms.bytes);
}

/** Copies all rows of `from` behind those of `to`, column by column: nearly all blocks lie one behind another. */
function appendRows(from: RollupBuffer, to: RollupBuffer, shift: number): void {
  const { length: n } = to;
  const { length: m } = from;
  to.start.set(from.start.subarray(0, m), n);
  for (const name of ROLLUP_COLUMNS) to.columns[name].set(from.columns[name].subarray(0, m), n);
  if (to.histograms === undefined) return;
  for (let i = 0; i < m; i++) copyHistograms(from.histograms, i, to.histograms, n + i, shift);
}

function copyRow(from: RollupBuffer, i: number, to: RollupBuffer, k: number, shift: number): void {
  to.start[k] = from.start[i] as number;
  for (const name of ROLLUP_COLUMNS) to.columns[name][k] = from.columns[name][i] as number;
  if (to.histograms !== undefined) copyHistograms(from.histograms, i, to.histograms, k, shift);
}

function copyHistograms(
  from: RollupHistograms | undefined,
  i: number,
  to: RollupHistograms,
  k: number,
  shift: number,
): void {
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) to.numbers[name][k] = from?.numbers[name][i] ?? 0;
  for (const name of HISTOGRAM_ROLLUP_REFS) {
    const ref = from?.refs[name][i] ?? -1;
    to.refs[name][k] = ref < 0 ? -1 : ref + shift;
  }
}
