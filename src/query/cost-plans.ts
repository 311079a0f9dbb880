/** The plans that a query sends to the shards, found by walking its tree in place of evaluating it. */
import { infoSelection } from "./execute/evaluate-info.ts";
import { subqueryGrid } from "./execute/evaluate-subquery.ts";
import { checkModifiers, selectionOf } from "./execute/plan-fragment.ts";
import type { QueryContext } from "./execute/query-context.ts";
import type { Call, Expr, MatrixSelector, Pos, VectorSelector } from "./parse/ast.ts";
import { typeOf } from "./parse/check.ts";
import { type FragmentShape, fragmentOf } from "./plan/fragment.ts";
import { type Grid, instantGrid } from "./plan/grid.ts";
import type { RangeFunction, ShardPlan } from "./plan/shard-plan.ts";
import { isStepInvariant, unwrap } from "./plan/step-invariant.ts";

export interface SelectorPlan {
  /** None where info() looks for series that the text does not name. */
  readonly selector?: VectorSelector;
  /** Series that info() looks for: all that it might take, as those that it will take depend on data. */
  readonly isInfo?: true;
  /** Of the selector, with its range. */
  readonly pos: Pos;
  readonly body: Pick<ShardPlan, "grid" | "select" | "range" | "raw" | "maps">;
}

/**
 * One plan a selector, in the order of the text. What depends on data is left out: the values of arguments, which do not matter to
 * what is read, and which of the info series are those of a series. Throws `QueryError` for what cannot be evaluated.
 */
export function selectorPlans(ctx: QueryContext, expr: Expr, grid: Grid): SelectorPlan[] {
  const out: SelectorPlan[] = [];
  visit(ctx, expr, grid, out);
  return out.sort((a, b) => a.pos.start - b.pos.start);
}

function visit(ctx: QueryContext, expr: Expr, grid: Grid, out: SelectorPlan[]): void {
  const own = grid.steps > 1 && isStepInvariant(expr) ? instantGrid(grid.start) : grid;
  if (expr.kind === "subquery") {
    const inner = subqueryGrid(ctx, expr, own);
    if (inner.steps > 0) visit(ctx, expr.expr, inner, out);
    return;
  }
  for (const e of below(ctx, expr, own, out)) visit(ctx, e, own, out);
}

/** Adds the plan that the expression is, if it is one; gives what is evaluated besides, over the same grid. */
function below(ctx: QueryContext, expr: Expr, grid: Grid, out: SelectorPlan[]): readonly Expr[] {
  const fragment = typeOf(expr) === "vector" ? fragmentOf(expr) : undefined;
  if (fragment !== undefined) {
    out.push(planOfFragment(ctx, fragment, grid));
    const params = fragment.maps.flatMap((m) => (m.kind === "function" ? m.params : [m.scalar]));
    return [...(fragment.range?.scalars ?? []), ...params];
  }
  switch (expr.kind) {
    case "paren":
    case "stepInvariant":
    case "unary":
      return [expr.expr];
    case "binary":
      return [expr.lhs, expr.rhs];
    case "aggregate":
      return expr.param === undefined ? [expr.expr] : [expr.expr, expr.param];
    case "matrixSelector":
      out.push(planOfRange(ctx, expr, grid));
      return [];
    case "call":
      return belowCall(ctx, expr, grid, out);
    default:
      return [];
  }
}

function belowCall(ctx: QueryContext, call: Call, grid: Grid, out: SelectorPlan[]): readonly Expr[] {
  const [first] = call.args;
  const range = first === undefined ? undefined : unwrap(first);
  // Whether there is any sample is asked of the shards by another function.
  if (call.func === "absent_over_time" && range?.kind === "matrixSelector") {
    out.push(planOfRange(ctx, range, grid, "present_over_time"));
    return [];
  }
  if (call.func !== "info") return call.args;
  // The second argument of info() is no expression that is evaluated.
  const { pos } = call.args[1] ?? call;
  out.push({ isInfo: true, pos, body: { grid, select: infoSelection(ctx, call), maps: [] } });
  return call.args.slice(0, 1);
}

function planOfFragment(ctx: QueryContext, { selector, output, range }: FragmentShape, grid: Grid): SelectorPlan {
  const select = selectionOf(ctx, selector, output);
  if (range === undefined) return { selector, pos: selector.pos, body: { grid, select, maps: [] } };
  checkModifiers(range.call, selector);
  return planOfRange(ctx, range.matrix, grid, range.call.func as RangeFunction);
}

/** Without a function it is the samples themselves that are wanted. */
function planOfRange(ctx: QueryContext, matrix: MatrixSelector, grid: Grid, func?: RangeFunction): SelectorPlan {
  const { selector, pos } = matrix;
  const range = {
    func: func ?? ("last_over_time" as const),
    range: matrix.range,
    params: [],
    ...(selector.anchored === true ? { anchored: true } : {}),
    ...(selector.smoothed === true ? { smoothed: true } : {}),
  };
  const body = { grid, select: selectionOf(ctx, selector), range, maps: [] };
  return { selector, pos, body: func === undefined ? { ...body, raw: true } : body };
}
