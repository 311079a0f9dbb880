import { QueryError } from "../../model/query.ts";
import type { Call, Expr, VectorSelector } from "../parse/ast.ts";
import type { FragmentShape } from "../plan/fragment.ts";
import type { Grid } from "../plan/grid.ts";
import type { RangeCall, RangeFunction, RowMap, Selection } from "../plan/shard-plan.ts";
import { argumentPos } from "../plan/step-invariant.ts";
import type { PlanBody, PlanPlaces } from "./ask-shards.ts";
import type { QueryContext } from "./query-context.ts";

/** Makes a fragment a plan for the shards: scalar arguments evaluated. `pos` is for annotations. */
export async function planFragment(
  ctx: QueryContext,
  shape: FragmentShape,
  grid: Grid,
): Promise<{ body: PlanBody; places: PlanPlaces }> {
  const select = selectionOf(ctx, shape.selector, shape.output);
  const scalar = (e: Expr): Promise<number | Float64Array> => scalarParam(ctx, e, grid);
  const maps = await Promise.all(
    shape.maps.map(async (m): Promise<RowMap> => {
      if (m.kind === "function") {
        return { kind: "function", func: m.func, params: await Promise.all(m.params.map(scalar)) };
      }
      const { pos: _, ...map } = m;
      return { ...map, scalar: await scalar(m.scalar) };
    }),
  );
  const mapPos = shape.maps.map((m) => m.pos);
  if (shape.range === undefined) return { body: { grid, select, maps }, places: { pos: shape.selector.pos, mapPos } };
  const { call, matrix, scalars } = shape.range;
  checkModifiers(call, shape.selector);
  const range: RangeCall = {
    func: call.func as RangeFunction,
    range: matrix.range,
    params: await Promise.all(scalars.map(scalar)),
    ...(shape.selector.anchored === true ? { anchored: true } : {}),
    ...(shape.selector.smoothed === true ? { smoothed: true } : {}),
  };
  const pos = call.func === "quantile_over_time" ? argumentPos(call, 0) : matrix.pos;
  return { body: { grid, select, range, maps }, places: { pos, mapPos } };
}

const ANCHORED = ["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED = ["delta", "increase", "rate"];

/** `anchored` and `smoothed` ranges are for some functions only. Throws `QueryError` ("execution"). */
export function checkModifiers(call: Call, selector: VectorSelector): void {
  const check = (modifier: string, functions: readonly string[]): void => {
    if (functions.includes(call.func)) return;
    const text = `${modifier} modifier can only be used with: ${functions.join(", ")} - not with ${call.func}`;
    throw new QueryError("execution", text);
  };
  if (selector.anchored === true) check("anchored", ANCHORED);
  if (selector.smoothed === true) check("smoothed", SMOOTHED);
}

async function scalarParam(ctx: QueryContext, expr: Expr, grid: Grid): Promise<number | Float64Array> {
  return expr.kind === "number" ? expr.value : ctx.evaluator.scalar(ctx, expr, grid);
}

export function selectionOf(ctx: QueryContext, s: VectorSelector, output: Selection["output"] = "value"): Selection {
  const at = atOf(ctx, s.at);
  return {
    matchers: s.matchers,
    offset: s.offset,
    lookback: ctx.lookback,
    output,
    ...(at === undefined ? {} : { at }),
    // Times are those of samples, which `smoothed` does not move.
    ...(s.smoothed === true && output === "value" ? { smoothed: true } : {}),
    ...(ctx.statsOnly.has(s) ? { statsOnly: true } : {}),
  };
}

export function atOf(ctx: QueryContext, at: number | "start" | "end" | undefined): number | undefined {
  if (at === "start") return ctx.times.start;
  return at === "end" ? ctx.times.end : at;
}
