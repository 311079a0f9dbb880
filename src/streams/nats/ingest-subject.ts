import { AckPolicy, DeliverPolicy, type JsMsg, jetstream } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import { type Ingest, MalformedBody, TryLater } from "../../model/ingest.ts";
import type { Bus } from "./bus.ts";
import { ingestMessage } from "./ingest-message.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import { type Say, sayEachReasonSometimes, saySilently } from "./say.ts";
import { INGEST_STREAM, ingestSubject } from "./subjects.ts";

/**
 * What agents publish to tocsin.ingest.<tenant>. The stream INGEST acknowledges to the agent; this reads the stream into the
 * gateway and acknowledges a message only when its samples are in the partitions' streams, so a crash anywhere repeats it
 * (with the same sample times) and loses nothing. A message that can never be taken is counted, said and terminated: it
 * does not hold up the others.
 */
export interface IngestReader {
  stats(): IngestReaderStats;
  /** Resolves after close(); rejects when reading cannot go on (the stream or the consumer is gone). */
  readonly ended: Promise<void>;
  /** Finishes the messages at hand, then ends. */
  close(): Promise<void>;
}

export interface IngestReaderStats {
  /** Messages whose samples are in the partitions' streams now. */
  readonly messages: number;
  readonly samplesAccepted: number;
  /** Samples of good messages that were not taken, by reason. */
  readonly samplesRejected: Readonly<Record<string, number>>;
  /** Messages that were terminated, by reason. */
  readonly messagesRefused: Readonly<Record<string, number>>;
  /** Times a message was put off, because the partitions' streams did not take it then. */
  readonly messagesPutOff: number;
}

export interface IngestReaderOptions {
  /** Messages in the gateway at once; default 16. */
  readonly concurrency?: number;
  readonly say?: Say;
}

const CONSUMER = "gateway";
const ACK_WAIT_MS = 30_000;
const RETRY_MS = 1_000;
const MAX_BYTES_AHEAD = 16 << 20;
/** A message that failed this often for a reason that nobody foresaw is refused. */
const MAX_UNFORESEEN = 5;

/** Starts reading. Several processes may: each message goes to one of them. Rejects when the stream is not provisioned. */
export async function readIngestSubject(
  bus: Bus,
  ingest: Ingest,
  options: IngestReaderOptions = {},
): Promise<IngestReader> {
  const concurrency = options.concurrency ?? 16;
  const say = sayEachReasonSometimes("warn", options.say ?? saySilently);
  await bus.ready();
  await bus.jsm.consumers.add(INGEST_STREAM, {
    durable_name: CONSUMER,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: 4 * concurrency,
  });
  const consumer = await jetstream(bus.nc).consumers.get(INGEST_STREAM, CONSUMER);
  const incoming = await consumer.consume({ max_bytes: MAX_BYTES_AHEAD, abort_on_missing_resource: true });

  const samplesRejected: Record<string, number> = {};
  const messagesRefused: Record<string, number> = {};
  let messages = 0;
  let samplesAccepted = 0;
  let messagesPutOff = 0;

  const refuse = (m: JsMsg, reason: string, why: string) => {
    messagesRefused[reason] = (messagesRefused[reason] ?? 0) + 1;
    say(reason, `message ${m.seq} on ${m.subject} is refused: ${why}`);
    m.term(why.slice(0, 200));
  };

  const putOff = (m: JsMsg, delayMs: number, why: string) => {
    messagesPutOff++;
    say("put_off", `message ${m.seq} on ${m.subject} is put off: ${why}`);
    m.nak(delayMs);
  };

  const handle = async (m: JsMsg) => {
    // Longer waits than the consumer's patience are possible while the partitions' streams are away.
    const patience = setInterval(() => m.working(), ACK_WAIT_MS / 3);
    try {
      const result = await ingestMessage(ingest, {
        tenant: m.subject.slice(ingestSubject("").length),
        contentType: header(m, "content-type"),
        contentEncoding: header(m, "content-encoding"),
        body: m.data,
        storedAt: Math.floor(m.info.timestampNanos / 1e6),
      });
      messages++;
      samplesAccepted += result.accepted;
      for (const r of result.rejected) {
        samplesRejected[r.reason] = (samplesRejected[r.reason] ?? 0) + r.count;
        say(r.reason, `${r.count} samples of message ${m.seq} on ${m.subject} are rejected: ${r.message}`);
      }
      m.ack();
    } catch (error) {
      if (error instanceof MalformedBody) refuse(m, error.reason, error.message);
      else if (error instanceof TryLater) putOff(m, error.retryAfterSeconds * 1_000, error.message);
      else if (m.info.deliveryCount >= MAX_UNFORESEEN) refuse(m, "internal_error", messageOf(error));
      else putOff(m, 1_000, messageOf(error));
    } finally {
      clearInterval(patience);
    }
  };

  const inHand = new Set<Promise<void>>();
  const run = async () => {
    try {
      for await (const m of incoming) {
        const work: Promise<void> = handle(m).finally(() => inHand.delete(work));
        inHand.add(work);
        if (inHand.size >= concurrency) await Promise.race(inHand);
      }
    } finally {
      await Promise.all(inHand);
    }
  };
  const ended = run();
  ended.catch(() => {});
  return {
    stats: () => ({ messages, samplesAccepted, samplesRejected, messagesRefused, messagesPutOff }),
    ended,
    close: async () => {
      await incoming.close();
      await ended.catch(() => {});
    },
  };
}

/**
 * The reader as a supervised child: never returns, fails when reading cannot go on. It waits for a server that cannot give it its
 * consumer (whose disk is full, say, or that is away): a new start of this would change nothing.
 */
export const ingestSubjectChild = (
  bus: Bus,
  ingest: Ingest,
  options: IngestReaderOptions = {},
  onUp: (reader: IngestReader) => void = () => {},
): Effect.Effect<never, NatsError, Scope.Scope> =>
  Effect.gen(function* () {
    const failed = (error: unknown) =>
      new NatsError("provisioning", `stream ${INGEST_STREAM}: ${messageOf(error)}`, { cause: error });
    const say = sayEachReasonSometimes("warn", options.say ?? saySilently);
    const open = Effect.acquireRelease(
      Effect.tryPromise({ try: () => readIngestSubject(bus, ingest, options), catch: failed }),
      (r) => Effect.promise(() => r.close()),
    );
    let opened = yield* Effect.result(open);
    while (Result.isFailure(opened)) {
      if (bus.nc.isClosed()) return yield* Effect.fail(opened.failure);
      say("waits", `${opened.failure.message}: what agents publish is not read until that works`);
      yield* Effect.sleep(RETRY_MS);
      opened = yield* Effect.result(open);
    }
    const reader = opened.success;
    onUp(reader);
    yield* Effect.tryPromise({ try: () => reader.ended, catch: failed });
    return yield* Effect.fail(failed("the connection was closed"));
  });

/** Clients spell header names as they like. */
function header(m: JsMsg, lowerCaseName: string): string {
  for (const [name, values] of m.headers ?? []) if (name.toLowerCase() === lowerCaseName) return values[0] ?? "";
  return "";
}
