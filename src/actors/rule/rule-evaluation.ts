import { formatLabels, labelsKey, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { unstorable } from "../../streams/codec/wire-histogram-stored.ts";
import type { Reason } from "./absence.ts";
import { type AlertingRuntime, emitAlerts, evaluateAlerts, slice } from "./alert-evaluation.ts";
import { type Applied, applyBlindness, NOTHING_APPLIED, RuleEvaluationError } from "./alert-rule.core.ts";
import type { EvaluationContext } from "./evaluation-context.ts";
import type { GroupRuntime, RuleRuntime } from "./rule-group.state.ts";
import { emit, emitStale, type MadeSeries } from "./rule-output.ts";
import { lackOf, type ResultRow, resultRows } from "./rule-result.ts";

export type { EvaluationContext };

export interface Evaluated extends Applied {
  readonly samples: number;
  /** Why the result was used with caution or not at all; "" when all went well. */
  readonly error: string;
}

/** What is known of an evaluation before it begins. */
export interface Circumstances {
  /** Why an instance that is not in the result must not be taken as ended; "" when it may. */
  readonly blind: Reason;
  /** How many ms after its time it is, where that is worth telling; else 0. */
  readonly lateMs: number;
}

const ORDINARY: Circumstances = { blind: "", lateMs: 0 };

/** Evaluates one rule at `time`. Rejects when the query fails; the rule's instances are then as they were. */
export async function evaluateRule(
  context: EvaluationContext,
  group: GroupRuntime,
  rule: RuleRuntime,
  time: number,
  { blind, lateMs }: Circumstances = ORDINARY,
): Promise<Evaluated> {
  const { engine, tenant, signal } = context;
  const result = await engine.instant({ tenant, query: rule.spec.query, time, signal });
  const found = resultRows(result);
  const partial = result.partial ? `partial result: ${result.warnings.join("; ")}` : "";
  if (!isAlerting(rule)) {
    // A sum over half of the shards would be written for good, so a partial result is not recorded.
    if (result.partial) throw new RuleEvaluationError(partial);
    return { ...NOTHING_APPLIED, ...record(context, group, rule, time, found) };
  }
  const applied = await evaluateAlerts(context, rule, found, {
    evaluation: group.evaluation,
    time,
    limit: group.spec.limit,
    blind: blind || lackOf(result),
    lateMs,
  });
  return { ...applied, samples: emitAlerts(context.output, rule, time), error: partial };
}

/** As `evaluateRule`, but never rejects: what could not be evaluated leaves the rule's instances unseen. */
export async function evaluateOrHold(
  context: EvaluationContext,
  group: GroupRuntime,
  rule: RuleRuntime,
  time: number,
  circumstances: Circumstances,
): Promise<Evaluated> {
  try {
    return await evaluateRule(context, group, rule, time, circumstances);
  } catch (e) {
    const error = e instanceof Error ? e.message : String(e);
    if (!isAlerting(rule)) return { ...NOTHING_APPLIED, samples: 0, error };
    // Where no shard answers at all, the shards are why.
    const shards = circumstances.blind === "shard_missing" && e instanceof QueryError && e.type === "internal";
    const applied = await slice(applyBlindness(rule.table, time, shards ? "shard_missing" : "query_failed"));
    return { ...applied, samples: 0, error };
  }
}

export function isAlerting(rule: RuleRuntime): rule is AlertingRuntime {
  return rule.table !== undefined;
}

function record(
  context: EvaluationContext,
  group: GroupRuntime,
  rule: RuleRuntime,
  time: number,
  rows: readonly ResultRow[],
): Pick<Evaluated, "samples" | "error"> {
  const sets = rows.map(({ labels }) => {
    let out = withLabel(labels, METRIC_NAME, rule.spec.name);
    for (const [name, value] of Object.entries(rule.spec.labels)) out = withLabel(out, name, value);
    return out;
  });
  if (new Set(sets.map(labelsKey)).size !== sets.length) {
    throw new RuleEvaluationError("vector contains metrics with the same labelset after applying rule labels");
  }
  if (group.spec.limit > 0 && sets.length > group.spec.limit) {
    throw new RuleEvaluationError(`exceeded limit of ${group.spec.limit} with ${sets.length} series`);
  }
  const made: MadeSeries = new Map();
  let error = "";
  for (const [i, set] of sets.entries()) {
    const { value } = rows[i] as ResultRow;
    const problem = typeof value === "number" ? undefined : unstorable(value);
    if (problem === undefined) emit(context.output, set, time, value, rule.made, made);
    else error ||= `histogram not recorded: ${formatLabels(set)}: ${problem}`;
  }
  emitStale(context.output, time, rule.made, made);
  rule.made = made;
  return { samples: sets.length, error };
}
