import type { SampleBuffer } from "../../model/sample.ts";
import type { RangeCall } from "../plan/shard-plan.ts";
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
import type { Windows } from "./windows.ts";

/** A range function made ready for many series: scalar arguments as one value a step. */
export interface PreparedRange {
  readonly call: RangeCall;
  readonly params: readonly Float64Array[];
}

export function prepareRange(call: RangeCall, steps: number): PreparedRange {
  return { call, params: call.params.map((p) => (typeof p === "number" ? new Float64Array(steps).fill(p) : p)) };
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
      extremeOverTime(series, w, false, false, out, present, base);
      return;
    case "max_over_time":
      extremeOverTime(series, w, true, false, out, present, base);
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
