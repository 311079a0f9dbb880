import type { Expr, VectorSelector } from "../parse/ast.ts";

/**
 * Which expressions have, at a time t, an answer that depends on nothing but t and the samples of (t - depth, t]: only such an
 * answer is the same in every range that holds t, and lasts as long as these samples do.
 */
export interface Reuse {
  /** How far before its time an answer reads, ms. */
  readonly depth: number;
}

export interface ReuseOptions {
  readonly lookbackMs: number;
  readonly subqueryStepMs: number;
}

/** The largest bucket of a rollup, that a window may begin in the middle of. */
const BUCKET_MS = 3_600_000;

/** Depend on the range asked for, or on series that no selector names. */
const OF_THE_RANGE: ReadonlySet<string> = new Set(["start", "end", "range", "info"]);

/** What of the expression's answers may be used again; undefined: nothing. Its durations must be worked out (`resolveDurations`). */
export function reuseOf(expr: Expr, options: ReuseOptions): Reuse | undefined {
  const depth = depthOf(expr, options);
  // What reads no samples is as quickly evaluated.
  return Number.isFinite(depth) && depth > 0 ? { depth: depth + BUCKET_MS } : undefined;
}

/** Infinity: the answer is not that of its time alone; 0: it reads nothing. */
function depthOf(expr: Expr, options: ReuseOptions): number {
  const { lookbackMs, subqueryStepMs } = options;
  const deepest = (parts: readonly Expr[]): number => parts.reduce((d, e) => Math.max(d, depthOf(e, options)), 0);
  switch (expr.kind) {
    case "vectorSelector":
      return isOfThePast(expr) ? expr.offset + lookbackMs : Number.POSITIVE_INFINITY;
    case "matrixSelector":
      return isOfThePast(expr.selector) ? expr.selector.offset + expr.range + lookbackMs : Number.POSITIVE_INFINITY;
    case "subquery":
      if (expr.at !== undefined || expr.offset < 0) return Number.POSITIVE_INFINITY;
      return expr.offset + expr.range + Math.max(expr.step, subqueryStepMs) + depthOf(expr.expr, options);
    case "paren":
    case "unary":
    case "stepInvariant":
      return depthOf(expr.expr, options);
    case "binary":
      return deepest([expr.lhs, expr.rhs]);
    case "aggregate":
      return deepest(expr.param === undefined ? [expr.expr] : [expr.expr, expr.param]);
    case "call":
      return OF_THE_RANGE.has(expr.func) ? Number.POSITIVE_INFINITY : deepest(expr.args);
    default:
      return 0;
  }
}

function isOfThePast({ at, offset, smoothed }: VectorSelector): boolean {
  return at === undefined && offset >= 0 && smoothed !== true;
}
