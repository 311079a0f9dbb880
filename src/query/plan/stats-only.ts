import type { Expr, VectorSelector } from "../parse/ast.ts";

/**
 * Which selectors need not read the buckets of native histograms, as Prometheus decides it: those below a function that looks at
 * counts and sums alone, unless something in between or above looks at buckets. It is more than thrift: without buckets their
 * layouts always go together, and counter reset hints are found out while they are read (execute/histogram-stats.ts).
 */

const OF_STATS: ReadonlySet<string> = new Set(["histogram_count", "histogram_sum", "histogram_avg"]);
const OF_BUCKETS: ReadonlySet<string> = new Set(["histogram_quantile", "histogram_quantiles", "histogram_fraction"]);

/** Adds the selectors that are read without buckets; `expr` is a whole query. */
export function collectStatsOnly(expr: Expr, into: Set<VectorSelector>): void {
  visit(expr, into, "nothing");
}

/** What there is around an expression, however far outside; what needs buckets outweighs the rest. */
type Around = "nothing" | "stats" | "buckets";

function visit(expr: Expr, into: Set<VectorSelector>, around: Around): void {
  switch (expr.kind) {
    case "vectorSelector":
      if (around === "stats") into.add(expr);
      return;
    case "matrixSelector":
      visit(expr.selector, into, around);
      return;
    case "subquery":
      visit(expr.expr, into, "buckets");
      return;
    case "paren":
    case "unary":
    case "stepInvariant":
      visit(expr.expr, into, around);
      return;
    case "aggregate":
      visit(expr.expr, into, around);
      if (expr.param !== undefined) visit(expr.param, into, around);
      return;
    case "binary": {
      const inside = expr.op === "</" || expr.op === ">/" ? "buckets" : around;
      visit(expr.lhs, into, inside);
      visit(expr.rhs, into, inside);
      return;
    }
    case "call":
      for (const arg of expr.args) visit(arg, into, insideOf(expr.func, around));
      return;
    default:
  }
}

function insideOf(func: string, around: Around): Around {
  if (OF_BUCKETS.has(func)) return "buckets";
  return OF_STATS.has(func) && around === "nothing" ? "stats" : around;
}
