import {
  type Consumer,
  type ConsumerInfo,
  type ConsumerMessages,
  DeliverPolicy,
  type DeliverPolicy as DeliverPolicyType,
  jetstream,
} from "@nats-io/jetstream";
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
  /** Unix ms: where there are more than `limit`, those around it are read, most of them from before; absent: the oldest. */
  readonly around?: number;
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
  /** There were more, before or after these, or they did not come in time. */
  readonly truncated: boolean;
  /** When the oldest message that the stream has was stored, Unix ms; undefined when it is empty. */
  readonly begin: number | undefined;
}

export type ReadHistory = (request: HistoryRequest) => Promise<HistoryAnswer>;

const STREAMS = { alerts: ALERTS_STREAM, notifications: NOTIFICATIONS_STREAM };
const PART = 1000;
/** Of the messages around a time, those from before it. */
const BEFORE = 0.75;
/** How the distance from the time grows while it may hold more messages, and how many distances are tried. */
const FARTHER = 8;
const MOST_LOOKS = 8;

/** Where a consumer begins: nothing is read from it but how much lies behind its beginning, unless it is the one that is read. */
interface Place {
  readonly consumer: Consumer;
  readonly info: ConsumerInfo;
}

type Start = { deliver_policy: DeliverPolicyType; opt_start_time?: string; opt_start_seq?: number };

/** Reads the streams of history. Rejects when the bus is away, or with what the client says. */
export function historyReader(bus: Bus): ReadHistory {
  return async ({ stream, subjects, from, around, lastOnly, limit, patienceMs }) => {
    const until = performance.now() + patienceMs;
    if (!bus.connected()) throw new Error(`the bus at ${bus.url} is not connected`);
    const name = STREAMS[stream];
    const { state } = await within(bus.jsm.streams.info(name), patienceMs);
    const begin = state.messages === 0 ? undefined : Date.parse(String(state.first_ts));
    if (subjects.length === 0 || state.messages === 0) return { messages: [], truncated: false, begin };
    const { consumers } = jetstream(bus.nc);
    const made: Consumer[] = [];
    const place = async (start: Start): Promise<Place> => {
      const filter = { filter_subjects: [...subjects], inactive_threshold: 5_000_000_000 };
      const consumer = await within(consumers.get(name, { ...filter, ...start }), until - performance.now());
      made.push(consumer);
      return { consumer, info: await within(consumer.info(), until - performance.now()) };
    };
    try {
      const first = await place(
        lastOnly === true
          ? { deliver_policy: DeliverPolicy.LastPerSubject }
          : from === undefined || from <= (begin ?? 0)
            ? { deliver_policy: DeliverPolicy.All }
            : startAt(from),
      );
      const isMuch = first.info.num_pending > limit && lastOnly !== true && around !== undefined;
      const at = isMuch ? await nearest(place, first, around, limit) : first;
      const { messages, left } = await readFrom(at, limit, until);
      return { messages, truncated: left > 0 || at !== first, begin };
    } finally {
      for (const consumer of made) void consumer.delete().catch(() => false);
    }
  };
}

function startAt(time: number): Start {
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(time).toISOString() };
}

/**
 * The place from which about `limit` messages lie around a time. How many of a subject there are before a message can be asked only by
 * a consumer that begins there, so that the distance is tried: first so short that it holds few enough whatever they are.
 */
async function nearest(
  place: (start: Start) => Promise<Place>,
  first: Place,
  around: number,
  limit: number,
): Promise<Place> {
  const oldest = first.info.delivered.stream_seq + 1;
  const { info } = await place(startAt(around));
  const time = info.delivered.stream_seq + 1;
  const room = Math.floor(BEFORE * limit);
  if (first.info.num_pending - info.num_pending <= room) return first;
  let best = first;
  let near = 0;
  let far = time - oldest;
  for (let looks = 0, back = room; looks < MOST_LOOKS && far - near > near / 2; looks++) {
    const next = await place({ deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: time - back });
    if (next.info.num_pending - info.num_pending > room) far = back;
    else {
      near = back;
      best = next;
    }
    back = near * FARTHER < far ? near * FARTHER : Math.ceil(Math.sqrt(near * far));
  }
  return best;
}

async function readFrom(
  { consumer, info }: Place,
  limit: number,
  until: number,
): Promise<{ messages: HistoryMessage[]; left: number }> {
  const messages: HistoryMessage[] = [];
  let left = info.num_pending;
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
  return { messages, left };
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the bus does not answer")), Math.max(1, ms));
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
