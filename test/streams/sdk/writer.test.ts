import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { TryLater } from "../../../src/model/ingest.ts";
import { formatLabels } from "../../../src/model/labels.ts";
import { isStaleAt, STALE_NAN_HI, STALE_NAN_LO } from "../../../src/model/sample.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { readCluster } from "../../../src/streams/nats/cluster.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { sendLabelsRequest } from "../../../src/streams/nats/labels-request.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { connectWriter, type Writer } from "../../../src/streams/sdk/writer.ts";
import { startNatsServer, type TestNats } from "../nats/with-nats-server.ts";

const T = 1_700_000_000_000;

interface Seen {
  readonly labels: string | undefined;
  readonly hash: string;
  readonly ts: number;
  readonly value: number;
  readonly stale: boolean;
}

/** Everything in the partitions' streams, as a shard would take it: labels by hash, or by the row's own definition. */
async function readAll(bus: Bus, partitions: number): Promise<{ seen: Seen[]; definitions: number; frames: number }> {
  const seen: Seen[] = [];
  const names = new Map<string, string>();
  let definitions = 0;
  let frames = 0;
  for (let p = 0; p < partitions; p++) {
    const { created, lastSequence } = await streamIdentity(bus, p);
    const feed = await consumePartition(bus, p, { startSequence: 1, endSequence: lastSequence, created });
    for await (const batch of feed) {
      for (const payload of batch.payloads) {
        const frame = decodeFrame(payload);
        frames++;
        definitions += frame.definitions.length;
        for (const d of frame.definitions)
          names.set(`${d.hashHi}:${d.hashLo}`, `${d.tenant} ${formatLabels(d.labels)}`);
        const words = new Uint32Array(frame.columns.values.buffer);
        for (let i = 0; i < frame.columns.length; i++) {
          const hash = `${frame.columns.hashHi[i]}:${frame.columns.hashLo[i]}`;
          seen.push({
            labels: names.get(hash),
            hash,
            ts: frame.columns.ts[i] as number,
            value: frame.columns.values[i] as number,
            stale: isStaleAt(words, i),
          });
        }
      }
    }
    await feed.close();
  }
  return { seen, definitions, frames };
}

describe("a writer of frames", { timeout: 90_000 }, () => {
  let nats: TestNats;
  let bus: Bus;
  let writer: Writer;
  beforeAll(async () => {
    nats = await startNatsServer();
    bus = await nats.bus({ partitions: 3 });
    writer = await connectWriter({ url: nats.url, tenant: "acme" });
  });
  afterAll(async () => {
    await writer.close();
    await nats.stop();
  });

  it("learns the cluster from its streams", async () => {
    expect(await readCluster(bus)).toEqual({ partitions: 3, frameVersion: 1 });
  });

  it("publishes columns: each sample once, with its bits, the labels only until they are stored", async () => {
    const count = 1_000;
    const handles = Uint32Array.from({ length: count }, (_, i) => writer.series({ __name__: "m", i: String(i) }));
    expect(writer.series(["__name__", "m", "i", "7"])).toBe(handles[7]);
    const values = Float64Array.from(handles, (_, i) => i + 0.25);
    const words = new Uint32Array(values.buffer);
    words[6] = STALE_NAN_LO;
    words[7] = STALE_NAN_HI;
    const first = await writer.append(handles, T, values);
    expect(first.position).toMatch(/^0:\d+.*,1:\d+.*,2:\d+/);
    values.fill(2);
    const times = Float64Array.from(handles, (_, i) => T + 1_000 + i);
    await writer.append(handles, times, values);
    const { seen, definitions } = await readAll(bus, 3);
    expect(definitions).toBe(count);
    expect(seen).toHaveLength(2 * count);
    for (const s of seen) {
      const i = Number(/i="(\d+)"/.exec(s.labels ?? "")?.[1]);
      expect(s.labels).toBe(`acme m{i="${i}"}`);
      if (s.ts === T) expect(i === 3 ? s.stale : s.value === i + 0.25).toBe(true);
      else expect([s.ts, s.value]).toEqual([T + 1_000 + i, 2]);
    }
  });

  it("answers a shard that asks: the next sample brings the labels, of a shared hash each one does", async () => {
    const handle = Uint32Array.of(writer.series({ __name__: "asked" }));
    await writer.append(handle, T, Float64Array.of(1));
    const before = await readAll(bus, 3);
    const row = before.seen.find((s) => s.labels === "acme asked") as Seen;
    const [hi, lo] = row.hash.split(":").map(Number) as [number, number];
    const asking = await nats.bus();
    sendLabelsRequest(asking, 0, { unknown: Uint32Array.of(lo, hi), ambiguous: new Uint32Array() });
    await asking.nc.flush();
    await vi.waitFor(async () => {
      await writer.append(handle, T + 1, Float64Array.of(2));
      expect((await readAll(bus, 3)).definitions).toBe(before.definitions + 1);
    });
    sendLabelsRequest(asking, 0, { unknown: new Uint32Array(), ambiguous: Uint32Array.of(lo, hi) });
    await asking.nc.flush();
    await vi.waitFor(async () => {
      const now = (await readAll(bus, 3)).definitions;
      for (let i = 0; i < 5; i++) await writer.append(handle, T + 2 + i, Float64Array.of(3));
      expect((await readAll(bus, 3)).definitions).toBe(now + 5);
    });
  });

  it.each([
    ["a series that is none", () => writer.append(Uint32Array.of(99_999), T, Float64Array.of(1))],
    ["a time that is not whole", () => writer.append(Uint32Array.of(0), T + 0.5, Float64Array.of(1))],
    ["a time that is NaN", () => writer.append(Uint32Array.of(0), Float64Array.of(Number.NaN), Float64Array.of(1))],
    ["columns of several lengths", () => writer.append(Uint32Array.of(0, 1), T, Float64Array.of(1))],
  ])("takes nothing of %s", async (_, append) => {
    await expect(append()).rejects.toThrow(RangeError);
    expect(writer.stats().queuedBytes).toBe(0);
  });

  it.each([
    ["no name", { a: "b" }],
    ["a lone surrogate", { __name__: "m", a: "\ud800" }],
    ["labels out of order", ["b", "1", "__name__", "m"]],
    ["a label twice", ["__name__", "m", "a", "1", "a", "2"]],
  ])("refuses labels with %s", (_, labels) => {
    expect(() => writer.series(labels)).toThrow(RangeError);
  });

  it("takes no more than its bound, and says when there is room again", async () => {
    const small = await connectWriter({ url: nats.url, maxQueuedBytes: 20_000 });
    const handle = new Uint32Array(1_000).fill(small.series({ __name__: "bounded" }));
    const values = new Float64Array(1_000);
    const waiting = [small.append(handle, T, values)];
    await expect(small.append(handle, T, values)).rejects.toThrow(TryLater);
    await small.ready();
    waiting.push(small.append(handle, T + 1, values));
    await Promise.all(waiting);
    await small.close();
    await expect(small.append(handle, T, values)).rejects.toThrow(/closed/);
  });
});

it("says what is missing where no Tocsin has made its streams", { timeout: 90_000 }, async () => {
  const nats = await startNatsServer();
  try {
    await expect(connectWriter({ url: nats.url })).rejects.toThrow(/there is no stream SAMPLES_0/);
  } finally {
    await nats.stop();
  }
});

it("while nats-server is killed again and again all that was appended is stored, once", {
  timeout: 60_000,
}, async () => {
  const nats = await startNatsServer();
  try {
    await nats.bus({ partitions: 2 });
    const writer = await connectWriter({ url: nats.url, maxQueuedBytes: 1 << 20, maxFrameBytes: 16 << 10 });
    const handles = Uint32Array.from({ length: 500 }, (_, i) => writer.series({ __name__: "m", i: String(i) }));
    const rounds = 300;
    const kills = [40, 120, 200];
    const pending: Promise<unknown>[] = [];
    for (let round = 0; round < rounds; round++) {
      await writer.ready();
      pending.push(writer.append(handles, T + round, new Float64Array(500).fill(round)));
      if (kills.includes(round)) {
        await nats.kill();
        await nats.restart();
      }
    }
    await Promise.all(pending);
    expect(writer.stats()).toMatchObject({ samplesStored: 500 * rounds, framesFailed: 0, queuedBytes: 0 });
    const { seen } = await readAll(await nats.bus(), 2);
    expect(seen).toHaveLength(500 * rounds);
    expect(new Set(seen.map((s) => `${s.labels} ${s.ts} ${s.value}`)).size).toBe(500 * rounds);
    await writer.close();
  } finally {
    await nats.stop();
  }
});
