import type { SampleBuffer } from "../../model/sample.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * rate, increase and delta with the `anchored` modifier (the sample at or before the window's start is the left end) or
 * `smoothed` (values at both bounds are interpolated from the samples around them). No extrapolation.
 * The windows must reach back (smoothed: and ahead) by the lookback.
 */
export function extendedRate(
  series: SampleBuffer,
  w: Windows,
  range: number,
  isCounter: boolean,
  perSecond: boolean,
  smoothed: boolean,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values } = series;
  const { lo, hi, start, end, steps } = w;
  for (let s = 0; s < steps; s++) {
    const n = hi[s] as number;
    let i = lo[s] as number;
    if (n <= i) continue;
    const from = start[s] as number;
    const to = end[s] as number;
    while (i + 1 < n && (ts[i + 1] as number) <= from) i++;
    let j = n - 1;
    if (smoothed) {
      j = i;
      while (j < n - 1 && (ts[j] as number) < to) j++;
    }
    if ((ts[j] as number) <= from || (ts[i] as number) > to) continue;
    let left = values[i] as number;
    if (smoothed && (ts[i] as number) < from) left = interpolate(series, i, from, isCounter);
    let right = values[j] as number;
    if (smoothed && j > i && (ts[j] as number) > to) right = interpolate(series, j - 1, to, isCounter);
    let result = right - left;
    if (isCounter) {
      // Resets at the bounds are part of the interpolation; count those between the samples strictly inside.
      const a = (ts[i] as number) <= from ? i + 1 : i;
      const b = (ts[j] as number) >= to ? j - 1 : j;
      let previous = left;
      for (let k = a; k <= b; k++) {
        const v = values[k] as number;
        if (v < previous) result += previous;
        previous = v;
      }
      if (right < previous) result += previous;
    }
    out[base + s] = perSecond ? result / (range / 1000) : result;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** The value at time t on the line from sample i to i+1. A counter that restarted in between is taken to rise from 0. */
export function interpolate(series: SampleBuffer, i: number, t: number, isCounter: boolean): number {
  const { ts, values } = series;
  let y1 = values[i] as number;
  const y2 = values[i + 1] as number;
  if (isCounter && y2 < y1) y1 = 0;
  const t1 = ts[i] as number;
  return y1 + ((y2 - y1) * (t - t1)) / ((ts[i + 1] as number) - t1);
}
