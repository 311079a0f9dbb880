/**
 * Visible upon acknowledgement: a query that comes after this process has acknowledged a write waits for the moment that the
 * shards need to read it from the bus. See docs/decisions/0011-visible-upon-acknowledgement.md.
 *
 * Invariants:
 * - a query waits for nothing that was acknowledged after it came, MAX_WAIT_MS at most, and never fails for it;
 * - where the shards have everything it waits for nothing: two numbers a partition are compared;
 * - it does not wait for a shard that has too much to do, or that stands: the wait would be in vain, and each query had it.
 */
import { makeVisibleCell, type VisibleCell, visibleUpTo } from "./visible-cell.ts";

export interface VisibilityOptions {
  readonly partitions: number;
  /** Milliseconds that never go back; default performance.now. */
  readonly now?: () => number;
}

export interface Visibility {
  /** In the order of the partitions; each is for its shard, which says in it how far it can be queried. */
  readonly cells: readonly VisibleCell[];
  /** A message is in its partition's stream, and whoever sent it is told so: a query may now be meant to see it. */
  acknowledged(partition: number, where: { readonly sequence: number; readonly stream: string | undefined }): void;
  /** Resolves when all that was acknowledged until now can be queried or was waited for long enough; undefined when it can be. */
  wait(): Promise<unknown> | undefined;
}

/** So long a query waits at most: what a busy machine with two cores takes for one message in a thousand, and as much again. */
export const MAX_WAIT_MS = 100;
/** A shard is waited for when the oldest message that it has not read was acknowledged no longer ago than this ... */
export const REACH_MS = 25;
/** ... or than this, when it is behind by few messages: it was interrupted, and is not short of time. */
export const FEW_REACH_MS = 250;
export const FEW = 16;

/** Acknowledgements of so long are remembered together: what is remembered of a partition is bounded, whatever comes. */
const SPAN_MS = 5;
const SPANS = 64;

interface Partition {
  readonly cell: VisibleCell;
  stream: string | undefined;
  /** Acknowledged; 0 before the first. */
  highest: number;
  /** Acknowledgements in spans of time, a ring: the highest sequence of each, and when it began. `spans` counts all ever begun. */
  readonly sequences: Float64Array;
  readonly since: Float64Array;
  spans: number;
  waiters: Waiter[];
  /** Whether a change of the cell is being waited for. */
  watched: boolean;
}

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly timer: NodeJS.Timeout;
}

export function makeVisibility(options: VisibilityOptions): Visibility {
  const now = options.now ?? (() => performance.now());
  const partitions = Array.from({ length: options.partitions }, makePartition);
  return {
    cells: partitions.map((p) => p.cell),
    acknowledged: (partition, { sequence, stream }) => {
      const p = partitions[partition];
      if (p !== undefined) note(p, sequence, stream, now());
    },
    wait: () => {
      let waits: Promise<void>[] | undefined;
      for (const p of partitions) {
        const seen = visibleUpTo(p.cell);
        if (p.highest <= seen) continue;
        const reach = p.highest - seen > FEW ? REACH_MS : FEW_REACH_MS;
        if (now() - behindSince(p, seen) > reach) continue;
        waits ??= [];
        waits.push(reached(p, p.highest));
      }
      return waits && Promise.all(waits);
    },
  };
}

function makePartition(): Partition {
  return {
    cell: makeVisibleCell(),
    stream: undefined,
    highest: 0,
    sequences: new Float64Array(SPANS),
    since: new Float64Array(SPANS),
    spans: 0,
    waiters: [],
    watched: false,
  };
}

function note(p: Partition, sequence: number, stream: string | undefined, at: number): void {
  if (stream !== undefined && p.stream !== undefined && stream !== p.stream) {
    // Made anew: it counts from 1 again.
    p.highest = 0;
    p.spans = 0;
  }
  p.stream = stream ?? p.stream;
  if (sequence <= p.highest) return;
  p.highest = sequence;
  if (p.spans === 0 || at - (p.since[(p.spans - 1) % SPANS] as number) >= SPAN_MS) {
    p.since[p.spans % SPANS] = at;
    p.spans++;
  }
  p.sequences[(p.spans - 1) % SPANS] = sequence;
}

/** When the oldest message above `seen` was acknowledged, or a moment before; -Infinity for longer ago than is remembered. */
function behindSince(p: Partition, seen: number): number {
  const oldest = Math.max(0, p.spans - SPANS);
  let i = p.spans;
  while (i > oldest && (p.sequences[(i - 1) % SPANS] as number) > seen) i--;
  return i === oldest && oldest > 0 ? Number.NEGATIVE_INFINITY : (p.since[i % SPANS] as number);
}

function reached(p: Partition, sequence: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      p.waiters = p.waiters.filter((w) => w !== waiter);
      resolve();
    }, MAX_WAIT_MS);
    const waiter: Waiter = { sequence, resolve, timer };
    p.waiters.push(waiter);
    watch(p);
  });
}

/** Sleeps until the shard says something new, for as long as somebody waits. */
function watch(p: Partition): void {
  while (!p.watched) {
    const seen = Atomics.load(p.cell, 0);
    p.waiters = p.waiters.filter((waiter) => {
      if (waiter.sequence > Number(seen)) return true;
      clearTimeout(waiter.timer);
      waiter.resolve();
      return false;
    });
    if (p.waiters.length === 0) return;
    const change = Atomics.waitAsync(p.cell, 0, seen, 2 * MAX_WAIT_MS);
    if (!change.async) continue;
    p.watched = true;
    change.value.then(() => {
      p.watched = false;
      watch(p);
    });
  }
}
