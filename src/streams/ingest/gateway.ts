import { randomBytes } from "node:crypto";
import type { LimitsConfig } from "../../model/config.ts";
import { type Ingest, type IngestResult, MalformedBody, type SeriesRef, TryLater } from "../../model/ingest.ts";
import { isTenant } from "../../model/tenant.ts";
import { readExposition } from "../codec/exposition-batch.ts";
import { isEmptyFrame } from "../codec/frame-encode.ts";
import { readJsonPush } from "../codec/json-push.ts";
import type { Kernel } from "../codec/kernel/kernel.ts";
import { makeWriteReader } from "../codec/kernel/write-reader.ts";
import { clearBatch, makeBatch, type SampleBatch } from "../codec/sample-batch.ts";
import { decodeSnappy } from "../codec/snappy.ts";
import { scanWriteRequest2 } from "../codec/write-request-2.ts";
import { type Appended, ambiguousKey, appendBatch, type BatchCore } from "./append-batch.ts";
import { appendRefs, makeRef } from "./append-refs.ts";
import type { AppendCore } from "./append-rows.ts";
import { makeCanonical } from "./canonical.ts";
import {
  type FramePublisher,
  leave,
  makePartitionQueue,
  pump,
  type QueueShared,
  queuedBytes,
  type Ticket,
} from "./partition-queue.ts";
import { type Rejections, rejectionList } from "./rejections.ts";
import { ANNOUNCED, cacheBytes, evictIdle, makeSeriesCache, setAmbiguous, setState } from "./series-cache.ts";
import { makeTenants, type TenantInfo } from "./tenants.ts";

export type { FramePublisher } from "./partition-queue.ts";

export interface GatewayOptions {
  readonly partitions: number;
  readonly publisher: FramePublisher;
  readonly limits: Pick<
    LimitsConfig,
    "maxDecodedBytes" | "maxLabelNamesPerSeries" | "maxLabelNameBytes" | "maxLabelValueBytes"
  >;
  /** Unix milliseconds. */
  now(): number;
  /** Frames of a partition that wait for their acknowledgement at the same time; default 2. */
  readonly maxInFlight?: number;
  /** A frame is not filled beyond this; default 256 KiB. */
  readonly maxFrameBytes?: number;
  /** Bytes of frames that may wait in all; beyond, requests are put off (TryLater); default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** Series that are remembered; default 4 million (about 60 bytes each). */
  readonly maxSeries?: number;
  /** Labels of a series that was idle for so long are sent again; default 1 h. */
  readonly idleMs?: number;
  /** Samples further ahead of `now` are rejected; default 10 min. */
  readonly maxFutureMs?: number;
  /** Reads remote write faster (docs/decisions/0005); without it everything works, at a higher cost. */
  readonly kernel?: Kernel | undefined;
  /** Prefix of message ids, unique among all gateways of all times, and secret of the label hash; default random. */
  readonly id?: string;
  readonly secret?: readonly [number, number, number];
}

export interface GatewayStats {
  /** Samples acknowledged by the bus, and those that can never be taken, by reason. */
  readonly samplesAccepted: number;
  readonly samplesRejected: Readonly<Record<string, number>>;
  /** Requests of which nothing was taken, by reason (malformed_snappy, overloaded, ...). */
  readonly requestsRefused: Readonly<Record<string, number>>;
  readonly framesPublished: number;
  readonly bytesPublished: number;
  readonly publishFailures: number;
  /** Definitions (label sets) sent and acknowledged. */
  readonly definitionsPublished: number;
  readonly queuedBytes: number;
  readonly framesInFlight: number;
  readonly cachedSeries: number;
  readonly cacheBytes: number;
  /** Series that were not in the cache. */
  readonly cacheMisses: number;
  /** Whether remote write is read by the kernel. */
  readonly kernelEnabled: boolean;
}

export interface Gateway extends Ingest {
  stats(): GatewayStats;
  /**
   * A shard does not know the labels of these series hashes (low, high, low, high, ...): the next sample of each goes with
   * its labels.
   */
  markUnannounced(partition: number, hashes: ArrayLike<number>): void;
  /** A shard has seen two label sets under these hashes: from now on their samples always go with labels. */
  markAmbiguous(partition: number, hashes: ArrayLike<number>): void;
  /** Resolves when no frame waits any more, whatever became of them. */
  flush(): Promise<void>;
  /** Takes nothing more and waits for what was taken. */
  close(): Promise<void>;
}

/** Makes the gateway: it decodes, checks, routes to partitions and publishes; see docs/format/frame.md for what it sends. */
export function makeGateway(options: GatewayOptions): Gateway {
  const { partitions, publisher, limits, now } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 0xffff) {
    throw new RangeError(`${partitions} partitions: from 1 to 65535 are possible`);
  }
  const maxQueuedBytes = options.maxQueuedBytes ?? 64 << 20;
  const maxFutureMs = options.maxFutureMs ?? 600_000;
  const maxSeries = options.maxSeries ?? 4_000_000;
  const idleSeconds = Math.ceil((options.idleMs ?? 3_600_000) / 1000);
  const epoch = now();
  let idle: (() => void)[] = [];

  const counts = { frames: 0, bytes: 0, samples: 0, failures: 0, definitions: 0 };
  const rejectedCounts = new Map<string, number>();
  const refusedCounts = new Map<string, number>();
  let closed = false;
  let scheduled = false;

  const shared: QueueShared = {
    publisher,
    maxInFlight: options.maxInFlight ?? 2,
    maxFrameBytes: options.maxFrameBytes ?? 256 << 10,
    id: options.id ?? randomBytes(9).toString("base64url"),
    nextSerial: 1,
    onDefined: (hashes) => {
      for (let i = 0; i < hashes.length; i += 2)
        setState(core.cache, hashes[i] as number, hashes[i + 1] as number, ANNOUNCED);
    },
    onSettled: () => {
      if (idle.length > 0 && isIdle()) {
        const done = idle;
        idle = [];
        for (const resolve of done) resolve();
      }
    },
    counts,
  };
  const queues = Array.from({ length: partitions }, (_, p) => makePartitionQueue(p, shared));
  const core: AppendCore & BatchCore = {
    cache: makeSeriesCache(),
    queues,
    canonical: makeCanonical(),
    maxFrameBytes: shared.maxFrameBytes,
    idleSeconds,
    limits,
    partitions,
    ambiguous: new Set(),
    metadataSent: new Map(),
    found: new Int32Array(4096),
    misses: 0,
  };
  const tenants = makeTenants(options.secret ?? randomSecret());
  const batch = makeBatch();
  const reader = makeWriteReader(options.kernel, limits.maxDecodedBytes);

  const isIdle = () => queues.every((q) => q.inFlight === 0 && q.sealed.length === 0 && isEmptyFrame(q.open));
  const totalQueued = () => queues.reduce((sum, q) => sum + queuedBytes(q), 0);
  const pumpAll = () => {
    scheduled = false;
    for (const q of queues) pump(q);
  };
  /** After the events of this turn of the loop: requests that came together share a frame. */
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(pumpAll);
  };

  const refuse = <E extends MalformedBody | TryLater>(error: E): E => {
    refusedCounts.set(error.reason, (refusedCounts.get(error.reason) ?? 0) + 1);
    return error;
  };
  const admit = () => {
    if (closed) throw refuse(new TryLater("bus_unavailable", 503, 1, "shutting down"));
    if (totalQueued() > maxQueuedBytes) {
      // Not 429: Prometheus drops what was answered so, unless it is told otherwise (retry_on_http_429).
      throw refuse(new TryLater("overloaded", 503, 1, "too many samples wait for the bus: send again later"));
    }
  };
  /** Entry numbers change when series are evicted, so room is made before a request is looked at. */
  const makeRoom = (series: number) => {
    if (core.cache.entries + series <= maxSeries) return;
    const seconds = secondsNow();
    let cache = evictIdle(core.cache, seconds - Math.min(idleSeconds, 900));
    if (cache.entries + series > 0.75 * maxSeries) cache = makeSeriesCache();
    core.cache = cache;
  };
  const secondsNow = () => Math.max(0, Math.floor((now() - epoch) / 1000));
  const tenantOf = (name: string): TenantInfo => {
    if (!isTenant(name)) {
      throw refuse(
        new MalformedBody("invalid_tenant", `tenant ${JSON.stringify(name)}: 1 to 64 letters, digits, ".", "_" or "-"`),
      );
    }
    return tenants.info(name);
  };

  /** Puts the samples that `append` adds into frames, and waits for these. */
  const commit = (append: (ticket: Ticket, rejected: Rejections) => Appended) =>
    new Promise<IngestResult>((resolve, reject) => {
      const rejected: Rejections = new Map();
      let appended: Appended = { samples: 0, histograms: 0, exemplars: 0 };
      let failed = false;
      const ticket: Ticket = {
        waiting: 1,
        resolve: () => resolve(resultOf(appended, rejected)),
        reject: (error) => {
          if (error instanceof TryLater && !failed) refuse(error);
          failed = true;
          reject(error);
        },
      };
      appended = append(ticket, rejected);
      for (const { reason, count } of rejected.values())
        rejectedCounts.set(reason, (rejectedCounts.get(reason) ?? 0) + count);
      if (ticket.waiting > 1) schedule();
      leave(ticket);
    });

  /** The way of a whole body, which `read` makes a batch. */
  const submit = async (tenant: string, noun: string, read: (t: TenantInfo) => SampleBatch) => {
    const t = tenantOf(tenant);
    admit();
    let filled: SampleBatch;
    try {
      filled = read(t);
    } catch (error) {
      throw error instanceof MalformedBody ? refuse(error) : error;
    }
    makeRoom(filled.series);
    return commit((ticket, rejected) => appendBatch(core, filled, t, noun, runTimes(), ticket, rejected));
  };
  /** The same for a format that fills the batch which all such formats share. */
  const submitInto = (tenant: string, noun: string, fill: (batch: SampleBatch, t: TenantInfo) => void) =>
    submit(tenant, noun, (t) => {
      clearBatch(batch);
      fill(batch, t);
      return batch;
    });
  const runTimes = () => ({ nowSeconds: secondsNow(), maxTime: now() + maxFutureMs });

  const flush = () => {
    pumpAll();
    return isIdle() ? Promise.resolve() : new Promise<void>((resolve) => idle.push(resolve));
  };

  return {
    remoteWrite: (tenant, body) => submit(tenant, "series", (t) => reader.read(body, t.seeds)),
    remoteWrite2: (tenant, body) =>
      submitInto(tenant, "series", (b, t) =>
        scanWriteRequest2(b, decodeSnappy(body, b.source, limits.maxDecodedBytes), t.seeds),
      ),
    json: (tenant, body, time = now()) => submitInto(tenant, "series", (b, t) => readJsonPush(b, body, time, t.seeds)),
    exposition: (tenant, body, time) => submitInto(tenant, "line", (b, t) => readExposition(b, body, time, t.seeds)),
    series: (tenant, labels): SeriesRef => makeRef(core, tenantOf(tenant), labels),
    append: async (refs, ts, values) => {
      if (ts.length !== refs.length || values.length !== refs.length) {
        throw new RangeError(`${refs.length} series, ${ts.length} times, ${values.length} values`);
      }
      admit();
      makeRoom(refs.length);
      return commit((ticket, rejected) => ({
        samples: appendRefs(core, tenants, refs, ts, values, runTimes(), ticket, rejected),
        histograms: 0,
        exemplars: 0,
      }));
    },
    stats: () => ({
      samplesAccepted: counts.samples,
      samplesRejected: Object.fromEntries(rejectedCounts),
      requestsRefused: Object.fromEntries(refusedCounts),
      framesPublished: counts.frames,
      bytesPublished: counts.bytes,
      publishFailures: counts.failures,
      definitionsPublished: counts.definitions,
      queuedBytes: totalQueued(),
      framesInFlight: queues.reduce((sum, q) => sum + q.inFlight, 0),
      cachedSeries: core.cache.entries,
      cacheBytes: cacheBytes(core.cache),
      cacheMisses: core.misses,
      kernelEnabled: reader.accelerated(),
    }),
    markUnannounced: (_partition, hashes) => {
      for (let i = 0; i + 1 < hashes.length; i += 2)
        setState(core.cache, hashes[i] as number, hashes[i + 1] as number, 0);
    },
    markAmbiguous: (_partition, hashes) => {
      for (let i = 0; i + 1 < hashes.length; i += 2) {
        const low = hashes[i] as number;
        const high = hashes[i + 1] as number;
        core.ambiguous.add(ambiguousKey(low, high));
        setAmbiguous(core.cache, low, high);
      }
    },
    flush,
    close: async () => {
      closed = true;
      await flush();
    },
  };
}

function resultOf({ samples, histograms, exemplars }: Appended, rejected: Rejections): IngestResult {
  return {
    accepted: samples,
    ...(histograms > 0 && { histograms }),
    ...(exemplars > 0 && { exemplars }),
    rejected: rejectionList(rejected),
  };
}

function randomSecret(): [number, number, number] {
  const bytes = randomBytes(12);
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
}
