import type { AlertSight, PostedAlert } from "../../model/alerts.ts";
import { type Labels, labelsKey, labelValue, withLabel } from "../../model/labels.ts";
import { type Absence, REASONS, type Reason, reasonCode } from "./absence.ts";
import type { InstanceAction } from "./alert-machine.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  type Annotations,
  cellOf,
  evaluated,
  FIRED_AT,
  FIRING,
  INACTIVE,
  KEEPING,
  LATE,
  obtainRow,
  PENDING,
  REASON,
  RESOLVED,
  RESOLVED_AT,
  releaseRow,
  SEEN,
  SENT_AT,
  STATE,
  STATE_NAMES,
  setCell,
  UNKNOWN_FIRING,
  UNKNOWN_KEEPING,
  UNKNOWN_PENDING,
  UNSEEN_MS,
  UNSEEN_SINCE,
  unseenAt,
  VALUE,
} from "./alert-table.ts";

/**
 * What an evaluation does to an alerting rule's instances. Pure but for the table it is given; times are evaluation times.
 *
 * Invariants:
 * - Nothing changes unless the whole result is acceptable (no duplicate label sets, within the limit).
 * - An instance that is not in a result ends only when the caller's `absence` says that its condition was seen.
 */
export interface ActiveRow {
  readonly labels: Labels;
  readonly annotations: Annotations;
  readonly value: number;
}

/** A change of one instance, for the log of transitions. */
export interface AlertTransition {
  readonly action: InstanceAction | "droppedPending" | "forgotten" | "becameShadow" | "becameLive";
  readonly from: string;
  readonly to: string;
  readonly labels: Labels;
  readonly annotations: Annotations;
  readonly value: number;
  readonly activeAt: number;
  /** Why it is not seen, or why its end is not the condition's; "" where the condition itself changed. */
  readonly reason: Reason;
}

/** What an evaluation has changed. */
export interface Applied {
  readonly transitions: AlertTransition[];
  /** Rows that a restart must find as they are now. */
  readonly dirty: number[];
  /** Label sets of the rows that were released. */
  readonly gone: Labels[];
}

export const NOTHING_APPLIED: Applied = { transitions: [], dirty: [], gone: [] };

export class RuleEvaluationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RuleEvaluationError";
  }
}

export interface ApplyOptions {
  /** 0: no limit. */
  readonly limit: number;
  /** What it means that the row's instance is not in the result. */
  readonly absence: (row: number) => Absence;
  /** How many ms after its time the evaluation is, where that is worth telling; else 0. */
  readonly lateMs: number;
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
  options: ApplyOptions,
): Generator<void, Applied> {
  const keys = rows.map((row) => labelsKey(row.labels));
  if (rows.length > 1 && new Set(keys).size !== rows.length) {
    throw new RuleEvaluationError("vector contains metrics with the same labelset after applying alert labels");
  }
  if (options.limit > 0 && rows.length > options.limit) {
    throw new RuleEvaluationError(`exceeded limit of ${options.limit} with ${rows.length} alerts`);
  }
  const applied: Applied = { transitions: [], dirty: [], gone: [] };
  let moves = 0;
  for (const [i, active] of rows.entries()) {
    const row = obtainRow(table, keys[i] as string, active.labels);
    setCell(table, row, SEEN, evaluation);
    setCell(table, row, VALUE, active.value);
    table.annotations[row] = active.annotations;
    if (see(table, row, true, now, "", options.lateMs, applied) && ++moves % MOVES_A_SLICE === 0) yield;
  }
  if (rows.length === table.rowOf.size) return applied;
  for (const row of table.rowOf.values()) {
    if (cellOf(table, row, SEEN) === evaluation) continue;
    if (miss(table, row, now, options, applied) && ++moves % MOVES_A_SLICE === 0) yield;
  }
  return applied;
}

/** What an evaluation without a result does: no instance was seen. Yields as `applyResult`. */
export function* applyBlindness(table: AlertTable, now: number, reason: Reason, since = now): Generator<void, Applied> {
  const applied: Applied = { transitions: [], dirty: [], gone: [] };
  let moves = 0;
  for (const row of table.rowOf.values()) {
    if (lose(table, row, now, since, reason, false, applied) && ++moves % MOVES_A_SLICE === 0) yield;
  }
  return applied;
}

/** The verdict on one that is not in the result; true when its state changed. */
function miss(table: AlertTable, row: number, now: number, options: ApplyOptions, applied: Applied): boolean {
  const state = cellOf(table, row, STATE);
  // How a resolved instance is forgotten does not depend on what can be seen.
  if (state === RESOLVED) return see(table, row, false, now, reasonOf(table, row), 0, applied);
  const { verdict, reason, ...rest } = options.absence(row);
  if (verdict === "unseen") {
    const quiet = (rest as { quiet: boolean }).quiet;
    const known = cellOf(table, row, UNSEEN_SINCE) !== 0;
    const moved = lose(table, row, now, now, reason, quiet, applied);
    if (!moved && !known) applied.dirty.push(row);
    return moved;
  }
  return see(table, row, verdict === "active", now, reason, options.lateMs, applied);
}

function see(
  table: AlertTable,
  row: number,
  active: boolean,
  now: number,
  reason: Reason,
  lateMs: number,
  applied: Applied,
): boolean {
  const from = cellOf(table, row, STATE);
  const activeAt = cellOf(table, row, ACTIVE_AT);
  const unseenMs = cellOf(table, row, UNSEEN_MS);
  const actions = evaluated(table, row, active, now);
  setCell(table, row, REASON, reasonCode(reason));
  if (actions === undefined) {
    if (cellOf(table, row, UNSEEN_MS) !== unseenMs) applied.dirty.push(row);
    return false;
  }
  const to = cellOf(table, row, STATE);
  // One that is true again after its end is a new alert, and an end is told at once.
  if (from === RESOLVED || from === INACTIVE || to === RESOLVED) setCell(table, row, SENT_AT, 0);
  if (to === FIRING && !isFiring(from)) setCell(table, row, LATE, lateMs);
  note(table, row, from, activeAt, actions, applied);
  return true;
}

function lose(
  table: AlertTable,
  row: number,
  now: number,
  since: number,
  reason: Reason,
  quiet: boolean,
  applied: Applied,
): boolean {
  const from = cellOf(table, row, STATE);
  const activeAt = cellOf(table, row, ACTIVE_AT);
  const actions = unseenAt(table, row, now, since, quiet);
  if (from !== RESOLVED) setCell(table, row, REASON, reasonCode(reason));
  if (actions === undefined) return false;
  note(table, row, from, activeAt, actions, applied);
  return true;
}

function note(
  table: AlertTable,
  row: number,
  from: number,
  activeAt: number,
  actions: readonly InstanceAction[],
  applied: Applied,
): void {
  const to = cellOf(table, row, STATE);
  const quiet = from === PENDING || from === UNKNOWN_PENDING ? "droppedPending" : "forgotten";
  for (const action of actions.length > 0 ? actions : [quiet as AlertTransition["action"]]) {
    applied.transitions.push({
      action,
      from: STATE_NAMES[from] as string,
      to: STATE_NAMES[to] as string,
      labels: table.labels[row] as Labels,
      annotations: table.annotations[row] as Annotations,
      value: cellOf(table, row, VALUE),
      activeAt: to === INACTIVE ? activeAt : cellOf(table, row, ACTIVE_AT),
      reason: reasonOf(table, row),
    });
  }
  if (to !== INACTIVE) {
    applied.dirty.push(row);
    return;
  }
  applied.gone.push(table.labels[row] as Labels);
  releaseRow(table, row);
}

export function reasonOf(table: AlertTable, row: number): Reason {
  return REASONS[cellOf(table, row, REASON)] ?? "";
}

/** Whether it is told as firing. */
export function isFiring(state: number): boolean {
  return state === FIRING || state === KEEPING || state === UNKNOWN_FIRING || state === UNKNOWN_KEEPING;
}

/** Whether it is told as pending. */
export function isPending(state: number): boolean {
  return state === PENDING || state === UNKNOWN_PENDING;
}

export function isUnknown(state: number): boolean {
  return state >= UNKNOWN_PENDING;
}

export interface SendOptions {
  /** An alert that goes on is sent again after this long. */
  readonly resendDelayMs: number;
  readonly intervalMs: number;
  readonly externalLabels: Labels;
  readonly generatorUrl: string;
}

/**
 * The alerts that the alert manager has to be told of, marked as sent. A firing alert carries an end in the future,
 * which each sending moves on: should this rule vanish, its alerts end by themselves.
 * @param now by the clock, not the evaluation's time, which lies behind it while ticks are made up for
 */
export function takeUnsent(table: AlertTable, now: number, options: SendOptions): PostedAlert[] {
  const out: PostedAlert[] = [];
  for (const row of table.rowOf.values()) {
    const state = cellOf(table, row, STATE);
    if (isPending(state)) continue;
    const sentAt = cellOf(table, row, SENT_AT);
    if (sentAt + options.resendDelayMs >= now) continue;
    setCell(table, row, SENT_AT, now);
    const lateMs = cellOf(table, row, LATE);
    const reason = reasonOf(table, row);
    const plain = lateMs === 0 && reason === "" && !isUnknown(state);
    out.push({
      labels: withExternal(table.labels[row] as Labels, options.externalLabels),
      annotations: table.annotations[row] as Annotations,
      startsAt: cellOf(table, row, FIRED_AT),
      endsAt:
        state === RESOLVED
          ? cellOf(table, row, RESOLVED_AT)
          : now + 4 * Math.max(options.resendDelayMs, options.intervalMs),
      generatorUrl: options.generatorUrl,
      ...(plain ? {} : { sight: sightOf(state, cellOf(table, row, UNSEEN_SINCE), reason, lateMs) }),
    });
  }
  return out;
}

function sightOf(state: number, since: number, reason: Reason, lateMs: number): AlertSight {
  return {
    ...(lateMs > 0 ? { lateMs } : {}),
    ...(isUnknown(state) ? { unknownSince: since } : {}),
    ...(reason === "" ? {} : { reason }),
  };
}

/** The labels by which the alert manager knows an alert: external ones do not replace its own. */
export function withExternal(labels: Labels, external: Labels): Labels {
  let out = labels;
  for (let i = 0; i < external.length; i += 2) {
    const name = external[i] as string;
    if (labelValue(labels, name) === "") out = withLabel(out, name, external[i + 1] as string);
  }
  return out;
}
