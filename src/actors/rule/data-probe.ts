import { type Labels, labelsKey, labelsWithout, METRIC_NAME } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { type Absence, absenceBy, ENDED, type NoDataPolicy, type Reason, unseen } from "./absence.ts";
import { isFiring, reasonOf } from "./alert-rule.core.ts";
import { type AlertTable, cellOf, RESOLVED, STATE } from "./alert-table.ts";
import type { DataQueries } from "./data-expression.ts";
import { lackOf, resultRows } from "./rule-result.ts";

/** What is asked about instances that are not in a result. */
export interface ProbeContext {
  readonly engine: Pick<Engine, "instant">;
  readonly tenant: string;
  readonly signal: AbortSignal;
}

export interface ProbedRule {
  readonly policy: NoDataPolicy;
  /** Undefined: the expression has an answer whatever is there. */
  readonly queries: DataQueries | undefined;
  /** Labels that the rule sets: what its expression says of them is not to be seen in an alert. */
  readonly ownLabels: ReadonlySet<string>;
}

export interface Probed {
  readonly absence: (row: number) => Absence;
  /** Nothing that the expression reads is there, and that is to be an alert. */
  readonly empty: boolean;
}

/** Who is not in the result has ended. */
export const ALL_SEEN: Probed = { absence: () => ENDED, empty: false };

/**
 * Finds out why instances are not in the result of an evaluation: their condition ended, or their data is missing, since it
 * was ended or since its sender is silent. Asks nothing when none is missing. Never rejects: where that cannot be found out,
 * instances of a rule that resolves without data have ended, and those of others are not seen.
 * @param found keys of the instances in the result
 */
export async function probeAbsence(
  context: ProbeContext,
  rule: ProbedRule,
  table: AlertTable,
  found: ReadonlySet<string>,
  time: number,
): Promise<Probed> {
  const { policy, queries } = rule;
  if (queries === undefined) return ALL_SEEN;
  const missing: number[] = [];
  for (const [key, row] of table.rowOf) {
    const state = cellOf(table, row, STATE);
    // Which data a dropped pending instance had matters only where it is not dropped for that.
    if (state !== RESOLVED && (policy !== "resolve" || isFiring(state)) && !found.has(key)) missing.push(row);
  }
  if (missing.length === 0 && (policy !== "alert" || found.size > 0)) return ALL_SEEN;
  const seen = await ask(context, rule, queries.seen, time);
  if (typeof seen === "string") {
    return { absence: policy === "resolve" ? () => ENDED : () => unseen(seen), empty: false };
  }
  const keyOf = (row: number) => keyWithout(table.labels[row] as Labels, rule.ownLabels);
  // One without labels of its own stands for everything that the expression reads.
  const isSeen = (key: string) => seen.has(key) || (key === "" && seen.size > 0);
  const blind = missing.filter((row) => !isSeen(keyOf(row)));
  const silent = blind.some((row) => reasonOf(table, row) === "")
    ? await ask(context, rule, queries.last, time, queries.lookbackMs)
    : undefined;
  const reasonFor = (row: number, key: string): Reason => {
    const known = reasonOf(table, row);
    if (known === "target_gone" || known === "sender_silent" || known === "no_data") return known;
    if (silent === undefined || typeof silent === "string") return "no_data";
    if (silent.has(key) || (key === "" && silent.size > 0)) return "sender_silent";
    return "target_gone";
  };
  return {
    absence: (row) => {
      const key = keyOf(row);
      return isSeen(key) ? ENDED : absenceBy(policy, reasonFor(row, key));
    },
    empty: policy === "alert" && seen.size === 0,
  };
}

/** The label sets of an answer, without the rule's own labels; in words why there is none. */
async function ask(
  context: ProbeContext,
  rule: ProbedRule,
  query: string,
  time: number,
  lookbackMs?: number,
): Promise<Set<string> | Exclude<Reason, "">> {
  const { engine, tenant, signal } = context;
  try {
    const lookback = lookbackMs === undefined ? {} : { lookbackMs };
    const result = await engine.instant({ tenant, query, time, signal, ...lookback });
    const lack = lackOf(result);
    if (lack !== "") return lack;
    return new Set(resultRows(result).map(({ labels }) => keyWithout(labels, rule.ownLabels)));
  } catch {
    return "query_failed";
  }
}

function keyWithout(labels: Labels, own: ReadonlySet<string>): string {
  return labelsKey(labelsWithout(labels, own));
}

/** The names that do not tell a rule's instances apart. */
export function ownLabels(labels: Readonly<Record<string, string>>): ReadonlySet<string> {
  return new Set([METRIC_NAME, "alertname", ...Object.keys(labels)]);
}
