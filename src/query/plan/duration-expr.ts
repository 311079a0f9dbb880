import { QueryError } from "../../model/query.ts";
import type { Expr, MatrixSelector, SubqueryExpr, VectorSelector } from "../parse/ast.ts";

/** The query as a whole, which `step()`, `range()`, `start()`, `end()` and `@ start()` refer to, also inside subqueries. */
export interface QueryTimes {
  readonly start: number;
  /** As asked for, not the last point of the grid. */
  readonly end: number;
  /** 0 for an instant query. */
  readonly step: number;
}

/**
 * The tree with every duration expression worked out: no node has a `rangeExpr`, `stepExpr` or `offsetExpr` any more.
 * Throws `QueryError` ("bad_data") naming the bytes of the expression, `2:7: duration must be greater than 0`, for the
 * first one that Prometheus would name: outer before inner, left before right, offset before step before range.
 */
export function resolveDurations(expr: Expr, times: QueryTimes): Expr {
  const resolve = (e: Expr): Expr => resolveDurations(e, times);
  switch (expr.kind) {
    case "vectorSelector":
      return resolveSelector(expr, times);
    case "matrixSelector": {
      const { rangeExpr, ...plain } = expr;
      const range = rangeExpr === undefined ? expr.range : durationOf(rangeExpr, times, false);
      return { ...plain, range, selector: resolveSelector(expr.selector, times) } satisfies MatrixSelector;
    }
    case "subquery": {
      const { offsetExpr, stepExpr, rangeExpr, ...plain } = expr;
      const offset = offsetExpr === undefined ? expr.offset : durationOf(offsetExpr, times, true);
      const step = stepExpr === undefined ? expr.step : durationOf(stepExpr, times, false);
      const range = rangeExpr === undefined ? expr.range : durationOf(rangeExpr, times, false);
      return { ...plain, offset, step, range, expr: resolve(expr.expr) } satisfies SubqueryExpr;
    }
    case "paren":
    case "unary":
    case "stepInvariant":
      return { ...expr, expr: resolve(expr.expr) };
    case "aggregate": {
      const inner = resolve(expr.expr);
      return { ...expr, expr: inner, ...(expr.param === undefined ? {} : { param: resolve(expr.param) }) };
    }
    case "binary":
      return { ...expr, lhs: resolve(expr.lhs), rhs: resolve(expr.rhs) };
    case "call":
      return { ...expr, args: expr.args.map(resolve) };
    default:
      return expr;
  }
}

function resolveSelector(selector: VectorSelector, times: QueryTimes): VectorSelector {
  if (selector.offsetExpr === undefined) return selector;
  const { offsetExpr, ...plain } = selector;
  return { ...plain, offset: durationOf(offsetExpr, times, true) };
}

/** Seconds that fit an int64 of nanoseconds. */
const MAX_SECONDS = 2 ** 63 / 1e9;

/** The value of a duration expression in whole ms. */
function durationOf(expr: Expr, times: QueryTimes, negativeAllowed: boolean): number {
  const seconds = evaluate(expr, times);
  if (seconds <= 0 && !negativeAllowed) throw durationError(expr, "duration must be greater than 0");
  if (!(Math.abs(seconds) <= MAX_SECONDS)) throw durationError(expr, "duration is out of range");
  return Math.trunc(seconds * 1000);
}

function durationError({ pos }: Expr, text: string): QueryError {
  return new QueryError("bad_data", `${pos.start}:${pos.end}: ${text}`);
}

function evaluate(expr: Expr, times: QueryTimes): number {
  if (expr.kind === "number") return expr.value;
  if (expr.kind !== "duration") throw new QueryError("internal", `no duration expression: ${expr.kind}`);
  const [a, b] = expr.args.map((x) => evaluate(x, times)) as [number, number];
  switch (expr.op) {
    case "step":
      return times.step / 1000;
    case "range":
      return (times.end - times.start) / 1000;
    case "min_of":
      return Math.min(a, b);
    case "max_of":
      return Math.max(a, b);
    case "neg":
      return -a;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0) throw durationError(expr, "division by zero");
      return a / b;
    case "%":
      if (b === 0) throw durationError(expr, "modulo by zero");
      return a % b;
    case "^":
      return a ** b;
  }
}
