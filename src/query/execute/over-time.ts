import { spend } from "../../lib/work-at-hand.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import { SLICE } from "./pace.ts";
import { quantileOf } from "./quantile.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * The *_over_time functions over the windows of one series, all steps in one pass. Sums use compensated (Neumaier)
 * summation as Prometheus does. Where windows overlap much, sums and extremes slide: a window costs a constant number of
 * operations whatever its length. Windows of very many samples say meanwhile how far they are (lib/work-at-hand.ts).
 */

/** Samples that the windows hold together; decides between scanning each window and sliding. */
function totalWindow(w: Windows): number {
  let total = 0;
  for (let s = 0; s < w.steps; s++) total += (w.hi[s] as number) - (w.lo[s] as number);
  return total;
}

/** Samples from the first window's beginning to the last one's end. */
function spanOf({ lo, hi, steps }: Windows): number {
  return steps === 0 ? 0 : (hi[steps - 1] as number) - (lo[0] as number);
}

let suffixSum = new Float64Array(256);
let suffixC = new Float64Array(256);

/** sum_over_time, and avg_over_time with `mean`. */
export function sumOverTime(
  series: SampleBuffer,
  w: Windows,
  mean: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { values } = series;
  const { lo, hi, steps } = w;
  if (totalWindow(w) <= 3 * spanOf(w) + 64) {
    for (let s = 0; s < steps; s++) {
      const i = lo[s] as number;
      const j = hi[s] as number;
      if (j <= i) continue;
      let sum = 0;
      let c = 0;
      for (let from = i; from < j; from += SLICE) {
        const to = Math.min(j, from + SLICE);
        spend(12 * (to - from));
        for (let k = from; k < to; k++) {
          const v = values[k] as number;
          const t = sum + v;
          if (t - t !== 0) c = 0;
          else if (Math.abs(sum) >= Math.abs(v)) c += sum - t + v;
          else c += v - t + sum;
          sum = t;
        }
      }
      finishSum(values, i, j, sum, c, mean, out, base + s);
      present[base + s] = PRESENT_FLOAT;
    }
    return;
  }
  // A window is [i, mid) + [mid, j): sums of every suffix of the left part are at hand, the right part's sum grows.
  // When i passes mid the right part becomes the left one; every sample is added twice at most.
  if (suffixSum.length < series.length + 1) {
    suffixSum = new Float64Array(2 * series.length + 1);
    suffixC = new Float64Array(2 * series.length + 1);
  }
  let mid = 0;
  let right = 0;
  let rightSum = 0;
  let rightC = 0;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    if (i >= mid) {
      let sum = 0;
      let c = 0;
      suffixSum[j] = 0;
      suffixC[j] = 0;
      for (let k = j - 1; k >= i; k--) {
        const v = values[k] as number;
        const t = sum + v;
        if (t - t !== 0) c = 0;
        else if (Math.abs(sum) >= Math.abs(v)) c += sum - t + v;
        else c += v - t + sum;
        sum = t;
        suffixSum[k] = sum;
        suffixC[k] = c;
      }
      spend(16 * (j - i));
      mid = j;
      right = j;
      rightSum = 0;
      rightC = 0;
    }
    for (; right < j; right++) {
      const v = values[right] as number;
      const t = rightSum + v;
      if (t - t !== 0) rightC = 0;
      else if (Math.abs(rightSum) >= Math.abs(v)) rightC += rightSum - t + v;
      else rightC += v - t + rightSum;
      rightSum = t;
    }
    const left = suffixSum[i] as number;
    const sum = left + rightSum;
    let c = (suffixC[i] as number) + rightC;
    if (sum - sum !== 0) c = 0;
    else if (Math.abs(left) >= Math.abs(rightSum)) c += left - sum + rightSum;
    else c += rightSum - sum + left;
    finishSum(values, i, j, sum, c, mean, out, base + s);
    present[base + s] = PRESENT_FLOAT;
  }
}

function finishSum(
  values: Float64Array,
  i: number,
  j: number,
  sum: number,
  c: number,
  mean: boolean,
  out: Float64Array,
  cell: number,
): void {
  const n = j - i;
  if (!mean) out[cell] = sum - sum !== 0 ? sum : sum + c;
  else if (sum - sum === 0) out[cell] = sum / n + c / n;
  else out[cell] = meanOfHuge(values, i, j);
}

const SCALE = 2 ** -64;

/** The mean where the plain sum is not finite: infinite or NaN input, or a sum beyond the float range (then scaled down). */
function meanOfHuge(values: Float64Array, i: number, j: number): number {
  let sum = 0;
  let c = 0;
  for (let from = i; from < j; from += SLICE) {
    const to = Math.min(j, from + SLICE);
    spend(12 * (to - from));
    for (let k = from; k < to; k++) {
      const v = (values[k] as number) * SCALE;
      const t = sum + v;
      if (t - t !== 0) c = 0;
      else if (Math.abs(sum) >= Math.abs(v)) c += sum - t + v;
      else c += v - t + sum;
      sum = t;
    }
  }
  return (sum + c) / (j - i) / SCALE;
}

let queue = new Int32Array(256);

/**
 * min_over_time and max_over_time, or the time (seconds) of that sample; of equal values the last one counts for the time.
 * NaN only where there is nothing else. `queue` holds the indexes of the samples that can still become the extreme.
 */
export function extremeOverTime(
  series: SampleBuffer,
  w: Windows,
  max: boolean,
  time: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { values, ts } = series;
  const { lo, hi, steps } = w;
  if (queue.length < series.length) queue = new Int32Array(2 * series.length);
  let head = 0;
  let tail = 0;
  let next = 0;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    if (next < i) next = i;
    for (; next < j; next++) {
      if ((next & (SLICE - 1)) === 0) spend(16 * SLICE);
      const v = values[next] as number;
      if (Number.isNaN(v)) continue;
      if (head === tail) head = tail = 0;
      if (max) while (tail > head && (values[queue[tail - 1] as number] as number) <= v) tail--;
      else while (tail > head && (values[queue[tail - 1] as number] as number) >= v) tail--;
      queue[tail++] = next;
    }
    while (head < tail && (queue[head] as number) < i) head++;
    const k = head < tail ? (queue[head] as number) : j - 1;
    out[base + s] = time ? (ts[k] as number) / 1000 : head < tail ? (values[k] as number) : Number.NaN;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** What needs only the window's ends. */
export function endsOverTime(
  series: SampleBuffer,
  w: Windows,
  what: "count" | "present" | "first" | "last" | "tsFirst" | "tsLast",
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { values, ts } = series;
  const { lo, hi, steps } = w;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    let v = 1;
    if (what === "count") v = j - i;
    else if (what === "first") v = values[i] as number;
    else if (what === "last") v = values[j - 1] as number;
    else if (what === "tsFirst") v = (ts[i] as number) / 1000;
    else if (what === "tsLast") v = (ts[j - 1] as number) / 1000;
    out[base + s] = v;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** stdvar_over_time, stddev_over_time with `root`: Welford's method, compensated. */
export function varianceOverTime(
  series: SampleBuffer,
  w: Windows,
  root: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { values } = series;
  const { lo, hi, steps } = w;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    let mean = 0;
    let cMean = 0;
    let aux = 0;
    let cAux = 0;
    for (let from = i; from < j; from += SLICE) {
      const to = Math.min(j, from + SLICE);
      spend(24 * (to - from));
      for (let k = from; k < to; k++) {
        const v = values[k] as number;
        const delta = v - (mean + cMean);
        const a = delta / (k - i + 1);
        let t = mean + a;
        if (t - t !== 0) cMean = 0;
        else if (Math.abs(mean) >= Math.abs(a)) cMean += mean - t + a;
        else cMean += a - t + mean;
        mean = t;
        const b = delta * (v - (mean + cMean));
        t = aux + b;
        if (t - t !== 0) cAux = 0;
        else if (Math.abs(aux) >= Math.abs(b)) cAux += aux - t + b;
        else cAux += b - t + aux;
        aux = t;
      }
    }
    const variance = (aux + cAux) / (j - i);
    out[base + s] = root ? Math.sqrt(variance) : variance;
    present[base + s] = PRESENT_FLOAT;
  }
}

let scratch = new Float64Array(256);

/** quantile_over_time with one quantile a step. */
export function quantileOverTime(
  series: SampleBuffer,
  w: Windows,
  q: Float64Array,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { lo, hi, steps } = w;
  if (scratch.length < series.length) scratch = new Float64Array(2 * series.length);
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    out[base + s] = quantileOf(q[s] as number, copyWindow(series.values, i, j), j - i);
    present[base + s] = PRESENT_FLOAT;
  }
}

/** mad_over_time: the median of the distances to the median; NaN when one of the samples is. */
export function madOverTime(
  series: SampleBuffer,
  w: Windows,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { lo, hi, steps } = w;
  if (scratch.length < series.length) scratch = new Float64Array(2 * series.length);
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    const n = j - i;
    if (n <= 0) continue;
    const window = copyWindow(series.values, i, j);
    present[base + s] = PRESENT_FLOAT;
    if (hasNan(window, n)) {
      out[base + s] = Number.NaN;
      continue;
    }
    const median = quantileOf(0.5, window, n);
    spend(4 * n);
    for (let k = 0; k < n; k++) window[k] = Math.abs((window[k] as number) - median);
    out[base + s] = quantileOf(0.5, window, n);
  }
}

function hasNan(values: Float64Array, n: number): boolean {
  for (let k = 0; k < n; k++) if (Number.isNaN(values[k])) return true;
  return false;
}

/** A copy of values[i..j) in scratch memory, for the selection to rearrange. */
function copyWindow(values: Float64Array, i: number, j: number): Float64Array {
  spend(2 * (j - i));
  for (let k = i; k < j; k++) scratch[k - i] = values[k] as number;
  return scratch;
}
