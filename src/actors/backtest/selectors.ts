import type { Matcher } from "../../model/matcher.ts";
import type { Expr, VectorSelector } from "../../query/parse/ast.ts";
import { parseExpr } from "../../query/parse/parse.ts";

/** The matchers of every selector of an expression. */
export function selectorsOf(query: string): (readonly Matcher[])[] {
  return nodesOf(query, "vectorSelector").map((node) => (node as VectorSelector).matchers);
}

/** The default lookback, of a selector without a window. */
const LOOKBACK_MS = 300_000;

/** At most so far into the past an expression looks, ms: all its windows and offsets one after another. */
export function reachOf(query: string): number {
  let reach = LOOKBACK_MS;
  for (const node of [...nodesOf(query, "matrixSelector"), ...nodesOf(query, "subquery")]) {
    reach += (node as { readonly range: number }).range;
  }
  for (const node of [...nodesOf(query, "vectorSelector"), ...nodesOf(query, "subquery")]) {
    reach += Math.max(0, (node as { readonly offset: number }).offset);
  }
  return reach;
}

/** Whether it means another time in a range query than in the queries of its steps: `@ start()`, `@ end()`, `range()`. */
export function isBoundToRange(query: string): boolean {
  const bound = [...nodesOf(query, "vectorSelector"), ...nodesOf(query, "subquery")].some((node) => {
    const { at } = node as { readonly at?: number | "start" | "end" };
    return at === "start" || at === "end";
  });
  return bound || nodesOf(query, "duration").some((node) => ["range", "step"].includes((node as { op: string }).op));
}

function nodesOf(query: string, kind: Expr["kind"]): Expr[] {
  const out: Expr[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === "object" && value !== null) {
      if ((value as Partial<Expr>).kind === kind) out.push(value as Expr);
      for (const child of Object.values(value)) visit(child);
    }
  };
  visit(parseExpr(query));
  return out;
}
