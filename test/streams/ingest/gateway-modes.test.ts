import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { TryLater } from "../../../src/model/ingest.ts";
import { parsePositions } from "../../../src/model/position.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { type GatewayOptions, makeGateway } from "../../../src/streams/ingest/gateway.ts";
import { makeMemoryBus } from "../support/memory-bus.ts";
import { writeRequestBytes } from "../support/write-request-bytes.ts";

const NOW = 1.75e12;
const DAY = 86_400_000;

function setup(options: Partial<GatewayOptions> = {}) {
  const bus = makeMemoryBus();
  const gateway = makeGateway({
    partitions: 2,
    publisher: bus.publisher,
    limits: {
      maxDecodedBytes: 1 << 24,
      maxLabelNamesPerSeries: 10,
      maxLabelNameBytes: 100,
      maxLabelValueBytes: 200,
    },
    now: () => NOW,
    ...options,
  });
  return { bus, gateway };
}

const body = (name: string, ts: number) =>
  new Uint8Array(compress(writeRequestBytes([{ labels: [["__name__", name]], samples: [{ ts, value: 1 }] }])));
const json = (name: string, ts: number) =>
  Buffer.from(JSON.stringify({ series: [{ labels: { __name__: name }, samples: [[ts, 1]] }] }));

describe("where a write is", () => {
  test("the result names the last message of each partition that holds a sample", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const highest = new Map<number, number>();
    for (let i = 0; i < 20; i++) {
      const { position } = await gateway.remoteWrite("t", body(`m${i}`, NOW));
      const positions = parsePositions(position as string) as NonNullable<ReturnType<typeof parsePositions>>;
      expect(positions).toHaveLength(1);
      const { partition, sequence, stream } = positions[0] as (typeof positions)[number];
      expect(stream).toBe("0a0b0c0d");
      expect(sequence).toBe((highest.get(partition) ?? 0) + 1);
      highest.set(partition, sequence);
    }
    expect([...highest.keys()].sort()).toEqual([0, 1]);
  });

  test("a write of which nothing was taken is nowhere", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const result = await gateway.remoteWrite("t", body("m", NOW + 30 * DAY));
    expect(result.position).toBeUndefined();
    expect(result.rejected).toMatchObject([{ reason: "too_far_in_future" }]);
  });
});

describe("backfill", () => {
  test("goes in frames of its own, beside those of fresh samples, both with the labels", async () => {
    const { bus, gateway } = setup({ partitions: 1 });
    const old = gateway.remoteWrite("t", body("m", NOW - 100 * DAY), { backfill: true });
    const fresh = gateway.remoteWrite("t", body("m", NOW));
    const late = gateway.json("t", json("m", NOW - 50 * DAY), NOW, { backfill: true });
    await new Promise(setImmediate);
    bus.open();
    expect((await Promise.all([old, fresh, late])).map((r) => r.accepted)).toEqual([1, 1, 1]);
    const frames = bus.stored.map((s) => decodeFrame(s.frame));
    const shown = frames.map((f) => [
      f.backfill,
      f.definitions.length > 0,
      [...f.columns.ts].map((t) => (NOW - t) / DAY),
    ]);
    expect(shown.sort()).toEqual([
      [false, true, [0]],
      [true, true, [100, 50]],
    ]);
  });

  test("what is older than what is kept is refused with the reason, and only that", async () => {
    const { bus, gateway } = setup({ maxAgeMs: 15 * DAY });
    bus.open();
    const refused = await gateway.remoteWrite("t", body("m", NOW - 15 * DAY - 1), { backfill: true });
    expect(refused).toMatchObject({ accepted: 0, rejected: [{ reason: "beyond_retention", count: 1 }] });
    expect(refused.rejected[0]?.message).toContain("storage.retention.raw");
    expect(await gateway.remoteWrite("t", body("m", NOW - 15 * DAY), { backfill: true })).toMatchObject({
      accepted: 1,
    });
    expect(gateway.stats().samplesRejected).toEqual({ beyond_retention: 1 });
  });

  test("so is a fresh one, in every way in; whether it is too late otherwise is for its shard to say", async () => {
    const { bus, gateway } = setup({ maxAgeMs: 15 * DAY });
    bus.open();
    const old = NOW - 15 * DAY - 1;
    const series = gateway.series("t", ["__name__", "m"]);
    const refused = { accepted: 0, rejected: [{ reason: "beyond_retention", count: 1 }] };
    expect(await gateway.remoteWrite("t", body("m", old))).toMatchObject(refused);
    expect(await gateway.json("t", json("m", old))).toMatchObject(refused);
    expect(await gateway.exposition("t", Buffer.from(`m 1 ${old}\n`), NOW)).toMatchObject(refused);
    expect(await gateway.append([series], Float64Array.of(old), Float64Array.of(1))).toMatchObject(refused);
    expect(bus.stored).toEqual([]);
    const three = [NOW, old, old + 1].map((ts) => ({ ts, value: 1 }));
    const some = new Uint8Array(compress(writeRequestBytes([{ labels: [["__name__", "m"]], samples: three }])));
    expect(await gateway.remoteWrite("t", some)).toMatchObject({ ...refused, accepted: 2 });
    // The series is known now, and has one sample.
    expect(await gateway.remoteWrite("t", body("m", old))).toMatchObject(refused);
    expect(await gateway.remoteWrite("t", body("m", old + 1))).toMatchObject({ accepted: 1, rejected: [] });
    expect(gateway.stats().samplesRejected).toEqual({ beyond_retention: 6 });
  });
});

describe("the bound of what waits", () => {
  test("bodies and frames count together; a body alone is always let in", async () => {
    const { bus, gateway } = setup({ maxQueuedBytes: 1_000, partitions: 1 });
    const first = gateway.admit?.(5_000) as () => void;
    expect(() => gateway.admit?.(1)).toThrow(TryLater);
    first();
    const second = gateway.admit?.(600) as () => void;
    const write = gateway.remoteWrite("t", body("m", NOW));
    expect(gateway.stats().queuedBytes).toBeGreaterThan(100);
    expect(() => gateway.admit?.(350)).toThrow(/send again later/);
    bus.open();
    await write;
    const third = gateway.admit?.(350) as () => void;
    expect(gateway.stats().bodyBytes).toBe(950);
    second();
    third();
    expect(gateway.stats()).toMatchObject({ bodyBytes: 0, requestsRefused: { overloaded: 2 } });
  });
});
