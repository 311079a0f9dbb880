import { formatLabels, labelsToObject, labelValue, METRIC_NAME } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { compileMatcher } from "../../model/matcher.ts";
import type { Engine } from "../../model/query.ts";
import type { Expr } from "../../query/parse/ast.ts";
import { formatExpr } from "../../query/parse/format.ts";
import { parseExpr } from "../../query/parse/parse.ts";
import { type ResultRow, resultRows } from "../rule/rule-result.ts";
import type { Recomputed, RuleSeen } from "./evidence.ts";

const SHOWN = 3;
const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);

/**
 * What a rule's expression gives at a time by the samples that are stored now; where it gives nothing for the labels, what the left
 * side of its comparison does. Never rejects.
 */
export async function recompute(
  { engine, tenant, signal }: { readonly engine: Engine; readonly tenant: string; readonly signal: AbortSignal },
  { rule }: RuleSeen,
  matchers: readonly Matcher[],
  time: number,
): Promise<Recomputed> {
  const { name, query } = rule;
  const ask = async (text: string) => {
    const result = await engine.instant({ tenant, query: text, time, signal });
    return resultRows(result).filter((row) => fits(row, rule.labels, matchers));
  };
  const answer = (outcome: Recomputed["outcome"], because: string, rows: readonly ResultRow[] = []): Recomputed => ({
    rule: name,
    query,
    time,
    outcome,
    because,
    values: rows.slice(0, SHOWN).map(({ labels, value }) => ({
      labels: { ...labelsToObject(labels) },
      value: typeof value === "number" ? value : Number.NaN,
    })),
  });
  try {
    const found = await ask(query);
    if (found.length > 0) return answer("true", `${query} was true: ${shown(found)}`, found);
    const compared = comparisonOf(query);
    const nothing = `${query} had no result for these labels`;
    if (compared === undefined) return answer("false", nothing);
    const left = await ask(compared.left);
    if (left.length > 0) return answer("false", `${query} was not true: ${compared.left} was ${shown(left)}`, left);
    return answer("no_data", `${nothing}, and ${compared.left} had none either: there was no data`);
  } catch (e) {
    return answer(
      "failed",
      `${query} cannot be evaluated for that time: ${e instanceof Error ? e.message : String(e)}`,
    );
  }
}

/** A row's labels become an alert's; what templates make of them is not compared. */
function fits({ labels }: ResultRow, ruleLabels: readonly string[], matchers: readonly Matcher[]): boolean {
  return matchers.every((m) => {
    if (m.name === "alertname" || labelValue(ruleLabels, m.name) !== "") return true;
    const value = labelValue(labels, m.name);
    // An external label, or one that the expression drops.
    return m.op === "=" && value === "" ? true : compileMatcher(m)(value);
  });
}

function shown(rows: readonly ResultRow[]): string {
  const some = rows.slice(0, SHOWN).map(({ labels, value }) => {
    const name = labelValue(labels, METRIC_NAME);
    const of = labels.length > 0 ? ` for ${formatLabels(labels)}` : "";
    return `${typeof value === "number" ? value : "a histogram"}${of || name}`;
  });
  return rows.length > SHOWN ? `${some.join(", ")} and ${rows.length - SHOWN} more` : some.join(", ");
}

function comparisonOf(query: string): { readonly left: string } | undefined {
  let expr: Expr = parseExpr(query);
  while (expr.kind === "paren" || expr.kind === "stepInvariant") expr = expr.expr;
  if (expr.kind !== "binary" || !COMPARISONS.has(expr.op) || expr.returnBool) return undefined;
  return { left: formatExpr(expr.lhs) };
}

/** The matchers that only this label set fits, as far as they can tell. */
export function matchersOf(labels: readonly string[]): Matcher[] {
  const out: Matcher[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    out.push({ name: labels[i] as string, op: "=", value: labels[i + 1] as string });
  }
  return out;
}
