/**
 * The fastest way in: an agent's process makes frames itself and publishes them to the partitions' streams, without a gateway
 * in between. docs/nats.md has an example.
 *
 * Invariants:
 * - an append's promise resolves when all its samples are on the bus's disk, and rejects only when they were given up;
 * - at most `maxQueuedBytes` wait, and no append is taken beyond that: wait for `ready()`;
 * - series are announced with their labels until a frame with them is stored, again when they were idle, and when a shard
 *   asks for them.
 */
import { randomBytes } from "node:crypto";
import { TryLater } from "../../model/ingest.ts";
import { type Labels, labelsFromObject, labelValue, METRIC_NAME } from "../../model/labels.ts";
import { formatPositions } from "../../model/position.ts";
import { DEFAULT_TENANT } from "../../model/sample.ts";
import { isTenant } from "../../model/tenant.ts";
import { isEmptyFrame } from "../codec/frame-encode.ts";
import {
  leave,
  makePartitionQueue,
  pump,
  type QueueShared,
  queuedBytes,
  type Stored,
  type Ticket,
} from "../ingest/partition-queue.ts";
import { connectBus } from "../nats/bus.ts";
import { readCluster } from "../nats/cluster.ts";
import { onLabelsRequest } from "../nats/labels-request.ts";
import { jetStreamPublisher } from "../nats/publisher.ts";
import { type Say, saySilently } from "../nats/say.ts";
import { type AppendTarget, appendColumns, checkColumns } from "./append-columns.ts";
import { persistentPublisher } from "./persistent-publisher.ts";
import { ANNOUNCED, bookSeries, makeSeriesBook, markAmbiguous, setState } from "./series-book.ts";

export interface WriterOptions {
  /** `nats://[user:password@]HOST[:4222]` or `tls://…`, several with commas. */
  readonly url: string;
  /** Default `default`. */
  readonly tenant?: string;
  /** Seen in the server's list of connections; default `tocsin writer`. */
  readonly name?: string;
  /** How long to wait for a server that is not there, ms; default for ever. */
  readonly waitMs?: number;
  /** Bytes that may wait to be stored; default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** Frames of a partition that wait for their acknowledgement at the same time; default 4. */
  readonly maxInFlight?: number;
  /** A frame is not filled beyond this; default 256 KiB. */
  readonly maxFrameBytes?: number;
  /** Labels of a series that was idle for so long are sent again, ms; default 1 h. */
  readonly idleMs?: number;
  /** Samples that could not be stored for so long are given up, ms; default never. */
  readonly giveUpMs?: number;
  readonly say?: Say;
}

/** A series of this writer: a number, valid as long as the writer. */
export type SeriesHandle = number;

export interface Written {
  /** For X-Tocsin-Read-After: a query with it sees these samples. Undefined when there were none. */
  readonly position: string | undefined;
}

export interface WriterStats {
  readonly series: number;
  readonly samplesStored: number;
  readonly framesStored: number;
  readonly bytesStored: number;
  /** Frames that were given up. */
  readonly framesFailed: number;
  readonly queuedBytes: number;
}

export interface Writer {
  /** The handle of a series; the same labels give the same one. Throws RangeError for labels that cannot be taken. */
  series(labels: Labels | Readonly<Record<string, string>>): SeriesHandle;
  /**
   * Takes one sample of each series given: handles, values, and Unix ms, whole, one for all or one each. The columns may be
   * used again at once. Throws RangeError for columns that can never be taken, TryLater when too much waits.
   */
  append(series: Uint32Array, ts: Float64Array | number, values: Float64Array): Promise<Written>;
  /** Resolves when an append will be taken: at once, or when enough of what waits is stored. */
  ready(): Promise<void>;
  /** Resolves when nothing waits any more, whatever became of it. */
  flush(): Promise<void>;
  stats(): WriterStats;
  /** Takes nothing more, stores what waits (for `withinMs` at most, default 10 s), and closes the connection. */
  close(withinMs?: number): Promise<void>;
}

/**
 * Connects. Rejects with NatsError: "unreachable" after `waitMs`, "unauthorized", "no_jetstream", and "provisioning" when no
 * Tocsin has made its streams there, or one whose frames this program cannot write.
 */
export async function connectWriter(options: WriterOptions): Promise<Writer> {
  const tenant = options.tenant ?? DEFAULT_TENANT;
  if (!isTenant(tenant)) throw new RangeError(`tenant ${JSON.stringify(tenant)}`);
  const say = options.say ?? saySilently;
  const waitMs = options.waitMs === undefined ? {} : { waitMs: options.waitMs };
  const bus = await connectBus(options.url, { name: options.name ?? "tocsin writer", say, ...waitMs });
  const cluster = await readCluster(bus).catch(async (error: unknown) => {
    await bus.close();
    throw error;
  });
  const publisher = jetStreamPublisher(bus);
  const stopping = new AbortController();
  const book = makeSeriesBook(cluster.partitions);
  const counts = { frames: 0, bytes: 0, samples: 0, failures: 0, definitions: 0 };
  const maxQueuedBytes = options.maxQueuedBytes ?? 64 << 20;
  let closed = false;
  let scheduled = false;
  let waiters: { readonly when: () => boolean; readonly resolve: () => void }[] = [];

  const shared: QueueShared = {
    publisher: persistentPublisher(publisher, options.giveUpMs ?? Number.POSITIVE_INFINITY, stopping.signal),
    maxInFlight: options.maxInFlight ?? 4,
    maxFrameBytes: options.maxFrameBytes ?? 256 << 10,
    id: randomBytes(9).toString("base64url"),
    nextSerial: 1,
    onDefined: (hashes) => {
      for (let i = 0; i < hashes.length; i += 2)
        setState(book, hashes[i] as number, hashes[i + 1] as number, ANNOUNCED);
    },
    onSettled: () => {
      if (waiters.length === 0) return;
      const done = waiters.filter((w) => w.when());
      waiters = waiters.filter((w) => !done.includes(w));
      for (const w of done) w.resolve();
    },
    counts,
  };
  const queues = Array.from({ length: cluster.partitions }, (_, p) => makePartitionQueue(p, shared));
  const target: AppendTarget = {
    book,
    queues,
    maxFrameBytes: shared.maxFrameBytes,
    idleSeconds: Math.ceil((options.idleMs ?? 3_600_000) / 1_000),
  };
  const stopListening = onLabelsRequest(bus, (_, { unknown, ambiguous }) => {
    for (let i = 0; i < unknown.length; i += 2) setState(book, unknown[i] as number, unknown[i + 1] as number, 0);
    for (let i = 0; i < ambiguous.length; i += 2) {
      markAmbiguous(book, ambiguous[i] as number, ambiguous[i + 1] as number);
    }
  });

  const queued = () => queues.reduce((sum, q) => sum + queuedBytes(q), 0);
  const isIdle = () => queues.every((q) => q.inFlight === 0 && q.sealed.length === 0 && isEmptyFrame(q.open));
  const hasRoom = () => queued() < maxQueuedBytes;
  const pumpAll = () => {
    scheduled = false;
    for (const q of queues) pump(q);
  };
  /** After the events of this turn of the loop: appends that came together share a frame. */
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(pumpAll);
  };
  const until = (when: () => boolean) =>
    when() ? Promise.resolve() : new Promise<void>((resolve) => waiters.push({ when, resolve }));

  const append = (series: Uint32Array, ts: Float64Array | number, values: Float64Array) =>
    new Promise<Written>((resolve, reject) => {
      if (closed) throw new TryLater("bus_unavailable", 503, 1, "the writer is closed");
      checkColumns(book, series, ts, values.length);
      if (!hasRoom()) throw new TryLater("overloaded", 503, 1, "too much waits to be stored: wait for ready()");
      const where: (Stored | undefined)[] = [];
      const ticket: Ticket = {
        waiting: 1,
        stored: (partition, stored) => {
          if (stored.sequence > (where[partition]?.sequence ?? 0)) where[partition] = stored;
        },
        resolve: () => {
          const positions = where.flatMap((at, partition) => (at === undefined ? [] : { partition, ...at }));
          resolve({ position: formatPositions(positions) });
        },
        reject,
      };
      const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
      appendColumns(target, series, ts, words, Math.floor(performance.now() / 1_000), ticket);
      if (ticket.waiting > 1) schedule();
      leave(ticket);
    });

  const flush = () => {
    pumpAll();
    return until(isIdle);
  };

  return {
    series: (labels) => bookSeries(book, tenant, checked(labels)),
    append,
    ready: () => until(hasRoom),
    flush,
    stats: () => ({
      series: book.count,
      samplesStored: counts.samples,
      framesStored: counts.frames,
      bytesStored: counts.bytes,
      framesFailed: counts.failures,
      queuedBytes: queued(),
    }),
    close: async (withinMs = 10_000) => {
      closed = true;
      publisher.hurry(withinMs);
      const patience = setTimeout(() => stopping.abort(), withinMs);
      await flush();
      clearTimeout(patience);
      stopping.abort();
      stopListening();
      publisher.close();
      await bus.close();
    },
  };
}

/** The labels as a shard takes them; throws RangeError when it would not. */
function checked(given: Labels | Readonly<Record<string, string>>): Labels {
  const labels = Array.isArray(given) ? (given as Labels) : labelsFromObject(given as Record<string, string>);
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    const value = labels[i + 1];
    if (value === undefined || value === "" || name === "" || !name.isWellFormed() || !value.isWellFormed()) {
      throw new RangeError(`label ${JSON.stringify(name)} with the value ${JSON.stringify(value)}`);
    }
    if (i > 0 && name <= (labels[i - 2] as string)) {
      throw new RangeError(`label ${JSON.stringify(name)} stands twice or is not in order`);
    }
  }
  if (labelValue(labels, METRIC_NAME) === "") throw new RangeError(`there is no label ${METRIC_NAME}`);
  return labels;
}
