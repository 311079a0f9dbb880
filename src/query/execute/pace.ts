import { QueryError } from "../../model/query.ts";

/**
 * How the evaluation in front shares its thread with requests, rules and collectors: loops over rows say how much they
 * have done (`due`), which looks at the deadline and the abort signal now and then, and hand the thread back (`turn`) when
 * they have had it for long enough. Inside a row the kernels stay synchronous; rows that are very long go in slices.
 */
export interface Pace {
  /** Aborted when the client is gone or the time is up; the reason says which. */
  readonly signal: AbortSignal;
  readonly deadline: number;
  readonly now: () => number;
  /** What is thrown when the deadline has passed; a plain text where there is none. */
  readonly timeoutError?: () => QueryError;
  /** Work since the last look at the clock, and the time at which the thread was had again; `due` and `turn` keep them. */
  work: number;
  turnAt: number;
}

/** Milliseconds that a query keeps the thread at a time. */
const TURN_MS = 10;
/** Work between two looks at the clock; a unit is a cell that is added, compared or copied: some nanoseconds. */
const LOOK_EVERY = 16_384;
/** What a row costs besides its cells: labels are compared, hashed, copied. */
export const ROW_WORK = 64;
/** Cells of a row that are worked through at once. */
export const SLICE = 65_536;

/** Throws when the query shall not go on. */
export function checkAlive(pace: Pace): void {
  if (pace.signal.aborted) throw stopError(pace);
  if (pace.now() > pace.deadline) throw timedOut(pace);
}

export function stopError(pace: Pace): QueryError {
  return pace.signal.reason instanceof QueryError
    ? pace.signal.reason
    : new QueryError("canceled", "query was canceled in expression evaluation");
}

function timedOut(pace: Pace): QueryError {
  return pace.timeoutError?.() ?? new QueryError("timeout", "query timed out in expression evaluation");
}

/** Counts work done; true when the thread is to be handed back: `if (due(ctx, steps)) await turn(ctx)`. May throw as `checkAlive`. */
export function due(pace: Pace, work: number): boolean {
  pace.work += work;
  if (pace.work < LOOK_EVERY) return false;
  pace.work = 0;
  if (pace.signal.aborted) throw stopError(pace);
  const now = pace.now();
  if (now > pace.deadline) throw timedOut(pace);
  return now - pace.turnAt >= TURN_MS;
}

/** Hands the thread back for a turn of the event loop. Throws when the query shall not go on after it. */
export async function turn(pace: Pace): Promise<void> {
  await nextTurn();
  pace.turnAt = pace.now();
  checkAlive(pace);
}

/** Evaluations that wait for their turn. One goes on a turn, so that several together hold the thread no longer than one. */
const waiting: (() => void)[] = [];

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(resumeOne);
  });
}

function resumeOne(): void {
  const resume = waiting.shift();
  if (waiting.length > 0) setImmediate(resumeOne);
  resume?.();
}

/** Calls `work` with every row and its steps [from, to); long rows in several slices. */
export async function overRows(
  pace: Pace,
  rows: number,
  steps: number,
  work: (row: number, from: number, to: number) => void,
): Promise<void> {
  for (let r = 0; r < rows; r++) {
    for (let from = 0; from < steps; from += SLICE) {
      const to = Math.min(steps, from + SLICE);
      work(r, from, to);
      if (due(pace, to - from + ROW_WORK)) await turn(pace);
    }
  }
}

/** Calls `work` with every i in [0, n), each about `cost` units of work. */
export async function overEach(pace: Pace, n: number, cost: number, work: (i: number) => void): Promise<void> {
  for (let i = 0; i < n; i++) {
    work(i);
    if (due(pace, cost)) await turn(pace);
  }
}

/** One value a step. */
export async function mapSteps(pace: Pace, steps: number, value: (step: number) => number): Promise<Float64Array> {
  const out = new Float64Array(steps);
  await overRows(pace, 1, steps, (_, from, to) => {
    for (let s = from; s < to; s++) out[s] = value(s);
  });
  return out;
}

const SORT_RUN = 2048;

/** The numbers 0..n-1 in the order that `compare` says, equal ones ascending: runs are sorted, then merged. */
export async function sortedIndexes(
  pace: Pace,
  n: number,
  compare: (a: number, b: number) => number,
): Promise<Uint32Array> {
  let from = new Uint32Array(n);
  for (let i = 0; i < n; i++) from[i] = i;
  for (let at = 0; at < n; at += SORT_RUN) {
    from.subarray(at, at + SORT_RUN).sort(compare);
    if (due(pace, 16 * ROW_WORK * SORT_RUN)) await turn(pace);
  }
  let to = new Uint32Array(n);
  for (let run = SORT_RUN; run < n; run *= 2) {
    for (let at = 0; at < n; at += 2 * run) {
      const mid = Math.min(n, at + run);
      const end = Math.min(n, mid + run);
      let a = at;
      let b = mid;
      for (let out = at; out < end; out++) {
        const left = b >= end || (a < mid && compare(from[a] as number, from[b] as number) <= 0);
        to[out] = from[left ? a++ : b++] as number;
        if (due(pace, ROW_WORK)) await turn(pace);
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
