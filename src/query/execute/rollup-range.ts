import { restarted } from "../../model/counter-restart.ts";
import type { RollupBuffer } from "../../model/rollup.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import type { RangeCall } from "../plan/shard-plan.ts";
import { extremeOverTime, sumOverTime } from "./over-time.ts";
import { UNKNOWN } from "./rate.ts";
import type { TierRows } from "./tier-rows.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * Range functions over buckets, all steps in one pass. The windows have been located by the ends of the buckets, so each holds
 * whole ones. What the answers owe to those over raw samples: count, min, max, changes, resets and delta are the same bits;
 * rate and increase too, unless a bucket has more than one counter reset (the values before them are then added in another
 * order); sum and avg differ by the rounding of each bucket's sum, half a unit in its last place.
 */
export function evaluateRollup(
  call: RangeCall,
  rows: TierRows,
  w: Windows,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { buffer } = rows;
  const { columns } = buffer;
  switch (call.func) {
    case "rate":
    case "increase":
    case "delta":
      rollupRate(buffer, w, call.func !== "delta", call.func === "rate", out, present, base);
      return;
    case "changes":
    case "resets":
      rollupTransitions(buffer, w, call.func, out, present, base);
      return;
    case "sum_over_time":
      sumOverTime(asSamples(rows, columns.sum), w, false, out, present, base);
      return;
    case "avg_over_time":
      rollupMean(rows, w, out, present, base);
      return;
    case "min_over_time":
    case "max_over_time": {
      const max = call.func === "max_over_time";
      extremeOverTime(asSamples(rows, max ? columns.max : columns.min), w, max, false, out, present, base);
      return;
    }
    case "count_over_time":
      rollupCount(buffer, w, out, present, base);
      return;
    default:
      throw new Error(`${call.func} does not work on buckets`);
  }
}

const NO_WORDS = new Uint32Array(0);

/** A column of the buckets as the values of a series. */
function asSamples(rows: TierRows, values: Float64Array): SampleBuffer {
  return { ts: rows.end, values, words: NO_WORDS, length: rows.buffer.length };
}

let countBefore = new Float64Array(256);

/** Fills `countBefore`: samples in the rows before row k. */
function sumCounts({ columns, length: n }: RollupBuffer): void {
  if (countBefore.length <= n) countBefore = new Float64Array(2 * n + 1);
  const { count } = columns;
  let total = 0;
  for (let k = 0; k < n; k++) {
    countBefore[k] = total;
    total += count[k] as number;
  }
  countBefore[n] = total;
}

function rollupCount(buffer: RollupBuffer, w: Windows, out: Float64Array, present: Uint8Array, base: number): void {
  const { lo, hi, steps } = w;
  sumCounts(buffer);
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    out[base + s] = (countBefore[j] as number) - (countBefore[i] as number);
    present[base + s] = PRESENT_FLOAT;
  }
}

const SCALE = 2 ** -64;

function rollupMean(rows: TierRows, w: Windows, out: Float64Array, present: Uint8Array, base: number): void {
  const { lo, hi, steps } = w;
  const { sum } = rows.buffer.columns;
  sumOverTime(asSamples(rows, sum), w, false, out, present, base);
  sumCounts(rows.buffer);
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    const n = (countBefore[j] as number) - (countBefore[i] as number);
    const total = out[base + s] as number;
    if (total - total === 0) {
      out[base + s] = total / n;
      continue;
    }
    // Not finite: infinite or NaN input, or a sum beyond the float range though the mean is inside.
    let scaled = 0;
    for (let k = i; k < j; k++) scaled += (sum[k] as number) * SCALE;
    out[base + s] = scaled / n / SCALE;
  }
}

/** Rows with a counter reset inside of them or between them and the row before, and the values that were lost by it. */
let resetRow = new Int32Array(64);
let lostBetween = new Float64Array(64);
let lostInside = new Float64Array(64);

function findResets({ columns, length: n }: RollupBuffer): number {
  const { first, last, resets } = columns;
  let count = 0;
  for (let k = 0; k < n; k++) {
    const inside = resets[k] as number;
    const between = k > 0 && ((first[k] as number) < (last[k - 1] as number) || restartedBefore(columns, k));
    if (!between && inside === 0) continue;
    if (count === resetRow.length) growResets();
    resetRow[count] = k;
    lostBetween[count] = between ? (last[k - 1] as number) : 0;
    lostInside[count++] = inside;
  }
  return count;
}

function growResets(): void {
  const rows = new Int32Array(2 * resetRow.length);
  rows.set(resetRow);
  resetRow = rows;
  lostBetween = twiceAsLong(lostBetween);
  lostInside = twiceAsLong(lostInside);
}

function twiceAsLong(from: Float64Array): Float64Array<ArrayBuffer> {
  const to = new Float64Array(2 * from.length);
  to.set(from);
  return to;
}

/** Whether the start timestamp of row k's first sample says that the counter began anew after row k-1. */
function restartedBefore(c: RollupBuffer["columns"], k: number): boolean {
  const start = c.firstStart[k] as number;
  if (start === 0) return false;
  return restarted(start, c.firstT[k] as number, c.lastStart[k - 1] as number, c.lastT[k - 1] as number);
}

/** As `extrapolatedRate` does it over samples, in the same order of operations. */
function rollupRate(
  buffer: RollupBuffer,
  w: Windows,
  isCounter: boolean,
  perSecond: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { first, last, firstT, lastT, firstStart } = buffer.columns;
  const { lo, hi, start, end, steps } = w;
  const resets = isCounter ? findResets(buffer) : 0;
  sumCounts(buffer);
  let firstReset = 0;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = (hi[s] as number) - 1;
    if (j < i) continue;
    const n = (countBefore[j + 1] as number) - (countBefore[i] as number);
    const from = start[s] as number;
    const beginT = firstT[i] as number;
    const begin = first[i] as number;
    let zeroAt = UNKNOWN;
    if (isCounter) {
      const st = firstStart[i] as number;
      if (st !== 0 && st < beginT && st > from) zeroAt = st;
    }
    if (n === 1 && zeroAt === UNKNOWN) continue;
    const finalT = lastT[j] as number;
    let result = (last[j] as number) - begin;
    while (firstReset < resets && (resetRow[firstReset] as number) < i) firstReset++;
    for (let r = firstReset; r < resets && (resetRow[r] as number) <= j; r++) {
      if ((resetRow[r] as number) > i) result += lostBetween[r] as number;
      result += lostInside[r] as number;
    }
    let fromT = beginT;
    if (zeroAt !== UNKNOWN) {
      result += begin;
      fromT = zeroAt;
    }
    const sampled = (finalT - fromT) / 1000;
    const average = (finalT - beginT) / 1000 / (n - 1);
    const threshold = average * 1.1;
    let toStart = 0;
    if (zeroAt === UNKNOWN) {
      toStart = (beginT - from) / 1000;
      if (toStart >= threshold) toStart = average / 2;
      if (isCounter && result > 0 && begin >= 0) {
        const toZero = sampled * (begin / result);
        if (toZero < toStart) toStart = toZero;
      }
    }
    let toEnd = n === 1 ? 0 : ((end[s] as number) - finalT) / 1000;
    if (toEnd >= threshold) toEnd = average / 2;
    let factor = (sampled + toStart + toEnd) / sampled;
    if (perSecond) factor /= ((end[s] as number) - from) / 1000;
    out[base + s] = result * factor;
    present[base + s] = PRESENT_FLOAT;
  }
}

let inside = new Float64Array(256);
let between = new Float64Array(256);

/** changes and resets: those inside the window's rows and between them. */
function rollupTransitions(
  { columns, length: n }: RollupBuffer,
  w: Windows,
  what: "changes" | "resets",
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { first, last } = columns;
  const { lo, hi, steps } = w;
  if (inside.length <= n) {
    inside = new Float64Array(2 * n + 1);
    between = new Float64Array(2 * n + 1);
  }
  // inside[k]: in the rows before row k; between[k]: between the rows up to row k.
  const own = what === "changes" ? columns.changes : columns.resetCount;
  let a = 0;
  let b = 0;
  for (let k = 0; k < n; k++) {
    inside[k] = a;
    a += own[k] as number;
    if (k > 0) {
      const v = first[k] as number;
      const p = last[k - 1] as number;
      if (what === "changes") {
        if (v !== p && !(Number.isNaN(v) && Number.isNaN(p))) b++;
      } else if (v < p || restartedBefore(columns, k)) b++;
    }
    between[k] = b;
  }
  inside[n] = a;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j <= i) continue;
    const within = (inside[j] as number) - (inside[i] as number);
    out[base + s] = within + (between[j - 1] as number) - (between[i] as number);
    present[base + s] = PRESENT_FLOAT;
  }
}
