import type { Matcher } from "../../model/matcher.ts";
import type { Expr } from "./ast.ts";
import { checkTypes } from "./check.ts";
import { parseError } from "./parse-error.ts";
import { parseExpression } from "./parse-expression.ts";
import { parseVectorSelector } from "./parse-selector.ts";
import {
  asQueryError,
  makeParser,
  type ParseLimits,
  type Parser,
  peekToken,
  peekType,
  unexpected,
} from "./parser-state.ts";
import { canBeMetric } from "./token.ts";

/**
 * Parses and type-checks a PromQL expression; all experimental syntax is on. Throws `QueryError` of type "bad_data" with
 * Prometheus's wording: `1:5: parse error: unexpected ...`.
 */
export function parseExpr(text: string, limits?: ParseLimits): Expr {
  return guarded(() => {
    const p = makeParser(text, limits);
    if (peekType(p) === "eof") throw parseError(text, 0, "no expression found in input");
    const expr = parseExpression(p);
    expectEnd(p);
    return checkTypes(text, expr);
  });
}

/** Parses a series selector without modifiers, as in `match[]`: `up{job="x"}`. Throws `QueryError`. */
export function parseSelector(text: string, limits?: ParseLimits): Matcher[] {
  return guarded(() => {
    const p = makeParser(text, limits);
    const { type } = peekToken(p);
    if (type !== "{" && !canBeMetric(type)) unexpected(p);
    const { matchers } = parseVectorSelector(p);
    expectEnd(p);
    return [...matchers];
  });
}

function expectEnd(p: Parser): void {
  if (peekType(p) !== "eof") unexpected(p);
}

function guarded<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw asQueryError(error);
  }
}
