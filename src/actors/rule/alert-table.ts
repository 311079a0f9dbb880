import { transition } from "xstate";
import type { Labels } from "../../model/labels.ts";
import { alertMachine, type InstanceAction, type InstanceState, RESOLVED_RETENTION_MS } from "./alert-machine.ts";

/**
 * All instances of one alerting rule, in columns: most evaluations change nothing, and finding that out costs an array
 * read an instance. Instances for which an evaluation is an event are moved by the machine (alert-machine.ts).
 *
 * Invariants:
 * - A row is free exactly when its state is INACTIVE; `rowOf` holds the others.
 * - `stepOf` tells the machine's next state; a test compares the two over every state and clock position.
 * - A move changes the state; an evaluation that leaves the state leaves the times too.
 */
export const INACTIVE = 0;
export const PENDING = 1;
export const FIRING = 2;
export const KEEPING = 3;
export const RESOLVED = 4;

export const STATE_NAMES: readonly InstanceState[] = ["inactive", "pending", "firing", "keeping", "resolved"];

export interface AlertTable {
  readonly holdMs: number;
  readonly keepMs: number;
  readonly rowOf: Map<string, number>;
  /** Rows in use are below `length`; freed ones are in `free`. */
  length: number;
  readonly free: number[];
  state: Uint8Array;
  activeAt: Float64Array;
  firedAt: Float64Array;
  keepingSince: Float64Array;
  resolvedAt: Float64Array;
  /** When the alert manager was last told; 0: never. Not persisted: after a restart it is told again. */
  sentAt: Float64Array;
  value: Float64Array;
  /** Number of the evaluation that last saw the instance active. */
  seen: Float64Array;
  readonly key: string[];
  readonly labels: Labels[];
  readonly annotations: Readonly<Record<string, string>>[];
}

export function makeAlertTable(holdMs: number, keepMs: number): AlertTable {
  const size = 8;
  return {
    holdMs,
    keepMs,
    rowOf: new Map(),
    length: 0,
    free: [],
    state: new Uint8Array(size),
    activeAt: new Float64Array(size),
    firedAt: new Float64Array(size),
    keepingSince: new Float64Array(size),
    resolvedAt: new Float64Array(size),
    sentAt: new Float64Array(size),
    value: new Float64Array(size),
    seen: new Float64Array(size),
    key: [],
    labels: [],
    annotations: [],
  };
}

/** The state code that an evaluation at `now` leads to from the row's state. */
export function stepOf(table: AlertTable, row: number, active: boolean, now: number): number {
  const state = table.state[row] as number;
  if (active) {
    if (state === FIRING || state === KEEPING) return FIRING;
    if (state === PENDING) return now - (table.activeAt[row] as number) >= table.holdMs ? FIRING : PENDING;
    return table.holdMs <= 0 ? FIRING : PENDING;
  }
  if (state === FIRING) return table.keepMs > 0 ? KEEPING : RESOLVED;
  if (state === KEEPING) return now - (table.keepingSince[row] as number) < table.keepMs ? KEEPING : RESOLVED;
  if (state === RESOLVED) {
    return now - (table.resolvedAt[row] as number) > RESOLVED_RETENTION_MS ? INACTIVE : RESOLVED;
  }
  return INACTIVE;
}

/** The row of a label set, made (inactive) when there is none. May replace the columns: take the row before the column. */
export function obtainRow(table: AlertTable, key: string, labels: Labels): number {
  const known = table.rowOf.get(key);
  if (known !== undefined) return known;
  const row = table.free.pop() ?? table.length++;
  if (row >= table.state.length) grow(table);
  table.state[row] = INACTIVE;
  table.activeAt[row] = 0;
  table.firedAt[row] = 0;
  table.keepingSince[row] = 0;
  table.resolvedAt[row] = 0;
  table.sentAt[row] = 0;
  table.value[row] = 0;
  table.seen[row] = 0;
  table.key[row] = key;
  table.labels[row] = labels;
  table.annotations[row] = {};
  table.rowOf.set(key, row);
  return row;
}

export function releaseRow(table: AlertTable, row: number): void {
  table.rowOf.delete(table.key[row] as string);
  table.state[row] = INACTIVE;
  table.key[row] = "";
  table.labels[row] = [];
  table.annotations[row] = {};
  table.free.push(row);
}

/**
 * Moves one instance by the machine and writes the outcome back. Returns what the move means; a row that became inactive
 * is the caller's to release.
 */
export function moveRow(table: AlertTable, row: number, active: boolean, now: number): InstanceAction[] {
  const expected = stepOf(table, row, active, now);
  const snapshot = alertMachine.resolveState({
    value: STATE_NAMES[table.state[row] as number] as InstanceState,
    context: {
      holdMs: table.holdMs,
      keepMs: table.keepMs,
      activeAt: table.activeAt[row] as number,
      firedAt: table.firedAt[row] as number,
      keepingSince: table.keepingSince[row] as number,
      resolvedAt: table.resolvedAt[row] as number,
    },
  });
  const [next, actions] = transition(alertMachine, snapshot, { type: "evaluated", active, now });
  const code = STATE_NAMES.indexOf(next.value as InstanceState);
  if (code !== expected) {
    throw new Error(`alert machine went to ${String(next.value)}, the table says ${STATE_NAMES[expected]}`);
  }
  table.state[row] = code;
  table.activeAt[row] = next.context.activeAt;
  table.firedAt[row] = next.context.firedAt;
  table.keepingSince[row] = next.context.keepingSince;
  table.resolvedAt[row] = next.context.resolvedAt;
  return actions.map((a) => a.type).filter((type): type is InstanceAction => !type.startsWith("xstate."));
}

function grow(table: AlertTable): void {
  const size = table.state.length * 2;
  const state = new Uint8Array(size);
  state.set(table.state);
  table.state = state;
  table.activeAt = larger(table.activeAt, size);
  table.firedAt = larger(table.firedAt, size);
  table.keepingSince = larger(table.keepingSince, size);
  table.resolvedAt = larger(table.resolvedAt, size);
  table.sentAt = larger(table.sentAt, size);
  table.value = larger(table.value, size);
  table.seen = larger(table.seen, size);
}

function larger(column: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size);
  out.set(column);
  return out;
}
