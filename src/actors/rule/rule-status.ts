import type { Labels } from "../../model/labels.ts";
import { labelsFromObject } from "../../model/labels.ts";
import type { ActiveAlert, AlertState, RuleGroupStatus, RuleStatus } from "../../model/rules.ts";
import { isFiring } from "./alert-rule.core.ts";
import { type AlertTable, KEEPING, PENDING } from "./alert-table.ts";
import type { GroupRuntime, RuleRuntime } from "./rule-group.state.ts";

export function groupStatus(runtime: GroupRuntime): RuleGroupStatus {
  const { spec } = runtime;
  return {
    name: spec.name,
    file: spec.namespace ?? spec.file,
    intervalMs: spec.intervalMs,
    limit: spec.limit,
    rules: runtime.rules.map(ruleStatus),
    evaluationMs: runtime.evaluationMs,
    lastEvaluation: runtime.evaluations > 0 ? runtime.lastEvaluation : 0,
  };
}

function ruleStatus(rule: RuleRuntime): RuleStatus {
  const { spec } = rule;
  const base = {
    name: spec.name,
    query: spec.query,
    labels: labelsFromObject(spec.labels),
    health: rule.health,
    lastError: rule.lastError,
    evaluationMs: rule.evaluationMs,
    lastEvaluation: rule.lastEvaluation,
  };
  if (spec.type === "recording") return { type: "recording", ...base };
  const alerts = rule.table === undefined ? [] : activeAlerts(rule.table);
  const { holdMs, keepFiringForMs, annotations } = spec;
  return { type: "alerting", ...base, state: worst(alerts), holdMs, keepFiringForMs, annotations, alerts };
}

function worst(alerts: readonly ActiveAlert[]): AlertState {
  if (alerts.some((a) => a.state === "firing")) return "firing";
  return alerts.length > 0 ? "pending" : "inactive";
}

/** The pending and firing instances. */
export function activeAlerts(table: AlertTable): ActiveAlert[] {
  const out: ActiveAlert[] = [];
  for (const row of table.rowOf.values()) {
    const state = table.state[row] as number;
    if (state !== PENDING && !isFiring(state)) continue;
    out.push({
      labels: table.labels[row] as Labels,
      annotations: table.annotations[row] as Readonly<Record<string, string>>,
      state: state === PENDING ? "pending" : "firing",
      activeAt: table.activeAt[row] as number,
      ...(state === KEEPING ? { keepFiringSince: table.keepingSince[row] as number } : {}),
      value: table.value[row] as number,
    });
  }
  return out;
}
