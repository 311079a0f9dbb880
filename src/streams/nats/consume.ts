import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { createInbox, nanos, nuid } from "@nats-io/transport-node";
import { makeArrivals } from "./arrivals.ts";
import type { Bus } from "./bus.ts";
import { type Delivery, openDelivery } from "./delivery.ts";
import type { DeliveredMessage } from "./delivery-parser.ts";
import { parseAckSubject } from "./js-status.ts";
import { messageOf, NatsError } from "./nats-error.ts";
import type { Batch, ConsumeOptions, PartitionFeed } from "./partition-feed.ts";
import { saySilently } from "./say.ts";
import { MAX_PAYLOAD_BYTES } from "./server-conf.ts";
import { letGo, makeSlabs } from "./slabs.ts";
import { type StreamIdentity, streamIdentity } from "./stream-identity.ts";
import { makePurger } from "./stream-purge.ts";

export type { Batch, ConsumeOptions, PartitionFeed } from "./partition-feed.ts";

const DEFAULT_MAX_BYTES = 32 << 20;
const DEFAULT_BATCH_BYTES = 8 << 20;
/** One request must be able to take the largest message with its subject, reply and headers. */
const REQUEST_BYTES = MAX_PAYLOAD_BYTES + (64 << 10);
const REQUEST_MESSAGES = 1_000;
const REQUESTS = 3;
const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 3_000;
const SILENCE_MS = 3 * HEARTBEAT_MS;
/** A consumer whose reader is gone is removed by the server after this. */
const INACTIVE_MS = 300_000;
const DELETE_MS = 1_000;
const ACK_WAIT_MS = 3_600_000;
const PURGE_DELAY_MS = 30_000;

/** A place for a pull request that the server is answering. Messages tell the place that they are for, statuses the request. */
interface Request {
  open: boolean;
  /** Subject of its statuses; another one each time, since a request that had all its messages is told so late. */
  reply: string;
  messagesLeft: number;
  bytesLeft: number;
}

/** Begins to read a partition. Rejects like streamIdentity, and with "stream_replaced" when the stream is another one. */
export async function consumePartition(bus: Bus, partition: number, options: ConsumeOptions): Promise<PartitionFeed> {
  await bus.ready();
  const feed = makeFeed(bus, partition, options, await streamIdentity(bus, partition));
  await feed.begin();
  return feed;
}

function makeFeed(bus: Bus, partition: number, options: ConsumeOptions, stream: StreamIdentity) {
  const say = options.say ?? saySilently;
  const maxBytes = Math.max(options.maxBytes ?? DEFAULT_MAX_BYTES, DEFAULT_MAX_BYTES);
  const maxBatchBytes = options.maxBatchBytes ?? DEFAULT_BATCH_BYTES;

  let closed = false;
  let failure: NatsError | undefined;
  let wake: (() => void) | undefined;

  const endSequence = options.endSequence ?? Number.POSITIVE_INFINITY;
  let nextSequence = options.startSequence;
  const slabs = makeSlabs(maxBytes);
  const arrivals = makeArrivals(slabs);
  let bytesRead = 0;
  let skipped = 0;
  let serverPending = 0;

  let consumer = "";
  let expectedDelivery = 1;
  let delivery: Delivery | undefined;
  /** Start of the subjects of requests; then come the number of the place and one of the request. */
  let inbox = "";
  let asked = 0;
  let requests: Request[] = [];
  let heardAt = performance.now();
  let restarting = false;
  /** Reply subjects by which batches are acknowledged, ascending by last sequence. */
  let ackReplies: { sequence: number; reply: string }[] = [];

  const wakeReader = () => {
    wake?.();
    wake = undefined;
    options.onArrival?.();
  };
  const fail = (error: NatsError) => {
    failure ??= error;
    wakeReader();
  };

  // ---- the consumer on the server ----

  /** Numbers the tries: what a try that was given up still hears is not used. */
  let tries = 0;
  let giveUpTry: () => void = () => {};

  const openConsumer = async () => {
    const number = ++tries;
    const now = await streamIdentity(bus, partition);
    if (now.created !== options.created) {
      throw new NatsError("stream_replaced", `stream ${now.name} was deleted and made anew`);
    }
    if (now.lastSequence + 1 < Math.min(nextSequence, endSequence)) {
      throw new NatsError(
        "stream_replaced",
        `stream ${now.name} ends at ${now.lastSequence}, but ${nextSequence - 1} was read: the server lost messages`,
      );
    }
    const old = consumer;
    const name = `shard-${partition}-${nuid.next()}`;
    const subject = createInbox();
    const opened = await openDelivery(bus, {
      subjects: Array.from({ length: REQUESTS }, (_, i) => `${subject}.${i}.*`),
      slabs,
      onMessage: (message) => {
        if (inbox !== subject || !onMessage(message)) letGo(slabs, message.slab);
      },
      onLost: (why) => {
        if (inbox === subject) restart(why);
      },
    });
    if (number !== tries || closed) {
      opened.close();
      throw new Error("a newer try has begun");
    }
    delivery = opened;
    const info = await bus.jsm.consumers.add(now.name, {
      name,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: nextSequence,
      ack_policy: AckPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: -1,
      inactive_threshold: nanos(INACTIVE_MS),
      mem_storage: true,
      num_replicas: 1,
    });
    if (number !== tries) throw new Error("a newer try has begun");
    if (old !== "") bus.jsm.consumers.delete(now.name, old).catch(() => {});
    consumer = name;
    expectedDelivery = 1;
    serverPending = info.num_pending;
    // Nothing is left of what was wanted: nothing would ever come.
    if (serverPending === 0 && now.lastSequence >= endSequence) {
      nextSequence = endSequence + 1;
      wakeReader();
    }
    inbox = subject;
    requests = Array.from({ length: REQUESTS }, () => ({ open: false, reply: "", messagesLeft: 0, bytesLeft: 0 }));
    heardAt = performance.now();
    ask();
  };

  const dropRequests = () => {
    inbox = "";
    delivery?.close();
    delivery = undefined;
    requests = [];
  };

  /** Makes a new consumer at the next wanted sequence, as often as it takes. */
  const restart = (why: string) => {
    if (restarting || closed || failure !== undefined) return;
    restarting = true;
    dropRequests();
    say("debug", `stream ${stream.name}: reading again from ${nextSequence} (${why})`);
    reopen().catch((error: unknown) => fail(new NatsError("closed", messageOf(error))));
  };

  const reopen = async () => {
    for (let retryMs = 50; !closed; retryMs = Math.min(2 * retryMs, 1_000)) {
      try {
        if (bus.connected()) {
          // A request that was under way when the connection was lost is never answered.
          const lost = new Promise<never>((_, reject) => {
            giveUpTry = () => {
              tries++;
              reject(new Error("the connection was lost"));
            };
          });
          await Promise.race([openConsumer(), lost]);
          break;
        }
      } catch (error) {
        if (error instanceof NatsError || bus.nc.isClosed()) {
          fail(error instanceof NatsError ? error : new NatsError("closed", messageOf(error)));
          break;
        }
        dropRequests();
        say("debug", `stream ${stream.name}: ${messageOf(error)}`);
      }
      await sleep(retryMs);
    }
    restarting = false;
    if (closed) dropRequests();
  };

  /** Sends as many requests as the bound allows. */
  const ask = () => {
    if (closed || !bus.connected()) return;
    let claimed = arrivals.bytes();
    let wanted = endSequence - nextSequence + 1;
    for (const r of requests) {
      if (!r.open) continue;
      claimed += Math.max(r.bytesLeft, 0);
      wanted -= r.messagesLeft;
    }
    for (const [i, r] of requests.entries()) {
      if (r.open || wanted <= 0 || claimed + REQUEST_BYTES > maxBytes) continue;
      r.open = true;
      r.reply = `${inbox}.${i}.${++asked}`;
      r.messagesLeft = Math.min(REQUEST_MESSAGES, wanted);
      r.bytesLeft = REQUEST_BYTES;
      claimed += REQUEST_BYTES;
      wanted -= r.messagesLeft;
      const body = JSON.stringify({
        batch: r.messagesLeft,
        max_bytes: REQUEST_BYTES,
        expires: nanos(EXPIRES_MS),
        idle_heartbeat: nanos(HEARTBEAT_MS),
      });
      bus.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream.name}.${consumer}`, body, { reply: r.reply });
    }
  };

  /** False: the message is not kept. */
  const onMessage = (message: DeliveredMessage): boolean => {
    const { reply, payload, slab } = message;
    const request = requests[message.subscription];
    if (request === undefined) return false;
    heardAt = performance.now();
    if (message.status !== 0) {
      if (message.subject === request.reply) onStatus(request, message.status, message.description);
      return false;
    }
    const info = parseAckSubject(reply);
    if (info === undefined) return false;
    request.messagesLeft--;
    request.bytesLeft -= payload.length;
    if (request.messagesLeft <= 0) request.open = false;
    if (info.consumerSequence !== expectedDelivery) {
      restart(`delivery ${info.consumerSequence} instead of ${expectedDelivery}`);
      return false;
    }
    expectedDelivery++;
    // Delivered again after a long time without acknowledgement: it is here already.
    if (info.streamSequence < nextSequence) return false;
    serverPending = info.pending;
    if (info.streamSequence > endSequence) {
      // The last wanted ones were deleted.
      skipped += endSequence + 1 - nextSequence;
      nextSequence = endSequence + 1;
      wakeReader();
      return false;
    }
    skipped += info.streamSequence - nextSequence;
    nextSequence = info.streamSequence + 1;
    arrivals.push({ sequence: info.streamSequence, payload, slab, storedAt: info.storedAt, reply });
    if (!request.open) ask();
    wakeReader();
    return true;
  };

  const onStatus = (request: Request, code: number, description: string) => {
    if (code === 100) return;
    request.open = false;
    if (code === 408 && endSequence < Number.POSITIVE_INFINITY) {
      // Messages that are there come at once: the last wanted ones were deleted, which a new consumer finds out.
      restart("nothing came");
      return;
    }
    // 408: expired or nothing there; 409: the request's bounds are used up.
    if (code === 408 || (code === 409 && /batch completed|exceeds maxbytes/i.test(description))) ask();
    else restart(`${code} ${description}`);
  };

  const purger = makePurger(bus, stream.name, {
    delayMs: options.purgeDelayMs ?? PURGE_DELAY_MS,
    maxHeldBytes: stream.maxBytes / 4,
    say,
  });

  const watchdog = setInterval(() => {
    purger.sweep(performance.now());
    if (!bus.connected() || restarting || failure !== undefined) return;
    const waiting = nextSequence <= endSequence && requests.some((r) => r.open);
    if (waiting && performance.now() - heardAt > SILENCE_MS) restart("no heartbeat");
    else ask();
  }, 1_000);
  watchdog.unref();
  const stopListening = bus.onReconnect(() => {
    if (restarting) giveUpTry();
    else restart("reconnected");
  });

  // ---- the reader ----

  const poll = (most = maxBatchBytes): Batch | undefined => {
    const taken = closed ? undefined : arrivals.take(most, skipped);
    if (taken !== undefined) {
      const { batch, reply } = taken;
      ackReplies.push({ sequence: batch.sequences.at(-1) as number, reply });
      bytesRead += batch.bytes;
      skipped = 0;
      ask();
      return batch;
    }
    if (failure !== undefined) throw failure;
    return undefined;
  };

  const finished = () => closed || (nextSequence > endSequence && arrivals.count() === 0);

  const next = async (): Promise<Batch | undefined> => {
    for (;;) {
      const batch = poll();
      if (batch !== undefined || finished()) return batch;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };

  const ack = (sequence: number) => {
    const n = ackReplies.findLastIndex((a) => a.sequence <= sequence);
    if (n < 0) return;
    const reply = ackReplies[n]?.reply as string;
    ackReplies = ackReplies.slice(n + 1);
    if (bus.connected() && !closed) bus.nc.publish(reply, "+ACK");
  };

  const close = async () => {
    if (closed) return;
    closed = true;
    clearInterval(watchdog);
    stopListening();
    dropRequests();
    wakeReader();
    if (consumer === "" || !bus.connected()) return;
    // A server that does not answer removes it by itself after INACTIVE_MS.
    const patience = new AbortController();
    const deleted = bus.jsm.consumers.delete(stream.name, consumer).finally(() => patience.abort());
    await Promise.race([deleted, sleep(DELETE_MS, undefined, { signal: patience.signal })]).catch(() => {});
  };

  return {
    stream,
    begin: async () => {
      try {
        await openConsumer();
      } catch (error) {
        await close();
        throw error;
      }
    },
    next,
    poll,
    finished,
    [Symbol.asyncIterator]: (): AsyncIterator<Batch, undefined> => ({
      next: async () => {
        const value = await next();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        await close();
        return { done: true, value: undefined };
      },
    }),
    ack,
    purgeBelow: (sequence: number, otherBytes = 0) => purger.below(sequence, bytesRead + otherBytes),
    pending: () => Math.min(serverPending, Math.max(endSequence - nextSequence + 1, 0)) + arrivals.count(),
    oldestWaiting: arrivals.oldest,
    close,
  };
}
