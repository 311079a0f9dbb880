import { createActor } from "xstate";
import { type Labels, labelsKey } from "../../model/labels.ts";
import {
  alertMachine,
  type InstanceAction,
  type InstanceEvent,
  type InstanceState,
  RESOLVED_RETENTION_MS,
  stoodStill,
} from "./alert-machine.ts";

/**
 * All instances of one alerting rule: numbers in one array, a row of COLUMNS cells an instance. Most evaluations change
 * nothing, and finding that out costs a few reads an instance. Instances whose state an evaluation changes are moved by
 * the machine (alert-machine.ts).
 *
 * Invariants:
 * - A row is free exactly when its state is INACTIVE; `rowOf` holds the others.
 * - `stepOf` and `stepUnseen` tell the machine's next state; tests compare them over every state, event and clock position.
 * - An evaluation that leaves the state leaves the times too, but UNSEEN_SINCE and UNSEEN_MS.
 */
export const INACTIVE = 0;
export const PENDING = 1;
export const FIRING = 2;
export const KEEPING = 3;
export const RESOLVED = 4;
export const UNKNOWN_PENDING = 5;
export const UNKNOWN_FIRING = 6;
export const UNKNOWN_KEEPING = 7;

export const STATE_NAMES: readonly InstanceState[] = [
  "inactive",
  "pending",
  "firing",
  "keeping",
  "resolved",
  "unknownPending",
  "unknownFiring",
  "unknownKeeping",
];

/** Cells of a row: the state's code, times (Unix ms, 0: not reached), and the rest. */
export const STATE = 0;
export const ACTIVE_AT = 1;
export const FIRED_AT = 2;
export const KEEPING_SINCE = 3;
export const RESOLVED_AT = 4;
export const UNSEEN_SINCE = 5;
export const UNSEEN_MS = 6;
/** When the alert manager was last told; 0: never. Not persisted: after a restart it is told again. */
export const SENT_AT = 7;
export const VALUE = 8;
/** Number of the evaluation that last saw the instance active. */
export const SEEN = 9;
/** Code of why it is not seen, or ended (absence.ts). */
export const REASON = 10;
/** How many ms after its time the evaluation was that made it fire. */
export const LATE = 11;
/** As what its series were made last: 0 not at all, else PENDING or FIRING. Their handles are not kept: they are most of the memory. */
export const MADE_AS = 12;
export const COLUMNS = 13;

export type Annotations = Readonly<Record<string, string>>;

/** What a row stood for: ALERTS as PENDING or FIRING, and unless it goes on as the other, ALERTS_FOR_STATE. */
export interface Ended {
  readonly labels: Labels;
  readonly as: number;
  readonly goesOn: boolean;
}

export interface AlertTable {
  readonly holdMs: number;
  readonly keepMs: number;
  readonly patienceMs: number;
  readonly rowOf: Map<string, number>;
  /** Rows in use are below `length`; freed ones are in `free`. */
  length: number;
  readonly free: number[];
  cells: Float64Array;
  readonly labels: Labels[];
  readonly annotations: Annotations[];
  /** Series of rows that are no more or not the same any more: they get their staleness marker and are forgotten. */
  ended: Ended[];
}

/** Not seeing a condition for so long makes it unknown, unless the rule's interval asks for more. */
export const PATIENCE_MS = 60_000;

export function makeAlertTable(holdMs: number, keepMs: number, patienceMs = PATIENCE_MS): AlertTable {
  return {
    holdMs,
    keepMs,
    patienceMs,
    rowOf: new Map(),
    length: 0,
    free: [],
    cells: NO_CELLS,
    labels: [],
    annotations: [],
    ended: [],
  };
}

const NO_CELLS = new Float64Array(0);
const NO_ANNOTATIONS: Annotations = {};
const NO_LABELS: Labels = [];

export function cellOf(table: AlertTable, row: number, column: number): number {
  return table.cells[row * COLUMNS + column] as number;
}

export function setCell(table: AlertTable, row: number, column: number, value: number): void {
  table.cells[row * COLUMNS + column] = value;
}

/** The state code that an evaluation which saw the condition leads to from the row's state. */
export function stepOf(table: AlertTable, row: number, active: boolean, now: number): number {
  const state = cellOf(table, row, STATE);
  if (active) {
    switch (state) {
      case FIRING:
      case KEEPING:
      case UNKNOWN_FIRING:
      case UNKNOWN_KEEPING:
        return FIRING;
      case PENDING:
      case UNKNOWN_PENDING:
        return clock(table, row, ACTIVE_AT, now) >= table.holdMs ? FIRING : PENDING;
      default:
        return table.holdMs <= 0 ? FIRING : PENDING;
    }
  }
  switch (state) {
    case FIRING:
    case UNKNOWN_FIRING:
      return table.keepMs > 0 ? KEEPING : RESOLVED;
    case KEEPING:
    case UNKNOWN_KEEPING:
      return clock(table, row, KEEPING_SINCE, now) < table.keepMs ? KEEPING : RESOLVED;
    case RESOLVED:
      return now - cellOf(table, row, RESOLVED_AT) > RESOLVED_RETENTION_MS ? INACTIVE : RESOLVED;
    default:
      return INACTIVE;
  }
}

/** The state code that an evaluation which did not see the condition leads to. */
export function stepUnseen(table: AlertTable, row: number, now: number, since: number, quiet: boolean): number {
  const state = cellOf(table, row, STATE);
  if (state === RESOLVED) return stepOf(table, row, false, now);
  if (quiet || !canLoseSight(state)) return state;
  if (now - (cellOf(table, row, UNSEEN_SINCE) || since) < table.patienceMs) return state;
  return state === PENDING ? UNKNOWN_PENDING : state === FIRING ? UNKNOWN_FIRING : UNKNOWN_KEEPING;
}

function canLoseSight(state: number): boolean {
  return state === PENDING || state === FIRING || state === KEEPING;
}

/** Time on the clock that began at the column's time, without what it stood still. */
function clock(table: AlertTable, row: number, column: number, now: number): number {
  return now - cellOf(table, row, column) - still(table, row, now);
}

function still({ cells, patienceMs }: AlertTable, row: number, now: number): number {
  const at = row * COLUMNS;
  const unseenSince = cells[at + UNSEEN_SINCE] as number;
  const unseenMs = cells[at + UNSEEN_MS] as number;
  return unseenSince === 0 ? unseenMs : stoodStill({ patienceMs, unseenSince, unseenMs }, now);
}

/** Takes a verdict in. Returns what it means to others; undefined when the state stays. */
export function evaluated(table: AlertTable, row: number, active: boolean, now: number): InstanceAction[] | undefined {
  const state = cellOf(table, row, STATE);
  const next = stepOf(table, row, active, now);
  if (next !== state) return moveRow(table, row, { type: "evaluated", active, now }, next);
  if (cellOf(table, row, UNSEEN_SINCE) !== 0) {
    if (state !== FIRING) setCell(table, row, UNSEEN_MS, still(table, row, now));
    setCell(table, row, UNSEEN_SINCE, 0);
  }
  return undefined;
}

/** Takes in that the condition is not seen, since `since`. Returns as `evaluated`. */
export function unseenAt(
  table: AlertTable,
  row: number,
  now: number,
  since: number,
  quiet: boolean,
): InstanceAction[] | undefined {
  const state = cellOf(table, row, STATE);
  const next = stepUnseen(table, row, now, since, quiet);
  if (next !== state) return moveRow(table, row, { type: "unseen", now, since, quiet }, next);
  if (canLoseSight(state) && cellOf(table, row, UNSEEN_SINCE) === 0) setCell(table, row, UNSEEN_SINCE, since);
  return undefined;
}

/** The row of a label set, made (inactive) when there is none. May replace `cells`: take the row before the cells. */
export function obtainRow(table: AlertTable, key: string, labels: Labels): number {
  const known = table.rowOf.get(key);
  if (known !== undefined) return known;
  const row = table.free.pop() ?? table.length++;
  if ((row + 1) * COLUMNS > table.cells.length) grow(table, row + 1);
  table.cells.fill(0, row * COLUMNS, (row + 1) * COLUMNS);
  table.labels[row] = labels;
  table.annotations[row] = NO_ANNOTATIONS;
  table.rowOf.set(key, row);
  return row;
}

export function releaseRow(table: AlertTable, row: number): void {
  table.rowOf.delete(labelsKey(table.labels[row] as Labels));
  setCell(table, row, STATE, INACTIVE);
  standFor(table, row, 0);
  table.labels[row] = NO_LABELS;
  table.annotations[row] = NO_ANNOTATIONS;
  table.free.push(row);
}

/** The row stands for other series from now on: `as` PENDING or FIRING, or 0 for none. */
export function standFor(table: AlertTable, row: number, as: number): void {
  const before = cellOf(table, row, MADE_AS);
  if (before === as) return;
  if (before !== 0) table.ended.push({ labels: table.labels[row] as Labels, as: before, goesOn: as !== 0 });
  setCell(table, row, MADE_AS, as);
}

const NOBODY = createActor(alertMachine, { input: { holdMs: 0, keepMs: 0, patienceMs: PATIENCE_MS } });
const nothing = (): void => {};
/** What xstate's `transition` makes anew for each move, at half of its cost: an actor that is never started. */
const INERT = {
  self: NOBODY,
  system: NOBODY.system,
  id: "",
  sessionId: "",
  logger: nothing,
  defer: nothing,
  stopChild: nothing,
  emit: nothing,
};

/**
 * Moves one instance by the machine and writes the outcome back. Returns what the move means; a row that became inactive
 * is the caller's to release.
 */
function moveRow(table: AlertTable, row: number, event: InstanceEvent, expected: number): InstanceAction[] {
  const { cells } = table;
  const at = row * COLUMNS;
  const snapshot = alertMachine.resolveState({
    value: STATE_NAMES[cells[at] as number] as InstanceState,
    context: {
      holdMs: table.holdMs,
      keepMs: table.keepMs,
      patienceMs: table.patienceMs,
      activeAt: cells[at + ACTIVE_AT] as number,
      firedAt: cells[at + FIRED_AT] as number,
      keepingSince: cells[at + KEEPING_SINCE] as number,
      resolvedAt: cells[at + RESOLVED_AT] as number,
      unseenSince: cells[at + UNSEEN_SINCE] as number,
      unseenMs: cells[at + UNSEEN_MS] as number,
    },
  });
  const actions: string[] = [];
  const next = alertMachine.transition(snapshot, event, { ...INERT, actionExecutor: (a) => actions.push(a.type) });
  const code = STATE_NAMES.indexOf(next.value as InstanceState);
  if (code !== expected) {
    throw new Error(`alert machine went to ${String(next.value)}, the table says ${STATE_NAMES[expected]}`);
  }
  cells[at] = code;
  cells[at + ACTIVE_AT] = next.context.activeAt;
  cells[at + FIRED_AT] = next.context.firedAt;
  cells[at + KEEPING_SINCE] = next.context.keepingSince;
  cells[at + RESOLVED_AT] = next.context.resolvedAt;
  cells[at + UNSEEN_SINCE] = next.context.unseenSince;
  cells[at + UNSEEN_MS] = next.context.unseenMs;
  return actions.filter((type): type is InstanceAction => !type.startsWith("xstate."));
}

function grow(table: AlertTable, rows: number): void {
  // A half more: most rules have few instances, and what is not used is memory all the same.
  const out = new Float64Array(Math.max(rows, Math.ceil((table.cells.length / COLUMNS) * 1.5)) * COLUMNS);
  out.set(table.cells);
  table.cells = out;
}
