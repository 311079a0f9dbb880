import { regexCost } from "../../lib/regex-cost.ts";
import { QueryError } from "../../model/query.ts";
import { type EngineLimits, spoken } from "../limits.ts";
import type { Expr, Pos } from "../parse/ast.ts";
import { formatPosition } from "../parse/parse-error.ts";
import type { QueryTimes } from "./duration-expr.ts";

/**
 * Holds the tree, its durations worked out, against the limits of what a query may read and compile. Throws `QueryError`
 * ("bad_data") that names the place, the limit and its key.
 * @param lookback of instant selectors, ms
 */
export function checkTree(query: string, expr: Expr, times: QueryTimes, lookback: number, limits: EngineLimits): void {
  const fail = (pos: Pos, text: string): never => {
    throw new QueryError("bad_data", `${formatPosition(query, pos.start)}: ${text}`);
  };
  const { maxTotalMs, maxRegexCost } = limits;
  const reads = (pos: Pos, ms: number): void => {
    if (maxTotalMs === 0 || ms <= maxTotalMs) return;
    fail(pos, `the query reads ${spoken(ms)}, over the limit of ${spoken(maxTotalMs)} (limits.max_total_query_length)`);
  };
  /** `span`: the time that the expression is evaluated over, ms. */
  const visit = (e: Expr, span: number): void => {
    switch (e.kind) {
      case "vectorSelector":
        reads(e.pos, (e.at === undefined ? span : 0) + lookback);
        return;
      case "matrixSelector":
        reads(e.pos, (e.selector.at === undefined ? span : 0) + e.range);
        return;
      case "subquery":
        visit(e.expr, (e.at === undefined ? span : 0) + e.range);
        return;
      case "paren":
      case "unary":
      case "stepInvariant":
        visit(e.expr, span);
        return;
      case "aggregate":
        visit(e.expr, span);
        if (e.param !== undefined) visit(e.param, span);
        return;
      case "binary":
        visit(e.lhs, span);
        visit(e.rhs, span);
        return;
      case "call": {
        const pattern = e.func === "label_replace" ? e.args[4] : undefined;
        if (pattern?.kind === "string" && regexCost(pattern.value) > maxRegexCost) {
          fail(pattern.pos, tooCostly(regexCost(pattern.value), maxRegexCost));
        }
        for (const arg of e.args) visit(arg, span);
        return;
      }
      default:
    }
  };
  visit(expr, times.end - times.start);
}

/** Says that regular expressions cost too much. */
export function tooCostly(cost: number, limit: number): string {
  return `the regular expression costs ${cost} steps, over the limit of ${limit} (limits.max_regex_cost)`;
}
