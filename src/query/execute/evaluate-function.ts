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
import { hold, release, replaced } from "./memory.ts";
import { mapSteps, overEach, overRows } from "./pace.ts";
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
      return labelReplace(ctx, await vector(0), ...texts);
    }
    case "label_join": {
      const [dst, separator, ...sources] = args.slice(1).map(literalText) as [string, string, ...string[]];
      return labelJoin(ctx, await vector(0), dst, separator, sources);
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
      if (func === "sort" || func === "sort_desc") return sortByValue(ctx, v, func === "sort_desc");
      return sortByLabel(ctx, v, args.slice(1).map(literalText), func === "sort_by_label_desc");
    }
    case "histogram_quantile": {
      const [q, v] = await inOrder([scalar(0), vector(1)]);
      await checkQuantiles(ctx, q, argumentPos(call, 0));
      return replaced(ctx, [v], await histogramQuantile(ctx, v, q, argumentPos(call, 1)));
    }
    case "histogram_quantiles":
      return evaluateQuantiles(ctx, call, grid);
    case "histogram_fraction": {
      const [lower, upper, v] = await inOrder([scalar(0), scalar(1), vector(2)]);
      return replaced(ctx, [v], await histogramFraction(ctx, v, lower, upper, argumentPos(call, 2)));
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
      if (args.length === 0) return calendarOfTime(ctx, func, grid);
      throw new QueryError("internal", `function not known to the evaluator: ${func}`);
  }
}

/** timestamp() of anything but a selector: the evaluation time. */
async function evaluationTimes(ctx: QueryContext, v: Vector, grid: Grid): Promise<Vector> {
  await overRows(ctx, v.labels.length, v.steps, (r, from, to) => {
    for (let s = from; s < to; s++) v.values[r * v.steps + s] = (grid.start + s * grid.step) / 1000;
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

async function checkQuantiles(ctx: QueryContext, q: Float64Array, pos: Pos): Promise<void> {
  let last = 0;
  await overEach(ctx, q.length, 2, (s) => {
    const v = q[s] as number;
    if ((v >= 0 && v <= 1) || Object.is(v, last)) return;
    last = v;
    warn(ctx.notes, invalidQuantile(v), pos);
  });
}

async function evaluateQuantiles(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const { args } = call;
  const label = literalText(args[1] as Expr);
  const input = await ctx.evaluator.vector(ctx, args[0] as Expr, grid);
  const parts: Vector[] = [];
  for (let i = 2; i < args.length; i++) {
    const q = await ctx.evaluator.scalar(ctx, args[i] as Expr, grid);
    await checkQuantiles(ctx, q, argumentPos(call, i));
    const part = await histogramQuantile(ctx, input, q, argumentPos(call, 0));
    // The label says the quantile; one that changes over time makes a row for each of its values.
    const rows = new Map<number, Vector>();
    for (let s = 0; s < grid.steps; s++) {
      const v = q[s] as number;
      if (rows.has(v)) continue;
      hold(ctx, part.present.length);
      const present = new Uint8Array(part.present.length);
      const labels: Labels[] = new Array(part.labels.length);
      await overRows(ctx, part.labels.length, grid.steps, (r, from, to) => {
        if (from === 0) labels[r] = withLabel(part.labels[r] as Labels, label, formatQuantileLabel(v));
        for (let t = from; t < to; t++) {
          if (Object.is(q[t], v)) present[r * grid.steps + t] = part.present[r * grid.steps + t] as number;
        }
      });
      rows.set(v, { ...part, present, labels });
    }
    parts.push(...rows.values());
  }
  const joined = await concatRows(ctx, parts, grid.steps);
  const merged = await mergeEqualRows(ctx, joined);
  if (merged === undefined) throw new QueryError("execution", SAME_LABELSET);
  release(ctx, input);
  return merged;
}

async function concatRows(ctx: QueryContext, parts: readonly Vector[], steps: number): Promise<Vector> {
  const labels: Labels[] = parts.flatMap((p) => p.labels);
  const dropName = new Uint8Array(labels.length);
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  let row = 0;
  for (const p of parts) {
    dropName.set(p.dropName, row);
    const at = row * steps;
    await overRows(ctx, p.labels.length, steps, (r, from, to) => {
      values.set(p.values.subarray(r * steps + from, r * steps + to), at + r * steps + from);
      present.set(p.present.subarray(r * steps + from, r * steps + to), at + r * steps + from);
    });
    row += p.labels.length;
  }
  return { steps, labels, dropName, values, present };
}
