import type * as Effect from "effect/Effect";
import type { EventPublisher } from "../../model/alerts.ts";
import { type EventOutlet, makeEventOutlet } from "../notify/event-outlet.ts";

/** One event of alerting, as a stream or this process has it. */
export interface HistoryEvent {
  readonly subject: string;
  /** Unix ms. */
  readonly time: number;
  readonly event: Readonly<Record<string, unknown>>;
  /** `memory`: the stream may have it as well. */
  readonly from: "stream" | "memory";
}

/**
 * What alerting does, on its way into the streams, and the newest of it here, so that it can be told while the bus is away.
 *
 * Invariants:
 * - At most `capacity` events are kept; the oldest go, and `since` says from when on all are there.
 * - Never blocks and never throws.
 */
export interface AlertHistory {
  /** Keeps an event that somebody else publishes. */
  keep(subject: string, event: unknown): void;
  /** Keeps an event and publishes it. */
  record(subject: string, event: Readonly<Record<string, unknown>>): void;
  /** Those that are kept with one of these subjects, in the order in which they came. */
  recent(subjects: ReadonlySet<string>): HistoryEvent[];
  /** Those whose subject begins so. */
  recentBelow(prefix: string): HistoryEvent[];
  /** From when on all events are kept here, Unix ms. */
  since(): number;
  /** Counts the events of an outlet that somebody else has, too. */
  watch(name: string, outlet: Pick<EventOutlet, "waiting" | "dropped">): void;
  /** What waits for the streams, and what they will never have, since there was too much while the bus was away. */
  outlets(): { readonly name: string; readonly waiting: number; readonly dropped: number }[];
  /** Publishes what is recorded; does not return. */
  readonly run: Effect.Effect<never>;
}

const CAPACITY = 10_000;

export function makeAlertHistory(
  publish: EventPublisher,
  now: () => number = Date.now,
  capacity = CAPACITY,
): AlertHistory {
  const outlet = makeEventOutlet("alert-history", publish);
  const outlets = new Map<string, Pick<EventOutlet, "waiting" | "dropped">>([["alert-history", outlet]]);
  const ring: HistoryEvent[] = [];
  let oldest = 0;
  let since = now();
  const keep = (subject: string, event: unknown): void => {
    const record = event as HistoryEvent["event"];
    const said = typeof record.time === "string" ? Date.parse(record.time) : Number.NaN;
    const kept: HistoryEvent = { subject, time: Number.isNaN(said) ? now() : said, event: record, from: "memory" };
    if (ring.length < capacity) {
      ring.push(kept);
      return;
    }
    since = Math.max(since, (ring[oldest] as HistoryEvent).time);
    ring[oldest] = kept;
    oldest = (oldest + 1) % capacity;
  };
  const select = (wanted: (subject: string) => boolean): HistoryEvent[] => {
    const out: HistoryEvent[] = [];
    for (let i = 0; i < ring.length; i++) {
      const event = ring[(oldest + i) % ring.length] as HistoryEvent;
      if (wanted(event.subject)) out.push(event);
    }
    return out;
  };
  return {
    keep,
    record: (subject, event) => {
      keep(subject, event);
      outlet.offer(subject, event);
    },
    recent: (subjects) => select((s) => subjects.has(s)),
    recentBelow: (prefix) => select((s) => s.startsWith(prefix)),
    since: () => since,
    watch: (name, other) => {
      outlets.set(name, other);
    },
    outlets: () => Array.from(outlets, ([name, o]) => ({ name, waiting: o.waiting(), dropped: o.dropped() })),
    run: outlet.run,
  };
}
