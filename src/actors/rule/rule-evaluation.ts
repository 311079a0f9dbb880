import { setImmediate as breathe } from "node:timers/promises";
import { formatLabels, labelsKey, METRIC_NAME, withLabel } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { unstorable } from "../../streams/codec/wire-histogram-stored.ts";
import { type ActiveRow, type AlertTransition, applyResult, RuleEvaluationError } from "./alert-rule.core.ts";
import { type AlertTemplates, expandAll } from "./alert-template.ts";
import { alertSeries, type GroupRuntime, type RuleRuntime } from "./rule-group.state.ts";
import { emit, emitStale, type MadeSeries, type RuleOutput } from "./rule-output.ts";
import { type ResultRow, resultRows } from "./rule-result.ts";
import type { AlertingRuleSpec } from "./rule-spec.ts";

export interface EvaluationContext {
  readonly engine: Engine;
  readonly tenant: string;
  readonly output: RuleOutput;
  readonly templates: AlertTemplates;
  readonly signal: AbortSignal;
}

export interface Evaluated {
  readonly samples: number;
  readonly transitions: readonly AlertTransition[];
  /** Why the result was used with caution or not at all; "" when all went well. */
  readonly error: string;
}

/**
 * Evaluates one rule at `time`. Rejects when the query fails; the rule's instances are then as they were.
 * @param absenceCounts false when an instance that is not in the result must not be taken as ended
 */
export async function evaluateRule(
  context: EvaluationContext,
  group: GroupRuntime,
  rule: RuleRuntime,
  time: number,
  absenceCounts: boolean,
): Promise<Evaluated> {
  const { engine, tenant, signal } = context;
  const result = await engine.instant({ tenant, query: rule.spec.query, time, signal });
  const found = resultRows(result);
  const partial = result.partial ? `partial result: ${result.warnings.join("; ")}` : "";
  if (rule.table === undefined) {
    // A sum over half of the shards would be written for good, so a partial result is not recorded.
    if (result.partial) throw new RuleEvaluationError(partial);
    return { ...record(context, group, rule, time, found), transitions: [] };
  }
  const rows = await activeRows(context, rule, time, found);
  const moving = applyResult(rule.table, rows, time, group.evaluation, {
    limit: group.spec.limit,
    absenceCounts: absenceCounts && !result.partial,
  });
  let step = moving.next();
  while (step.done !== true) {
    await breathe();
    step = moving.next();
  }
  return { samples: emitAlerts(context.output, rule, time), transitions: step.value, error: partial };
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

async function activeRows(
  context: EvaluationContext,
  rule: RuleRuntime,
  time: number,
  found: readonly ResultRow[],
): Promise<ActiveRow[]> {
  const spec = rule.spec as AlertingRuleSpec;
  const rows: ActiveRow[] = [];
  for (const { labels: set, value } of found) {
    const expand = (texts: Readonly<Record<string, string>>) => expandAll(context, texts, { labels: set, value, time });
    let own = withLabel(set, METRIC_NAME, "");
    for (const [name, text] of Object.entries(await expand(spec.labels))) own = withLabel(own, name, text);
    rows.push({
      labels: withLabel(own, "alertname", spec.name),
      annotations: await expand(spec.annotations),
      // An alert's value is a number, with Prometheus as well; templates see the histogram itself.
      value: typeof value === "number" ? value : 0,
    });
  }
  return rows;
}

/** ALERTS and ALERTS_FOR_STATE of every instance that is pending or firing, and the end of those that were. */
function emitAlerts(output: RuleOutput, rule: RuleRuntime, time: number): number {
  const table = rule.table;
  if (table === undefined) return 0;
  const made: MadeSeries = new Map();
  for (const row of table.rowOf.values()) {
    const [alerts, forState] = alertSeries(table, row);
    if (alerts === undefined || forState === undefined) continue;
    emit(output, alerts, time, 1, rule.made, made);
    emit(output, forState, time, Math.floor((table.activeAt[row] as number) / 1000), rule.made, made);
  }
  emitStale(output, time, rule.made, made);
  rule.made = made;
  return made.size;
}
