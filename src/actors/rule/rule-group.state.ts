import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import {
  type Labels,
  labelsFromObject,
  labelsKey,
  labelsToObject,
  METRIC_NAME,
  withLabel,
} from "../../model/labels.ts";
import type { RuleHealth } from "../../model/rules.ts";
import type { InstanceState } from "./alert-machine.ts";
import { isFiring } from "./alert-rule.core.ts";
import { type AlertTable, makeAlertTable, obtainRow, PENDING, STATE_NAMES } from "./alert-table.ts";
import type { MadeSeries, RuleOutput } from "./rule-output.ts";
import { groupKey, type RuleGroupSpec, type RuleSpec } from "./rule-spec.ts";

/**
 * A rule group at run time, and what of it survives a restart: the instances of its alerting rules with their clocks.
 *
 * Invariants:
 * - The state file is written before anybody is told of a transition, so a restart never forgets what was announced.
 * - Instances are restored to a rule of the same name and labels; a rule whose `for` or expression changed keeps its alerts.
 */
export interface GroupRuntime {
  readonly spec: RuleGroupSpec;
  readonly rules: readonly RuleRuntime[];
  /** Number of the last evaluation, done or not. */
  evaluation: number;
  lastEvaluation: number;
  evaluationMs: number;
  /** Evaluations that are done. */
  evaluations: number;
  failures: number;
  missed: number;
  lastSamples: number;
  /** Until this evaluation time an absent instance is held, since a gap emptied the windows that rules look at. */
  holdAbsentUntil: number;
}

export interface RuleRuntime {
  readonly spec: RuleSpec;
  /** Only of an alerting rule. */
  readonly table: AlertTable | undefined;
  made: MadeSeries;
  health: RuleHealth;
  lastError: string;
  evaluationMs: number;
  lastEvaluation: number;
}

export function makeGroupRuntime(spec: RuleGroupSpec): GroupRuntime {
  return {
    spec,
    rules: spec.rules.map((rule) => ({
      spec: rule,
      table: rule.type === "alerting" ? makeAlertTable(rule.holdMs, rule.keepFiringForMs) : undefined,
      made: new Map(),
      health: "unknown",
      lastError: "",
      evaluationMs: 0,
      lastEvaluation: 0,
    })),
    evaluation: 0,
    lastEvaluation: 0,
    evaluationMs: 0,
    evaluations: 0,
    failures: 0,
    missed: 0,
    lastSamples: 0,
    holdAbsentUntil: 0,
  };
}

/** Which rule a persisted or handed-over one is; rules that share it are told apart by their order. */
export function ruleIdentity(rule: RuleSpec): string {
  return JSON.stringify([rule.type, rule.name, Object.entries(rule.labels).sort()]);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface StoredInstance {
  readonly state: InstanceState;
  readonly activeAt: number;
  readonly firedAt: number;
  readonly keepingSince: number;
  readonly resolvedAt: number;
  readonly value: number | string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface StoredGroup {
  readonly version: 1;
  readonly file: string;
  readonly group: string;
  readonly lastEvaluation: number;
  readonly rules: readonly { readonly identity: string; readonly instances: readonly StoredInstance[] }[];
}

export function stateFile(folder: string, group: { readonly file: string; readonly name: string }): string {
  return join(folder, `${createHash("sha256").update(groupKey(group)).digest("hex").slice(0, 24)}.json`);
}

export async function saveGroup(disk: Disk, folder: string, runtime: GroupRuntime): Promise<void> {
  const stored: StoredGroup = {
    version: 1,
    file: runtime.spec.file,
    group: runtime.spec.name,
    lastEvaluation: runtime.lastEvaluation,
    rules: runtime.rules
      .filter((rule) => rule.table !== undefined)
      .map((rule) => ({ identity: ruleIdentity(rule.spec), instances: instancesOf(rule.table as AlertTable) })),
  };
  await replaceFile(disk, stateFile(folder, runtime.spec), encoder.encode(JSON.stringify(stored)));
}

/** Notes that the group is alive; not synced, since a lost note only makes a gap look longer. */
export async function noteAlive(disk: Disk, folder: string, runtime: GroupRuntime): Promise<void> {
  const file = await disk.open(`${stateFile(folder, runtime.spec)}.alive`, "create");
  try {
    await file.write(encoder.encode(String(runtime.lastEvaluation)), 0);
  } finally {
    await file.close();
  }
}

function instancesOf(table: AlertTable): StoredInstance[] {
  const out: StoredInstance[] = [];
  for (const row of table.rowOf.values()) {
    const value = table.value[row] as number;
    out.push({
      state: STATE_NAMES[table.state[row] as number] as InstanceState,
      activeAt: table.activeAt[row] as number,
      firedAt: table.firedAt[row] as number,
      keepingSince: table.keepingSince[row] as number,
      resolvedAt: table.resolvedAt[row] as number,
      // JSON has no NaN and no infinities.
      value: Number.isFinite(value) ? value : String(value),
      labels: labelsToObject(table.labels[row] as Labels),
      annotations: table.annotations[row] as Readonly<Record<string, string>>,
    });
  }
  return out;
}

/**
 * Fills a new runtime from the state file. Answers the time of the last evaluation before, 0 when there was none.
 * Rejects when the file cannot be read or is damaged.
 */
export async function restoreGroup(
  disk: Disk,
  folder: string,
  runtime: GroupRuntime,
  output: RuleOutput,
): Promise<number> {
  const path = stateFile(folder, runtime.spec);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return 0;
  const stored = JSON.parse(decoder.decode(bytes)) as StoredGroup;
  if (stored.version !== 1)
    throw new Error(`${path} has version ${String(stored.version)}, this program reads version 1`);
  const waiting = [...stored.rules];
  for (const rule of runtime.rules) {
    const at = waiting.findIndex((s) => s.identity === ruleIdentity(rule.spec));
    if (at < 0 || rule.table === undefined) continue;
    for (const instance of waiting.splice(at, 1)[0]?.instances ?? []) restoreInstance(rule.table, instance);
    restoreSeries(rule, output);
  }
  const alive = Number(decoder.decode((await readWhole(disk, `${path}.alive`)) ?? new Uint8Array()));
  return Math.max(stored.lastEvaluation, Number.isFinite(alive) ? alive : 0);
}

function restoreInstance(table: AlertTable, instance: StoredInstance): void {
  const labels = labelsFromObject(instance.labels);
  const row = obtainRow(table, labelsKey(labels), labels);
  table.state[row] = STATE_NAMES.indexOf(instance.state);
  table.activeAt[row] = instance.activeAt;
  table.firedAt[row] = instance.firedAt;
  table.keepingSince[row] = instance.keepingSince;
  table.resolvedAt[row] = instance.resolvedAt;
  table.value[row] = Number(instance.value);
  table.annotations[row] = instance.annotations;
}

/** The series of the restored instances, so that those which end get their staleness marker. */
function restoreSeries(rule: RuleRuntime, output: RuleOutput): void {
  const table = rule.table as AlertTable;
  for (const row of table.rowOf.values()) {
    for (const labels of alertSeries(table, row)) {
      rule.made.set(labelsKey(labels), output.ingest.series(output.tenant, labels));
    }
  }
}

/** The label sets of ALERTS and ALERTS_FOR_STATE of an instance; none when it is neither pending nor firing. */
export function alertSeries(table: AlertTable, row: number): readonly [] | readonly [alerts: Labels, forState: Labels] {
  const state = table.state[row] as number;
  if (state !== PENDING && !isFiring(state)) return [];
  const labels = table.labels[row] as Labels;
  const alertState = state === PENDING ? "pending" : "firing";
  return [
    withLabel(withLabel(labels, METRIC_NAME, "ALERTS"), "alertstate", alertState),
    withLabel(labels, METRIC_NAME, "ALERTS_FOR_STATE"),
  ];
}
