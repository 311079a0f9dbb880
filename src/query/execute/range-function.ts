import type { SampleBuffer, SampleView } from "../../model/sample.ts";
import type { RangeCall, RangeFunction } from "../plan/shard-plan.ts";
import { extendedRate } from "./extended-rate.ts";
import {
  endsOverTime,
  extremeOverTime,
  madOverTime,
  quantileOverTime,
  sumOverTime,
  varianceOverTime,
} from "./over-time.ts";
import { countTransitions, extrapolatedRate, instantRate } from "./rate.ts";
import { doubleExponentialSmoothing, linearRegression } from "./regression.ts";
import { sliceWindows, type Windows } from "./windows.ts";

/** A range function made ready for many series: scalar arguments as one value a step. */
export interface PreparedRange {
  readonly call: RangeCall;
  readonly params: readonly Float64Array[];
}

export function prepareRange(call: RangeCall, steps: number): PreparedRange {
  return { call, params: call.params.map((p) => (typeof p === "number" ? new Float64Array(steps).fill(p) : p)) };
}

/** Work of some milliseconds: what a range function may do at once. */
const ONE_GO = 2 ** 20;

/** Work a sample of a window, of functions that go through every window anew; the others slide from window to window. */
const SCAN_WORK: Readonly<Partial<Record<RangeFunction, number>>> = {
  quantile_over_time: 8,
  mad_over_time: 16,
  stddev_over_time: 2,
  stdvar_over_time: 2,
  deriv: 2,
  predict_linear: 2,
  double_exponential_smoothing: 2,
  // Those count the resets in each window: as many as samples at worst.
  rate: 1,
  increase: 1,
  delta: 1,
};

const RATES: ReadonlySet<RangeFunction> = new Set(["rate", "increase", "delta"]);

/**
 * Where the slice of steps ends that is evaluated at once when it begins at `from`; the windows must have been located.
 * A window is never divided. Functions look at the whole series in each slice, or once more at its first window: slices
 * are at least as large as that.
 */
export function sliceEnd({ call }: PreparedRange, series: SampleBuffer, w: Windows, from: number): number {
  const { lo, hi, steps } = w;
  const n = series.length;
  // Those of a counter that never restarts look at two samples of a window.
  const looksAtEnds = neverDecreases(series) && RATES.has(call.func);
  const scan = looksAtEnds ? undefined : SCAN_WORK[call.func];
  if (scan === undefined) {
    if (steps + n <= ONE_GO) return steps;
    const first = lo[from] as number;
    const end = from + first + ONE_GO + n / 16 + 2 * ((hi[from] as number) - first);
    let to = from + 1;
    while (to < steps && (hi[to] as number) + to <= end) to++;
    return to;
  }
  if (steps * n * scan <= ONE_GO) return steps;
  const most = Math.max(ONE_GO, n) / scan;
  let total = 0;
  let to = from;
  while (to < steps && total <= most) {
    total += (hi[to] as number) - (lo[to] as number) + 1;
    to++;
  }
  return to;
}

/** `evaluateRange` for the steps [from, to) only. */
export function evaluateSlice(
  prepared: PreparedRange,
  series: SampleBuffer,
  w: Windows,
  from: number,
  to: number,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  if (from === 0 && to === w.steps) {
    evaluateRange(prepared, series, w, out, present, base);
    return;
  }
  const part = { call: prepared.call, params: prepared.params.map((p) => p.subarray(from, to)) };
  evaluateRange(part, series, sliceWindows(w, from, to), out, present, base + from);
}

/** Told by sources that have looked before. */
function neverDecreases(series: SampleBuffer): boolean {
  return (series as Partial<SampleView>).ascending === true;
}

/** Range functions that keep the metric name. */
const KEEPS_NAME: ReadonlySet<string> = new Set(["last_over_time", "first_over_time"]);

export function rangeKeepsName(func: string): boolean {
  return KEEPS_NAME.has(func);
}

/**
 * Evaluates the function for one series whose windows have been located. Staleness markers must be out of the samples.
 * Writes to `out` and `present` from `base`; the cells of `present` must be 0 before.
 */
export function evaluateRange(
  prepared: PreparedRange,
  series: SampleBuffer,
  w: Windows,
  out: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const { call, params } = prepared;
  const { func, range } = call;
  const extended = call.anchored === true || call.smoothed === true;
  switch (func) {
    case "rate":
    case "increase":
    case "delta": {
      const counter = func !== "delta";
      const perSecond = func === "rate";
      if (extended) {
        extendedRate(series, w, range, counter, perSecond, call.smoothed === true, out, present, base);
      } else extrapolatedRate(series, w, range, counter, perSecond, out, present, base);
      return;
    }
    case "irate":
      instantRate(series, w, true, out, present, base);
      return;
    case "idelta":
      instantRate(series, w, false, out, present, base);
      return;
    case "changes":
    case "resets":
      countTransitions(series, w, func, call.anchored === true, out, present, base);
      return;
    case "deriv":
      linearRegression(series, w, undefined, out, present, base);
      return;
    case "predict_linear":
      linearRegression(series, w, params[0], out, present, base);
      return;
    case "sum_over_time":
      sumOverTime(series, w, false, out, present, base);
      return;
    case "avg_over_time":
      sumOverTime(series, w, true, out, present, base);
      return;
    case "min_over_time":
      if (neverDecreases(series)) endsOverTime(series, w, "first", out, present, base);
      else extremeOverTime(series, w, false, false, out, present, base);
      return;
    case "max_over_time":
      if (neverDecreases(series)) endsOverTime(series, w, "last", out, present, base);
      else extremeOverTime(series, w, true, false, out, present, base);
      return;
    case "ts_of_min_over_time":
      extremeOverTime(series, w, false, true, out, present, base);
      return;
    case "ts_of_max_over_time":
      extremeOverTime(series, w, true, true, out, present, base);
      return;
    case "count_over_time":
      endsOverTime(series, w, "count", out, present, base);
      return;
    case "present_over_time":
      endsOverTime(series, w, "present", out, present, base);
      return;
    case "first_over_time":
      endsOverTime(series, w, "first", out, present, base);
      return;
    case "last_over_time":
      endsOverTime(series, w, "last", out, present, base);
      return;
    case "ts_of_first_over_time":
      endsOverTime(series, w, "tsFirst", out, present, base);
      return;
    case "ts_of_last_over_time":
      endsOverTime(series, w, "tsLast", out, present, base);
      return;
    case "stddev_over_time":
      varianceOverTime(series, w, true, out, present, base);
      return;
    case "stdvar_over_time":
      varianceOverTime(series, w, false, out, present, base);
      return;
    case "quantile_over_time":
      quantileOverTime(series, w, params[0] as Float64Array, out, present, base);
      return;
    case "mad_over_time":
      madOverTime(series, w, out, present, base);
      return;
    case "double_exponential_smoothing":
      doubleExponentialSmoothing(series, w, params[0] as Float64Array, params[1] as Float64Array, out, present, base);
      return;
  }
}
