import { restarted } from "../../model/counter-restart.ts";
import { type RollupBuffer, reserveRollup } from "../../model/rollup.ts";
import { bucketStart } from "./bucket.ts";
import { beginHistograms, joinHistograms } from "./roll-up-histograms.ts";

/**
 * Buckets to wider buckets, whose width is a multiple. All columns but `sum` and `resets` are the same as from raw samples, bit
 * for bit. The sum is the compensated sum of the narrow buckets' sums in time order: each of those was rounded once, so the two
 * ways differ by at most half a unit in the last place of every narrow sum, plus one of the result; sums of numbers that are
 * exact in float64 are equal. `resets` is added in the same order as from raw samples, but bucket by bucket.
 * The wide tier is always made this way, so that making a window of it anew gives the same.
 */

/** Replaces the content of `out` by the wide buckets. `from` is ascending and holds whole wide buckets. */
export function rollUpFurther(from: RollupBuffer, widthMs: number, out: RollupBuffer): void {
  const n = from.length;
  out.length = 0;
  const { histograms } = from;
  beginHistograms(histograms !== undefined && histograms.bytes.length > 0, out);
  let i = 0;
  while (i < n) {
    const start = bucketStart((from.start[i] as number) + 1, widthMs);
    const end = start + widthMs;
    let j = i + 1;
    while (j < n && (from.start[j] as number) < end) j++;
    const row = out.length;
    if (row === out.start.length) reserveRollup(out, Math.max(16, row + 1));
    out.start[row] = start;
    joinRows(from, i, j, out, row);
    if (histograms !== undefined && out.histograms !== undefined) {
      joinHistograms(histograms, i, j, out.histograms, row);
    }
    out.length = row + 1;
    i = j;
  }
}

function joinRows(from: RollupBuffer, first: number, end: number, out: RollupBuffer, row: number): void {
  const a = from.columns;
  const c = out.columns;
  let count = 0;
  let sum = 0;
  let comp = 0;
  let min = Number.NaN;
  let max = Number.NaN;
  let resets = 0;
  let resetCount = 0;
  let changes = 0;
  let head = -1;
  let tail = -1;
  for (let k = first; k < end; k++) {
    const n = a.count[k] as number;
    if (n === 0) continue;
    count += n;
    const s = a.sum[k] as number;
    const t = sum + s;
    if (t - t !== 0) comp = 0;
    else if (Math.abs(sum) >= Math.abs(s)) comp += sum - t + s;
    else comp += s - t + sum;
    sum = t;
    const lo = a.min[k] as number;
    if (!(lo > min) && !Number.isNaN(lo)) min = lo;
    const hi = a.max[k] as number;
    if (!(hi < max) && !Number.isNaN(hi)) max = hi;
    if (tail < 0) head = k;
    else {
      const previous = a.last[tail] as number;
      const v = a.first[k] as number;
      const began = a.firstStart[k] as number;
      const again = restarted(began, a.firstT[k] as number, a.lastStart[tail] as number, a.lastT[tail] as number);
      if (v < previous || again) {
        resets += previous;
        resetCount++;
      }
      if (v !== previous && !(Number.isNaN(v) && Number.isNaN(previous))) changes++;
    }
    resets += a.resets[k] as number;
    resetCount += a.resetCount[k] as number;
    changes += a.changes[k] as number;
    tail = k;
  }
  c.count[row] = count;
  c.sum[row] = sum - sum !== 0 ? sum : sum + comp;
  c.min[row] = tail < 0 ? 0 : min;
  c.max[row] = tail < 0 ? 0 : max;
  c.first[row] = tail < 0 ? 0 : (a.first[head] as number);
  c.firstT[row] = tail < 0 ? 0 : (a.firstT[head] as number);
  c.firstStart[row] = tail < 0 ? 0 : (a.firstStart[head] as number);
  c.last[row] = tail < 0 ? 0 : (a.last[tail] as number);
  c.lastT[row] = tail < 0 ? 0 : (a.lastT[tail] as number);
  c.lastStart[row] = tail < 0 ? 0 : (a.lastStart[tail] as number);
  c.resets[row] = resets;
  c.resetCount[row] = resetCount;
  c.changes[row] = changes;
  // The newest thing of the wide bucket is that of its newest narrow one.
  c.stale[row] = a.stale[end - 1] as number;
}
