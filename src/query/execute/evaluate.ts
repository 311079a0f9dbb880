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
import { mapHistogramsInFront } from "./histogram-map.ts";
import { isTrim } from "./histogram-operator.ts";
import { trimByScalar } from "./histogram-operator-trim.ts";
import { matchVectors } from "./matching.ts";
import { hold, release, replaced } from "./memory.ts";
import { checkAlive, mapSteps, overRows } from "./pace.ts";
import { planFragment } from "./plan-fragment.ts";
import { type Evaluator, inOrder, type QueryContext } from "./query-context.ts";
import { setOperation } from "./set-operation.ts";
import { broadcast, compactRows, PRESENT_FLOAT, type Vector, vectorOfScalar } from "./vector.ts";

/**
 * The front end's evaluator: an expression over all steps of a grid at once. Every vector it returns is the caller's to
 * change. Independent parts are asked of the shards at the same time.
 */
export async function evaluateVector(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Vector> {
  checkAlive(ctx);
  if (grid.steps > 1 && isStepInvariant(expr)) {
    const once = await evaluateVector(ctx, expr, instantGrid(grid.start));
    hold(ctx, once.labels.length * grid.steps);
    return broadcast(ctx, once, grid.steps);
  }
  const fragment = fragmentOf(expr);
  if (fragment !== undefined) {
    const { body, places } = await planFragment(ctx, fragment, grid);
    return fetchRows(ctx, body, places);
  }
  switch (expr.kind) {
    case "paren":
    case "stepInvariant":
      return evaluateVector(ctx, expr.expr, grid);
    case "unary": {
      const v = await evaluateVector(ctx, expr.expr, grid);
      if (expr.op === "-") {
        await overRows(ctx, v.labels.length, v.steps, (r, from, to) => {
          mapHistogramsInFront(ctx, NEGATION, [], v, r, from, to, expr.pos);
          applyElementwise("neg", [], v.values, v.present, r * v.steps + from, to - from);
        });
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

const NEGATION = { kind: "function", func: "neg" } as const;

async function evaluateCall(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  if (isRangeFunction(call.func)) return evaluateRangeCall(ctx, call, grid);
  const [first, ...rest] = call.args;
  if (first !== undefined && isElementwise(call.func)) {
    const [v, ...params] = await inOrder([
      evaluateVector(ctx, first, grid),
      ...rest.map((p) => evaluateScalar(ctx, p, grid)),
    ]);
    const operation = { kind: "function", func: call.func } as const;
    await overRows(ctx, v.labels.length, grid.steps, (r, from, to) => {
      const slice = to - from === grid.steps ? params : params.map((p) => p.subarray(from, to));
      mapHistogramsInFront(ctx, operation, params, v, r, from, to, call.pos);
      applyElementwise(call.func, slice, v.values, v.present, r * grid.steps + from, to - from);
    });
    v.dropName.fill(1);
    return compactRows(ctx, v);
  }
  return evaluateFunction(ctx, call, grid);
}

async function evaluateAggregate(ctx: QueryContext, expr: AggregateExpr, grid: Grid): Promise<Vector> {
  const { op } = expr;
  if (isPartialOp(op)) {
    const fragment = fragmentOf(expr.expr);
    if (fragment !== undefined) {
      const { body, places } = await planFragment(ctx, fragment, grid);
      const aggregate = { op, grouping: expr.grouping, without: expr.without };
      return fetchAggregate(ctx, { ...body, aggregate }, op, { ...places, aggregated: expr.expr.pos });
    }
    const rows = await evaluateVector(ctx, expr.expr, grid);
    return replaced(ctx, [rows], await aggregatePartial(ctx, rows, expr, op));
  }
  if (op === "count_values") {
    const label = literalText(expr.param as Expr);
    const rows = await evaluateVector(ctx, expr.expr, grid);
    const counts = await countValues(ctx, rows, label, expr);
    release(ctx, rows);
    return counts;
  }
  const [vector, param] = await inOrder([
    evaluateVector(ctx, expr.expr, grid),
    evaluateScalar(ctx, expr.param as Expr, grid),
  ]);
  const choose = op === "quantile" ? quantileAggregate : op === "limit_ratio" ? limitRatio : keepK;
  return replaced(ctx, [vector], await choose(ctx, vector, param, expr));
}

async function evaluateBinary(ctx: QueryContext, expr: BinaryExpr, grid: Grid): Promise<Vector> {
  const { op, lhs, rhs, returnBool } = expr;
  const leftScalar = typeOf(lhs) === "scalar";
  const rightScalar = typeOf(rhs) === "scalar";
  if (leftScalar && rightScalar) return vectorOfScalar(await evaluateScalar(ctx, expr, grid));
  if (leftScalar || rightScalar) {
    const [v, scalar] = await inOrder([
      evaluateVector(ctx, leftScalar ? rhs : lhs, grid),
      evaluateScalar(ctx, leftScalar ? lhs : rhs, grid),
    ]);
    if (isTrim(op)) {
      await trimByScalar(ctx, op, v, scalar, leftScalar, expr.pos);
      return compactRows(ctx, v);
    }
    const operation = { kind: "binary", op, scalarOnLeft: leftScalar } as const;
    await overRows(ctx, v.labels.length, grid.steps, (r, from, to) => {
      const slice = to - from === grid.steps ? scalar : scalar.subarray(from, to);
      mapHistogramsInFront(ctx, operation, [scalar], v, r, from, to, expr.pos);
      applyScalar(op, slice, leftScalar, returnBool, v.values, v.present, r * grid.steps + from, to - from);
    });
    if (!isComparison(op) || returnBool) v.dropName.fill(1);
    return compactRows(ctx, v);
  }
  const [left, right] = await inOrder([evaluateVector(ctx, lhs, grid), evaluateVector(ctx, rhs, grid)]);
  if (expr.matching === undefined) throw new QueryError("internal", "binary operation without matching");
  const result = isSetOperator(op)
    ? await setOperation(ctx, op as "and" | "or" | "unless", left, right, expr.matching)
    : await matchVectors(ctx, op, left, right, expr.matching, returnBool, expr.pos);
  // `and` and `unless` leave the left side's rows in their place; the others have made new ones.
  const before = result === left ? [left, right] : [left, right, result];
  return replaced(ctx, before, await compactRows(ctx, result));
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
      return expr.op === "-" ? mapSteps(ctx, steps, (s) => -(v[s] as number)) : v;
    }
    case "binary": {
      if (isTrim(expr.op)) {
        throw new QueryError("execution", `operator "${expr.op}" not allowed for Scalar operations`);
      }
      const a = await evaluateScalar(ctx, expr.lhs, grid);
      const b = await evaluateScalar(ctx, expr.rhs, grid);
      const comparison = isComparison(expr.op);
      return mapSteps(ctx, steps, (s) => {
        const x = a[s] as number;
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
      return mapSteps(ctx, steps, (s) => (grid.start + s * grid.step) / 1000);
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
      return mapSteps(ctx, steps, (s) => pick(a[s] as number, b[s] as number));
    }
    case "scalar":
      return onlySample(ctx, await evaluateVector(ctx, call.args[0] as Expr, grid));
    default:
      throw new QueryError("internal", `no scalar function: ${call.func}`);
  }
}

/** scalar(): the value of the only float of a step, NaN when there is none or more than one. */
async function onlySample(ctx: QueryContext, v: Vector): Promise<Float64Array> {
  const out = new Float64Array(v.steps).fill(Number.NaN);
  const seen = new Uint8Array(v.steps);
  await overRows(ctx, v.labels.length, v.steps, (r, from, to) => {
    for (let s = from; s < to; s++) {
      const cell = r * v.steps + s;
      if (v.present[cell] !== PRESENT_FLOAT) continue;
      out[s] = seen[s] === 0 ? (v.values[cell] as number) : Number.NaN;
      seen[s] = 1;
    }
  });
  release(ctx, v);
  return out;
}

export const evaluator: Evaluator = { vector: evaluateVector, scalar: evaluateScalar };
