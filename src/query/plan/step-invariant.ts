import { QueryError } from "../../model/query.ts";
import type { Call, Expr, Pos } from "../parse/ast.ts";

/** Functions whose result depends on the evaluation time even when their argument does not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  "days_in_month",
  "day_of_month",
  "day_of_week",
  "day_of_year",
  "hour",
  "minute",
  "month",
  "year",
  "predict_linear",
  "time",
  "timestamp",
]);

/**
 * True when the expression has the same value at every step, so that one evaluation is enough: it reads data only through
 * `@`. A subquery without `@` moves with the evaluation time whatever is inside.
 */
export function isStepInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case "number":
    case "string":
    case "duration":
      return true;
    case "stepInvariant":
      return true;
    case "vectorSelector":
      return expr.at !== undefined;
    case "matrixSelector":
      return expr.selector.at !== undefined;
    case "subquery":
      return expr.at !== undefined;
    case "paren":
    case "unary":
      return isStepInvariant(expr.expr);
    case "binary":
      return isStepInvariant(expr.lhs) && isStepInvariant(expr.rhs);
    case "aggregate":
      return isStepInvariant(expr.expr) && (expr.param === undefined || isStepInvariant(expr.param));
    case "call":
      return !TIME_DEPENDENT.has(expr.func) && expr.args.every(isStepInvariant);
  }
}

/**
 * The place that annotations name for an argument of a call: without parentheses, unless the argument alone has the same
 * value at every step (Prometheus wraps such a one as it stands).
 */
export function argumentPos(call: Call, i: number): Pos {
  const arg = call.args[i] as Expr;
  const inner = unwrap(arg);
  const literal = inner.kind === "number" || inner.kind === "string";
  const wrapped = isStepInvariant(arg) && !literal && !call.args.every(isStepInvariant);
  return wrapped ? arg.pos : inner.pos;
}

/** The text of a string literal, parentheses taken off. */
export function literalText(expr: Expr): string {
  const e = unwrap(expr);
  if (e.kind !== "string") throw new QueryError("internal", `no string: ${e.kind}`);
  return e.value;
}

/** The expression without parentheses around it. */
export function unwrap(expr: Expr): Expr {
  let e = expr;
  while (e.kind === "paren" || e.kind === "stepInvariant") e = e.expr;
  return e;
}
