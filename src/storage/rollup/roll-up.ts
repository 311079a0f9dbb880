import { restarted } from "../../model/counter-restart.ts";
import { type RollupBuffer, reserveRollup } from "../../model/rollup.ts";
import { isHistogramAt, isStaleAt, type SampleBuffer } from "../../model/sample.ts";
import { bucketStart } from "./bucket.ts";
import { beginHistograms, rollUpHistograms } from "./roll-up-histograms.ts";

/**
 * Raw samples to buckets.
 *
 * Sums are added in time order with compensation (Neumaier, as the query engine adds) and rounded once; a sum that is not
 * finite is IEEE's. Everything else is exact. A comparison with NaN is false, as in PromQL: NaN neither starts nor ends a
 * counter reset and is a minimum or maximum only where there is nothing else; two NaN in a row are no change.
 */

/**
 * Replaces the content of `out` by the buckets of a series' samples, which are ascending in time. Buckets at both ends are made
 * of the samples given: give whole buckets.
 */
export function rollUp(samples: SampleBuffer, widthMs: number, out: RollupBuffer): void {
  const { ts, length: n } = samples;
  out.length = 0;
  beginHistograms(hasHistograms(samples), out);
  let i = 0;
  while (i < n) {
    const start = bucketStart(ts[i] as number, widthMs);
    const end = start + widthMs;
    let j = i + 1;
    while (j < n && (ts[j] as number) <= end) j++;
    const row = out.length;
    if (row === out.start.length) reserveRollup(out, Math.max(16, row + 1));
    out.start[row] = start;
    rollUpBucket(samples, i, j, out, row);
    if (out.histograms !== undefined) rollUpHistograms(samples, i, j, out.histograms, row);
    out.length = row + 1;
    i = j;
  }
}

function hasHistograms({ histograms }: SampleBuffer): boolean {
  return histograms !== undefined && histograms.length > 0;
}

/** One row of the samples [from, to), all of one bucket. */
function rollUpBucket(samples: SampleBuffer, from: number, to: number, out: RollupBuffer, row: number): void {
  const { ts, values, words, startTs } = samples;
  const c = out.columns;
  const histograms = hasHistograms(samples);
  let count = 0;
  let sum = 0;
  let comp = 0;
  let min = Number.NaN;
  let max = Number.NaN;
  let resets = 0;
  let resetCount = 0;
  let changes = 0;
  let previous = 0;
  let previousAt = -1;
  let stale = 0;
  for (let k = from; k < to; k++) {
    const v = values[k] as number;
    const nan = Number.isNaN(v);
    if (nan && isStaleAt(words, k)) {
      stale = 1;
      continue;
    }
    stale = 0;
    if (nan && histograms && isHistogramAt(words, k)) continue;
    const t = sum + v;
    if (t - t !== 0) comp = 0;
    else if (Math.abs(sum) >= Math.abs(v)) comp += sum - t + v;
    else comp += v - t + sum;
    sum = t;
    if (!(v > min)) {
      if (!nan) min = v;
    }
    if (!(v < max)) {
      if (!nan) max = v;
    }
    if (count === 0) {
      c.first[row] = v;
      c.firstT[row] = ts[k] as number;
      c.firstStart[row] = startTs === undefined ? 0 : (startTs[k] as number);
    } else {
      const again =
        startTs !== undefined &&
        restarted(startTs[k] as number, ts[k] as number, startTs[previousAt] as number, ts[previousAt] as number);
      if (v < previous || again) {
        resets += previous;
        resetCount++;
      }
      if (v !== previous && !(nan && Number.isNaN(previous))) changes++;
    }
    count++;
    previous = v;
    previousAt = k;
  }
  c.count[row] = count;
  c.sum[row] = sum - sum !== 0 ? sum : sum + comp;
  c.resets[row] = resets;
  c.resetCount[row] = resetCount;
  c.changes[row] = changes;
  c.stale[row] = stale;
  if (count === 0) {
    setEmpty(out, row);
    return;
  }
  c.min[row] = min;
  c.max[row] = max;
  c.last[row] = previous;
  c.lastT[row] = ts[previousAt] as number;
  c.lastStart[row] = startTs === undefined ? 0 : (startTs[previousAt] as number);
}

/** What a row without float samples has in the columns that tell of them. */
function setEmpty(out: RollupBuffer, row: number): void {
  const c = out.columns;
  c.min[row] = 0;
  c.max[row] = 0;
  c.first[row] = 0;
  c.last[row] = 0;
  c.firstT[row] = 0;
  c.lastT[row] = 0;
  c.firstStart[row] = 0;
  c.lastStart[row] = 0;
}
