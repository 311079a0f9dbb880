import { randomUUID } from "node:crypto";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { EventPublisher } from "../../model/alerts.ts";
import { makeMailbox } from "../runtime/mailbox.ts";

/**
 * Events on their way to a stream. Alerting goes on when the bus is down or slow, so they wait here: at most CAPACITY events
 * and CAPACITY_BYTES, beyond which the oldest are dropped and counted. They are published in order, at most IN_FLIGHT of them
 * without an acknowledgement, and each again, with the same id, until it is taken: one that was refused may then come behind
 * the few that were published beside it.
 */
export interface EventOutlet {
  /** @param options `msgId`: the same whenever the same event is offered again; `done`: hears that the stream has it */
  offer(subject: string, event: unknown, options?: EventOptions): void;
  readonly run: Effect.Effect<never>;
  /** Events that the stream has still to take, but for those that are under way. */
  waiting(): number;
  /** Events that the stream will never have. */
  dropped(): number;
}

export interface EventOptions {
  readonly msgId?: string;
  readonly done?: () => void;
}

export interface OutletBounds {
  readonly events: number;
  readonly bytes: number;
}

interface Waiting {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly msgId: string;
  readonly done: (() => void) | undefined;
}

interface Refused {
  readonly error: unknown;
}

/** The transitions of a hundred thousand instances that fire at once, with room to spare. */
const BOUNDS: OutletBounds = { events: 250_000, bytes: 128 << 20 };
/** The bus takes so many well within the time after which an acknowledgement is given up. */
const IN_FLIGHT = 128;
const RETRY_MS = 1000;
/** Between two log lines of what was dropped. */
const TELL_MS = 60_000;

/** @param keep hears of each event that is offered */
export function makeEventOutlet(
  name: string,
  publish: EventPublisher,
  keep?: (subject: string, event: unknown) => void,
  bounds = BOUNDS,
): EventOutlet {
  const wake = makeMailbox<void>(name, { capacity: 1, overflow: "dropNewest" });
  const encoder = new TextEncoder();
  // Sent again because its acknowledgement was lost, an event is still one event.
  const ids = randomUUID();
  let count = 0;
  const waiting: Waiting[] = [];
  /** Those before it are gone. */
  let head = 0;
  let bytes = 0;
  let dropped = 0;
  let failing = false;
  let told = { dropped: 0, at: Number.NEGATIVE_INFINITY };

  const next = (): Waiting => {
    const event = waiting[head] as Waiting;
    bytes -= event.payload.length;
    // Half of the array at a time, so that it costs nothing an event.
    if (++head * 2 > waiting.length) {
      waiting.splice(0, head);
      head = 0;
    }
    return event;
  };
  /** Resolves with why it was refused. */
  const tryOnce = ({ subject, payload, msgId, done }: Waiting): Promise<Refused | undefined> => {
    const refused = (error: unknown): Refused => ({ error });
    try {
      return publish(subject, payload, msgId).then(() => {
        failing = false;
        done?.();
        return undefined;
      }, refused);
    } catch (error) {
      return Promise.resolve(refused(error));
    }
  };
  const tellDropped = Effect.fnUntraced(function* () {
    const now = yield* Clock.currentTimeMillis;
    if (dropped === told.dropped || now - told.at < TELL_MS) return;
    const lost = dropped - told.dropped;
    told = { dropped, at: now };
    yield* Effect.logWarning(
      `${name}: ${lost} events were dropped, the oldest ones, since too many wait for the bus: records of that time have a gap`,
    );
  });
  /** Until it is taken. */
  const again = Effect.fnUntraced(function* (event: Waiting, first: Refused) {
    for (let refused: Refused | undefined = first; refused !== undefined; ) {
      if (!failing) {
        failing = true;
        yield* Effect.logWarning(
          `${name}: events wait, ${event.subject} does not take them (${String(refused.error)})`,
        );
      }
      yield* Effect.sleep(RETRY_MS);
      yield* tellDropped();
      refused = yield* Effect.promise(() => tryOnce(event));
    }
  });
  /** All at once, and those that were refused again. A fiber an event is for these alone: an alert storm has very many. */
  const publishAll = Effect.fnUntraced(function* (batch: readonly Waiting[]) {
    const tried = yield* Effect.promise(() => Promise.all(batch.map(tryOnce)));
    const left = batch.flatMap((event, i) => {
      const refused = tried[i];
      return refused === undefined ? [] : [again(event, refused)];
    });
    if (left.length > 0) yield* Effect.all(left, { concurrency: "unbounded", discard: true });
  });

  return {
    offer: (subject, event, { msgId = `${ids}-${count++}`, done } = {}) => {
      keep?.(subject, event);
      const payload = encoder.encode(JSON.stringify(event));
      waiting.push({ subject, payload, msgId, done });
      bytes += payload.length;
      while (waiting.length - head > bounds.events || bytes > bounds.bytes) {
        next();
        dropped++;
      }
      wake.offer();
    },
    run: Effect.gen(function* () {
      while (true) {
        yield* tellDropped();
        const batch: Waiting[] = [];
        while (batch.length < IN_FLIGHT && waiting.length > head) batch.push(next());
        if (batch.length === 0) yield* wake.take;
        else yield* publishAll(batch);
      }
    }),
    waiting: () => waiting.length - head,
    dropped: () => dropped,
  };
}
