import type { Expr, Pos, VectorSelector } from "../parse/ast.ts";
import { durationOf } from "../plan/duration-expr.ts";
import type { FragmentShape } from "../plan/fragment.ts";
import type { Grid } from "../plan/grid.ts";
import type { RangeCall, RangeFunction, RowMap, Selection } from "../plan/shard-plan.ts";
import type { PlanBody } from "./dispatch.ts";
import { evaluateScalar } from "./evaluate.ts";
import type { QueryContext } from "./query-context.ts";

/** Makes a fragment a plan for the shards: durations worked out, scalar arguments evaluated. `pos` is for annotations. */
export async function planFragment(
  ctx: QueryContext,
  shape: FragmentShape,
  grid: Grid,
): Promise<{ body: PlanBody; pos: Pos }> {
  const select = selectionOf(ctx, shape.selector, shape.output);
  const scalar = (e: Expr): Promise<number | Float64Array> => scalarParam(ctx, e, grid);
  const maps = await Promise.all(
    shape.maps.map(async (m): Promise<RowMap> => {
      if (m.kind === "function") {
        return { kind: "function", func: m.func, params: await Promise.all(m.params.map(scalar)) };
      }
      return { ...m, scalar: await scalar(m.scalar) };
    }),
  );
  if (shape.range === undefined) return { body: { grid, select, maps }, pos: shape.selector.pos };
  const { call, matrix, scalars } = shape.range;
  const range: RangeCall = {
    func: call.func as RangeFunction,
    range: rangeOf(ctx, matrix),
    params: await Promise.all(scalars.map(scalar)),
    ...(shape.selector.anchored === true ? { anchored: true } : {}),
    ...(shape.selector.smoothed === true ? { smoothed: true } : {}),
  };
  return { body: { grid, select, range, maps }, pos: (matrix as Expr).pos };
}

async function scalarParam(ctx: QueryContext, expr: Expr, grid: Grid): Promise<number | Float64Array> {
  return expr.kind === "number" ? expr.value : evaluateScalar(ctx, expr, grid);
}

export function selectionOf(ctx: QueryContext, s: VectorSelector, output: Selection["output"] = "value"): Selection {
  const at = atOf(ctx, s.at);
  return {
    matchers: s.matchers,
    offset: offsetOf(ctx, s),
    lookback: ctx.lookback,
    output,
    ...(at === undefined ? {} : { at }),
    ...(s.smoothed === true ? { smoothed: true } : {}),
  };
}

export function atOf(ctx: QueryContext, at: number | "start" | "end" | undefined): number | undefined {
  if (at === "start") return ctx.times.start;
  return at === "end" ? ctx.times.end : at;
}

export function offsetOf(ctx: QueryContext, e: { offset: number; offsetExpr?: Expr }): number {
  return e.offsetExpr === undefined ? e.offset : durationOf(e.offsetExpr, ctx.times, true);
}

export function rangeOf(ctx: QueryContext, e: { range: number; rangeExpr?: Expr }): number {
  return e.rangeExpr === undefined ? e.range : durationOf(e.rangeExpr, ctx.times, false);
}
