import { QueryError } from "../../model/query.ts";
import { absent, absentLabels } from "../functions/absent.ts";
import { applyElementwise } from "../functions/elementwise.ts";
import { labelJoin, labelReplace } from "../functions/label-functions.ts";
import { sortByLabel, sortByValue } from "../functions/sort.ts";
import type { Call, Expr } from "../parse/ast.ts";
import { fragmentOf } from "../plan/fragment.ts";
import type { Grid } from "../plan/grid.ts";
import { literalText, unwrap } from "../plan/step-invariant.ts";
import { ineffectiveSort, warn } from "./annotations.ts";
import { fetchAggregate } from "./dispatch.ts";
import { evaluateInfo } from "./evaluate-info.ts";
import { evaluateRangeCall } from "./evaluate-subquery.ts";
import { evaluateFraction, evaluateQuantile, isOfHistogram, valuesOfHistograms } from "./histogram-function.ts";
import { evaluateQuantiles } from "./histogram-function-quantiles.ts";
import { holdBytes } from "./memory.ts";
import { mapSteps, overRows } from "./pace.ts";
import { planFragment } from "./plan-fragment.ts";
import type { QueryContext } from "./query-context.ts";
import { emptyVector, keepFloats, PRESENT_FLOAT, type Vector, vectorOfScalar } from "./vector.ts";

/** The functions that are neither range functions nor elementwise. */
export async function evaluateFunction(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const { func, args } = call;
  const arg = (i: number): Expr => unwrap(args[i] as Expr);
  const vector = (i: number): Promise<Vector> => ctx.evaluator.vector(ctx, arg(i), grid);
  const scalar = (i: number): Promise<Float64Array> => ctx.evaluator.scalar(ctx, arg(i), grid);
  switch (func) {
    case "vector":
      return vectorOfScalar(await scalar(0));
    case "timestamp":
      return evaluationTimes(ctx, await vector(0), grid);
    case "start_timestamp":
      await vector(0);
      return emptyVector(grid.steps);
    case "absent":
      return absent(ctx, await anySample(ctx, arg(0), grid), absentLabels(arg(0)));
    case "absent_over_time": {
      const present: Call = { ...call, func: "present_over_time" };
      return absent(ctx, await anySample(ctx, present, grid), absentLabels(arg(0)));
    }
    case "label_replace": {
      const texts = [1, 2, 3, 4].map((i) => literalText(arg(i))) as [string, string, string, string];
      return labelReplace(ctx, await vector(0), ...texts, (bytes) => holdBytes(ctx, bytes));
    }
    case "label_join": {
      const [dst, separator, ...sources] = args.slice(1).map(literalText) as [string, string, ...string[]];
      return labelJoin(ctx, await vector(0), dst, separator, sources, (bytes) => holdBytes(ctx, bytes));
    }
    case "sort":
    case "sort_desc":
    case "sort_by_label":
    case "sort_by_label_desc": {
      const v = await vector(0);
      if (grid.steps > 1) {
        warn(ctx.notes, ineffectiveSort(), call.pos);
        return func === "sort" || func === "sort_desc" ? keepFloats(ctx, v) : v;
      }
      if (func === "sort" || func === "sort_desc") return sortByValue(ctx, v, func === "sort_desc");
      return sortByLabel(ctx, v, args.slice(1).map(literalText), func === "sort_by_label_desc");
    }
    case "histogram_quantile":
      return evaluateQuantile(ctx, call, grid);
    case "histogram_quantiles":
      return evaluateQuantiles(ctx, call, grid);
    case "histogram_fraction":
      return evaluateFraction(ctx, call, grid);
    case "info":
      return evaluateInfo(ctx, call, grid);
    default:
      if (isOfHistogram(func)) return valuesOfHistograms(ctx, func, await vector(0));
      if (args.length === 0) return calendarOfTime(ctx, func, grid);
      throw new QueryError("internal", `function not known to the evaluator: ${func}`);
  }
}

/** timestamp() of anything but a selector: the evaluation time. */
async function evaluationTimes(ctx: QueryContext, v: Vector, grid: Grid): Promise<Vector> {
  await overRows(ctx, v.labels.length, v.steps, (r, from, to) => {
    for (let s = from; s < to; s++) {
      const cell = r * v.steps + s;
      v.values[cell] = (grid.start + s * grid.step) / 1000;
      if (v.present[cell] !== 0) v.present[cell] = PRESENT_FLOAT;
    }
  });
  v.dropName.fill(1);
  return v;
}

/** minute(), hour() and the like without an argument: of the evaluation time. */
async function calendarOfTime(ctx: QueryContext, func: string, grid: Grid): Promise<Vector> {
  const v = vectorOfScalar(await mapSteps(ctx, grid.steps, (s) => Math.floor((grid.start + s * grid.step) / 1000)));
  await overRows(ctx, 1, grid.steps, (_, from, to) => {
    applyElementwise(func, [], v.values, v.present, from, to - from);
  });
  return v;
}

/** A vector that has a sample where `expr` has any; in the shards where they can tell. */
async function anySample(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Vector> {
  const fragment = fragmentOf(expr);
  if (fragment === undefined) {
    return expr.kind === "call" && expr.func === "present_over_time"
      ? evaluateRangeCall(ctx, expr, grid)
      : ctx.evaluator.vector(ctx, expr, grid);
  }
  const { body, places } = await planFragment(ctx, fragment, grid);
  const aggregate = { op: "group", grouping: [], without: false } as const;
  return fetchAggregate(ctx, { ...body, aggregate }, "group", places);
}
