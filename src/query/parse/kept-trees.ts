import type { Expr } from "./ast.ts";
import { parseExpr } from "./parse.ts";
import type { ParseLimits } from "./parser-state.ts";

/** Texts that are kept, and how long one may be: a few megabytes of trees at most. */
const MOST = 128;
const LONGEST = 2048;

/** The one used last at the end. */
const kept = new Map<string, Expr>();

/**
 * As `parseExpr`, but the trees of the texts that were parsed last are kept: a dashboard asks the same few texts again and again, at
 * other times, and each request needs its tree twice. A tree is never changed once it is made, so all may share it. Errors
 * are not kept. Throws as `parseExpr` does.
 */
export function parseKept(text: string, limits: ParseLimits): Expr {
  if (text.length > LONGEST) return parseExpr(text, limits);
  const key = `${limits.maxDepth} ${limits.maxRegexCost} ${text}`;
  const known = kept.get(key);
  if (known !== undefined) {
    kept.delete(key);
    kept.set(key, known);
    return known;
  }
  const expr = parseExpr(text, limits);
  if (kept.size >= MOST) kept.delete(kept.keys().next().value as string);
  kept.set(key, expr);
  return expr;
}
