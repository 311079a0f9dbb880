import { spend } from "../../lib/work-at-hand.ts";
import { QueryError } from "../../model/query.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import { SLICE } from "./pace.ts";
import { PRESENT_FLOAT } from "./vector.ts";
import type { Windows } from "./windows.ts";

/**
 * deriv and predict_linear (least squares over the window's samples), and double_exponential_smoothing.
 * `seconds` undefined: deriv; otherwise the value predicted that many seconds after the evaluation time.
 */
export function linearRegression(
  series: SampleBuffer,
  w: Windows,
  seconds: Float64Array | undefined,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { ts, values } = series;
  const { lo, hi, time, steps } = w;
  for (let s = 0; s < steps; s++) {
    const i = lo[s] as number;
    const j = hi[s] as number;
    if (j - i < 2) continue;
    // Times relative to a near one keep the sums small and exact.
    const origin = seconds === undefined ? (ts[i] as number) : (time[s] as number);
    const firstValue = values[i] as number;
    let constant = true;
    let sumX = 0;
    let cX = 0;
    let sumY = 0;
    let cY = 0;
    let sumXY = 0;
    let cXY = 0;
    let sumX2 = 0;
    let cX2 = 0;
    for (let from = i; from < j; from += SLICE) {
      const to = Math.min(j, from + SLICE);
      spend(32 * (to - from));
      for (let k = from; k < to; k++) {
        const y = values[k] as number;
        if (y !== firstValue) constant = false;
        const x = ((ts[k] as number) - origin) / 1000;
        let t = sumX + x;
        cX += Math.abs(sumX) >= Math.abs(x) ? sumX - t + x : x - t + sumX;
        sumX = t;
        t = sumY + y;
        if (t - t !== 0) cY = 0;
        else cY += Math.abs(sumY) >= Math.abs(y) ? sumY - t + y : y - t + sumY;
        sumY = t;
        const xy = x * y;
        t = sumXY + xy;
        if (t - t !== 0) cXY = 0;
        else cXY += Math.abs(sumXY) >= Math.abs(xy) ? sumXY - t + xy : xy - t + sumXY;
        sumXY = t;
        const x2 = x * x;
        t = sumX2 + x2;
        cX2 += Math.abs(sumX2) >= Math.abs(x2) ? sumX2 - t + x2 : x2 - t + sumX2;
        sumX2 = t;
      }
    }
    let slope: number;
    let intercept: number;
    if (constant) {
      const infinite = firstValue - firstValue !== 0;
      slope = infinite ? Number.NaN : 0;
      intercept = infinite ? Number.NaN : firstValue;
    } else {
      const n = j - i;
      const x = sumX + cX;
      const y = sumY + cY;
      slope = (sumXY + cXY - (x * y) / n) / (sumX2 + cX2 - (x * x) / n);
      intercept = y / n - (slope * x) / n;
    }
    out[base + s] = seconds === undefined ? slope : slope * (seconds[s] as number) + intercept;
    present[base + s] = PRESENT_FLOAT;
  }
}

/** Holt's linear method with one smoothing and one trend factor a step. Throws `QueryError` for factors outside (0, 1). */
export function doubleExponentialSmoothing(
  series: SampleBuffer,
  w: Windows,
  smoothing: Float64Array,
  trend: Float64Array,
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
    const sf = smoothing[s] as number;
    const tf = trend[s] as number;
    checkFactor("smoothing factor", "sf", sf);
    checkFactor("trend factor", "tf", tf);
    if (j - i < 2) continue;
    let s0 = 0;
    let s1 = values[i] as number;
    let b = (values[i + 1] as number) - s1;
    for (let from = i + 1; from < j; from += SLICE) {
      const to = Math.min(j, from + SLICE);
      spend(12 * (to - from));
      for (let k = from; k < to; k++) {
        const x = sf * (values[k] as number);
        if (k > i + 1) b = tf * (s1 - s0) + (1 - tf) * b;
        const y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
      }
    }
    out[base + s] = s1;
    present[base + s] = PRESENT_FLOAT;
  }
}

function checkFactor(what: string, name: string, value: number): void {
  // NaN passes, as in Prometheus; the result is NaN then.
  if (!(value <= 0 || value >= 1)) return;
  throw new QueryError("execution", `invalid ${what}. Expected: 0 < ${name} < 1, got: ${value.toFixed(6)}`);
}
