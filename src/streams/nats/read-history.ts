import { type ConsumerMessages, DeliverPolicy, jetstream } from "@nats-io/jetstream";
import type { Bus } from "./bus.ts";
import { ALERTS_STREAM, NOTIFICATIONS_STREAM } from "./subjects.ts";

/** One message of a stream of history. */
export interface HistoryMessage {
  readonly subject: string;
  /** When it was stored, Unix ms. */
  readonly time: number;
  readonly data: Uint8Array;
}

export interface HistoryRequest {
  readonly stream: "alerts" | "notifications";
  /** Exact ones, or with wildcards. None: nothing is read. */
  readonly subjects: readonly string[];
  /** Unix ms; absent: from the beginning. */
  readonly from?: number;
  /** The newest one of each subject alone. */
  readonly lastOnly?: boolean;
  /** At most so many messages. */
  readonly limit: number;
  /** At most so long. */
  readonly patienceMs: number;
}

export interface HistoryAnswer {
  /** In their order, without what is beyond the limits. */
  readonly messages: readonly HistoryMessage[];
  /** There were more, or they did not come in time. */
  readonly truncated: boolean;
  /** When the oldest message that the stream has was stored, Unix ms; undefined when it is empty. */
  readonly begin: number | undefined;
}

export type ReadHistory = (request: HistoryRequest) => Promise<HistoryAnswer>;

const STREAMS = { alerts: ALERTS_STREAM, notifications: NOTIFICATIONS_STREAM };
const PART = 1000;

/** Reads the streams of history. Rejects when the bus is away, or with what the client says. */
export function historyReader(bus: Bus): ReadHistory {
  return async ({ stream, subjects, from, lastOnly, limit, patienceMs }) => {
    const until = performance.now() + patienceMs;
    if (!bus.connected()) throw new Error(`the bus at ${bus.url} is not connected`);
    const name = STREAMS[stream];
    const { state } = await within(bus.jsm.streams.info(name), patienceMs);
    const begin = state.messages === 0 ? undefined : Date.parse(String(state.first_ts));
    if (subjects.length === 0 || state.messages === 0) return { messages: [], truncated: false, begin };
    const policy =
      lastOnly === true
        ? { deliver_policy: DeliverPolicy.LastPerSubject }
        : from === undefined || from <= (begin ?? 0)
          ? { deliver_policy: DeliverPolicy.All }
          : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(from).toISOString() };
    const { consumers } = jetstream(bus.nc);
    const consumer = await within(
      consumers.get(name, { filter_subjects: [...subjects], inactive_threshold: 5_000_000_000, ...policy }),
      until - performance.now(),
    );
    const messages: HistoryMessage[] = [];
    let left = (await within(consumer.info(), until - performance.now())).num_pending;
    while (left > 0 && messages.length < limit && performance.now() < until) {
      const max = Math.min(PART, left, limit - messages.length);
      const batch: ConsumerMessages = await consumer.fetch({ max_messages: max, expires: 1000 });
      const stop = setTimeout(() => void batch.close(), Math.max(1, until - performance.now()));
      const before = messages.length;
      for await (const m of batch) {
        messages.push({ subject: m.subject, time: m.time.getTime(), data: m.data });
        left = m.info.pending;
      }
      clearTimeout(stop);
      if (messages.length === before) break;
    }
    void consumer.delete().catch(() => false);
    return { messages, truncated: left > 0, begin };
  };
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the bus does not answer")), Math.max(1, ms));
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
