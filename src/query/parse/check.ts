/**
 * Type checks of a parsed expression, in the order and wording of Prometheus: children come before the node. The result
 * is the same tree, but vector matching is left only on operations between two vectors.
 */
import { goQuote } from "../../lib/go-quote.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { matchesEmpty } from "../../model/matcher.ts";
import type { AggregateExpr, BinaryExpr, BinaryOp, Call, Expr, Pos, ValueType, VectorSelector } from "./ast.ts";
import { FUNCTIONS, type FunctionSignature } from "./functions.ts";
import { parseError } from "./parse-error.ts";

/** Throws `QueryError` with the place in `text`. */
export function checkTypes(text: string, expr: Expr): Expr {
  return check({ text, utf8: undefined }, expr, false);
}

/** The type of an expression's value. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
    case "duration":
      return "scalar";
    case "string":
      return "string";
    case "vectorSelector":
    case "aggregate":
      return "vector";
    case "matrixSelector":
    case "subquery":
      return "matrix";
    case "call":
      return FUNCTIONS.get(expr.func)?.returns ?? "none";
    case "binary":
      return typeOf(expr.lhs) === "scalar" && typeOf(expr.rhs) === "scalar" ? "scalar" : "vector";
    case "unary":
    case "paren":
    case "stepInvariant":
      return typeOf(expr.expr);
  }
}

export function isComparison(op: BinaryOp): boolean {
  return op === "==" || op === "!=" || op === "<" || op === "<=" || op === ">" || op === ">=";
}

export function isSetOperator(op: BinaryOp): boolean {
  return op === "and" || op === "or" || op === "unless";
}

interface Checker {
  readonly text: string;
  utf8: Uint8Array | undefined;
}

function fail(c: Checker, pos: Pos, message: string): never {
  throw parseError(c.text, pos.start, message);
}

function check(c: Checker, expr: Expr, emptyAllowed: boolean): Expr {
  switch (expr.kind) {
    case "number":
    case "string":
    case "duration":
      return expr;
    case "vectorSelector":
      checkSelector(c, expr, emptyAllowed);
      return expr;
    case "matrixSelector":
      checkSelector(c, expr.selector, false);
      return expr;
    case "paren":
      return { ...expr, expr: check(c, expr.expr, false) };
    case "stepInvariant":
      return { ...expr, expr: check(c, expr.expr, false) };
    case "unary": {
      const inner = check(c, expr.expr, false);
      const type = typeOf(inner);
      if (type !== "scalar" && type !== "vector") {
        const got = goQuote(documented(type));
        const allowed = "unary expression only allowed on expressions of type scalar or instant vector";
        fail(c, expr.pos, `${allowed}, got ${got}`);
      }
      return { ...expr, expr: inner };
    }
    case "subquery": {
      const inner = check(c, expr.expr, false);
      const type = typeOf(inner);
      if (type !== "vector") fail(c, expr.pos, `subquery is only allowed on instant vector, got ${type} instead`);
      return { ...expr, expr: inner };
    }
    case "aggregate":
      return checkAggregate(c, expr);
    case "call":
      return checkCall(c, expr);
    case "binary":
      return checkBinary(c, expr);
  }
}

function checkSelector(c: Checker, s: VectorSelector, emptyAllowed: boolean): void {
  if (s.name !== "") {
    // The last matcher is the one made from the name before the braces.
    const twice = s.matchers.find((m, i) => m.name === METRIC_NAME && i < s.matchers.length - 1);
    if (twice === undefined) return;
    fail(c, s.pos, `metric name must not be set twice: ${goQuote(s.name)} or ${goQuote(twice.value)}`);
  }
  if (emptyAllowed || s.matchers.some((m) => !matchesEmpty(m))) return;
  fail(c, s.pos, "vector selector must contain at least one non-empty matcher");
}

function expectType(c: Checker, expr: Expr, want: ValueType, context: string): Expr {
  const out = check(c, expr, false);
  const got = typeOf(out);
  if (got !== want) {
    fail(c, out.pos, `expected type ${documented(want)} in ${context}, got ${documented(got)}`);
  }
  return out;
}

function checkAggregate(c: Checker, a: AggregateExpr): AggregateExpr {
  const expr = expectType(c, a.expr, "vector", "aggregation expression");
  if (a.param === undefined) return { ...a, expr };
  const want = a.op === "count_values" ? "string" : "scalar";
  return { ...a, expr, param: expectType(c, a.param, want, "aggregation parameter") };
}

function checkCall(c: Checker, call: Call): Call {
  const signature = FUNCTIONS.get(call.func) as FunctionSignature;
  checkArgumentCount(c, call, signature);
  const labels = call.func === "info" ? call.args[1] : undefined;
  if (labels !== undefined) checkInfoLabels(c, call, labels);
  const args = call.args.map((arg, i) => {
    const want = signature.args[Math.min(i, signature.args.length - 1)] as ValueType;
    const out = check(c, arg, arg === labels);
    const got = typeOf(out);
    if (got !== want) {
      const place = `in call to function ${goQuote(call.func)}`;
      fail(c, out.pos, `expected type ${documented(want)} ${place}, got ${documented(got)}`);
    }
    return out;
  });
  return { ...call, args };
}

function checkArgumentCount(c: Checker, call: Call, { args, variadic, name }: FunctionSignature): void {
  const got = `argument(s) in call to ${goQuote(name)}, got ${call.args.length}`;
  if (variadic === 0) {
    if (call.args.length !== args.length) fail(c, call.pos, `expected ${args.length} ${got}`);
    return;
  }
  const least = args.length - 1;
  if (call.args.length < least) fail(c, call.pos, `expected at least ${least} ${got}`);
  if (variadic > 0 && call.args.length > least + variadic) {
    fail(c, call.pos, `expected at most ${least + variadic} ${got}`);
  }
}

/** The second argument of info() is matchers only: a selector of labels, not of series. */
function checkInfoLabels(c: Checker, call: Call, labels: Expr): void {
  const type = typeOf(labels);
  if (type !== "vector") {
    fail(c, call.pos, `expected type instant vector in call to function "info", got ${documented(type)}`);
  }
  if (labels.kind !== "vectorSelector") fail(c, labels.pos, "expected label selectors only");
  if (labels.name !== "") fail(c, labels.pos, "expected label selectors only, got vector selector instead");
}

function checkBinary(c: Checker, b: BinaryExpr): BinaryExpr {
  const lhs = check(c, b.lhs, false);
  const rhs = check(c, b.rhs, false);
  const left = typeOf(lhs);
  const right = typeOf(rhs);
  const setOperator = isSetOperator(b.op);
  if (b.returnBool && !isComparison(b.op)) {
    fail(c, operatorPos(c, lhs), "bool modifier can only be used on comparison operators");
  }
  if (isComparison(b.op) && !b.returnBool && left === "scalar" && right === "scalar") {
    fail(c, operatorPos(c, lhs), "comparisons between scalars must use BOOL modifier");
  }
  let { matching } = b;
  if (matching?.on) {
    const both = matching.labels.find((label) => matching?.include.includes(label));
    if (both !== undefined) {
      fail(c, operatorPos(c, lhs), `label ${goQuote(both)} must not occur in ON and GROUP clause at once`);
    }
  }
  if (setOperator && matching?.card === "one-to-one") matching = { ...matching, card: "many-to-many" };
  for (const [operand, type] of [[lhs, left] as const, [rhs, right] as const]) {
    if (type !== "scalar" && type !== "vector") {
      fail(c, operand.pos, "binary expression must contain only scalar and instant vector types");
    }
  }
  const fills = matching?.fillLeft !== undefined || matching?.fillRight !== undefined;
  const { matching: _, ...rest } = b;
  const plain: BinaryExpr = { ...rest, lhs, rhs };
  if (left !== "vector" || right !== "vector") {
    if ((matching?.labels.length ?? 0) > 0) fail(c, b.pos, "vector matching only allowed between instant vectors");
    if (fills) fail(c, b.pos, "filling in missing series only allowed between instant vectors");
    if (setOperator) fail(c, b.pos, `set operator ${goQuote(b.op)} not allowed in binary scalar expression`);
    return plain;
  }
  if (setOperator) {
    if (matching?.card !== "many-to-many") fail(c, b.pos, `no grouping allowed for ${goQuote(b.op)} operation`);
    if (fills) fail(c, b.pos, "filling in missing series not allowed for set operators");
  }
  return matching === undefined ? plain : { ...plain, matching };
}

/** Where the operator stands: behind the left operand and white space. */
function operatorPos(c: Checker, lhs: Expr): Pos {
  c.utf8 ??= new TextEncoder().encode(c.text);
  let start = lhs.pos.end;
  while (start < c.utf8.length && " \t\r\n".includes(String.fromCharCode(c.utf8[start] as number))) start++;
  return { start, end: start };
}

/** Types as Prometheus's documentation calls them. */
function documented(type: ValueType): string {
  return type === "vector" ? "instant vector" : type === "matrix" ? "range vector" : type;
}
