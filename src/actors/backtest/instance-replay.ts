import type { NoDataPolicy } from "../rule/absence.ts";
import { RESOLVED_RETENTION_MS } from "../rule/alert-machine.ts";
import { isFiring } from "../rule/alert-rule.core.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  cellOf,
  evaluated,
  FIRED_AT,
  FIRING,
  INACTIVE,
  KEEPING,
  KEEPING_SINCE,
  makeAlertTable,
  obtainRow,
  PENDING,
  RESOLVED,
  RESOLVED_AT,
  STATE,
  UNSEEN_MS,
  UNSEEN_SINCE,
  unseenAt,
} from "../rule/alert-table.ts";
import { type Runs, type Ticks, walkRuns } from "./points.ts";

/** One alert instance over all ticks: when its condition holds, and when nobody can tell. */
export interface InstanceReplay {
  readonly ticks: Ticks;
  readonly holdMs: number;
  readonly keepMs: number;
  readonly patienceMs: number;
  readonly active: Runs;
  /** The rule could not be evaluated. */
  readonly failed: Runs;
  readonly policy: NoDataPolicy;
  /** Its data was there. */
  readonly seen: Runs;
  /** It could not be found out whether its data was there. */
  readonly seenFailed: Runs;
}

/** It begins to fire (again), or is resolved. */
export interface InstanceChange {
  readonly to: "firing" | "resolved";
  readonly tick: number;
  /** Of firing: since when it fires; of resolved: when it ended. Unix ms. */
  readonly at: number;
  /** Of resolved: the first tick at which it is so no more. */
  until: number;
}

const NO_LABELS: readonly string[] = [];

/**
 * Moves one instance by the table's own steps (and so by the machine), at the ticks at which something can change: where
 * its condition begins or ends to hold or to be seen, and where a clock of its state runs out. At all others it stays.
 */
export function replayInstance(replay: InstanceReplay): InstanceChange[] {
  const { ticks, policy } = replay;
  const table = makeAlertTable(replay.holdMs, replay.keepMs, replay.patienceMs);
  const row = obtainRow(table, "", NO_LABELS);
  const active = walkRuns(replay.active);
  const failed = walkRuns(replay.failed);
  const seen = walkRuns(replay.seen);
  const seenFailed = walkRuns(replay.seenFailed);
  const changes: InstanceChange[] = [];
  const step = (k: number, isActive: boolean, isBlind: boolean, quiet: boolean): void => {
    const now = ticks.start + k * ticks.step;
    const from = cellOf(table, row, STATE);
    if (from === INACTIVE && (isBlind || !isActive)) return;
    const actions = isBlind ? unseenAt(table, row, now, now, quiet) : evaluated(table, row, isActive, now);
    if (actions === undefined) return;
    const to = cellOf(table, row, STATE);
    const last = changes.at(-1);
    if (from === RESOLVED && last !== undefined) last.until = k;
    if (to === FIRING && !isFiring(from)) {
      changes.push({ to: "firing", tick: k, at: cellOf(table, row, FIRED_AT), until: 0 });
    } else if (to === RESOLVED) {
      const at = cellOf(table, row, RESOLVED_AT);
      const until = k + Math.floor(RESOLVED_RETENTION_MS / ticks.step) + 1;
      changes.push({ to: "resolved", tick: k, at, until });
    }
  };
  const edges = edgesOf(replay);
  // Stretches in which it holds and in which it does not follow each other, and nothing else happens.
  const isPlain = policy === "resolve" && replay.failed.length === 0;
  for (const [i, from] of edges.entries()) {
    const to = edges[i + 1] ?? ticks.count;
    let isActive = active(from);
    let isBlind = failed(from);
    // Too short for its hold, and its end will be seen: pending and dropped, which nobody is told.
    if (isPlain && isActive && (to - 1 - from) * ticks.step < replay.holdMs && cellOf(table, row, STATE) === INACTIVE) {
      continue;
    }
    let quiet = false;
    if (!isActive && !isBlind && policy !== "resolve") {
      if (seenFailed(from)) isBlind = true;
      else if (!seen(from)) {
        if (policy === "alert") isActive = true;
        else isBlind = true;
        quiet = policy === "keep";
      }
    }
    for (let k = from; k < to; ) {
      const state = cellOf(table, row, STATE);
      // What is made active by missing data is so only for an instance that there is and that has not ended.
      const counts = isActive && (active(from) || (state !== INACTIVE && state !== RESOLVED));
      step(k, counts, isBlind, quiet);
      const due = dueAt(table, row, counts, isBlind && !quiet, isBlind);
      if (due === 0) break;
      k = Math.max(k + 1, Math.ceil((due - ticks.start) / ticks.step));
    }
  }
  return changes;
}

/** The ticks at which something of what is known of the instance changes, the first one included. */
function edgesOf({ ticks, active, failed, seen, seenFailed, policy }: InstanceReplay): number[] {
  if (active.length === 0) return [];
  const first = active[0] as number;
  const all = [...active, ...failed];
  if (policy !== "resolve") all.push(...seen, ...seenFailed);
  const inside = all.filter((k) => k >= first && k < ticks.count);
  return [...new Set(inside)].sort((a, b) => a - b);
}

/** When the state that an instance is in ends by itself while nothing else changes, Unix ms; 0: never. */
function dueAt(table: AlertTable, row: number, isActive: boolean, losing: boolean, isBlind: boolean): number {
  const state = cellOf(table, row, STATE);
  if (state === RESOLVED) return isActive ? 0 : cellOf(table, row, RESOLVED_AT) + RESOLVED_RETENTION_MS + 1;
  if (isBlind) {
    const since = cellOf(table, row, UNSEEN_SINCE);
    const canLose = state === PENDING || state === FIRING || state === KEEPING;
    return losing && canLose && since > 0 ? since + table.patienceMs : 0;
  }
  if (state === PENDING) return cellOf(table, row, ACTIVE_AT) + table.holdMs + cellOf(table, row, UNSEEN_MS);
  if (state === KEEPING) return cellOf(table, row, KEEPING_SINCE) + table.keepMs + cellOf(table, row, UNSEEN_MS);
  return 0;
}
