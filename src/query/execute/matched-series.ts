/** How many series a query's selectors match, held together against the limit before any of those beyond it is read. */
import type { Matcher } from "../../model/matcher.ts";
import type { Expr } from "../parse/ast.ts";
import { tooManyTogether } from "./memory.ts";

/** Selectors with the same matchers count once, however often and of whatever times they are read. */
export interface MatchedSeries {
  /** Selectors of the query that differ, those that info() reads among them; 1 at least. */
  selectors: number;
  /** What is known, by selector. */
  readonly bySelector: Map<string, number>;
  /** Asks the shards what all selectors of the text match, into `bySelector`; set when the query is planned. */
  countAll?: () => Promise<void>;
  /** Under way or done: it is asked once. */
  counted?: Promise<void>;
}

export function makeMatchedSeries(): MatchedSeries {
  return { selectors: 1, bySelector: new Map() };
}

export function selectorKey(matchers: readonly Matcher[]): string {
  return matchers
    .map(({ name, op, value }) => `${name}\u0000${op}\u0000${value}`)
    .sort()
    .join("\u0001");
}

/** How many selectors of an expression differ; each info() reads series of one more. */
export function countSelectors(expr: Expr): number {
  const keys = new Set<string>();
  let infos = 0;
  const visit = (e: Expr): void => {
    switch (e.kind) {
      case "vectorSelector":
        keys.add(selectorKey(e.matchers));
        return;
      case "matrixSelector":
        visit(e.selector);
        return;
      case "subquery":
      case "paren":
      case "unary":
      case "stepInvariant":
        visit(e.expr);
        return;
      case "aggregate":
        if (e.param !== undefined) visit(e.param);
        visit(e.expr);
        return;
      case "binary":
        visit(e.lhs);
        visit(e.rhs);
        return;
      case "call":
        if (e.func === "info") infos++;
        // The second argument of info() names labels, not series.
        for (const arg of e.func === "info" ? e.args.slice(0, 1) : e.args) visit(arg);
        return;
      default:
    }
  };
  visit(expr);
  return Math.max(1, keys.size + infos);
}

/**
 * The series of a selector that a shard may read without being asked again: with no more than that in any shard, for any of the
 * selectors, all of them are within the limit, and with what is known by now as well.
 */
export function shareOf(matched: MatchedSeries, key: string, maxSeries: number, shards: number): number {
  const equal = maxSeries / Math.max(1, shards * matched.selectors);
  return Math.max(0, Math.floor(Math.min(equal, (maxSeries - known(matched, key)) / Math.max(1, shards))));
}

/** Notes what a selector matches. Throws `QueryError` ("execution") when that is too much together with what is known of others. */
export function noteMatched(matched: MatchedSeries, key: string, series: number, maxSeries: number): void {
  matched.bySelector.set(key, Math.max(series, matched.bySelector.get(key) ?? 0));
  checkTogether(matched, maxSeries);
}

/** Counts what the other selectors match where one is beyond its share. Throws as `noteMatched`. */
export async function checkAll(matched: MatchedSeries, maxSeries: number): Promise<void> {
  if (matched.selectors === 1 || matched.countAll === undefined) return;
  matched.counted ??= matched.countAll();
  await matched.counted;
  checkTogether(matched, maxSeries);
}

function checkTogether(matched: MatchedSeries, maxSeries: number): void {
  const total = known(matched);
  if (total > maxSeries) throw tooManyTogether(total, matched.bySelector.size, maxSeries);
}

function known({ bySelector }: MatchedSeries, without?: string): number {
  let total = 0;
  for (const [key, series] of bySelector) if (key !== without) total += series;
  return total;
}
