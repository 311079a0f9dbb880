import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import * as Semaphore from "effect/Semaphore";
import { NOTIFY_LATENCY_BUCKETS } from "../../model/alerts.ts";
import { spawn } from "../runtime/actor.ts";
import { type Mailbox, makeMailbox } from "../runtime/mailbox.ts";
import type { Attempt } from "./attempt.ts";
import type { ToldAlert } from "./webhook-payload.ts";

/**
 * The actor of one integration of a receiver: takes notifications and delivers each, trying again with growing pauses until its
 * deadline, or longer where the receiver says when to come again.
 *
 * Invariants:
 * - Every delivery is answered, also when the actor is stopped or dies.
 * - At most DELIVERIES are under way at a time, so a slow integration holds up only itself; the others wait in the mailbox.
 */
export interface Delivery {
  readonly alerts: readonly ToldAlert[];
  /** Makes one attempt. */
  readonly attempt: (signal: AbortSignal) => Promise<Attempt>;
  /** When to give up, Unix ms. */
  readonly deadline: number;
  /** Hears of an attempt that failed and is followed by another. */
  readonly failed: (attempt: number, reason: string) => void;
  /** Takes the first answer; further ones are ignored. */
  readonly done: (outcome: Delivered) => void;
}

/** `stopped`: nobody knows how it would have gone on. */
export type Delivered =
  | { readonly ok: true }
  | { readonly ok: false; readonly stopped?: boolean; readonly reason: string };

/** Counters of one integration; they outlive the actor. */
export interface IntegrationCounters {
  sent: number;
  failed: number;
  requests: number;
  requestsFailed: number;
  /** Notifications to fallback receivers on its behalf. */
  fallbacks: number;
  readonly latencyBuckets: number[];
  latencySeconds: number;
}

export function makeCounters(): IntegrationCounters {
  return {
    sent: 0,
    failed: 0,
    requests: 0,
    requestsFailed: 0,
    fallbacks: 0,
    latencyBuckets: NOTIFY_LATENCY_BUCKETS.map(() => 0),
    latencySeconds: 0,
  };
}

const DELIVERIES = 16;
/** Alertmanager's pauses: from 0.5 s, growing by half, up to a minute, give or take half. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
/** A receiver that says when to come again is not believed beyond this. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** @param name receiver and integration: `pager/webhook[0]` */
export function makeReceiverMailbox(name: string): Mailbox<Delivery> {
  return makeMailbox(`receiver/${name}`, { capacity: 1000, overflow: "backpressure" });
}

/** Runs for ever. */
export const receiverActor = Effect.fnUntraced(function* (
  name: string,
  mailbox: Mailbox<Delivery>,
  countersOf: () => IntegrationCounters,
) {
  const places = yield* Semaphore.make(DELIVERIES);
  while (true) {
    yield* places.take(1);
    const delivery = yield* mailbox.take.pipe(Effect.onInterrupt(() => places.release(1)));
    yield* spawn(
      `delivery to ${name}`,
      deliver(name, delivery, countersOf()).pipe(
        Effect.onExit(() => {
          // Does nothing when the delivery has been answered.
          delivery.done({ ok: false, stopped: true, reason: `receiver ${name} stopped` });
          return places.release(1);
        }),
      ),
    );
  }
});

const deliver = Effect.fnUntraced(function* (name: string, delivery: Delivery, counters: IntegrationCounters) {
  const begun = yield* Clock.currentTimeMillis;
  for (let tries = 1, pause = FIRST_PAUSE_MS; ; tries++, pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
    const started = performance.now();
    const attempt = yield* Effect.tryPromise((signal) => delivery.attempt(signal)).pipe(
      Effect.catch((e) => Effect.succeed<Attempt>({ ok: false, retry: true, reason: String(e.cause) })),
    );
    count(counters, attempt.ok, (performance.now() - started) / 1000);
    if (attempt.ok) {
      counters.sent++;
      delivery.done({ ok: true });
      return;
    }
    const now = yield* Clock.currentTimeMillis;
    const asked = Math.min(attempt.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS);
    // It is waited for beyond the deadline, but not for ever.
    const deadline = asked > 0 ? Math.max(delivery.deadline, begun + LONGEST_RETRY_AFTER_MS) : delivery.deadline;
    const wait = Math.max(asked, pause * (yield* Random.nextBetween(0.5, 1.5)));
    if (!attempt.retry || now + wait > deadline) {
      counters.failed++;
      const reason = `${attempt.reason} (${tries} ${tries === 1 ? "attempt" : "attempts"})`;
      yield* Effect.logError(`notification of ${delivery.alerts.length} alerts to ${name} failed: ${reason}`);
      delivery.done({ ok: false, reason });
      return;
    }
    delivery.failed(tries, attempt.reason);
    if (tries === 1) yield* Effect.logWarning(`notification to ${name} will be tried again: ${attempt.reason}`);
    yield* Effect.sleep(wait);
  }
});

function count(counters: IntegrationCounters, ok: boolean, seconds: number): void {
  counters.requests++;
  if (!ok) counters.requestsFailed++;
  counters.latencySeconds += seconds;
  for (const [i, bound] of NOTIFY_LATENCY_BUCKETS.entries()) {
    if (seconds <= bound) counters.latencyBuckets[i] = (counters.latencyBuckets[i] ?? 0) + 1;
  }
}
