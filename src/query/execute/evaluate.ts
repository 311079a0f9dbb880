import { QueryError } from "../../model/query.ts";
import { applyScalar, arithmetic, compare, isComparison } from "../functions/binary-op.ts";
import { applyElementwise, isElementwise } from "../functions/elementwise.ts";
import type { AggregateExpr, BinaryExpr, Call, Expr } from "../parse/ast.ts";
import { isSetOperator, typeOf } from "../parse/check.ts";
import { fragmentOf, isRangeFunction } from "../plan/fragment.ts";
import { type Grid, instantGrid } from "../plan/grid.ts";
import { isStepInvariant, literalText } from "../plan/step-invariant.ts";
import { aggregatePartial, countValues, isPartialOp, keepK, limitRatio, quantileAggregate } from "./aggregate.ts";
import { fetchAggregate, fetchRows } from "./dispatch.ts";
import { evaluateFunction } from "./evaluate-function.ts";
import { evaluateRangeCall } from "./evaluate-subquery.ts";
import { matchVectors, setOperation } from "./matching.ts";
import { planFragment } from "./plan-fragment.ts";
import { checkAlive, type Evaluator, inOrder, type QueryContext } from "./query-context.ts";
import { broadcast, compactRows, emptyVector, type Vector, vectorOfScalar } from "./vector.ts";

/**
 * The front end's evaluator: an expression over all steps of a grid at once. Every vector it returns is the caller's to
 * change. Independent parts are asked of the shards at the same time.
 */
export async function evaluateVector(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Vector> {
  checkAlive(ctx);
  if (grid.steps > 1 && isStepInvariant(expr)) {
    return broadcast(await evaluateVector(ctx, expr, instantGrid(grid.start)), grid.steps);
  }
  const fragment = fragmentOf(expr);
  if (fragment !== undefined) {
    const { body, pos } = await planFragment(ctx, fragment, grid);
    return fetchRows(ctx, body, pos);
  }
  switch (expr.kind) {
    case "paren":
    case "stepInvariant":
      return evaluateVector(ctx, expr.expr, grid);
    case "unary": {
      const v = await evaluateVector(ctx, expr.expr, grid);
      if (expr.op === "-") {
        applyElementwise("neg", [], v.values, v.present, 0, v.values.length);
        v.dropName.fill(1);
      }
      return v;
    }
    case "aggregate":
      return evaluateAggregate(ctx, expr, grid);
    case "binary":
      return evaluateBinary(ctx, expr, grid);
    case "call":
      return evaluateCall(ctx, expr, grid);
    case "number":
      return vectorOfScalar(await evaluateScalar(ctx, expr, grid));
    default:
      throw new QueryError("internal", `no instant vector: ${expr.kind}`);
  }
}

async function evaluateCall(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  if (isRangeFunction(call.func)) return evaluateRangeCall(ctx, call, grid);
  const [first, ...rest] = call.args;
  if (first !== undefined && isElementwise(call.func)) {
    const [v, ...params] = await inOrder([
      evaluateVector(ctx, first, grid),
      ...rest.map((p) => evaluateScalar(ctx, p, grid)),
    ]);
    for (let r = 0; r < v.labels.length; r++) {
      applyElementwise(call.func, params, v.values, v.present, r * grid.steps, grid.steps);
    }
    v.dropName.fill(1);
    return compactRows(v);
  }
  return evaluateFunction(ctx, call, grid);
}

async function evaluateAggregate(ctx: QueryContext, expr: AggregateExpr, grid: Grid): Promise<Vector> {
  const { op } = expr;
  if (isPartialOp(op)) {
    const fragment = fragmentOf(expr.expr);
    if (fragment !== undefined) {
      const { body, pos } = await planFragment(ctx, fragment, grid);
      const aggregate = { op, grouping: expr.grouping, without: expr.without };
      return fetchAggregate(ctx, { ...body, aggregate }, op, pos);
    }
    return aggregatePartial(await evaluateVector(ctx, expr.expr, grid), expr, op);
  }
  if (op === "count_values") {
    const label = literalText(expr.param as Expr);
    return countValues(await evaluateVector(ctx, expr.expr, grid), label, expr);
  }
  const [vector, param] = await inOrder([
    evaluateVector(ctx, expr.expr, grid),
    evaluateScalar(ctx, expr.param as Expr, grid),
  ]);
  if (op === "quantile") return quantileAggregate(vector, param, expr, ctx.notes);
  return op === "limit_ratio" ? limitRatio(vector, param, expr, ctx.notes) : keepK(vector, expr, param);
}

async function evaluateBinary(ctx: QueryContext, expr: BinaryExpr, grid: Grid): Promise<Vector> {
  const { op, lhs, rhs, returnBool } = expr;
  const leftScalar = typeOf(lhs) === "scalar";
  const rightScalar = typeOf(rhs) === "scalar";
  if (leftScalar && rightScalar) return vectorOfScalar(await evaluateScalar(ctx, expr, grid));
  // Histogram operators: there are only floats, for which they have no result.
  if (op === "</" || op === ">/") return emptyVector(grid.steps);
  if (leftScalar || rightScalar) {
    const [v, scalar] = await inOrder([
      evaluateVector(ctx, leftScalar ? rhs : lhs, grid),
      evaluateScalar(ctx, leftScalar ? lhs : rhs, grid),
    ]);
    for (let r = 0; r < v.labels.length; r++) {
      applyScalar(op, scalar, leftScalar, returnBool, v.values, v.present, r * grid.steps, grid.steps);
    }
    if (!isComparison(op) || returnBool) v.dropName.fill(1);
    return compactRows(v);
  }
  const [left, right] = await inOrder([evaluateVector(ctx, lhs, grid), evaluateVector(ctx, rhs, grid)]);
  if (expr.matching === undefined) throw new QueryError("internal", "binary operation without matching");
  const result = isSetOperator(op)
    ? setOperation(op as "and" | "or" | "unless", left, right, expr.matching)
    : matchVectors(op, left, right, expr.matching, returnBool);
  return compactRows(result);
}

/** One value a step. */
export async function evaluateScalar(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Float64Array> {
  const { steps } = grid;
  const constant = (v: number): Float64Array => new Float64Array(steps).fill(v);
  switch (expr.kind) {
    case "number":
      return constant(expr.value);
    case "paren":
    case "stepInvariant":
      return evaluateScalar(ctx, expr.expr, grid);
    case "unary": {
      const v = await evaluateScalar(ctx, expr.expr, grid);
      return expr.op === "-" ? v.map((x) => -x) : v;
    }
    case "binary": {
      const a = await evaluateScalar(ctx, expr.lhs, grid);
      const b = await evaluateScalar(ctx, expr.rhs, grid);
      const comparison = isComparison(expr.op);
      return a.map((x, s) => {
        const y = b[s] as number;
        return comparison ? Number(compare(expr.op, x, y)) : arithmetic(expr.op, x, y);
      });
    }
    case "call":
      return evaluateScalarCall(ctx, expr, grid);
    default:
      throw new QueryError("internal", `no scalar: ${expr.kind}`);
  }
}

async function evaluateScalarCall(ctx: QueryContext, call: Call, grid: Grid): Promise<Float64Array> {
  const { steps } = grid;
  const { times } = ctx;
  const fill = (v: number): Float64Array => new Float64Array(steps).fill(v);
  switch (call.func) {
    case "time":
      return new Float64Array(steps).map((_, s) => (grid.start + s * grid.step) / 1000);
    case "pi":
      return fill(Math.PI);
    case "step":
      return fill(times.step / 1000);
    case "range":
      return fill((times.end - times.start) / 1000);
    case "start":
      return fill(times.start / 1000);
    case "end":
      return fill(times.end / 1000);
    case "min_of":
    case "max_of": {
      const a = await evaluateScalar(ctx, call.args[0] as Expr, grid);
      const b = await evaluateScalar(ctx, call.args[1] as Expr, grid);
      const pick = call.func === "min_of" ? Math.min : Math.max;
      return a.map((x, s) => pick(x, b[s] as number));
    }
    case "scalar":
      return onlySample(await evaluateVector(ctx, call.args[0] as Expr, grid));
    default:
      throw new QueryError("internal", `no scalar function: ${call.func}`);
  }
}

/** scalar(): the value of the only sample of a step, NaN when there is none or more than one. */
function onlySample(v: Vector): Float64Array {
  const out = new Float64Array(v.steps).fill(Number.NaN);
  const seen = new Uint8Array(v.steps);
  for (let i = 0, s = 0; i < v.present.length; i++) {
    if (v.present[i] !== 0) {
      out[s] = seen[s] === 0 ? (v.values[i] as number) : Number.NaN;
      seen[s] = 1;
    }
    if (++s === v.steps) s = 0;
  }
  return out;
}

export const evaluator: Evaluator = { vector: evaluateVector, scalar: evaluateScalar };
