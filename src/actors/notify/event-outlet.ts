import * as Effect from "effect/Effect";
import type { EventPublisher } from "../../model/alerts.ts";
import { makeMailbox } from "../runtime/mailbox.ts";

/**
 * Events on their way to a stream. Alerting goes on when the bus is down, so they wait here: at most CAPACITY, the oldest
 * are dropped and counted. Published in order, one at a time, each retried until it is taken.
 */
export interface EventOutlet {
  offer(subject: string, event: unknown): void;
  readonly run: Effect.Effect<never>;
  dropped(): number;
}

const CAPACITY = 10_000;
const RETRY_MS = 1000;

export function makeEventOutlet(name: string, publish: EventPublisher): EventOutlet {
  const mailbox = makeMailbox<{ subject: string; payload: Uint8Array }>(name, {
    capacity: CAPACITY,
    overflow: "dropOldest",
  });
  const encoder = new TextEncoder();
  return {
    offer: (subject, event) => {
      mailbox.offer({ subject, payload: encoder.encode(JSON.stringify(event)) });
    },
    run: Effect.gen(function* () {
      let failing = false;
      while (true) {
        const { subject, payload } = yield* mailbox.take;
        while (true) {
          const error = yield* Effect.tryPromise(() => publish(subject, payload)).pipe(
            Effect.as(undefined),
            Effect.catch((e) => Effect.succeed(e.cause)),
          );
          if (error === undefined) break;
          if (!failing)
            yield* Effect.logWarning(`${name}: events wait, ${subject} does not take them (${String(error)})`);
          failing = true;
          yield* Effect.sleep(RETRY_MS);
        }
        failing = false;
      }
    }),
    dropped: () => mailbox.stats().dropped,
  };
}
