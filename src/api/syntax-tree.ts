import { formatFloat } from "../lib/float-format.ts";
import { QueryError } from "../model/query.ts";
import type { BinaryExpr, Expr, TimeModifiers, VectorSelector } from "../query/parse/ast.ts";
import { FUNCTIONS } from "../query/parse/functions.ts";

/**
 * The syntax tree as /api/v1/parse_query shows it (Prometheus's web/api/v1: translate_ast.go), times and durations in
 * milliseconds. Keys that only newer syntax has (`anchored`, `smoothed`, `offsetExpr`, fill values) are there only where it
 * is used.
 */
export function syntaxTree(expr: Expr): unknown {
  switch (expr.kind) {
    case "number":
      return { type: "numberLiteral", val: formatFloat(expr.value) };
    case "string":
      return { type: "stringLiteral", val: expr.value.toWellFormed() };
    case "vectorSelector":
      return { type: "vectorSelector", ...selector(expr) };
    case "matrixSelector":
      return {
        type: "matrixSelector",
        ...selector(expr.selector),
        range: expr.range,
        ...optional("rangeExpr", expr.rangeExpr),
      };
    case "subquery":
      return {
        type: "subquery",
        expr: syntaxTree(expr.expr),
        range: expr.range,
        step: expr.step,
        ...modifiers(expr),
        ...optional("rangeExpr", expr.rangeExpr),
        ...optional("stepExpr", expr.stepExpr),
      };
    case "call":
      return { type: "call", func: signature(expr.func), args: expr.args.map(syntaxTree) };
    case "aggregate":
      return {
        type: "aggregation",
        op: expr.op,
        expr: syntaxTree(expr.expr),
        param: expr.param === undefined ? null : syntaxTree(expr.param),
        grouping: expr.grouping,
        without: expr.without,
      };
    case "binary":
      return {
        type: "binaryExpr",
        op: expr.op,
        lhs: syntaxTree(expr.lhs),
        rhs: syntaxTree(expr.rhs),
        matching: matching(expr),
        bool: expr.returnBool,
      };
    case "unary":
      return { type: "unaryExpr", op: expr.op, expr: syntaxTree(expr.expr) };
    case "paren":
      return { type: "parenExpr", expr: syntaxTree(expr.expr) };
    case "duration":
      return { type: "durationExpr", op: expr.op, args: expr.args.map(syntaxTree) };
    case "stepInvariant":
      throw new QueryError("internal", "a planned expression has no syntax tree");
  }
}

function selector(s: VectorSelector) {
  return {
    name: s.name,
    matchers: s.matchers.map(({ name, op, value }) => ({ name, type: op, value: value.toWellFormed() })),
    ...modifiers(s),
    ...(s.anchored === true ? { anchored: true } : {}),
    ...(s.smoothed === true ? { smoothed: true } : {}),
  };
}

function modifiers(m: TimeModifiers) {
  return {
    offset: m.offset,
    timestamp: typeof m.at === "number" ? m.at : null,
    startOrEnd: typeof m.at === "string" ? m.at : null,
    ...optional("offsetExpr", m.offsetExpr),
  };
}

function optional(key: string, expr: Expr | undefined): Record<string, unknown> {
  return expr === undefined ? {} : { [key]: syntaxTree(expr) };
}

function signature(name: string) {
  const f = FUNCTIONS.get(name);
  return { name, argTypes: f?.args ?? [], variadic: f?.variadic ?? 0, returnType: f?.returns ?? "none" };
}

function matching({ matching: m }: BinaryExpr) {
  if (m === undefined) return null;
  const fill = { left: m.fillLeft ?? null, right: m.fillRight ?? null };
  return {
    card: m.card,
    labels: m.labels,
    on: m.on,
    include: m.include,
    ...(fill.left === null && fill.right === null ? {} : { fillValues: fill }),
  };
}
