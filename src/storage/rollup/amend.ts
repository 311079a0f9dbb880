import { ROLLUP_COLUMNS, type RollupBuffer, reserveRollup } from "../../model/rollup.ts";
import { bucketStart } from "./bucket.ts";
import { beginHistograms, copyHistograms } from "./roll-up-histograms.ts";

/**
 * Late samples amend rollups bucket by bucket: the buckets they touch are made anew from the raw samples (and the wide ones from
 * the narrow ones), the others stay. What happens between buckets is worked out at reading, so a sample touches one bucket a
 * tier and no neighbour.
 */

/** Starts of the buckets that the times [from, to) of `ts` (in any order) lie in, ascending, each once. */
export function touchedBuckets(ts: Float64Array, from: number, to: number, widthMs: number): Float64Array {
  const starts = new Float64Array(to - from);
  for (let i = from; i < to; i++) starts[i - from] = bucketStart(ts[i] as number, widthMs);
  starts.sort();
  let n = 0;
  for (let i = 0; i < starts.length; i++) {
    if (i === 0 || starts[i] !== starts[n - 1]) starts[n++] = starts[i] as number;
  }
  return starts.subarray(0, n);
}

/** The starts of the wider buckets that hold the given ones. */
export function widerBuckets(starts: Float64Array, widthMs: number): Float64Array {
  return touchedBuckets(
    starts.map((s) => s + 1),
    0,
    starts.length,
    widthMs,
  );
}

/**
 * Replaces the content of `out` by the rows of `base` with those of the touched buckets replaced by the rows of `anew`: a touched
 * bucket that has no row there is gone. `touched` and both buffers are ascending; `anew` has rows of touched buckets only.
 * `out` is neither of the two.
 */
export function amendRollup(base: RollupBuffer, touched: Float64Array, anew: RollupBuffer, out: RollupBuffer): void {
  out.length = 0;
  beginHistograms(base.histograms !== undefined || anew.histograms !== undefined, out);
  reserveRollup(out, base.length + anew.length);
  let t = 0;
  let a = 0;
  for (let b = 0; b < base.length; b++) {
    const start = base.start[b] as number;
    while (a < anew.length && (anew.start[a] as number) < start) copyRow(anew, a++, out);
    while (t < touched.length && (touched[t] as number) < start) t++;
    if (t === touched.length || touched[t] !== start) copyRow(base, b, out);
  }
  while (a < anew.length) copyRow(anew, a++, out);
}

function copyRow(from: RollupBuffer, i: number, to: RollupBuffer): void {
  const row = to.length;
  to.start[row] = from.start[i] as number;
  for (const name of ROLLUP_COLUMNS) to.columns[name][row] = from.columns[name][i] as number;
  copyHistograms(from.histograms, i, to.histograms, row);
  to.length = row + 1;
}
