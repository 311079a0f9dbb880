import { spend } from "../../lib/work-at-hand.ts";

/** Below this many a range is sorted by insertion: further dividing costs more. */
const SHORT = 24;

/**
 * The q-quantile of `values[0..n)`, interpolated between ranks, NaN being the smallest value. q below 0, above 1 and NaN
 * give -Inf, +Inf and NaN; so does an empty input (NaN). Rearranges `values`: the two ranks are selected, nothing is sorted
 * that need not be.
 */
export function quantileOf(q: number, values: Float64Array, n: number): number {
  if (n === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const numbers = dropNan(values, n);
  const nans = n - numbers;
  if (lower < nans) return Number.NaN;
  const low = select(values, numbers, lower - nans);
  const high = upper === lower ? low : next(values, numbers, lower - nans);
  return low * (1 - weight) + high * weight;
}

/** Moves what is not NaN to the front and tells how many there are. */
function dropNan(values: Float64Array, n: number): number {
  let kept = 0;
  spend(2 * n);
  for (let i = 0; i < n; i++) {
    const v = values[i] as number;
    if (Number.isNaN(v)) continue;
    values[kept++] = v;
  }
  return kept;
}

/**
 * The value of rank k (from 0) among `values[0..n)`, none of them NaN; -0 comes before 0. What is of a lower rank is in front of
 * it afterwards, what is of a higher one behind it.
 */
function select(values: Float64Array, n: number, k: number): number {
  let from = 0;
  let to = n - 1;
  // Data can be made so that every division takes off next to nothing: what is left is sorted then.
  let divisions = 2 * (32 - Math.clz32(n));
  while (to - from >= SHORT) {
    spend(4 * (to - from));
    if (divisions-- === 0) {
      values.subarray(from, to + 1).sort();
      return signed(values, n, k);
    }
    const pivot = medianOfThree(values[from] as number, values[(from + to) >>> 1] as number, values[to] as number);
    let i = from;
    let j = to;
    while (i <= j) {
      let low = values[i] as number;
      while (low < pivot) low = values[++i] as number;
      let high = values[j] as number;
      while (high > pivot) high = values[--j] as number;
      if (i > j) break;
      values[i++] = high;
      values[j--] = low;
    }
    if (k <= j) to = j;
    else if (k >= i) from = i;
    else return signed(values, n, k);
  }
  for (let i = from + 1; i <= to; i++) {
    const v = values[i] as number;
    let at = i;
    while (at > from && (values[at - 1] as number) > v) {
      values[at] = values[at - 1] as number;
      at--;
    }
    values[at] = v;
  }
  return signed(values, n, k);
}

/** The value of rank k + 1, after `select` of k. */
function next(values: Float64Array, n: number, k: number): number {
  let least = values[k + 1] as number;
  let at = k + 1;
  for (let i = k + 2; i < n; i++) {
    const v = values[i] as number;
    if (v >= least) continue;
    least = v;
    at = i;
  }
  values[at] = values[k + 1] as number;
  values[k + 1] = least;
  return signed(values, n, k + 1);
}

/** What is at k in its place; of zeros, which compare as equal, those with a sign come first. */
function signed(values: Float64Array, n: number, k: number): number {
  const v = values[k] as number;
  if (v !== 0) return v;
  let before = 0;
  for (let i = 0; i < n; i++) if ((values[i] as number) < 0 || Object.is(values[i], -0)) before++;
  return k < before ? -0 : 0;
}

function medianOfThree(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : a < c ? c : a;
  return a < c ? a : b < c ? c : b;
}
