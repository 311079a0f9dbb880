import { spend } from "../../lib/work-at-hand.ts";
import { restarted } from "../../model/counter-restart.ts";
import type { SampleBuffer, SampleView } from "../../model/sample.ts";
import { SLICE } from "./pace.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { RateShape, Windows } from "./windows.ts";

/**
 * rate, increase, delta, irate, idelta, changes and resets over the windows of one series, all steps in one pass.
 * Results go to `out` and `present` from `base`; a step without enough samples stays absent.
 * Counter resets are listed once a series; each window adds those inside it, so sums are the same as a scan would give.
 */

let resetIndex = new Int32Array(256);

/** Lists the indexes k in [1, n) where the counter restarted between k-1 and k. Returns their number. */
function findResets(series: SampleBuffer): number {
  const { values, ts, startTs } = series;
  const n = series.length;
  let count = 0;
  let previous = n > 0 ? (values[0] as number) : 0;
  for (let from = 1; from < n; from += SLICE) {
    const to = Math.min(n, from + SLICE);
    spend(16 * (to - from));
    if (startTs === undefined) {
      for (let k = from; k < to; k++) {
        const v = values[k] as number;
        if (v < previous) addReset(count++, k);
        previous = v;
      }
    } else {
      for (let k = from; k < to; k++) {
        const v = values[k] as number;
        if (v < previous || restartedByStartTime(startTs, ts, k)) addReset(count++, k);
        previous = v;
      }
    }
  }
  return count;
}

function addReset(at: number, k: number): void {
  if (at === resetIndex.length) {
    const grown = new Int32Array(at * 2);
    grown.set(resetIndex);
    resetIndex = grown;
  }
  resetIndex[at] = k;
}

/** Whether the start timestamp of sample k says that the counter began anew after sample k-1. */
export function restartedByStartTime(startTs: Float64Array, ts: Float64Array, k: number): boolean {
  return restarted(startTs[k] as number, ts[k] as number, startTs[k - 1] as number, ts[k - 1] as number);
}

/** Samples whose start time lies before the previous sample's time without being that sample's start time. */
export function hasOverlappingStart(series: SampleBuffer, lo: number, hi: number): boolean {
  const { startTs, ts } = series;
  if (startTs === undefined) return false;
  for (let k = lo + 1; k < hi; k++) {
    const start = startTs[k] as number;
    if (start !== 0 && start < (ts[k - 1] as number) && start !== startTs[k - 1]) return true;
  }
  return false;
}

/** Of a start time that says nothing of the window; times before 1970 are times. */
export const UNKNOWN: number = Number.NEGATIVE_INFINITY;

/** The shape of the windows' times, made anew unless it is that of a series with the same times. */
function shapeOf(w: Windows, { ts }: SampleBuffer, seconds: number): RateShape {
  const { lo, hi, start, end, steps } = w;
  w.shape ??= makeShape(steps);
  const { shape } = w;
  if (w.of !== undefined && shape.of === w.of) return shape;
  shape.of = w.of;
  const { sampled, toStart, toEnd, factor } = shape;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = (hi[s] as number) - 1;
    if (j <= i) continue;
    const firstT = ts[i] as number;
    const lastT = ts[j] as number;
    // In seconds, and in this order of operations: results are Prometheus's to the last bit.
    const span = (lastT - firstT) / 1000;
    const average = span / (j - i);
    const threshold = average * 1.1;
    let before = (firstT - (start[s] as number)) / 1000;
    if (before >= threshold) before = average / 2;
    let after = ((end[s] as number) - lastT) / 1000;
    if (after >= threshold) after = average / 2;
    sampled[s] = span;
    toStart[s] = before;
    toEnd[s] = after;
    factor[s] = (span + before + after) / span / seconds;
  }
  return shape;
}

function makeShape(steps: number): RateShape {
  return {
    of: undefined,
    sampled: new Float64Array(steps),
    toStart: new Float64Array(steps),
    toEnd: new Float64Array(steps),
    factor: new Float64Array(steps),
  };
}

/**
 * rate (counter, per second), increase (counter) and delta (neither): the difference of the last and the first sample,
 * extrapolated to the window's bounds where the samples come close to them (at most 10% more than their average distance
 * away), by half that distance elsewhere.
 */
export function extrapolatedRate(
  series: SampleBuffer & Partial<Pick<SampleView, "ascending">>,
  w: Windows,
  range: number,
  isCounter: boolean,
  perSecond: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  if (isCounter && series.startTs !== undefined) {
    rateWithStarts(series, w, range, perSecond, out, present, base);
    return;
  }
  const { values } = series;
  const { lo, hi, steps } = w;
  // A division by 1 changes nothing.
  const seconds = perSecond ? range / 1000 : 1;
  const { sampled, toStart, toEnd, factor } = shapeOf(w, series, seconds);
  const resets = isCounter && series.ascending !== true ? findResets(series) : 0;
  let firstReset = 0;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = (hi[s] as number) - 1;
    if (j <= i) continue;
    const first = values[i] as number;
    let result = (values[j] as number) - first;
    if (resets !== 0) {
      while (firstReset < resets && (resetIndex[firstReset] as number) <= i) firstReset++;
      let r = firstReset;
      for (; r < resets && (resetIndex[r] as number) <= j; r++) {
        result += values[(resetIndex[r] as number) - 1] as number;
      }
      spend(8 * (r - firstReset));
    }
    let by = factor[s] as number;
    if (isCounter && result > 0 && first >= 0) {
      // A counter cannot be negative: do not extrapolate beyond the point where it would have been 0.
      const span = sampled[s] as number;
      const before = toStart[s] as number;
      // Far from there in most windows: a division is spared.
      if (!(first * span > result * before * 1.000001)) {
        const toZero = span * (first / result);
        if (toZero < before) by = (span + toZero + (toEnd[s] as number)) / span / seconds;
      }
    }
    out[base + s] = result * by;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** As above, of a counter whose samples say when it began: it is known to have been 0 then, and no guess is needed on the left. */
function rateWithStarts(
  series: SampleBuffer,
  w: Windows,
  range: number,
  perSecond: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values } = series;
  const startTs = series.startTs as Float64Array;
  const { lo, hi, start, end, steps } = w;
  const resets = findResets(series);
  const seconds = perSecond ? range / 1000 : 1;
  let firstReset = 0;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = (hi[s] as number) - 1;
    if (j < i) continue;
    const firstT = ts[i] as number;
    const first = values[i] as number;
    const st = startTs[i] as number;
    const zeroAt = st !== 0 && st < firstT && st > (start[s] as number) ? st : UNKNOWN;
    if (j === i && zeroAt === UNKNOWN) continue;
    const lastT = ts[j] as number;
    let result = (values[j] as number) - first;
    while (firstReset < resets && (resetIndex[firstReset] as number) <= i) firstReset++;
    for (let r = firstReset; r < resets && (resetIndex[r] as number) <= j; r++) {
      result += values[(resetIndex[r] as number) - 1] as number;
    }
    let fromT = firstT;
    if (zeroAt !== UNKNOWN) {
      result += first;
      fromT = zeroAt;
    }
    const sampled = (lastT - fromT) / 1000;
    const average = (lastT - firstT) / 1000 / (j - i);
    const threshold = average * 1.1;
    let toStart = 0;
    if (zeroAt === UNKNOWN) {
      toStart = (firstT - (start[s] as number)) / 1000;
      if (toStart >= threshold) toStart = average / 2;
      if (result > 0 && first >= 0) {
        const toZero = sampled * (first / result);
        if (toZero < toStart) toStart = toZero;
      }
    }
    let toEnd = j === i ? 0 : ((end[s] as number) - lastT) / 1000;
    if (toEnd >= threshold) toEnd = average / 2;
    out[base + s] = result * ((sampled + toStart + toEnd) / sampled / seconds);
    present[base + s] = PRESENT_FLOAT;
  }
}

/** irate (counter, per second) and idelta: from the last two samples of the window. */
export function instantRate(
  series: SampleBuffer,
  w: Windows,
  isCounter: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values, startTs } = series;
  const { lo, hi, steps } = w;
  for (let s = 0; s < steps; s++) {
    const j = (hi[s] as number) - 1;
    if (j - (lo[s] as number) < 1) continue;
    const last = values[j] as number;
    const previous = values[j - 1] as number;
    const interval = (ts[j] as number) - (ts[j - 1] as number);
    let result = last - previous;
    if (isCounter) {
      if (last < previous || (startTs !== undefined && restartedByStartTime(startTs, ts, j))) result = last;
      result /= interval / 1000;
    }
    out[base + s] = result;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** changes and resets: see `placeTransitions`. */
export function countTransitions(
  series: SampleBuffer,
  w: Windows,
  what: "changes" | "resets",
  anchored: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values, startTs } = series;
  const n = series.length;
  const before = transitionCounts(n);
  let count = 0;
  for (let k = 1; k < n; k++) {
    if ((k & (SLICE - 1)) === 0) spend(16 * SLICE);
    const v = values[k] as number;
    const p = values[k - 1] as number;
    if (what === "changes" ? v !== p && !(Number.isNaN(v) && Number.isNaN(p)) : v < p) count++;
    else if (what === "resets" && startTs !== undefined && restartedByStartTime(startTs, ts, k)) count++;
    before[k] = count;
  }
  placeTransitions(series, w, anchored, out, present, base);
}

/**
 * The results of changes and resets once the transitions have been counted. With `anchored` the comparison starts at the last
 * sample at or before the window's start, and a window without a sample of its own has no result.
 */
export function placeTransitions(
  { ts }: SampleBuffer,
  { lo, hi, start, steps }: Windows,
  anchored: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  for (let s = 0; s < steps; s++) {
    let i = lo[s] as number;
    const j = (hi[s] as number) - 1;
    if (j < i) continue;
    if (anchored) {
      const from = start[s] as number;
      if ((ts[j] as number) <= from) continue;
      while (i < j && (ts[i + 1] as number) <= from) i++;
    }
    out[base + s] = (transitions[j] as number) - (transitions[i] as number);
    present[base + s] = PRESENT_FLOAT;
  }
}

let transitions = new Int32Array(256);

/** Scratch for n samples: how many transitions there are up to each from the first; 0 at the first already. */
export function transitionCounts(n: number): Int32Array {
  if (transitions.length < n) transitions = new Int32Array(n * 2);
  transitions[0] = 0;
  return transitions;
}
