import { METRIC_NAME } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { BinaryExpr, Call, Expr, VectorSelector } from "../../query/parse/ast.ts";
import { parseExpr } from "../../query/parse/parse.ts";

/** What the numbers of a chart count, as far as names tell it. */
export interface Unit {
  readonly base: "bytes" | "seconds" | "";
  readonly perSecond: boolean;
}

export const NO_UNIT: Unit = { base: "", perSecond: false };

/** The unit of an expression's values, guessed from its metric names' suffixes and its functions. */
export function unitOfQuery(query: string): Unit {
  try {
    return unitOf(parseExpr(query));
  } catch (e) {
    // A query of a newer language: the server knew it.
    if (e instanceof QueryError) return NO_UNIT;
    throw e;
  }
}

const KEEPING: ReadonlySet<string> = new Set([
  ...["increase", "delta", "idelta", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time"],
  ...["last_over_time", "first_over_time", "stddev_over_time", "mad_over_time", "quantile_over_time"],
  ...["double_exponential_smoothing", "predict_linear", "abs", "ceil", "floor", "round", "clamp", "clamp_min"],
  ...["clamp_max", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join"],
]);
const PER_SECOND: ReadonlySet<string> = new Set(["rate", "irate", "deriv"]);
const KEEPING_AGGREGATES: ReadonlySet<string> = new Set([
  ...["sum", "avg", "min", "max", "topk", "bottomk", "quantile", "stddev", "limitk", "limit_ratio"],
]);

function unitOf(expr: Expr): Unit {
  switch (expr.kind) {
    case "vectorSelector":
      return { base: baseOf(nameOf(expr)), perSecond: false };
    case "matrixSelector":
      return unitOf(expr.selector);
    case "subquery":
    case "paren":
    case "unary":
    case "stepInvariant":
      return unitOf(expr.expr);
    case "aggregate":
      return KEEPING_AGGREGATES.has(expr.op) ? unitOf(expr.expr) : NO_UNIT;
    case "call":
      return unitOfCall(expr);
    case "binary":
      return unitOfBinary(expr);
    default:
      return NO_UNIT;
  }
}

function unitOfCall({ func, args }: Call): Unit {
  const argument = args.find((a) => a.kind !== "number" && a.kind !== "string");
  if (argument === undefined) return NO_UNIT;
  if (func === "histogram_quantile") return { base: observed(argument), perSecond: false };
  if (PER_SECOND.has(func)) return { ...unitOf(argument), perSecond: true };
  return KEEPING.has(func) ? unitOf(argument) : NO_UNIT;
}

function unitOfBinary({ op, lhs, rhs }: BinaryExpr): Unit {
  const [left, right] = [unitOf(lhs), unitOf(rhs)];
  const isSame = left.base === right.base && left.perSecond === right.perSecond;
  const isNumber = (e: Expr): boolean => e.kind === "number";
  if (op === "+" || op === "-") {
    if (isNumber(rhs)) return left;
    return isSame || isNumber(lhs) ? right : NO_UNIT;
  }
  // A sum of seconds by a number of observations is seconds.
  if (op === "/") {
    if (isNumber(rhs)) return NO_UNIT;
    return right.base === "" && left.perSecond === right.perSecond ? { base: left.base, perSecond: false } : NO_UNIT;
  }
  if (["*", "%", "^", "atan2"].includes(op)) return NO_UNIT;
  return isNumber(lhs) ? right : left;
}

/** The unit of what a histogram below the expression has observed. */
function observed(expr: Expr): Unit["base"] {
  switch (expr.kind) {
    case "vectorSelector":
      return baseOf(nameOf(expr).replace(/_bucket$/, ""));
    case "matrixSelector":
      return observed(expr.selector);
    case "aggregate":
    case "paren":
    case "subquery":
    case "stepInvariant":
      return observed(expr.expr);
    case "call":
      return expr.args[0] === undefined ? "" : observed(expr.args[0]);
    default:
      return "";
  }
}

function nameOf(s: VectorSelector): string {
  return s.name !== "" ? s.name : (s.matchers.find((m) => m.name === METRIC_NAME && m.op === "=")?.value ?? "");
}

function baseOf(name: string): Unit["base"] {
  const bare = name.replace(/_(total|sum)$/, "");
  if (/(^|_)bytes$/.test(bare)) return "bytes";
  // Points in time are no durations.
  return /(^|_)seconds$/.test(bare) && !/(timestamp|time)_seconds$/.test(bare) ? "seconds" : "";
}
