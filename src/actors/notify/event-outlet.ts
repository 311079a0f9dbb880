import * as Effect from "effect/Effect";
import type { EventPublisher } from "../../model/alerts.ts";
import { makeMailbox } from "../runtime/mailbox.ts";

/**
 * Events on their way to a stream. Alerting goes on when the bus is down, so they wait here: at most CAPACITY, the oldest
 * are dropped and counted. Published in order, one at a time, each retried until it is taken.
 */
export interface EventOutlet {
  /** @param options `msgId`: the same whenever the same event is offered again; `done`: hears that the stream has it */
  offer(subject: string, event: unknown, options?: EventOptions): void;
  readonly run: Effect.Effect<never>;
  dropped(): number;
}

export interface EventOptions {
  readonly msgId?: string;
  readonly done?: () => void;
}

const CAPACITY = 10_000;
const RETRY_MS = 1000;

export function makeEventOutlet(name: string, publish: EventPublisher): EventOutlet {
  const mailbox = makeMailbox<{ subject: string; payload: Uint8Array; options: EventOptions }>(name, {
    capacity: CAPACITY,
    overflow: "dropOldest",
  });
  const encoder = new TextEncoder();
  return {
    offer: (subject, event, options = {}) => {
      mailbox.offer({ subject, payload: encoder.encode(JSON.stringify(event)), options });
    },
    run: Effect.gen(function* () {
      let failing = false;
      while (true) {
        const { subject, payload, options } = yield* mailbox.take;
        while (true) {
          const error = yield* Effect.tryPromise(() => publish(subject, payload, options.msgId)).pipe(
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
        options.done?.();
      }
    }),
    dropped: () => mailbox.stats().dropped,
  };
}
