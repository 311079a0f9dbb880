import { METRIC_NAME } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { Expr } from "../../query/parse/ast.ts";
import { formatExpr } from "../../query/parse/format.ts";
import { parseExpr } from "../../query/parse/parse.ts";
import type { CheckedExpression } from "./expression.ts";

/** Parses a rule's expression; a fault comes back with its place inside the expression, so that the file's line can be named. */
export function checkExpression(text: string): CheckedExpression {
  try {
    const expr = parseExpr(text);
    return { canonical: formatExpr(expr), reads: metricNames(expr) };
  } catch (e) {
    if (!(e instanceof QueryError)) throw e;
    const place = /^(\d+):(\d+): (?:parse error: )?/.exec(e.message);
    const [whole = "", line = "1", column = "1"] = place ?? [];
    const error = { line: Number(line), column: Number(column), message: e.message.slice(whole.length) };
    return { canonical: text, reads: undefined, error };
  }
}

/** The metric names that the selectors ask for by name; undefined when one of them may match any. */
function metricNames(expr: Expr): readonly string[] | undefined {
  const names = new Set<string>();
  let any = false;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    const node = value as Expr;
    if (node.kind === "vectorSelector") {
      const name = node.matchers.find((m) => m.name === METRIC_NAME && m.op === "=")?.value;
      if (name === undefined) any = true;
      else names.add(name);
      return;
    }
    for (const child of Object.values(value)) visit(child);
  };
  visit(expr);
  return any ? undefined : [...names];
}
