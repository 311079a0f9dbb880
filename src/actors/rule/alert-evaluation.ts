import { setImmediate as breathe } from "node:timers/promises";
import type { SeriesRef } from "../../model/ingest.ts";
import { type Labels, labelsKey, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { type Reason, unseen } from "./absence.ts";
import { type ActiveRow, type Applied, applyResult, isFiring, isPending } from "./alert-rule.core.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  type Annotations,
  cellOf,
  FIRING,
  MADE_AS,
  PENDING,
  STATE,
  standFor,
  VALUE,
} from "./alert-table.ts";
import { expandAll } from "./alert-template.ts";
import { ALL_SEEN, probeAbsence } from "./data-probe.ts";
import type { EvaluationContext } from "./evaluation-context.ts";
import type { RuleRuntime } from "./rule-group.state.ts";
import { type MadeSeries, push, type RuleOutput } from "./rule-output.ts";
import type { ResultRow } from "./rule-result.ts";
import { type AlertingRuleSpec, isShadow } from "./rule-spec.ts";
import { alertSeriesNames } from "./shadow.ts";

/** An alerting rule at run time. */
export interface AlertingRuntime extends RuleRuntime {
  readonly spec: AlertingRuleSpec;
  readonly table: AlertTable;
}

export interface AlertEvaluation {
  readonly evaluation: number;
  readonly time: number;
  readonly limit: number;
  /** Why nobody can tell the end of an instance by its absence; "" when one can. */
  readonly blind: Reason;
  readonly lateMs: number;
}

/** Takes a result in: expands templates, moves the instances. Rejects with `RuleEvaluationError` before the first change. */
export async function evaluateAlerts(
  context: EvaluationContext,
  rule: AlertingRuntime,
  found: readonly ResultRow[],
  { evaluation, time, limit, blind, lateMs }: AlertEvaluation,
): Promise<Applied> {
  const { table } = rule;
  const rows = await activeRows(context, rule, time, found);
  let { absence, empty } = ALL_SEEN;
  if (blind !== "") absence = () => unseen(blind);
  else if (heldAmong(table, rows) < table.rowOf.size || rule.data.policy === "alert") {
    const keys = new Set(rows.map((row) => labelsKey(row.labels)));
    ({ absence, empty } = await probeAbsence(context, rule.data, table, keys, time));
  }
  // Data that is missing altogether is an alert of its own, with the labels that every alert of the rule has.
  if (empty && rows.length === 0) rows.push(...(await activeRows(context, rule, time, NOTHING)));
  const moving = applyResult(table, rows, time, evaluation, { limit, absence, lateMs });
  return await slice(moving);
}

const NOTHING: readonly ResultRow[] = [{ labels: [], value: 0 }];

/** Runs the work to its end, and lets others run where it allows that. */
export async function slice<T>(work: Generator<void, T>): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    await breathe();
    step = work.next();
  }
  return step.value;
}

async function activeRows(
  context: EvaluationContext,
  rule: AlertingRuntime,
  time: number,
  found: readonly ResultRow[],
): Promise<ActiveRow[]> {
  const { spec, table, texts } = rule;
  const rows: ActiveRow[] = [];
  for (const { labels: set, value } of found) {
    const expand = (of: Readonly<Record<string, string>>) => expandAll(context, of, { labels: set, value, time });
    let own = withLabel(set, METRIC_NAME, "");
    const labels = texts.labels === "fixed" ? spec.labels : await expand(spec.labels);
    for (const name in labels) own = withLabel(own, name, labels[name] as string);
    own = withLabel(own, "alertname", spec.name);
    // An alert's value is a number, with Prometheus as well; templates see the histogram itself.
    const number = typeof value === "number" ? value : 0;
    const annotations =
      texts.annotations === "fixed"
        ? spec.annotations
        : (same(rule, set, own, value) ?? (await expand(spec.annotations)));
    rows.push({ labels: known(table, own), annotations, value: number });
  }
  return rows;
}

/** How many of the rows are instances already. New ones must not be counted for those that are not in the result. */
function heldAmong(table: AlertTable, rows: readonly ActiveRow[]): number {
  if (rows.length < table.rowOf.size) return 0;
  let held = 0;
  for (const { labels } of rows) if (table.rowOf.has(labelsKey(labels))) held++;
  return held;
}

/** The label set as it is held already, so that none is held twice. */
function known(table: AlertTable, labels: Labels): Labels {
  const row = table.rowOf.get(labelsKey(labels));
  return row === undefined ? labels : (table.labels[row] as Labels);
}

/** The annotations of the last time where those of now cannot be others. */
function same(rule: AlertingRuntime, set: Labels, own: Labels, value: ResultRow["value"]): Annotations | undefined {
  const { table, texts, data } = rule;
  if (texts.annotations !== "steady") return undefined;
  const row = table.rowOf.get(labelsKey(own));
  if (row === undefined || !Object.is(cellOf(table, row, VALUE), value)) return undefined;
  // A label that the rule has replaced may be another one now.
  for (let i = 0; i < set.length; i += 2) {
    const name = set[i] as string;
    if (name !== METRIC_NAME && data.ownLabels.has(name)) return undefined;
  }
  const annotations = table.annotations[row] as Annotations;
  for (const _ in annotations) return annotations;
  return undefined;
}

/** ALERTS and ALERTS_FOR_STATE (a shadow rule's: shadow.ts) of every instance that is pending or firing, and the end of those that were. Returns how many. */
export function emitAlerts(output: RuleOutput, rule: AlertingRuntime, time: number): number {
  const { table } = rule;
  const shadow = isShadow(rule.spec);
  let samples = 0;
  const emitted = rule.made.size > 0 ? new Set<string>() : undefined;
  for (const row of table.rowOf.values()) {
    const as = madeAs(table, row);
    standFor(table, row, as);
    if (as === 0) continue;
    const labels = table.labels[row] as Labels;
    const alerts = alertsSeries(output, labels, as, shadow);
    const forState = forStateSeries(output, labels, shadow);
    push(output, alerts, time, 1);
    push(output, forState, time, Math.floor(cellOf(table, row, ACTIVE_AT) / 1000));
    emitted?.add(labelsKey(alerts.labels)).add(labelsKey(forState.labels));
    samples += 2;
  }
  for (const { labels, as, goesOn } of table.ended) {
    push(output, alertsSeries(output, labels, as, shadow), time, undefined);
    if (!goesOn) push(output, forStateSeries(output, labels, shadow), time, undefined);
  }
  table.ended = [];
  // Of an incarnation of this rule before.
  for (const [key, ref] of rule.made) if (emitted?.has(key) !== true) push(output, ref, time, undefined);
  rule.made.clear();
  return samples;
}

/** As what the row's series are made: PENDING, FIRING, or 0 for not at all. */
export function madeAs(table: AlertTable, row: number): number {
  const state = cellOf(table, row, STATE);
  if (isPending(state)) return PENDING;
  return isFiring(state) ? FIRING : 0;
}

function alertsSeries({ ingest, tenant }: RuleOutput, labels: Labels, as: number, shadow: boolean): SeriesRef {
  const state = as === PENDING ? "pending" : "firing";
  const named = withLabel(labels, METRIC_NAME, alertSeriesNames(shadow).alerts);
  return ingest.series(tenant, withLabel(named, "alertstate", state));
}

function forStateSeries({ ingest, tenant }: RuleOutput, labels: Labels, shadow: boolean): SeriesRef {
  return ingest.series(tenant, withLabel(labels, METRIC_NAME, alertSeriesNames(shadow).forState));
}

/** After a rule has turned to or from shadow: its series of before end with the next evaluation. */
export function endSeriesOfBefore(rule: RuleRuntime, output: RuleOutput): void {
  for (const [key, ref] of seriesMade(rule, output, !isShadow(rule.spec))) rule.made.set(key, ref);
}

/** The series that the rule made in its last evaluation; `shadow`: whether it was a shadow rule then. */
export function seriesMade(
  { made, table, spec }: RuleRuntime,
  output: RuleOutput,
  shadow = isShadow(spec),
): MadeSeries {
  if (table === undefined) return made;
  const out: MadeSeries = new Map(made);
  for (const row of table.rowOf.values()) {
    const as = cellOf(table, row, MADE_AS);
    if (as === 0) continue;
    const labels = table.labels[row] as Labels;
    for (const ref of [alertsSeries(output, labels, as, shadow), forStateSeries(output, labels, shadow)]) {
      out.set(labelsKey(ref.labels), ref);
    }
  }
  return out;
}
