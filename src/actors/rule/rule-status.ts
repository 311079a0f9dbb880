import type { Labels } from "../../model/labels.ts";
import { labelsFromObject } from "../../model/labels.ts";
import type { ActiveAlert, AlertState, RuleGroupStatus, RuleStatus } from "../../model/rules.ts";
import { isFiring, isPending, isUnknown, reasonOf } from "./alert-rule.core.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  cellOf,
  KEEPING,
  KEEPING_SINCE,
  STATE,
  UNKNOWN_KEEPING,
  UNSEEN_SINCE,
  VALUE,
} from "./alert-table.ts";
import type { GroupRuntime, RuleRuntime } from "./rule-group.state.ts";
import { isShadow } from "./rule-spec.ts";

export function groupStatus(runtime: GroupRuntime): RuleGroupStatus {
  const { spec } = runtime;
  return {
    name: spec.name,
    file: spec.namespace ?? spec.file,
    intervalMs: spec.intervalMs,
    limit: spec.limit,
    queryOffsetMs: spec.queryOffsetMs,
    rules: runtime.rules.map(ruleStatus),
    evaluationMs: runtime.evaluationMs,
    lastEvaluation: runtime.evaluations > 0 ? runtime.lastEvaluation : 0,
    inputs: runtime.inputs,
    lateMs: runtime.lateMs,
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
  const alerts = ruleAlerts(rule);
  const { holdMs, keepFiringForMs, annotations } = spec;
  const shadow = isShadow(spec) ? ({ shadow: true } as const) : {};
  const tally = rule.tally === undefined ? {} : { tally: rule.tally };
  const noData = spec.noData === undefined ? {} : { noData: spec.noData };
  const own = { state: worst(alerts), holdMs, keepFiringForMs, annotations, alerts };
  const ofGroup = spec.shadowOfGroup === true ? ({ shadowOfGroup: true } as const) : {};
  return { type: "alerting", ...base, ...own, ...noData, ...shadow, ...ofGroup, ...tally };
}

/** The pending and firing instances of a rule; none of one that records. */
export function ruleAlerts({ table, spec }: RuleRuntime): ActiveAlert[] {
  if (table === undefined) return [];
  const alerts = activeAlerts(table);
  return isShadow(spec) ? alerts.map((alert) => ({ ...alert, shadow: true })) : alerts;
}

function worst(alerts: readonly ActiveAlert[]): AlertState {
  if (alerts.some((a) => a.state === "firing")) return "firing";
  return alerts.length > 0 ? "pending" : "inactive";
}

/** The pending and firing instances, those that are not seen included. */
export function activeAlerts(table: AlertTable): ActiveAlert[] {
  const out: ActiveAlert[] = [];
  for (const row of table.rowOf.values()) {
    const state = cellOf(table, row, STATE);
    if (!isPending(state) && !isFiring(state)) continue;
    const unseenSince = cellOf(table, row, UNSEEN_SINCE);
    const keeping = state === KEEPING || state === UNKNOWN_KEEPING;
    out.push({
      labels: table.labels[row] as Labels,
      annotations: table.annotations[row] as Readonly<Record<string, string>>,
      state: isPending(state) ? "pending" : "firing",
      activeAt: cellOf(table, row, ACTIVE_AT),
      ...(keeping ? { keepFiringSince: cellOf(table, row, KEEPING_SINCE) } : {}),
      ...(unseenSince > 0 ? { unseenSince, reason: reasonOf(table, row), unknown: isUnknown(state) } : {}),
      value: cellOf(table, row, VALUE),
    });
  }
  return out;
}
