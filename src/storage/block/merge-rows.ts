/** Rollups of one series from two places put together: the newer place wins where both have a bucket. */
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  makeRollupBuffer,
  makeRollupHistograms,
  ROLLUP_COLUMNS,
  type RollupBuffer,
  reserveRollup,
} from "../../model/rollup.ts";

const merged = makeRollupBuffer(64);

/** Merges `newer` into `out`, both ascending without repetition; so is the result. `newer` is left as it is. */
export function mergeRows(out: RollupBuffer, newer: RollupBuffer): void {
  if (newer.length === 0) return;
  merged.length = 0;
  reserveRollup(merged, out.length + newer.length);
  const histograms = out.histograms !== undefined || newer.histograms !== undefined;
  if (histograms && merged.histograms === undefined) merged.histograms = makeRollupHistograms(merged.start.length);
  if (merged.histograms !== undefined) merged.histograms.bytes.length = 0;
  const shift = takeBytes(merged, out);
  const newerShift = takeBytes(merged, newer);
  let i = 0;
  let j = 0;
  while (i < out.length || j < newer.length) {
    const a = i < out.length ? (out.start[i] as number) : Number.POSITIVE_INFINITY;
    const b = j < newer.length ? (newer.start[j] as number) : Number.POSITIVE_INFINITY;
    if (a < b) copyRow(out, i, shift);
    else copyRow(newer, j, newerShift);
    if (a <= b) i++;
    if (b <= a) j++;
  }
  copyAll(out);
}

/** Appends the bytes of `from`'s histograms to those of `to`; returns how far its references move. */
function takeBytes(to: RollupBuffer, from: RollupBuffer): number {
  if (to.histograms === undefined || from.histograms === undefined) return 0;
  const target = to.histograms.bytes;
  const source = from.histograms.bytes;
  const at = target.length;
  if (target.bytes.length < at + source.length) {
    const more = new Uint8Array(Math.max(at + source.length, 2 * target.bytes.length));
    more.set(target.bytes.subarray(0, at));
    target.bytes = more;
  }
  target.bytes.set(source.bytes.subarray(0, source.length), at);
  target.length = at + source.length;
  return at;
}

function copyRow(from: RollupBuffer, i: number, shift: number): void {
  const row = merged.length++;
  merged.start[row] = from.start[i] as number;
  for (const name of ROLLUP_COLUMNS) merged.columns[name][row] = from.columns[name][i] as number;
  const { histograms } = merged;
  if (histograms === undefined) return;
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) {
    histograms.numbers[name][row] = from.histograms === undefined ? 0 : (from.histograms.numbers[name][i] as number);
  }
  for (const name of HISTOGRAM_ROLLUP_REFS) {
    const ref = from.histograms === undefined ? -1 : (from.histograms.refs[name][i] as number);
    histograms.refs[name][row] = ref < 0 ? -1 : ref + shift;
  }
}

/** Makes `out` what `merged` is. */
function copyAll(out: RollupBuffer): void {
  const n = merged.length;
  reserveRollup(out, n);
  out.length = n;
  out.start.set(merged.start.subarray(0, n));
  for (const name of ROLLUP_COLUMNS) out.columns[name].set(merged.columns[name].subarray(0, n));
  const { histograms } = merged;
  if (histograms === undefined) return;
  out.histograms ??= makeRollupHistograms(out.start.length);
  const into = out.histograms;
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) into.numbers[name].set(histograms.numbers[name].subarray(0, n));
  for (const name of HISTOGRAM_ROLLUP_REFS) into.refs[name].set(histograms.refs[name].subarray(0, n));
  into.bytes.bytes = histograms.bytes.bytes.slice(0, histograms.bytes.length);
  into.bytes.length = histograms.bytes.length;
}
