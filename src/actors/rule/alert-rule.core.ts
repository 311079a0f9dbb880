import type { PostedAlert } from "../../model/alerts.ts";
import { type Labels, labelsKey, labelValue, withLabel } from "../../model/labels.ts";
import type { InstanceAction } from "./alert-machine.ts";
import {
  type AlertTable,
  FIRING,
  INACTIVE,
  KEEPING,
  moveRow,
  obtainRow,
  PENDING,
  RESOLVED,
  releaseRow,
  STATE_NAMES,
  stepOf,
} from "./alert-table.ts";

/**
 * What an evaluation does to an alerting rule's instances. Pure but for the table it is given; times are evaluation times.
 *
 * Invariants:
 * - Nothing changes unless the whole result is acceptable (no duplicate label sets, within the limit).
 * - Absence counts as "no longer true" only when `absenceCounts`: not for a partial result, not right after a gap.
 */
export interface ActiveRow {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A change of one instance, for the log of transitions. */
export interface AlertTransition {
  readonly action: InstanceAction | "droppedPending" | "forgotten";
  readonly from: string;
  readonly to: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly value: number;
  readonly activeAt: number;
}

export class RuleEvaluationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RuleEvaluationError";
  }
}

/** Moves between two breaths of the event loop when thousands of instances change at once (about 5 ms). */
const MOVES_A_SLICE = 200;

/**
 * Applies a result. Yields (with nothing) where the caller may let others run; the table is consistent only when the
 * generator is done. Throws `RuleEvaluationError` before the first change.
 */
export function* applyResult(
  table: AlertTable,
  rows: readonly ActiveRow[],
  now: number,
  evaluation: number,
  options: { readonly limit: number; readonly absenceCounts: boolean },
): Generator<void, AlertTransition[]> {
  const keys = new Set<string>();
  for (const row of rows) keys.add(labelsKey(row.labels));
  if (keys.size !== rows.length) {
    throw new RuleEvaluationError("vector contains metrics with the same labelset after applying alert labels");
  }
  if (options.limit > 0 && rows.length > options.limit) {
    throw new RuleEvaluationError(`exceeded limit of ${options.limit} with ${rows.length} alerts`);
  }
  const transitions: AlertTransition[] = [];
  let moves = 0;
  for (const active of rows) {
    const row = obtainRow(table, labelsKey(active.labels), active.labels);
    table.seen[row] = evaluation;
    table.value[row] = active.value;
    table.annotations[row] = active.annotations;
    if (stepOf(table, row, true, now) === table.state[row]) continue;
    move(table, row, true, now, transitions);
    if (++moves % MOVES_A_SLICE === 0) yield;
  }
  if (!options.absenceCounts) return transitions;
  for (const row of table.rowOf.values()) {
    if (table.seen[row] === evaluation || stepOf(table, row, false, now) === table.state[row]) continue;
    move(table, row, false, now, transitions);
    if (table.state[row] === INACTIVE) releaseRow(table, row);
    if (++moves % MOVES_A_SLICE === 0) yield;
  }
  return transitions;
}

function move(table: AlertTable, row: number, active: boolean, now: number, transitions: AlertTransition[]): void {
  const from = table.state[row] as number;
  const activeAt = table.activeAt[row] as number;
  const actions = moveRow(table, row, active, now);
  const to = table.state[row] as number;
  // A resolved instance that is true again is a new alert: the alert manager has to be told at once.
  if (from === RESOLVED || from === INACTIVE) table.sentAt[row] = 0;
  const quiet = from === PENDING ? "droppedPending" : "forgotten";
  for (const action of actions.length > 0 ? actions : [quiet as AlertTransition["action"]]) {
    transitions.push({
      action,
      from: STATE_NAMES[from] as string,
      to: STATE_NAMES[to] as string,
      labels: table.labels[row] as Labels,
      annotations: table.annotations[row] as Readonly<Record<string, string>>,
      value: table.value[row] as number,
      activeAt: to === INACTIVE ? activeAt : (table.activeAt[row] as number),
    });
  }
}

export function isFiring(state: number): boolean {
  return state === FIRING || state === KEEPING;
}

export interface SendOptions {
  /** An alert that goes on is sent again after this long. */
  readonly resendDelayMs: number;
  readonly intervalMs: number;
  readonly externalLabels: Labels;
  readonly generatorUrl: string;
}

/**
 * The alerts that the alert manager has to be told of at `now`, marked as sent. A firing alert carries an end in the future,
 * which each sending moves on: should this rule vanish, its alerts end by themselves.
 */
export function takeUnsent(table: AlertTable, now: number, options: SendOptions): PostedAlert[] {
  const out: PostedAlert[] = [];
  for (const row of table.rowOf.values()) {
    const state = table.state[row] as number;
    if (state === PENDING || state === INACTIVE) continue;
    const sentAt = table.sentAt[row] as number;
    const due = state === RESOLVED && (table.resolvedAt[row] as number) > sentAt;
    if (!due && sentAt + options.resendDelayMs >= now) continue;
    table.sentAt[row] = now;
    out.push({
      labels: withExternal(table.labels[row] as Labels, options.externalLabels),
      annotations: table.annotations[row] as Readonly<Record<string, string>>,
      startsAt: table.firedAt[row] as number,
      endsAt:
        state === RESOLVED
          ? (table.resolvedAt[row] as number)
          : now + 4 * Math.max(options.resendDelayMs, options.intervalMs),
      generatorUrl: options.generatorUrl,
    });
  }
  return out;
}

function withExternal(labels: Labels, external: Labels): Labels {
  let out = labels;
  for (let i = 0; i < external.length; i += 2) {
    const name = external[i] as string;
    if (labelValue(labels, name) === "") out = withLabel(out, name, external[i + 1] as string);
  }
  return out;
}
