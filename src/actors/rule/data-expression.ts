import type { BinaryExpr, Expr } from "../../query/parse/ast.ts";
import { formatExpr } from "../../query/parse/format.ts";
import { parseExpr } from "../../query/parse/parse.ts";

/**
 * Two expressions that tell why an alert's expression has no row for an instance any more.
 *
 * - `seen` has a row wherever the expression has the data to decide: comparisons filter nothing there. A row in `seen` that
 *   is not in the expression's result means that the condition is false.
 * - `last` is to be evaluated with `lookbackMs`: it has a row where the newest sample is no staleness marker, however old.
 */
export interface DataQueries {
  readonly seen: string;
  readonly last: string;
  readonly lookbackMs: number;
}

/** Prometheus's lookback, and a minute for the samples that came just before. */
const BEFORE_MS = 6 * 60_000;

/** Undefined for an expression whose empty result means something whatever is there (`absent`), or that cannot be told apart. */
export function dataQueries(query: string): DataQueries | undefined {
  const seen = unfiltered(parseExpr(query));
  if (seen === undefined) return undefined;
  const windows = { longest: 0 };
  const last = instant(seen, windows);
  if (last === undefined) return undefined;
  return { seen: formatExpr(seen), last: formatExpr(last), lookbackMs: windows.longest + BEFORE_MS };
}

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
/** Their result is a part of what they are given. */
const CHOOSING: ReadonlySet<string> = new Set(["topk", "bottomk", "limitk", "limit_ratio"]);

/** The expression without its filters; the same object where it has none; undefined when it cannot be told. */
function unfiltered(expr: Expr): Expr | undefined {
  switch (expr.kind) {
    case "paren":
    case "stepInvariant":
      return inside(expr, unfiltered(expr.expr));
    case "unary":
    case "subquery":
      return inside(expr, unfiltered(expr.expr));
    case "aggregate": {
      if (expr.op === "count_values") return undefined;
      const of = unfiltered(expr.expr);
      if (of === undefined || of === expr.expr) return of && expr;
      // What is counted or summed does not matter, only that there was something.
      if (CHOOSING.has(expr.op)) return of;
      const { param: _, ...rest } = expr;
      return { ...rest, op: "group", expr: of };
    }
    case "call": {
      if (expr.func === "absent" || expr.func === "absent_over_time") return undefined;
      const args: Expr[] = [];
      for (const arg of expr.args) {
        const of = unfiltered(arg);
        if (of === undefined) return undefined;
        args.push(of);
      }
      return args.every((a, i) => a === expr.args[i]) ? expr : { ...expr, args };
    }
    case "binary":
      return unfilteredBinary(expr);
    default:
      return expr;
  }
}

function unfilteredBinary(expr: BinaryExpr): Expr | undefined {
  const lhs = unfiltered(expr.lhs);
  const rhs = unfiltered(expr.rhs);
  if (lhs === undefined) return undefined;
  if (expr.op === "unless") return lhs;
  if (rhs === undefined) return expr.op === "and" ? lhs : undefined;
  // A right side without a filter is a condition by being there.
  if (expr.op === "and") return rhs === expr.rhs ? lhs : { ...expr, lhs, rhs };
  const filters = COMPARISONS.has(expr.op) && !expr.returnBool && !isScalar(lhs, rhs);
  if (!filters && lhs === expr.lhs && rhs === expr.rhs) return expr;
  return { ...expr, lhs, rhs, returnBool: expr.returnBool || filters };
}

/** Two scalars are compared with `bool` only, and are never without a value. */
function isScalar(lhs: Expr, rhs: Expr): boolean {
  return lhs.kind === "number" && rhs.kind === "number";
}

function inside(expr: Extract<Expr, { readonly expr: Expr }>, of: Expr | undefined): Expr | undefined {
  if (of === undefined || of === expr.expr) return of && expr;
  return { ...expr, expr: of };
}

/** Windows become the newest sample; undefined where a window cannot be left out. */
function instant(expr: Expr, windows: { longest: number }): Expr | undefined {
  switch (expr.kind) {
    case "paren":
    case "stepInvariant":
    case "unary":
    case "aggregate":
      return inside(expr, instant(expr.expr, windows));
    case "call": {
      const window = expr.args.find((a) => a.kind === "matrixSelector" || a.kind === "subquery");
      if (window?.kind === "matrixSelector") {
        windows.longest = Math.max(windows.longest, window.range);
        return window.selector;
      }
      if (window?.kind === "subquery") {
        windows.longest = Math.max(windows.longest, window.range);
        return instant(window.expr, windows);
      }
      const args: Expr[] = [];
      for (const arg of expr.args) {
        const of = instant(arg, windows);
        if (of === undefined) return undefined;
        args.push(of);
      }
      return { ...expr, args };
    }
    case "binary": {
      const lhs = instant(expr.lhs, windows);
      const rhs = instant(expr.rhs, windows);
      return lhs && rhs && { ...expr, lhs, rhs };
    }
    case "matrixSelector":
    case "subquery":
    case "duration":
      return undefined;
    default:
      return expr;
  }
}
