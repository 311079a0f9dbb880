import { QueryError } from "../../model/query.ts";
import type { Expr } from "../parse/ast.ts";
import { type Grid, gridEnd } from "./grid.ts";

/** The query as a whole, which `step()`, `range()`, `start()`, `end()` and `@ start()` refer to, also inside subqueries. */
export interface QueryTimes {
  readonly start: number;
  readonly end: number;
  /** 0 for an instant query. */
  readonly step: number;
}

export function queryTimes(grid: Grid, isRange: boolean): QueryTimes {
  return { start: grid.start, end: gridEnd(grid), step: isRange ? grid.step : 0 };
}

/** The value of a duration expression in ms. Throws `QueryError` ("execution") where Prometheus does. */
export function durationOf(expr: Expr, times: QueryTimes, negativeAllowed: boolean): number {
  const seconds = evaluate(expr, times);
  if (Number.isNaN(seconds) || Math.abs(seconds) > 9_223_372_036) {
    throw new QueryError("execution", "duration is out of range");
  }
  if (seconds <= 0 && !negativeAllowed) throw new QueryError("execution", "duration must be greater than 0");
  return Math.trunc(Math.round(seconds * 1e6) / 1e3);
}

function evaluate(expr: Expr, times: QueryTimes): number {
  if (expr.kind === "paren") return evaluate(expr.expr, times);
  if (expr.kind === "unary") return expr.op === "-" ? -evaluate(expr.expr, times) : evaluate(expr.expr, times);
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
      return expr.args.length === 1 ? a : a + b;
    case "-":
      return expr.args.length === 1 ? -a : a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0) throw new QueryError("execution", "division by zero");
      return a / b;
    case "%":
      if (b === 0) throw new QueryError("execution", "modulo by zero");
      return a % b;
    case "^":
      return a ** b;
  }
}
