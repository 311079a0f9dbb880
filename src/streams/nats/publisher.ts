import { createInbox, headers, type Msg, type MsgHdrs, type Subscription } from "@nats-io/transport-node";
import { TryLater } from "../../model/ingest.ts";
import type { FramePublisher, Stored } from "../ingest/partition-queue.ts";
import type { Bus } from "./bus.ts";
import { statusCode } from "./js-status.ts";
import { makeStreamTokens } from "./stream-tokens.ts";
import { samplesSubject } from "./subjects.ts";

export interface PublisherOptions {
  /** After this a frame without acknowledgement is given up (TryLater); default 10 s: senders wait 30 s at most. */
  readonly deadlineMs?: number;
  /** A frame without any answer is sent again after this; default 5 s. */
  readonly attemptMs?: number;
  /** Why the bus stores nothing now, where that is known (its disk is full): frames are given up at once. */
  readonly trouble?: () => string | undefined;
  /** Told of each answer that no stream takes the subject: somebody may have deleted it. */
  readonly onNoStream?: () => void;
}

export interface PublisherStats {
  readonly acknowledged: number;
  /** Frames sent again: after a reconnect, a timeout or a refusal that passes. */
  readonly retried: number;
  /** Acknowledged as already stored: a retry whose first copy had arrived. */
  readonly duplicates: number;
  readonly failed: number;
  readonly inFlight: number;
}

/** Publishes to streams with acknowledgement, as often as it takes, and never twice into the stream. */
export interface JetStreamPublisher extends FramePublisher {
  /** To any subject that a stream has. `payload` must not change until the promise settles. */
  publishTo(subject: string, payload: Uint8Array, msgId: string): Promise<void>;
  stats(): PublisherStats;
  /** From now on a frame is given up after this at the latest, those in flight included: the process is about to end. */
  hurry(withinMs: number): void;
  /** Gives up what is in flight (TryLater). */
  close(): void;
}

interface Pending {
  readonly token: string;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: MsgHdrs;
  deadline: number;
  /** When to send again unless answered; Infinity while disconnected. */
  sendAgainAt: number;
  refusals: number;
  lastRefusal: string;
  resolve(sequence: number): void;
  reject(error: Error): void;
}

/** What the server answers when a stream or its storage is full: waiting does not help, consuming does. */
const FULL: ReadonlySet<number> = new Set([10002, 10023, 10028, 10047, 10077]);
const FIRST_REFUSAL_RETRY_MS = 50;
const SWEEP_MS = 25;

/**
 * Makes a publisher on a connection. Each frame is sent with its message id, and sent again with the same id when the
 * connection was lost meanwhile (the client drops what is published while disconnected), when no answer comes, or when the
 * stream is not there for the moment; the stream's duplicate window makes that harmless. Frames that wait are sent again in
 * the order in which they were published.
 *
 * Rejects with TryLater: "stream_full" when the stream refuses, "bus_unavailable" after the deadline or when it is known that
 * the bus stores nothing. After the latter the frame may nevertheless be in the stream.
 */
export function jetStreamPublisher(bus: Bus, options: PublisherOptions = {}): JetStreamPublisher {
  let deadlineMs = options.deadlineMs ?? 10_000;
  const attemptMs = options.attemptMs ?? 5_000;
  const inbox = createInbox();
  const pending = new Map<string, Pending>();
  let nextToken = 0;
  let acknowledged = 0;
  let retried = 0;
  let duplicates = 0;
  let failed = 0;
  let sweeper: NodeJS.Timeout | undefined;
  let closed = false;

  const send = (p: Pending) => {
    if (!bus.connected()) {
      p.sendAgainAt = Number.POSITIVE_INFINITY;
      return;
    }
    p.sendAgainAt = performance.now() + attemptMs;
    try {
      listen();
      bus.nc.publish(p.subject, p.payload, { headers: p.headers, reply: `${inbox}.${p.token}` });
    } catch (error) {
      // Too large for the server, or the connection was closed for good.
      settle(p, error instanceof Error ? error : new Error(String(error)));
    }
  };

  const settle = (p: Pending, outcome: number | Error) => {
    if (!pending.delete(p.token)) return;
    if (typeof outcome === "number") {
      acknowledged++;
      p.resolve(outcome);
    } else {
      failed++;
      p.reject(outcome);
    }
    if (pending.size === 0 && sweeper !== undefined) {
      clearInterval(sweeper);
      sweeper = undefined;
    }
  };

  const refused = (p: Pending, why: string) => {
    p.lastRefusal = why;
    p.sendAgainAt = performance.now() + Math.min(FIRST_REFUSAL_RETRY_MS * 2 ** p.refusals++, 1_000);
  };

  const onAnswer = (_: Error | null, msg: Msg) => {
    const p = pending.get(msg.subject.slice(inbox.length + 1));
    if (p === undefined) return;
    if (statusCode(msg) === 503) {
      refused(p, `no stream takes ${p.subject}`);
      tokens.forget();
      options.onNoStream?.();
      return;
    }
    const answer = parseAnswer(msg);
    if (answer.error === undefined) {
      if (answer.duplicate === true) duplicates++;
      settle(p, answer.seq ?? 0);
    } else if (FULL.has(answer.error.err_code)) {
      settle(p, streamFull(p.subject, answer.error.description));
    } else {
      refused(p, answer.error.description);
    }
  };

  const sweep = () => {
    const now = performance.now();
    const trouble = options.trouble?.();
    for (const p of pending.values()) {
      if (trouble !== undefined) settle(p, unavailable(bus, trouble));
      else if (now >= p.deadline) settle(p, unavailable(bus, p.lastRefusal));
      else if (now >= p.sendAgainAt) {
        retried++;
        send(p);
      }
    }
  };

  let subscription: Subscription | undefined;
  /** A bus may be there later than this. */
  const listen = () => {
    subscription ??= bus.nc.subscribe(`${inbox}.*`, { callback: onAnswer });
  };
  if (bus.connected()) listen();
  const tokens = makeStreamTokens(bus);
  const stopListening = bus.onReconnect(() => {
    listen();
    tokens.forget();
    for (const p of pending.values()) {
      retried++;
      send(p);
    }
  });

  /** Resolves to the sequence in the stream. */
  const store = (subject: string, payload: Uint8Array, msgId: string) =>
    new Promise<number>((resolve, reject) => {
      if (closed) return reject(unavailable(bus, "shutting down"));
      const trouble = options.trouble?.();
      if (trouble !== undefined) {
        failed++;
        return reject(unavailable(bus, trouble));
      }
      const h = headers();
      h.set("Nats-Msg-Id", msgId);
      const p: Pending = {
        token: (nextToken++).toString(36),
        subject,
        payload,
        headers: h,
        deadline: performance.now() + deadlineMs,
        sendAgainAt: 0,
        refusals: 0,
        lastRefusal: "",
        resolve,
        reject,
      };
      pending.set(p.token, p);
      sweeper ??= setInterval(sweep, SWEEP_MS);
      send(p);
    });

  return {
    publish: async (partition, frame, msgId): Promise<Stored> => {
      const sequence = await store(samplesSubject(partition), frame, msgId);
      return { sequence, stream: tokens.tokenAt(partition, sequence) };
    },
    publishTo: async (subject, payload, msgId) => {
      await store(subject, payload, msgId);
    },
    stats: () => ({ acknowledged, retried, duplicates, failed, inFlight: pending.size }),
    hurry: (withinMs) => {
      deadlineMs = Math.min(deadlineMs, withinMs);
      const latest = performance.now() + deadlineMs;
      for (const p of pending.values()) p.deadline = Math.min(p.deadline, latest);
    },
    close: () => {
      closed = true;
      stopListening();
      if (subscription !== undefined && !bus.nc.isClosed()) subscription.unsubscribe();
      for (const p of [...pending.values()]) settle(p, unavailable(bus, "shutting down"));
    },
  };
}

interface Answer {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly err_code: number; readonly description: string };
}

function parseAnswer(msg: Msg): Answer {
  try {
    return msg.json<Answer>();
  } catch {
    return { error: { err_code: 0, description: "unreadable acknowledgement" } };
  }
}

function streamFull(subject: string, why: string): TryLater {
  return new TryLater(
    "stream_full",
    503,
    5,
    `the stream of ${subject} is full (${why}): its samples wait to be stored; raise streams.max_size if this lasts`,
  );
}

function unavailable(bus: Bus, why: string): TryLater {
  const detail = why !== "" ? why : bus.connected() ? "no acknowledgement" : "not connected";
  return new TryLater("bus_unavailable", 503, 2, `NATS at ${bus.url} does not take samples (${detail})`);
}
