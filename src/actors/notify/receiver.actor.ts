import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import * as Semaphore from "effect/Semaphore";
import { NOTIFY_LATENCY_BUCKETS } from "../../model/alerts.ts";
import { spawn } from "../runtime/actor.ts";
import { type Mailbox, makeMailbox } from "../runtime/mailbox.ts";
import type { Attempt } from "./webhook.ts";
import type { ToldAlert } from "./webhook-payload.ts";

/**
 * The actor of one receiver: takes notifications and delivers each, trying again with growing pauses until its deadline.
 *
 * Invariants:
 * - Every delivery is answered, also when the actor is stopped or dies.
 * - At most DELIVERIES are under way at a time, so a slow receiver holds up only itself; the others wait in the mailbox.
 */
export interface Delivery {
  readonly integration: string;
  readonly alerts: readonly ToldAlert[];
  /** Makes one attempt. */
  readonly attempt: (signal: AbortSignal) => Promise<Attempt>;
  /** When to give up, Unix ms. */
  readonly deadline: number;
  /** Takes the first answer; further ones are ignored. */
  readonly done: (outcome: Delivered) => void;
}

export type Delivered = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Counters of one integration; they outlive the actor. */
export interface IntegrationCounters {
  sent: number;
  failed: number;
  requests: number;
  requestsFailed: number;
  readonly latencyBuckets: number[];
  latencySeconds: number;
}

export function makeCounters(): IntegrationCounters {
  return {
    sent: 0,
    failed: 0,
    requests: 0,
    requestsFailed: 0,
    latencyBuckets: NOTIFY_LATENCY_BUCKETS.map(() => 0),
    latencySeconds: 0,
  };
}

const DELIVERIES = 16;
/** Alertmanager's pauses: from 0.5 s, growing by half, up to a minute, give or take half. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

export function makeReceiverMailbox(name: string): Mailbox<Delivery> {
  return makeMailbox(`receiver/${name}`, { capacity: 1000, overflow: "backpressure" });
}

/** Runs for ever. */
export const receiverActor = Effect.fnUntraced(function* (
  name: string,
  mailbox: Mailbox<Delivery>,
  countersOf: (integration: string) => IntegrationCounters,
) {
  const places = yield* Semaphore.make(DELIVERIES);
  while (true) {
    yield* places.take(1);
    const delivery = yield* mailbox.take.pipe(Effect.onInterrupt(() => places.release(1)));
    yield* spawn(
      `delivery to ${name}`,
      deliver(name, delivery, countersOf(delivery.integration)).pipe(
        Effect.onExit(() => {
          // Does nothing when the delivery has been answered.
          delivery.done({ ok: false, reason: `receiver ${name} stopped` });
          return places.release(1);
        }),
      ),
    );
  }
});

const deliver = Effect.fnUntraced(function* (name: string, delivery: Delivery, counters: IntegrationCounters) {
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
    const wait = pause * (yield* Random.nextBetween(0.5, 1.5));
    const now = yield* Clock.currentTimeMillis;
    if (!attempt.retry || now + wait >= delivery.deadline) {
      counters.failed++;
      const reason = `${attempt.reason} (${tries} ${tries === 1 ? "attempt" : "attempts"})`;
      yield* Effect.logError(
        `notification of ${delivery.alerts.length} alerts to ${name}/${delivery.integration} failed: ${reason}`,
      );
      delivery.done({ ok: false, reason });
      return;
    }
    if (tries === 1) {
      yield* Effect.logWarning(
        `notification to ${name}/${delivery.integration} will be tried again: ${attempt.reason}`,
      );
    }
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
