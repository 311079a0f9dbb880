import type { Reason } from "./absence.ts";

/**
 * Whether the shards have read all that was published until now, so that what they do not have was not sent.
 *
 * Invariants:
 * - Asks of many groups at the same time are one question to the bus, asked after each of them came.
 * - A shard that was waited for in vain and has not moved since is not waited for again, nor is a bus that did not answer:
 *   conditions that can be seen are looked at without delay.
 */
export interface InputsOptions {
  readonly partitions: number;
  /** The newest message of the partition's stream. Rejects when the bus does not answer. */
  readonly lastSequence: (partition: number) => Promise<number>;
  /** How far the partition can be queried. */
  readonly visibleUpTo: (partition: number) => number;
  /** Resolves when `visibleUpTo` may have changed, or after so many ms. */
  readonly change: (partition: number, maxWaitMs: number) => Promise<unknown>;
  /**
   * What is known of the partition's shard: "shard_missing" when it does not answer, so that it is not waited for, "bus_lagging"
   * while it reads a backlog. Absent: nothing.
   */
  readonly lacks?: (partition: number) => "" | "shard_missing" | "bus_lagging";
  /** Milliseconds that never go back; default performance.now. */
  readonly now?: () => number;
}

/** Resolves with why not all has been read, "" when it has; after `maxWaitMs` at the latest. Never rejects. */
export type InputsComplete = (maxWaitMs: number) => Promise<Reason>;

/** What is waited for one that stands still. */
const STUCK_WAIT_MS = 50;
/** So long the bus may take to answer. */
const BUS_WAIT_MS = 1000;

export function makeInputs(options: InputsOptions): InputsComplete {
  const lacks = options.lacks ?? (() => "" as const);
  const now = options.now ?? (() => performance.now());
  const all = Array.from({ length: options.partitions }, (_, p) => p);
  /** How far a partition was when it was waited for in vain; absent: it was not. */
  const stuckAt = new Map<number, number>();
  let asking: Promise<readonly number[]> | undefined;
  let next: Promise<readonly number[]> | undefined;
  /** The bus did not answer the last time: it is not waited for as long again. */
  let silent = false;

  const ask = (): Promise<readonly number[]> => Promise.all(all.map(options.lastSequence));
  /** The ends of the streams, asked for now or later. */
  const ends = (): Promise<readonly number[]> => {
    if (asking === undefined) {
      asking = ask().finally(() => {
        asking = undefined;
      });
      return asking;
    }
    next ??= asking
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return ends();
      });
    return next;
  };
  const reached = async (partition: number, end: number, until: number): Promise<boolean> => {
    for (;;) {
      const seen = options.visibleUpTo(partition);
      if (seen >= end) {
        stuckAt.delete(partition);
        return true;
      }
      const stuck = stuckAt.get(partition) === seen;
      const left = Math.min(until - now(), stuck ? STUCK_WAIT_MS : Number.POSITIVE_INFINITY);
      if (left > 0) await options.change(partition, left);
      if (options.visibleUpTo(partition) !== seen) continue;
      if (!stuck && now() < until) continue;
      stuckAt.set(partition, seen);
      return false;
    }
  };

  return async (maxWaitMs) => {
    const until = now() + maxWaitMs;
    const answer = ends();
    answer.then(
      () => {
        silent = false;
      },
      () => undefined,
    );
    const asked = await within(answer, Math.min(maxWaitMs, silent ? STUCK_WAIT_MS : BUS_WAIT_MS));
    silent = asked === undefined;
    if (asked === undefined) return "bus_down";
    const reasons = await Promise.all(
      asked.map(async (end, partition): Promise<Reason> => {
        if (lacks(partition) === "shard_missing") return "shard_missing";
        const read = await reached(partition, end, until);
        return lacks(partition) || (read ? "" : "bus_lagging");
      }),
    );
    return reasons.find((r) => r === "shard_missing") ?? reasons.find((r) => r !== "") ?? "";
  };
}

/** What the work resolves with; undefined when it fails or takes longer. */
function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    work.then(resolve, () => resolve(undefined)).finally(() => clearTimeout(timer));
  });
}
