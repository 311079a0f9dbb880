/** How many points an answer may have at most, from how many series its selectors match. */
import type { AggregateExpr, BinaryExpr, Call, Expr, VectorSelector } from "./parse/ast.ts";
import { typeOf } from "./parse/check.ts";
import { unwrap } from "./plan/step-invariant.ts";

export type SeriesOf = (selector: VectorSelector) => number;

/**
 * The most points that an expression has at one step: no labels are looked at, so that groups are at most as many as there are series,
 * and so are pairs.
 */
export function mostRows(expr: Expr, seriesOf: SeriesOf): number {
  if (typeOf(expr) === "scalar") return 1;
  switch (expr.kind) {
    case "vectorSelector":
      return seriesOf(expr);
    case "matrixSelector":
      return seriesOf(expr.selector);
    case "paren":
    case "stepInvariant":
    case "unary":
    case "subquery":
      return mostRows(expr.expr, seriesOf);
    case "aggregate":
      return rowsOfAggregate(expr, mostRows(expr.expr, seriesOf));
    case "binary":
      return rowsOfBinary(expr, seriesOf);
    case "call":
      return rowsOfCall(expr, seriesOf);
    default:
      return 1;
  }
}

const CHOOSING: ReadonlySet<string> = new Set(["topk", "bottomk", "limitk"]);

function rowsOfAggregate({ op, param, grouping, without }: AggregateExpr, inner: number): number {
  if (grouping.length > 0 || without || op === "count_values" || op === "limit_ratio") return inner;
  if (!CHOOSING.has(op)) return Math.min(1, inner);
  const k = param === undefined ? undefined : unwrap(param);
  return k?.kind === "number" && k.value >= 0 ? Math.min(Math.floor(k.value), inner) : inner;
}

function rowsOfBinary({ op, lhs, rhs, matching }: BinaryExpr, seriesOf: SeriesOf): number {
  if (matching === undefined) return mostRows(typeOf(lhs) === "scalar" ? rhs : lhs, seriesOf);
  const [left, right] = [mostRows(lhs, seriesOf), mostRows(rhs, seriesOf)];
  if (op === "and" || op === "unless") return left;
  if (op === "or" || matching.fillLeft !== undefined || matching.fillRight !== undefined) return left + right;
  if (matching.card === "many-to-one") return left;
  return matching.card === "one-to-many" ? right : Math.min(left, right);
}

const SINGLE: ReadonlySet<string> = new Set(["vector", "absent", "absent_over_time"]);

function rowsOfCall({ func, args }: Call, seriesOf: SeriesOf): number {
  if (SINGLE.has(func)) return 1;
  const vectors = args.filter((a) => ["vector", "matrix"].includes(typeOf(a)));
  // The second argument of info() only names labels.
  const rows = vectors.slice(0, func === "info" ? 1 : undefined).map((a) => mostRows(a, seriesOf));
  const most = rows.length === 0 ? 1 : Math.max(...rows);
  // One row for each quantile.
  return func === "histogram_quantiles" ? most * Math.max(1, args.length - 2) : most;
}
