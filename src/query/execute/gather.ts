import type { ShardClient } from "../../model/shard.ts";

/** A shard was not waited for any longer: it hangs, or has too much to do. */
export class ShardLate extends Error {
  constructor(partition: number, waitedMs: number) {
    super(`shard ${partition} is late: no answer after ${Math.round(waitedMs)} ms`);
    this.name = "ShardLate";
  }
}

/** How long shards are waited for, by what is known of them. One for a process. */
export interface Patience {
  /** How long to wait for the shard, ms: as long as one may, or not long where it has been late and not answered since. */
  waitFor(partition: number, mayMs: number): number;
  answered(partition: number): void;
  /** It was left out of an answer: late, down or broken. */
  missed(partition: number, why: Error): void;
}

/** What is waited for a shard that was late the last time. */
const STUCK_WAIT_MS = 1000;

export function makePatience(onMissed: (partition: number, why: Error) => void = () => undefined): Patience {
  const late = new Set<number>();
  return {
    waitFor: (partition, mayMs) => (late.has(partition) ? Math.min(mayMs, STUCK_WAIT_MS) : mayMs),
    answered: (partition) => void late.delete(partition),
    missed: (partition, why) => {
      if (why instanceof ShardLate) late.add(partition);
      onMissed(partition, why);
    },
  };
}

/** What came of one shard. */
export type Gathered<T> =
  | { readonly value: T; readonly error?: never }
  | { readonly error: Error; readonly value?: never };

export interface GatherOptions<T> {
  readonly signal: AbortSignal;
  /** How long a shard may take, ms, where others have answered: one that goes beyond is left out with `ShardLate`. */
  readonly waitMs: number;
  readonly patience?: Patience | undefined;
  /** Whether this ends it all: the other shards are called off. */
  readonly isFatal?: (outcome: Gathered<T>) => boolean;
}

/**
 * Asks every shard at once; the outcomes are in their order. Resolves without those that are late as soon as one has answered,
 * with what there is when the signal is aborted, and never rejects. Whoever is not waited for any more is called off.
 */
export function gather<T>(
  shards: readonly ShardClient[],
  ask: (shard: ShardClient, signal: AbortSignal) => Promise<T>,
  { signal, waitMs, patience, isFatal = () => false }: GatherOptions<T>,
): Promise<Gathered<T>[]> {
  return new Promise((resolve) => {
    const outcomes: (Gathered<T> | undefined)[] = new Array(shards.length).fill(undefined);
    const calls = shards.map(() => new AbortController());
    const timers: NodeJS.Timeout[] = [];
    const late = new Map<number, number>();
    let open = shards.length;
    let answers = 0;

    const finish = (): void => {
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(outcomes as Gathered<T>[]);
    };
    const settle = (i: number, outcome: Gathered<T>): void => {
      if (outcomes[i] !== undefined) return;
      outcomes[i] = outcome;
      open--;
      if (open === 0) finish();
    };
    const callOff = (i: number, error: Error): void => {
      if (outcomes[i] !== undefined) return;
      calls[i]?.abort(error);
      settle(i, { error });
    };
    const callOffRest = (error: Error): void => {
      for (let i = 0; i < shards.length; i++) callOff(i, error);
    };
    const leaveOutLate = (): void => {
      if (answers === 0) return;
      for (const [i, waited] of late) callOff(i, new ShardLate((shards[i] as ShardClient).partition, waited));
      late.clear();
    };
    const onAbort = (): void => callOffRest(asError(signal.reason));
    const onOutcome = (i: number, outcome: Gathered<T>): void => {
      if (outcomes[i] !== undefined) return;
      if (outcome.error === undefined) {
        answers++;
        patience?.answered((shards[i] as ShardClient).partition);
      }
      late.delete(i);
      settle(i, outcome);
      if (isFatal(outcome)) callOffRest(new Error("another shard's answer ended the query"));
      leaveOutLate();
    };

    if (open === 0) return finish();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) return onAbort();
    shards.forEach((shard, i) => {
      const wait = patience?.waitFor(shard.partition, waitMs) ?? waitMs;
      if (Number.isFinite(wait)) {
        const onLate = (): void => {
          if (outcomes[i] !== undefined) return;
          late.set(i, wait);
          leaveOutLate();
        };
        timers.push(setTimeout(onLate, Math.min(wait, 2 ** 31 - 1)));
      }
      const { signal: off } = calls[i] as AbortController;
      new Promise<T>((done) => done(ask(shard, off))).then(
        (value) => onOutcome(i, { value }),
        (error: unknown) => onOutcome(i, { error: asError(error) }),
      );
    });
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
