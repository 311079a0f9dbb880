import { moveSample } from "../../model/copy-samples.ts";
import { isStaleHistogram } from "../../model/histogram-code.ts";
import { type RollupTier, TIER_MS } from "../../model/rollup.ts";
import { histogramRef, isHistogramAt, isStaleAt, type SampleBuffer } from "../../model/sample.ts";
import type { Grid } from "../plan/grid.ts";
import type { Segment } from "../plan/tier.ts";

/** One value a step: what the rate of a window has of its times alone; see `extrapolatedRate`. */
export interface RateShape {
  /** The times that it was made for; undefined: of a series that may have changed. */
  of: Float64Array | undefined;
  readonly sampled: Float64Array;
  readonly toStart: Float64Array;
  readonly toEnd: Float64Array;
  /** What the difference is multiplied by, unless the counter would be negative at the window's start. */
  readonly factor: Float64Array;
}

/**
 * One series with the window of samples that belongs to every step: step s has the samples [lo[s], hi[s]).
 * The arrays are scratch that is reused from series to series; `start` and `end` do not change between series.
 *
 * Invariants: lo, hi, start and end never decrease from step to step; lo[s] <= hi[s].
 */
export interface Windows {
  readonly steps: number;
  /** Bounds of the window in ms, start excluded, end included. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** How far before `start` and after `end` samples are looked at (anchored and smoothed), ms. */
  readonly before: number;
  readonly after: number;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  /** The times that lo and hi were found for, where these never change; a series with the same has the same windows. */
  of?: Float64Array | undefined;
  /** What rate() makes of them (rate.ts). */
  shape?: RateShape | undefined;
  /** Evaluation time of the steps, ms (`start` and `end` are moved by offset and @). */
  readonly time: Float64Array;
}

export function makeWindows(
  grid: Grid,
  range: number,
  offset: number,
  at: number | undefined,
  before = 0,
  after = 0,
): Windows {
  const w = emptyWindows(grid.steps, before, after);
  placeWindows(w, grid, range, offset, at, 0, grid.steps);
  return w;
}

export function emptyWindows(steps: number, before = 0, after = 0): Windows {
  return {
    steps,
    start: new Float64Array(steps),
    end: new Float64Array(steps),
    before,
    after,
    time: new Float64Array(steps),
    lo: new Int32Array(steps),
    hi: new Int32Array(steps),
    // All windows have all fields from the start: what was compiled for one kind of objects is thrown away at the next kind.
    of: undefined,
    shape: undefined,
  };
}

/** Sets the bounds of the windows of the steps [from, to). */
export function placeWindows(
  w: Windows,
  grid: Grid,
  range: number,
  offset: number,
  at: number | undefined,
  from: number,
  to: number,
): void {
  const { start, end, time } = w;
  for (let s = from; s < to; s++) {
    const t = grid.start + s * grid.step;
    time[s] = t;
    end[s] = (at ?? t) - offset;
    start[s] = (end[s] as number) - range;
  }
}

/** The windows of the steps [from, to), over the same memory. */
export function sliceWindows(w: Windows, from: number, to: number): Windows {
  const { before, after } = w;
  return {
    steps: to - from,
    start: w.start.subarray(from, to),
    end: w.end.subarray(from, to),
    before,
    after,
    time: w.time.subarray(from, to),
    lo: w.lo.subarray(from, to),
    hi: w.hi.subarray(from, to),
    of: undefined,
    shape: undefined,
  };
}

/** The first and last time of samples that the windows can hold, both inclusive. */
export function windowBounds(w: Windows): { minT: number; maxT: number } {
  if (w.steps === 0) return { minT: 0, maxT: -1 };
  return { minT: (w.start[0] as number) - w.before + 1, maxT: (w.end[w.steps - 1] as number) + w.after };
}

/**
 * Finds lo and hi for the samples `ts[0..n)`. Samples mostly come at an even pace, so each bound is first tried as far
 * ahead of its predecessor as that was of its own: a look at two samples instead of all in between.
 * Only those of the steps [first, last) when these are given; the ones before must have been found.
 */
export function locateWindows(w: Windows, ts: Float64Array, n: number, first = 0, last = w.steps): void {
  const { start, end, lo, hi, before, after } = w;
  let i = first === 0 ? 0 : (lo[first - 1] as number);
  let j = first === 0 ? 0 : (hi[first - 1] as number);
  let strideI = 0;
  let strideJ = 0;
  for (let s = first; s < last; s++) {
    const from = (start[s] as number) - before;
    const to = (end[s] as number) + after;
    let k = i + strideI;
    if (k > i && k < n && (ts[k - 1] as number) <= from && (ts[k] as number) > from) i = k;
    else {
      k = i;
      while (k < n && (ts[k] as number) <= from) k++;
      strideI = k - i;
      i = k;
    }
    if (j < i) j = i;
    k = j + strideJ;
    if (k > j && k < n && (ts[k - 1] as number) <= to && (ts[k] as number) > to) j = k;
    else {
      k = j;
      while (k < n && (ts[k] as number) <= to) k++;
      strideJ = k - j;
      j = k;
    }
    lo[s] = i;
    hi[s] = j;
  }
}

/**
 * Removes the staleness markers from a buffer, in place: range selectors do not see them. With `floatsOnly` native histograms
 * go as well.
 */
export function dropStale(buffer: SampleBuffer, floatsOnly = false): void {
  const { values } = buffer;
  const n = buffer.length;
  let i = 0;
  while (i < n && !(Number.isNaN(values[i]) && isDropped(buffer, i, floatsOnly))) i++;
  if (i === n) return;
  let out = i;
  for (; i < n; i++) {
    if (Number.isNaN(values[i]) && isDropped(buffer, i, floatsOnly)) continue;
    moveSample(buffer, i, out++);
  }
  buffer.length = out;
}

function isDropped(buffer: SampleBuffer, i: number, floatsOnly: boolean): boolean {
  const { words, histograms } = buffer;
  if (isStaleAt(words, i)) return true;
  if (histograms === undefined || !isHistogramAt(words, i)) return false;
  return floatsOnly || isStaleHistogram(histograms.bytes, histogramRef(words, i));
}

/** Cuts the samples down to [from, to), in place. */
export function keepRange(buffer: SampleBuffer, from: number, to: number): void {
  if (from > 0) {
    buffer.ts.copyWithin(0, from, to);
    buffer.values.copyWithin(0, from, to);
    buffer.startTs?.copyWithin(0, from, to);
  }
  buffer.length = to - from;
}

/**
 * Moves the bounds of windows that lie inside of a rounded segment's buckets back to the bucket's beginning, and makes windows
 * that are narrower than a bucket as wide as one. Raw samples and the rows of other segments keep their windows.
 */
export function roundWindows(w: Windows, segments: readonly Segment[]): void {
  const rounded = segments.filter((s): s is Segment & { tier: RollupTier } => s.rounded && s.tier !== "raw");
  if (rounded.length === 0) return;
  const { start, end, steps } = w;
  const widthAt = (t: number): number => {
    const segment = rounded.find((s) => t > s.after && t <= s.until);
    return segment === undefined ? 0 : TIER_MS[segment.tier];
  };
  for (let s = 0; s < steps; s++) {
    const to = end[s] as number;
    const from = start[s] as number;
    const last = widthAt(to);
    if (last > 0) end[s] = Math.floor(to / last) * last;
    const first = widthAt(from);
    if (first > 0) start[s] = Math.floor(from / first) * first;
    if (last > 0) start[s] = Math.min(start[s] as number, (end[s] as number) - last);
  }
}
