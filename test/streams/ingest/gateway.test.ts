import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test, vi } from "vitest";
import { MalformedBody, type SeriesRef, TryLater } from "../../../src/model/ingest.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { STALE_NAN_HI, STALE_NAN_LO, writeStale } from "../../../src/model/sample.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { partitionOf, seriesHash } from "../../../src/streams/codec/series-hash.ts";
import { type Gateway, type GatewayOptions, makeGateway } from "../../../src/streams/ingest/gateway.ts";
import { freshKernel } from "../support/kernel.ts";
import { type MemoryBus, makeMemoryBus, replay } from "../support/memory-bus.ts";
import { type TestSeries, writeRequestBytes } from "../support/write-request-bytes.ts";

vi.setConfig({ testTimeout: 60_000 });

const NOW = 1.75e12;
const LIMITS = {
  maxDecodedBytes: 1 << 24,
  maxLabelNamesPerSeries: 10,
  maxLabelNameBytes: 100,
  maxLabelValueBytes: 200,
};

function setup(options: Partial<GatewayOptions> = {}): { bus: MemoryBus; gateway: Gateway; clock: { now: number } } {
  const bus = makeMemoryBus();
  const clock = { now: NOW };
  const gateway = makeGateway({
    partitions: 3,
    publisher: bus.publisher,
    limits: LIMITS,
    now: () => clock.now,
    id: "test",
    secret: [1, 2, 3],
    ...options,
  });
  return { bus, gateway, clock };
}
const write = (series: readonly TestSeries[]) => new Uint8Array(compress(writeRequestBytes(series)));
const one = (labels: Record<string, string>, value = 1, ts = NOW): TestSeries => ({
  labels: Object.entries(labels),
  samples: [{ ts, value }],
});
const text = (s: string) => new TextEncoder().encode(s);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** What the stored frames say, as "tenant {labels} ts value", sorted. */
const told = (bus: MemoryBus) =>
  replay(bus.stored)
    .map((s) => `${s.tenant} ${s.labels.join()} ${s.ts} ${new Float64Array(Uint32Array.from(s.bits).buffer)[0]}`)
    .sort();
const definitions = (bus: MemoryBus) =>
  bus.stored.map((s) => decodeFrame(s.frame).definitions.map((d) => d.labels.join()));

describe("gateway", () => {
  test("every way in leads to the same series, partition and frame", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const labels = { job: "näh", __name__: "up", empty: "", a: "1" };
    const results = [
      await gateway.remoteWrite("t1", write([one(labels, 1)])),
      await gateway.json(
        "t1",
        text(JSON.stringify({ series: [{ labels, samples: [[NOW / 1000, 2], [NOW + 1, 3], [null, 4], [5], "NaN"] }] })),
      ),
      await gateway.exposition(
        "t1",
        text(`up{job="näh",a="1",empty=""} 6\nup{a="1",job="näh"} 7 ${NOW - 1}\n`),
        NOW + 2,
      ),
      await gateway.append(
        [gateway.series("t1", labelsFromObject(labels))],
        Float64Array.of(NOW + 3),
        Float64Array.of(8),
      ),
    ];
    expect(results.map((r) => r.accepted)).toEqual([1, 5, 2, 1]);
    expect(results.flatMap((r) => r.rejected)).toEqual([]);
    const series = "t1 __name__,up,a,1,job,näh";
    expect(told(bus)).toEqual(
      [
        `${NOW} 1`,
        `${NOW} 2`,
        `${NOW + 1} 3`,
        `${NOW} 4`,
        `${NOW} 5`,
        `${NOW} NaN`,
        `${NOW + 2} 6`,
        `${NOW - 1} 7`,
        `${NOW + 3} 8`,
      ]
        .map((s) => `${series} ${s}`)
        .sort(),
    );
    const { hi } = seriesHash("t1", labelsFromObject(labels));
    expect(new Set(bus.stored.map((s) => s.partition))).toEqual(new Set([partitionOf(hi, 3)]));
    // Labels went once: later requests knew that the first was acknowledged.
    expect(definitions(bus).map((d) => d.length)).toEqual([1, 0, 0, 0]);
    expect(gateway.stats()).toMatchObject({
      samplesAccepted: 9,
      definitionsPublished: 1,
      framesPublished: 4,
      queuedBytes: 0,
    });
  });

  test("staleness markers stay what they are", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const values = new Float64Array(1);
    writeStale(new Uint32Array(values.buffer), 0);
    await gateway.append([gateway.series("default", ["__name__", "up"])], Float64Array.of(NOW), values);
    await gateway.remoteWrite(
      "default",
      write([{ labels: [["__name__", "up"]], samples: [{ ts: NOW, bits: [STALE_NAN_LO, STALE_NAN_HI] }] }]),
    );
    expect(replay(bus.stored).map((s) => s.bits)).toEqual([
      [STALE_NAN_LO, STALE_NAN_HI],
      [STALE_NAN_LO, STALE_NAN_HI],
    ]);
  });

  test("a request is answered when all its frames are acknowledged, not before", async () => {
    const { bus, gateway } = setup({ partitions: 8 });
    const series = Array.from({ length: 100 }, (_, i) => one({ __name__: "m", i: `${i}` }));
    let answered = false;
    const result = gateway.remoteWrite("default", write(series)).then((r) => {
      answered = true;
      return r;
    });
    await turn();
    expect(bus.waiting).toHaveLength(8);
    while (bus.waiting.length > 0) {
      expect(answered).toBe(false);
      bus.settle(bus.waiting.length >> 1, { stored: true, acknowledged: true });
      await turn();
    }
    expect(await result).toMatchObject({ accepted: 100, rejected: [] });
    expect(told(bus)).toHaveLength(100);
  });

  test("a frame that is not acknowledged fails its requests, and its labels are sent again", async () => {
    const { bus, gateway } = setup({ partitions: 1 });
    const body = write([one({ __name__: "m" })]);
    const first = gateway.remoteWrite("default", body);
    await turn();
    bus.settle(0, { stored: false, acknowledged: false });
    await expect(first).rejects.toThrow(TryLater);
    const second = gateway.remoteWrite("default", body);
    await turn();
    bus.open();
    expect(await second).toMatchObject({ accepted: 1, rejected: [] });
    expect(definitions(bus)).toEqual([["__name__,m"]]);
    expect(gateway.stats()).toMatchObject({
      publishFailures: 1,
      samplesAccepted: 1,
      requestsRefused: { bus_unavailable: 1 },
    });
  });

  test("group commit: while frames are in flight, requests share the next one", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxInFlight: 2 });
    const send = (i: number) => gateway.remoteWrite("default", write([one({ __name__: "m", i: `${i}` })]));
    const requests = [send(0), send(1)];
    await turn();
    expect(bus.waiting).toHaveLength(1);
    requests.push(send(2));
    await turn();
    expect(bus.waiting).toHaveLength(2);
    for (let i = 3; i < 20; i++) {
      requests.push(send(i));
      await turn();
    }
    expect(bus.waiting).toHaveLength(2);
    bus.settle(0, { stored: true, acknowledged: true });
    await turn();
    expect(bus.waiting).toHaveLength(2);
    expect(decodeFrame(bus.waiting[1]!.frame).columns.length).toBe(17);
    bus.open();
    await Promise.all(requests);
    expect(new Set(bus.stored.map((s) => s.msgId)).size).toBe(3);
    expect(told(bus)).toHaveLength(20);
  });

  test("frames are not filled beyond their size, whether by rows or by labels", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxFrameBytes: 8192 });
    bus.open();
    const many = Array.from({ length: 400 }, (_, i) => one({ __name__: "m", i: `${i}`.padEnd(100, "x") }));
    const long = {
      labels: [["__name__", "long"] as const],
      samples: Array.from({ length: 5000 }, (_, i) => ({ ts: NOW - i, value: i })),
    };
    expect((await gateway.remoteWrite("default", write([...many, long]))).accepted).toBe(5400);
    expect(Math.max(...bus.stored.map((s) => s.frame.length))).toBeLessThan(8192 + 400);
    expect(bus.stored.length).toBeGreaterThan(15);
    expect(told(bus)).toHaveLength(5400);
  });

  test("good samples of a request are taken, bad ones are told by reason", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const bad = (labels: TestSeries["labels"], samples = 1): TestSeries => ({
      labels,
      samples: Array.from({ length: samples }, () => ({ ts: NOW, value: 1 })),
    });
    const m = ["__name__", "m"] as const;
    const result = await gateway.remoteWrite(
      "default",
      write([
        one({ __name__: "good" }),
        bad([["a", "b"]], 3),
        bad([m, ["", "x"]]),
        bad([m, ["a", "1"], ["b", "2"], ["a", "3"]]),
        bad([m, ["a", "1"], ["a", "1"]]),
        bad([m, ...Array.from({ length: 10 }, (_, i) => [`l${i}`, "v"] as const)]),
        bad([m, ["n".repeat(101), "x"]]),
        bad([m, ["a", "v".repeat(201)]]),
        bad([m, ["a", Uint8Array.from([0x61, 0xff])]]),
        bad([m, [Uint8Array.from([0xed, 0xa0, 0x80]), "x"]]),
        bad([["__name__", ""]]),
        {
          labels: [m],
          samples: [
            { ts: NOW + 600_000, value: 1 },
            { ts: NOW + 600_001, value: 1 },
            { ts: 2n ** 60n },
            { ts: -(9n * 10n ** 15n) },
          ],
        },
        { labels: [m, ["h", "1"]], samples: [], histograms: [Uint8Array.from([0x20, 0x12])] },
        one({ __name__: "good", ok: "x".repeat(200), ["n".repeat(100)]: "1" }),
      ]),
    );
    expect(result.accepted).toBe(3);
    expect(Object.fromEntries(result.rejected.map((r) => [r.reason, r.count]))).toEqual({
      missing_metric_name: 4,
      empty_label_name: 1,
      duplicate_label_name: 2,
      too_many_labels: 1,
      label_name_too_long: 1,
      label_value_too_long: 1,
      invalid_utf8: 2,
      too_far_in_future: 1,
      invalid_timestamp: 2,
      invalid_histogram: 1,
    });
    const message = (reason: string) => result.rejected.find((r) => r.reason === reason)?.message;
    expect(message("missing_metric_name")).toBe('series 1 {a="b"}: it has no metric name (label __name__)');
    expect(message("duplicate_label_name")).toContain('label "a" stands twice');
    expect(message("too_far_in_future")).toContain('series 11 {__name__="m"}: time 2025-06-15T15:16:40.001Z');
    expect(message("too_many_labels")).toContain("limits.max_label_names_per_series");
    expect(told(bus)).toHaveLength(3);
    expect(gateway.stats().samplesRejected).toMatchObject({ missing_metric_name: 4 });
  });

  test("a malformed body is refused as a whole and counted", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const cases: [() => Promise<unknown>, string, string][] = [
      [() => gateway.remoteWrite("default", text("hello")), "malformed_snappy", "not a Snappy block"],
      [
        () => gateway.remoteWrite("default", new Uint8Array(compress(text("hello")))),
        "malformed_protobuf",
        "at byte 2, wire type 4 is not allowed",
      ],
      [() => gateway.json("default", text('{"series":[\n  {"labels" 1}]}')), "malformed_json", "line 2 column 13"],
      [
        () => gateway.json("default", text('{"series":[{"labels":{"a":1},"samples":[]}]}')),
        "malformed_json",
        'series[0].labels["a"]: expected a string, got 1',
      ],
      [
        () => gateway.json("default", text('{"series":[{"labels":{},"samples":[[1,2,3]]}]}')),
        "malformed_json",
        "series[0].samples[0]: expected [time, value], got [1,2,3]",
      ],
      [
        () => gateway.json("default", text('{"series":[{"labels":{},"samples":[["x",1]]}]}')),
        "malformed_json",
        "series[0].samples[0][0]: expected Unix seconds",
      ],
      [() => gateway.json("default", text('{"series":{}}')), "malformed_json", "series: expected an array"],
      [() => gateway.json("default", text("[]")), "malformed_json", 'the body: expected an object with "series"'],
      [
        () => gateway.json("default", text('{"series":[{"labels":{"a":"\\ud800"},"samples":[1]}]}')),
        "malformed_json",
        "well-formed Unicode",
      ],
      [() => gateway.exposition("default", text("up 1\nup{ 2\n"), NOW), "malformed_exposition", "line 2"],
      [() => gateway.remoteWrite("../x", write([])), "invalid_tenant", 'tenant "../x"'],
    ];
    for (const [run, reason, message] of cases) {
      const error = await run().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(MalformedBody);
      expect(error).toMatchObject({ reason, message: expect.stringContaining(message) });
    }
    expect(gateway.stats().requestsRefused).toMatchObject({
      malformed_snappy: 1,
      malformed_json: 7,
      invalid_tenant: 1,
    });
    expect(bus.stored).toEqual([]);
  });

  test("an empty request is answered at once", async () => {
    const { gateway, bus } = setup();
    expect(await gateway.remoteWrite("default", write([]))).toMatchObject({ accepted: 0, rejected: [] });
    expect(await gateway.append([], new Float64Array(0), new Float64Array(0))).toMatchObject({
      accepted: 0,
      rejected: [],
    });
    await turn();
    expect(bus.waiting).toEqual([]);
  });

  test("when too much waits, requests are put off before they are read, and taken again later", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxQueuedBytes: 100_000, maxFrameBytes: 16_384 });
    const body = write([
      { labels: [["__name__", "m"]], samples: Array.from({ length: 1000 }, (_, i) => ({ ts: NOW - i, value: i })) },
    ]);
    const taken: Promise<unknown>[] = [];
    let refused: unknown;
    for (let i = 0; i < 20 && refused === undefined; i++) {
      const request = gateway.remoteWrite("default", body);
      taken.push(
        request.catch((e: unknown) => {
          refused = e;
        }),
      );
      await turn();
    }
    expect(refused).toMatchObject({ name: "TryLater", reason: "overloaded", status: 503 });
    expect(taken.length).toBe(6);
    expect(gateway.stats().queuedBytes).toBeLessThan(100_000 + 25_000);
    bus.open();
    await Promise.all(taken);
    expect((await gateway.remoteWrite("default", body)).accepted).toBe(1000);
  });

  test("labels go again when a shard asks, and after an idle hour", async () => {
    const { bus, gateway, clock } = setup({ partitions: 1 });
    bus.open();
    const send = () =>
      gateway.remoteWrite("default", write([one({ __name__: "m" }, 1, NOW), one({ __name__: "n" }, 1, NOW)]));
    await send();
    await send();
    const { lo, hi } = seriesHash("default", ["__name__", "n"]);
    gateway.markUnannounced(0, [lo, hi, 1, 2]);
    await send();
    clock.now += 3_599_000;
    await send();
    clock.now += 3_600_000;
    await send();
    await send();
    expect(definitions(bus)).toEqual([
      ["__name__,m", "__name__,n"],
      [],
      ["__name__,n"],
      [],
      ["__name__,m", "__name__,n"],
      [],
    ]);
  });

  test("an ambiguous hash always goes with labels bound to its rows", async () => {
    const { bus, gateway } = setup({ partitions: 1 });
    bus.open();
    const { lo, hi } = seriesHash("default", ["__name__", "m"]);
    const send = () =>
      gateway.remoteWrite(
        "default",
        write([one({ __name__: "n" }), one({ __name__: "m" }), one({ __name__: "m" }, 2)]),
      );
    await send();
    gateway.markAmbiguous(0, [lo, hi]);
    await send();
    await gateway.append([gateway.series("default", ["__name__", "m"])], Float64Array.of(NOW), Float64Array.of(3));
    const frames = bus.stored.map((s) => decodeFrame(s.frame));
    expect(frames.map((f) => f.definitions.map((d) => d.labels[1]))).toEqual([["n", "m"], ["m", "m"], ["m"]]);
    expect(frames.map((f) => [...f.bound.rows])).toEqual([[], [1, 2], [0]]);
    // Known before its first sample, too.
    const other = setup({ partitions: 1 });
    other.bus.open();
    other.gateway.markAmbiguous(0, [lo, hi]);
    await other.gateway.remoteWrite("default", write([one({ __name__: "m" })]));
    expect([...decodeFrame(other.bus.stored[0]!.frame).bound.rows]).toEqual([0]);
  });

  test("series that cannot be taken have a handle that says so with every sample", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const refs = [
      gateway.series("default", ["a", "b"]),
      gateway.series("default", ["__name__", "ok"]),
      gateway.series("default", ["__name__", "\ud800"]),
    ];
    const result = await gateway.append(refs, Float64Array.of(NOW, NOW, NOW), Float64Array.of(1, 2, 3));
    expect(result.accepted).toBe(1);
    expect(result.rejected.map((r) => [r.reason, r.count])).toEqual([
      ["missing_metric_name", 1],
      ["invalid_utf8", 1],
    ]);
    expect(() => gateway.series("no/tenant", ["__name__", "x"])).toThrow(MalformedBody);
    await expect(gateway.append(refs, Float64Array.of(1), Float64Array.of(1))).rejects.toThrow(RangeError);
  });

  test("handles of several tenants go together; a plain one works", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const labels = ["__name__", "m"];
    const plain: SeriesRef = {
      tenant: "c",
      labels,
      hashLo: seriesHash("c", labels).lo,
      hashHi: seriesHash("c", labels).hi,
    };
    const refs = [gateway.series("a", labels), gateway.series("b", labels), gateway.series("a", labels), plain];
    const result = await gateway.append(refs, Float64Array.of(NOW, NOW, NOW + 0.4, NOW), Float64Array.of(1, 2, 3, 4));
    expect(result).toMatchObject({ accepted: 4, rejected: [] });
    expect(told(bus)).toEqual([
      `a __name__,m ${NOW} 1`,
      `a __name__,m ${NOW} 3`,
      `b __name__,m ${NOW} 2`,
      `c __name__,m ${NOW} 4`,
    ]);
  });

  test("a full series cache forgets idle series and sends labels again", async () => {
    const { bus, gateway, clock } = setup({ partitions: 1, maxSeries: 100 });
    bus.open();
    for (let round = 0; round < 30; round++) {
      clock.now += 60_000;
      const series = Array.from({ length: 20 }, (_, i) =>
        one({ __name__: "m", i: `${i}`, round: i < 15 ? `${round}` : "" }, 1, clock.now),
      );
      expect((await gateway.remoteWrite("default", write(series))).accepted).toBe(20);
      expect(gateway.stats().cachedSeries).toBeLessThanOrEqual(100);
    }
    expect(told(bus)).toHaveLength(600);
    expect(
      (
        await gateway.remoteWrite(
          "default",
          write(Array.from({ length: 300 }, (_, i) => one({ __name__: "n", i: `${i}` }))),
        )
      ).accepted,
    ).toBe(300);
  });

  test("after close nothing is taken, and what was taken is out", async () => {
    const { bus, gateway } = setup();
    const request = gateway.remoteWrite("default", write([one({ __name__: "m" })]));
    const closed = gateway.close();
    await expect(gateway.remoteWrite("default", write([]))).rejects.toThrow(TryLater);
    bus.open();
    await closed;
    expect((await request).accepted).toBe(1);
  });

  test("whatever the bus does: what is acknowledged is stored once, under its labels, and labels come in time", async () => {
    const name = fc.constantFrom("a", "b", "c", "zone");
    const label = fc.tuple(name, fc.constantFrom("", "1", "2", "ü"));
    const labels = fc
      .uniqueArray(label, { selector: ([n]) => n, maxLength: 3 })
      .chain((l) => fc.shuffledSubarray([...l, ["__name__", "m"] as [string, string]], { minLength: l.length + 1 }));
    const request = fc.record({
      kind: fc.constant("write" as const),
      tenant: fc.constantFrom("x", "y"),
      // Mostly one sample each, as a fleet sends them.
      series: fc.array(fc.record({ labels, samples: fc.constantFrom(1, 1, 1, 1, 2) }), { minLength: 1, maxLength: 6 }),
    });
    const fate = fc.record({
      kind: fc.constant("settle" as const),
      n: fc.nat(20),
      stored: fc.boolean(),
      acknowledged: fc.boolean(),
    });
    const step = fc.oneof(
      { weight: 3, arbitrary: request },
      { weight: 3, arbitrary: fate },
      fc.constant({ kind: "turn" as const }),
      fc.constant({ kind: "idle" as const }),
    );
    const options = fc.record({ partitions: fc.integer({ min: 1, max: 3 }), fast: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), options, async (steps, { partitions, fast }) => {
        const kernel = fast ? freshKernel() : undefined;
        const { bus, gateway, clock } = setup({ partitions, maxFrameBytes: 600, kernel });
        const sent: { key: string; result: Promise<boolean> }[] = [];
        let value = 0;
        for (const s of steps) {
          if (s.kind === "turn") await turn();
          else if (s.kind === "idle") clock.now += 7_200_000;
          else if (s.kind === "settle") {
            // A lost frame cannot be acknowledged.
            if (bus.waiting.length > 0)
              bus.settle(s.n % bus.waiting.length, {
                stored: s.stored || s.acknowledged,
                acknowledged: s.acknowledged,
              });
            await turn();
          } else {
            const series = s.series.map((x) => ({
              labels: x.labels,
              samples: Array.from({ length: x.samples }, () => ({ ts: NOW, value: value++ })),
            }));
            const body = write(series);
            const result = gateway.remoteWrite(s.tenant, body).then(
              () => true,
              () => false,
            );
            for (const { labels: l, samples } of series) {
              const name = `${s.tenant} ${labelsFromObject(Object.fromEntries(l)).join()} ${NOW}`;
              for (const x of samples) sent.push({ key: `${name} ${x.value}`, result });
            }
          }
        }
        await turn();
        bus.open();
        await gateway.flush();
        const unknown: number[] = [];
        const samples = replay(bus.stored, (p, low, high) => unknown.push(p, low, high)).map(
          (s) => `${s.tenant} ${s.labels.join()} ${s.ts} ${new Float64Array(Uint32Array.from(s.bits).buffer)[0]}`,
        );
        expect(new Set(samples).size).toBe(samples.length);
        const all = new Set(sent.map((s) => s.key));
        for (const s of samples) expect(all).toContain(s);
        // A frame may only lean on labels of a frame that was acknowledged before it was made, so none is unknown.
        expect(unknown).toEqual([]);
        for (const s of sent) if (await s.result) expect(samples).toContain(s.key);
      }),
      { numRuns: 300 },
    );
  });
});
