import { type Labels, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { formatQuantileLabel } from "../functions/histogram-buckets.ts";
import type { Call, Expr } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import { argumentPos, literalText } from "../plan/step-invariant.ts";
import { checkQuantiles, quantilesOf } from "./histogram-function.ts";
import { hold, release, replaced } from "./memory.ts";
import { overRows } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { compactRows, mergeEqualRows, SAME_LABELSET, type Vector } from "./vector.ts";

/** histogram_quantiles(vector, label, q...): rows for each of the quantiles, with a label that says which. */
export async function evaluateQuantiles(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const { args } = call;
  const label = literalText(args[1] as Expr);
  const input = await ctx.evaluator.vector(ctx, args[0] as Expr, grid);
  const quantiles: Float64Array[] = [];
  for (let i = 2; i < args.length; i++) {
    const q = await ctx.evaluator.scalar(ctx, args[i] as Expr, grid);
    await checkQuantiles(ctx, q, argumentPos(call, i));
    quantiles.push(q);
  }
  const results = await quantilesOf(ctx, input, quantiles, grid, argumentPos(call, 0));
  release(ctx, input);
  const parts: Vector[] = [];
  for (const [i, q] of quantiles.entries()) {
    // The label says the quantile; one that changes over time makes a row for each of its values.
    const result = await compactRows(ctx, results[i] as Vector);
    replaced(ctx, [results[i] as Vector], result);
    const rows = new Map<number, Vector>();
    for (let s = 0; s < grid.steps; s++) {
      const v = q[s] as number;
      if (!rows.has(v)) rows.set(v, await rowsOfQuantile(ctx, result, q, v, label));
    }
    release(ctx, result);
    parts.push(...rows.values());
  }
  const joined = await concatRows(ctx, parts, grid.steps);
  const merged = await mergeEqualRows(ctx, joined);
  if (merged === undefined) throw new QueryError("execution", SAME_LABELSET);
  return replaced(ctx, parts, merged);
}

/** The samples of the steps at which the quantile is `v`. */
async function rowsOfQuantile(
  ctx: QueryContext,
  result: Vector,
  q: Float64Array,
  v: number,
  label: string,
): Promise<Vector> {
  const { steps } = result;
  hold(ctx, result.present.length);
  const present = new Uint8Array(result.present.length);
  const labels: Labels[] = new Array(result.labels.length);
  const text = formatQuantileLabel(v);
  await overRows(ctx, result.labels.length, steps, (r, from, to) => {
    if (from === 0) labels[r] = withLabel(result.labels[r] as Labels, label, text);
    for (let s = from; s < to; s++) {
      if (Object.is(q[s], v)) present[r * steps + s] = result.present[r * steps + s] as number;
    }
  });
  return { ...result, present, labels };
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
