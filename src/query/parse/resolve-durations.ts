/**
 * Duration expressions become plain milliseconds once the query's window and step are known. The result has no
 * rangeExpr, stepExpr or offsetExpr anywhere, so the planner need not know of them.
 */
import { QueryError } from "../../model/query.ts";
import type { DurationExpr, Expr, SubqueryExpr, TimeModifiers, VectorSelector } from "./ast.ts";
import { literalMillis } from "./parse-duration.ts";
import { formatPosition } from "./parse-error.ts";

/** Milliseconds. An instant query has a step and a range of 0. */
export interface QueryWindow {
  readonly stepMs: number;
  /** End minus start. */
  readonly rangeMs: number;
}

/**
 * Replaces every duration expression of the tree. `text` is the query, for the places in errors. Throws `QueryError` for a
 * range or step that is not above zero, a division by zero, or a duration beyond 292 years.
 */
export function resolveDurations(text: string, expr: Expr, window: QueryWindow): Expr {
  return hasDurationExpr(expr) ? resolve({ text, window }, expr) : expr;
}

interface Context {
  readonly text: string;
  readonly window: QueryWindow;
}

function resolve(c: Context, expr: Expr): Expr {
  const inner = (e: Expr): Expr => resolve(c, e);
  switch (expr.kind) {
    case "number":
    case "string":
    case "duration":
      return expr;
    case "vectorSelector":
      return resolveSelector(c, expr);
    case "matrixSelector": {
      const { rangeExpr, ...rest } = expr;
      const range = rangeExpr === undefined ? expr.range : positive(c, rangeExpr);
      return { ...rest, range, selector: resolveSelector(c, expr.selector) };
    }
    case "subquery": {
      const { rangeExpr, stepExpr, ...rest } = withOffset(c, expr) as SubqueryExpr;
      const range = rangeExpr === undefined ? expr.range : positive(c, rangeExpr);
      const step = stepExpr === undefined ? expr.step : positive(c, stepExpr);
      return { ...rest, range, step, expr: inner(expr.expr) };
    }
    case "call":
      return { ...expr, args: expr.args.map(inner) };
    case "aggregate":
      return { ...expr, expr: inner(expr.expr), ...(expr.param === undefined ? {} : { param: inner(expr.param) }) };
    case "binary":
      return { ...expr, lhs: inner(expr.lhs), rhs: inner(expr.rhs) };
    case "unary":
    case "paren":
    case "stepInvariant":
      return { ...expr, expr: inner(expr.expr) };
  }
}

function resolveSelector(c: Context, s: VectorSelector): VectorSelector {
  return withOffset(c, s) as VectorSelector;
}

function withOffset(c: Context, node: TimeModifiers): TimeModifiers {
  const { offsetExpr, ...rest } = node;
  return offsetExpr === undefined ? node : { ...rest, offset: milliseconds(c, offsetExpr) };
}

function positive(c: Context, expr: Expr): number {
  const ms = milliseconds(c, expr);
  if (ms <= 0) fail(c, expr, "duration must be greater than 0");
  return ms;
}

function milliseconds(c: Context, expr: Expr): number {
  const seconds = evaluate(c, expr);
  if (!(Math.abs(seconds) <= 2 ** 63 / 1e9)) fail(c, expr, "duration is out of range");
  return literalMillis({ kind: "number", pos: expr.pos, value: seconds });
}

/** Seconds of a duration expression. */
function evaluate(c: Context, expr: Expr): number {
  if (expr.kind === "number") return expr.value;
  const d = expr as DurationExpr;
  const args = d.args.map((arg) => evaluate(c, arg));
  const a = args[0] as number;
  const b = args[1] as number;
  switch (d.op) {
    case "step":
      return c.window.stepMs / 1000;
    case "range":
      return c.window.rangeMs / 1000;
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
      return b === 0 ? fail(c, expr, "division by zero") : a / b;
    case "%":
      return b === 0 ? fail(c, expr, "modulo by zero") : a % b;
    case "^":
      return a ** b;
  }
}

function fail(c: Context, expr: Expr, message: string): never {
  throw new QueryError("bad_data", `${formatPosition(c.text, expr.pos.start)}: parse error: ${message}`);
}

function hasDurationExpr(expr: Expr): boolean {
  switch (expr.kind) {
    case "number":
    case "string":
    case "duration":
      return false;
    case "vectorSelector":
      return expr.offsetExpr !== undefined;
    case "matrixSelector":
      return expr.rangeExpr !== undefined || expr.selector.offsetExpr !== undefined;
    case "subquery":
      if (expr.rangeExpr !== undefined || expr.stepExpr !== undefined || expr.offsetExpr !== undefined) return true;
      return hasDurationExpr(expr.expr);
    case "call":
      return expr.args.some(hasDurationExpr);
    case "aggregate":
      return hasDurationExpr(expr.expr) || (expr.param !== undefined && hasDurationExpr(expr.param));
    case "binary":
      return hasDurationExpr(expr.lhs) || hasDurationExpr(expr.rhs);
    case "unary":
    case "paren":
    case "stepInvariant":
      return hasDurationExpr(expr.expr);
  }
}
