import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import { type Ingest, type IngestResult, TryLater } from "../../model/ingest.ts";
import type { SampleBatch } from "./sample-batch.ts";

/**
 * Samples made in this process (scrapes, host metrics) on their way to the gateway. A collector hands its batch over and
 * goes on; while the bus is down the batches wait here and are sent when it is back.
 *
 * Invariants:
 * - at most `maxSamples` samples wait; when there are more, the oldest batches are dropped and counted;
 * - a batch is sent until the gateway has taken it or has said that it never will;
 * - batches go in order, except after an outage: then the newest go first and the backlog follows.
 */
export interface Outbox {
  /** Queues a batch, which must not be changed afterwards. `now` is Unix milliseconds. */
  offer(batch: SampleBatch, now: number): void;
  /** Sends; never returns. Run it as a supervised child: a restarted one goes on with what waits. */
  readonly run: Effect.Effect<never>;
  stats(): OutboxStats;
}

export interface OutboxStats {
  /** Samples that wait now. */
  readonly waiting: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Samples lost because too many waited. */
  readonly dropped: number;
}

export interface OutboxOptions {
  readonly ingest: Ingest;
  readonly maxSamples: number;
  /** Batches on their way at a time. */
  readonly concurrency: number;
  /** Hears of samples that the gateway refused for good, and of batches that were dropped; for logs. */
  readonly onProblem?: (message: string) => void;
}

/** A backlog older than this is drained newest first. */
const FRESH_MS = 10_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

interface Waiting {
  readonly batch: SampleBatch;
  readonly offeredAt: number;
}

/** Makes an empty outbox. */
export function makeOutbox(options: OutboxOptions): Outbox {
  const waiting: Waiting[] = [];
  const wake = Effect.runSync(Queue.make<void>({ capacity: options.concurrency, strategy: "dropping" }));
  let waitingSamples = 0;
  let accepted = 0;
  let rejected = 0;
  let dropped = 0;
  const report = options.onProblem ?? (() => {});

  const put = (entry: Waiting): void => {
    let at = waiting.length;
    while (at > 0 && (waiting[at - 1] as Waiting).offeredAt > entry.offeredAt) at--;
    waiting.splice(at, 0, entry);
    waitingSamples += entry.batch.refs.length;
    let lost = 0;
    while (waitingSamples > options.maxSamples && waiting.length > 1) {
      const oldest = waiting.shift() as Waiting;
      waitingSamples -= oldest.batch.refs.length;
      lost += oldest.batch.refs.length;
    }
    if (lost > 0) {
      dropped += lost;
      report(`${lost} samples dropped: more than ${options.maxSamples} wait for the bus`);
    }
    Queue.offerUnsafe(wake, undefined);
  };

  const next = (now: number): Waiting | undefined => {
    const oldest = waiting[0];
    if (oldest === undefined) return undefined;
    const entry = (oldest.offeredAt < now - FRESH_MS ? waiting.pop() : waiting.shift()) as Waiting;
    waitingSamples -= entry.batch.refs.length;
    return entry;
  };

  const taken = (result: IngestResult): void => {
    accepted += result.accepted;
    for (const one of result.rejected) {
      rejected += one.count;
      report(`${one.count} samples rejected (${one.reason}): ${one.message}`);
    }
  };

  /** Sends a batch once; milliseconds to wait before the next try when it must be sent again. */
  const send = Effect.fnUntraced(function* (entry: Waiting, pause: number) {
    const { refs, ts, values } = entry.batch;
    const n = refs.length;
    const sent = yield* Effect.result(
      Effect.tryPromise({
        try: () => options.ingest.append(refs, ts.subarray(0, n), values.subarray(0, n)),
        catch: (error) => error,
      }),
    );
    if (sent._tag === "Success") {
      taken(sent.success);
      return 0;
    }
    if (!(sent.failure instanceof TryLater)) {
      rejected += n;
      report(`${n} samples rejected: ${sent.failure instanceof Error ? sent.failure.message : String(sent.failure)}`);
      return 0;
    }
    put(entry);
    return Math.max(pause, Math.min(sent.failure.retryAfterSeconds * 1000, LONGEST_PAUSE_MS));
  });

  const sender = Effect.gen(function* () {
    let pause = FIRST_PAUSE_MS;
    while (true) {
      const entry = next(yield* Clock.currentTimeMillis);
      if (entry === undefined) {
        yield* Queue.take(wake);
        continue;
      }
      // An interrupted send is not lost: whoever runs next sends it again, which changes nothing if it had arrived.
      const wait = yield* Effect.onInterrupt(send(entry, pause), () => Effect.sync(() => put(entry)));
      if (wait > 0) yield* Effect.sleep(wait);
      pause = wait > 0 ? Math.min(pause * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    }
  });

  return {
    offer: (batch, now) => {
      if (batch.refs.length > 0) put({ batch, offeredAt: now });
    },
    run: Effect.forEach(
      Array.from({ length: options.concurrency }, (_, i) => i),
      () => sender,
      { concurrency: "unbounded", discard: true },
    ) as Effect.Effect<never>,
    stats: () => ({ waiting: waitingSamples, accepted, rejected, dropped }),
  };
}
