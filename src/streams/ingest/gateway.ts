import { randomBytes } from "node:crypto";
import { type IngestMode, type IngestResult, MalformedBody, type SeriesRef, TryLater } from "../../model/ingest.ts";
import { isTenant } from "../../model/tenant.ts";
import { readExposition } from "../codec/exposition-batch.ts";
import { isEmptyFrame } from "../codec/frame-encode.ts";
import { FRAME_BACKFILL, MAX_TIME_MS } from "../codec/frame-layout.ts";
import { readJsonPush } from "../codec/json-push.ts";
import { MAX_KERNEL_BYTES, makeWriteReader } from "../codec/kernel/write-reader.ts";
import { clearBatch, makeBatch, type SampleBatch } from "../codec/sample-batch.ts";
import { decodeSnappy } from "../codec/snappy.ts";
import { scanWriteRequest2 } from "../codec/write-request-2.ts";
import { type Appended, ambiguousKey, appendBatch, type BatchCore } from "./append-batch.ts";
import { appendRefs, makeRef } from "./append-refs.ts";
import type { AppendCore } from "./append-rows.ts";
import { makeSlicer, SLICE_SERIES } from "./append-slices.ts";
import { makeCanonical } from "./canonical.ts";
import type { Gateway, GatewayOptions } from "./gateway-interface.ts";
import { makeLargeGate, othersTurn } from "./large-gate.ts";
import {
  leave,
  makePartitionQueue,
  pump,
  type QueueShared,
  queuedBytes,
  type Stored,
  type Ticket,
} from "./partition-queue.ts";
import { claimedSize, readLargeWrite } from "./read-large.ts";
import { JSON_PIECE, readLargeJson } from "./read-large-json.ts";
import type { Rejections } from "./rejections.ts";
import { positionOf, resultOf } from "./result.ts";
import { ANNOUNCED, cacheBytes, makeRoom, makeSeriesCache, setAmbiguous, setState } from "./series-cache.ts";
import { makeTenants, type TenantInfo } from "./tenants.ts";

export type { Gateway, GatewayOptions, GatewayStats } from "./gateway-interface.ts";
export type { FramePublisher } from "./partition-queue.ts";

/**
 * Bodies of more bytes (remote write: decoded) wait for one another: those that take some milliseconds to read. What senders usually
 * send, a few thousand samples, stays below.
 */
const LARGE_WRITE = 1 << 20;
const LARGE_TEXT = 1 << 16;

/** Makes the gateway: it decodes, checks, routes to partitions and publishes; see docs/format/frame.md for what it sends. */
export function makeGateway(options: GatewayOptions): Gateway {
  const { partitions, publisher, limits, now } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 0xffff) {
    throw new RangeError(`${partitions} partitions: from 1 to 65535 are possible`);
  }
  const maxQueuedBytes = options.maxQueuedBytes ?? 128 << 20;
  const maxAgeMs = options.maxAgeMs ?? Number.POSITIVE_INFINITY;
  const maxFutureMs = options.maxFutureMs ?? 600_000;
  const maxSeries = options.maxSeries ?? 16_000_000;
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
    onStored: options.onAcknowledged,
    onSettled: () => {
      if (idle.length > 0 && isIdle()) {
        const done = idle;
        idle = [];
        for (const resolve of done) resolve();
      }
    },
    counts,
  };
  const freshQueues = Array.from({ length: partitions }, (_, p) => makePartitionQueue(p, shared));
  const backfillQueues = Array.from({ length: partitions }, (_, p) => makePartitionQueue(p, shared, FRAME_BACKFILL));
  const queues = [...freshQueues, ...backfillQueues];
  const core: AppendCore & BatchCore = {
    cache: makeSeriesCache(),
    queues: freshQueues,
    canonical: makeCanonical(),
    maxFrameBytes: shared.maxFrameBytes,
    idleSeconds,
    limitsOf: options.limitsOf ?? (() => limits),
    partitions,
    ambiguous: new Set(),
    metadataSent: new Map(),
    found: new Int32Array(4096),
    misses: 0,
    canonicalized: 0,
  };
  const tenants = makeTenants(options.secret ?? randomSecret());
  const batch = makeBatch();
  const reader = makeWriteReader(options.kernel, limits.maxDecodedBytes);

  const giveWay = () => {
    schedule();
    return othersTurn();
  };
  const slicer = makeSlicer({ worked: () => core.canonicalized, giveWay, onDone: shared.onSettled });
  const gate = makeLargeGate(maxQueuedBytes, shared.onSettled);
  const isIdle = () =>
    gate.idle() &&
    !slicer.busy() &&
    queues.every((q) => q.inFlight === 0 && q.sealed.length === 0 && isEmptyFrame(q.open));
  const totalQueued = () => queues.reduce((sum, q) => sum + queuedBytes(q), 0);
  let bodyBytes = 0;
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
    checkQueued();
  };
  const checkQueued = () => {
    if (totalQueued() > maxQueuedBytes) throw refuse(overloaded());
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
  const commit = (
    how: IngestMode | undefined,
    append: (ticket: Ticket, rejected: Rejections, failed: () => boolean) => Appended | Promise<Appended>,
  ) =>
    new Promise<IngestResult>((resolve, reject) => {
      const rejected: Rejections = new Map();
      const where: (Stored | undefined)[] = [];
      let appended: Appended = { samples: 0, histograms: 0, exemplars: 0 };
      let failed = false;
      const ticket: Ticket = {
        waiting: 1,
        stored: (partition, stored) => {
          if (stored.sequence > (where[partition]?.sequence ?? 0)) where[partition] = stored;
        },
        resolve: () => resolve(resultOf(appended, rejected, positionOf(where))),
        reject: (error) => {
          if (error instanceof TryLater && !failed) refuse(error);
          failed = true;
          reject(error);
        },
      };
      const finish = (all: Appended) => {
        appended = all;
        for (const { reason, count } of rejected.values())
          rejectedCounts.set(reason, (rejectedCounts.get(reason) ?? 0) + count);
        if (ticket.waiting > 1) schedule();
        leave(ticket);
      };
      core.queues = how?.backfill === true ? backfillQueues : freshQueues;
      const all = append(ticket, rejected, () => failed);
      if (all instanceof Promise) all.then(finish, reject);
      else finish(all);
    });

  type Read = (t: TenantInfo) => SampleBatch;
  const fill = (read: Read, t: TenantInfo) => {
    try {
      return read(t);
    } catch (error) {
      throw error instanceof MalformedBody ? refuse(error) : error;
    }
  };
  /** The way of a whole body, which `read` makes a batch. */
  const submit = async (tenant: string, noun: string, how: IngestMode | undefined, read: Read) => {
    const t = tenantOf(tenant);
    admit();
    let filled = fill(read, t);
    if (filled.series <= SLICE_SERIES) {
      return commit(how, (ticket, rejected) => append(filled, t, noun, ticket, rejected));
    }
    while (slicer.busy()) {
      await slicer.free();
      if (!slicer.busy()) filled = fill(read, t);
    }
    return commit(how, (ticket, rejected, failed) => {
      const { queues: mine } = core;
      return slicer.append(filled, (slice) => {
        core.queues = mine;
        return failed() ? undefined : append(slice, t, noun, ticket, rejected);
      });
    });
  };
  /** The same for a large body: it waits for its turn. `readOwn`, where given, makes it a batch of its own. */
  const submitLarge = async (
    tenant: string,
    noun: string,
    how: IngestMode | undefined,
    bytes: number,
    read: Read,
    readOwn?: (t: TenantInfo) => Promise<readonly SampleBatch[]>,
  ) => {
    const t = tenantOf(tenant);
    admit();
    const done = await gate.enter(tenant, bytes).catch((error) => {
      throw error instanceof TryLater ? refuse(error) : error;
    });
    return commit(how, async (ticket, rejected, failed) => {
      const { queues: mine } = core;
      const add = (slice: SampleBatch) => {
        core.queues = mine;
        return failed() ? undefined : append(slice, t, noun, ticket, rejected);
      };
      try {
        // Much may have been taken since it came.
        checkQueued();
        if (readOwn !== undefined) return await slicer.appendOwn(await readOwn(t), add);
        while (slicer.busy()) await slicer.free();
        return await slicer.append(fill(read, t), add);
      } catch (error) {
        throw readOwn !== undefined && error instanceof MalformedBody ? refuse(error) : error;
      } finally {
        done();
      }
    });
  };
  /** The same for a text, of any size, in a format that fills the batch which all such formats share. */
  const submitInto = (
    tenant: string,
    noun: string,
    how: IngestMode | undefined,
    bytes: number,
    large: number,
    into: (batch: SampleBatch, t: TenantInfo) => void,
    readOwn?: (t: TenantInfo) => Promise<readonly SampleBatch[]>,
  ) => {
    const read = (t: TenantInfo) => {
      clearBatch(batch);
      into(batch, t);
      return batch;
    };
    return bytes <= large ? submit(tenant, noun, how, read) : submitLarge(tenant, noun, how, bytes, read, readOwn);
  };
  const append = (part: SampleBatch, t: TenantInfo, noun: string, ticket: Ticket, rejected: Rejections) => {
    makeRoom(core.cache, part.series, maxSeries, secondsNow());
    return appendBatch(core, part, t, noun, runTimes(), ticket, rejected);
  };
  const runTimes = () => ({
    nowSeconds: secondsNow(),
    maxTime: now() + maxFutureMs,
    minTime: Math.max(now() - maxAgeMs, -MAX_TIME_MS),
  });

  const flush = () => {
    pumpAll();
    return isIdle() ? Promise.resolve() : new Promise<void>((resolve) => idle.push(resolve));
  };

  return {
    admit: (bytes) => {
      if (bodyBytes > 0 && totalQueued() + bodyBytes + bytes > maxQueuedBytes) throw refuse(overloaded());
      bodyBytes += bytes;
      return () => {
        bodyBytes -= bytes;
      };
    },
    remoteWrite: (tenant, body, how) => {
      const bytes = claimedSize(body);
      const read = (t: TenantInfo) => reader.read(body, t.seeds);
      if (bytes <= LARGE_WRITE) return submit(tenant, "series", how, read);
      const atOnce = reader.accelerated() ? MAX_KERNEL_BYTES : LARGE_WRITE;
      const readOwn = async (t: TenantInfo) => [await readLargeWrite(body, limits.maxDecodedBytes, t.seeds, giveWay)];
      return submitLarge(tenant, "series", how, bytes, read, bytes > atOnce ? readOwn : undefined);
    },
    remoteWrite2: (tenant, body, how) =>
      submitInto(tenant, "series", how, claimedSize(body), LARGE_WRITE, (b, t) =>
        scanWriteRequest2(b, decodeSnappy(body, b.source, limits.maxDecodedBytes), t.seeds),
      ),
    json: (tenant, body, time = now(), how = undefined) => {
      const into = (b: SampleBatch, t: TenantInfo) => readJsonPush(b, body, time, t.seeds);
      const readOwn = (t: TenantInfo) => readLargeJson(body, time, t.seeds, giveWay);
      const own = body.length > JSON_PIECE ? readOwn : undefined;
      return submitInto(tenant, "series", how, body.length, LARGE_TEXT, into, own);
    },
    exposition: (tenant, body, time) =>
      submitInto(tenant, "line", undefined, body.length, LARGE_TEXT, (b, t) => readExposition(b, body, time, t.seeds)),
    series: (tenant, labels): SeriesRef => makeRef(core, tenantOf(tenant), labels),
    append: async (refs, ts, values, histograms) => {
      if (ts.length !== refs.length || values.length !== refs.length) {
        throw new RangeError(`${refs.length} series, ${ts.length} times, ${values.length} values`);
      }
      admit();
      makeRoom(core.cache, refs.length, maxSeries, secondsNow());
      return commit(undefined, (ticket, rejected) =>
        appendRefs(core, tenants, refs, { ts, values, histograms }, runTimes(), ticket, rejected),
      );
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
      bodyBytes,
      framesInFlight: queues.reduce((sum, q) => sum + q.inFlight, 0),
      cachedSeries: core.cache.live,
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

/** Not 429: Prometheus drops what was answered so, unless it is told otherwise (retry_on_http_429). */
function overloaded(): TryLater {
  return new TryLater("overloaded", 503, 1, "too many samples wait for the bus: send again later");
}

function randomSecret(): [number, number, number] {
  const bytes = randomBytes(12);
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
}
