import { type Labels, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { absent, absentLabels } from "../functions/absent.ts";
import { applyElementwise } from "../functions/elementwise.ts";
import { formatQuantileLabel, histogramFraction, histogramQuantile } from "../functions/histogram-buckets.ts";
import { labelJoin, labelReplace } from "../functions/label-functions.ts";
import { sortByLabel, sortByValue } from "../functions/sort.ts";
import type { Call, Expr, Pos } from "../parse/ast.ts";
import { fragmentOf } from "../plan/fragment.ts";
import type { Grid } from "../plan/grid.ts";
import { argumentPos, literalText, unwrap } from "../plan/step-invariant.ts";
import { ineffectiveSort, invalidQuantile, warn } from "./annotations.ts";
import { fetchAggregate } from "./dispatch.ts";
import { evaluateInfo } from "./evaluate-info.ts";
import { evaluateRangeCall } from "./evaluate-subquery.ts";
import { planFragment } from "./plan-fragment.ts";
import { inOrder, type QueryContext } from "./query-context.ts";
import { emptyVector, mergeEqualRows, SAME_LABELSET, type Vector, vectorOfScalar } from "./vector.ts";

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
      return evaluationTimes(await vector(0), grid);
    case "start_timestamp":
      await vector(0);
      return emptyVector(grid.steps);
    case "absent":
      return absent(await anySample(ctx, arg(0), grid), absentLabels(arg(0)));
    case "absent_over_time": {
      const present: Call = { ...call, func: "present_over_time" };
      return absent(await anySample(ctx, present, grid), absentLabels(arg(0)));
    }
    case "label_replace": {
      const texts = [1, 2, 3, 4].map((i) => literalText(arg(i))) as [string, string, string, string];
      return labelReplace(await vector(0), ...texts);
    }
    case "label_join": {
      const [dst, separator, ...sources] = args.slice(1).map(literalText) as [string, string, ...string[]];
      return labelJoin(await vector(0), dst, separator, sources);
    }
    case "sort":
    case "sort_desc":
    case "sort_by_label":
    case "sort_by_label_desc": {
      const v = await vector(0);
      if (grid.steps > 1) {
        warn(ctx.notes, ineffectiveSort(), call.pos);
        return v;
      }
      if (func === "sort" || func === "sort_desc") return sortByValue(v, func === "sort_desc");
      return sortByLabel(v, args.slice(1).map(literalText), func === "sort_by_label_desc");
    }
    case "histogram_quantile": {
      const [q, v] = await inOrder([scalar(0), vector(1)]);
      checkQuantiles(ctx, q, argumentPos(call, 0));
      return histogramQuantile(v, q, ctx.notes, argumentPos(call, 1));
    }
    case "histogram_quantiles":
      return evaluateQuantiles(ctx, call, grid);
    case "histogram_fraction": {
      const [lower, upper, v] = await inOrder([scalar(0), scalar(1), vector(2)]);
      return histogramFraction(v, lower, upper, ctx.notes, argumentPos(call, 2));
    }
    case "histogram_avg":
    case "histogram_count":
    case "histogram_sum":
    case "histogram_stddev":
    case "histogram_stdvar":
      // They read native histograms, of which there are none yet.
      await vector(0);
      return emptyVector(grid.steps);
    case "info":
      return evaluateInfo(ctx, call, grid);
    default:
      if (args.length === 0) return calendarOfTime(func, grid);
      throw new QueryError("internal", `function not known to the evaluator: ${func}`);
  }
}

/** timestamp() of anything but a selector: the evaluation time. */
function evaluationTimes(v: Vector, grid: Grid): Vector {
  for (let i = 0, s = 0; i < v.values.length; i++) {
    v.values[i] = (grid.start + s * grid.step) / 1000;
    if (++s === v.steps) s = 0;
  }
  v.dropName.fill(1);
  return v;
}

/** minute(), hour() and the like without an argument: of the evaluation time. */
function calendarOfTime(func: string, grid: Grid): Vector {
  const values = new Float64Array(grid.steps).map((_, s) => Math.floor((grid.start + s * grid.step) / 1000));
  const v = vectorOfScalar(values);
  applyElementwise(func, [], v.values, v.present, 0, grid.steps);
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
  const { body, pos } = await planFragment(ctx, fragment, grid);
  const aggregate = { op: "group", grouping: [], without: false } as const;
  return fetchAggregate(ctx, { ...body, aggregate }, "group", pos);
}

function checkQuantiles(ctx: QueryContext, q: Float64Array, pos: Pos): void {
  for (const v of q) if (!(v >= 0 && v <= 1)) warn(ctx.notes, invalidQuantile(v), pos);
}

async function evaluateQuantiles(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const { args } = call;
  const label = literalText(args[1] as Expr);
  const input = await ctx.evaluator.vector(ctx, args[0] as Expr, grid);
  const parts: Vector[] = [];
  for (let i = 2; i < args.length; i++) {
    const q = await ctx.evaluator.scalar(ctx, args[i] as Expr, grid);
    checkQuantiles(ctx, q, argumentPos(call, i));
    const part = histogramQuantile(input, q, ctx.notes, argumentPos(call, 0));
    // The label says the quantile; one that changes over time makes a row for each of its values.
    const rows = new Map<number, Vector>();
    for (let s = 0; s < grid.steps; s++) {
      const v = q[s] as number;
      if (rows.has(v)) continue;
      const only = { ...part, present: part.present.map((p, i) => (Object.is(q[i % grid.steps], v) ? p : 0)) };
      const labels = part.labels.map((l) => withLabel(l, label, formatQuantileLabel(v)));
      rows.set(v, { ...only, labels });
    }
    parts.push(...rows.values());
  }
  const joined = concatRows(parts, grid.steps);
  const merged = mergeEqualRows(joined);
  if (merged === undefined) throw new QueryError("execution", SAME_LABELSET);
  return merged;
}

function concatRows(parts: readonly Vector[], steps: number): Vector {
  const labels: Labels[] = parts.flatMap((p) => p.labels);
  const dropName = new Uint8Array(labels.length);
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  let row = 0;
  for (const p of parts) {
    dropName.set(p.dropName, row);
    values.set(p.values, row * steps);
    present.set(p.present, row * steps);
    row += p.labels.length;
  }
  return { steps, labels, dropName, values, present };
}
