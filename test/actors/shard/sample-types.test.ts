/** From the bytes that senders send to what the head gives back: floats, histograms, start times, exemplars, metadata. */
import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { familyMetadata } from "../../../src/actors/shard/metric-metadata.ts";
import { applyFrame, makeShardCore, type ShardCore } from "../../../src/actors/shard/shard.core.ts";
import { type Histogram, makeHistogram, RESET_GAUGE, RESET_UNKNOWN } from "../../../src/model/histogram.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import { histogramRef, isHistogramAt, makeSampleBuffer } from "../../../src/model/sample.ts";
import { selectExemplars } from "../../../src/storage/head/exemplars.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { type Gateway, makeGateway } from "../../../src/streams/ingest/gateway.ts";
import { histogram } from "../../model/histogram-samples.ts";
import { type MemoryBus, makeMemoryBus } from "../../streams/support/memory-bus.ts";
import { request1, request2, type WireMetadata, type WireSeries } from "../../streams/support/wire-bytes.ts";
import { often } from "../../support/often.ts";

const NOW = 1.75e12;
const PARTITIONS = 2;
const LIMITS = {
  maxDecodedBytes: 1 << 24,
  maxLabelNamesPerSeries: 10,
  maxLabelNameBytes: 100,
  maxLabelValueBytes: 200,
};

interface Setup {
  readonly bus: MemoryBus;
  readonly gateway: Gateway;
  readonly cores: ShardCore[];
  /** Everything that was published goes into the shards. */
  take(): void;
}

function setup(maxFrameBytes = 256 << 10, maxExemplars = 1000): Setup {
  const bus = makeMemoryBus();
  bus.open();
  const gateway = makeGateway({
    partitions: PARTITIONS,
    publisher: bus.publisher,
    limits: LIMITS,
    now: () => NOW,
    secret: [1, 2, 3],
    maxFrameBytes,
  });
  const cores = Array.from({ length: PARTITIONS }, (_, partition) =>
    makeShardCore(createHead({ outOfOrderWindowMs: 3600_000, maxExemplars }), 1000, {
      partition,
      partitions: PARTITIONS,
    }),
  );
  let taken = 0;
  const take = () => {
    for (; taken < bus.stored.length; taken++) {
      const { partition, frame } = bus.stored[taken]!;
      applyFrame(cores[partition]!, frame);
    }
  };
  return { bus, gateway, cores, take };
}

const send1 = (g: Gateway, body: Uint8Array) => g.remoteWrite("default", new Uint8Array(compress(body)));
const send2 = (g: Gateway, body: Uint8Array) => g.remoteWrite2("default", new Uint8Array(compress(body)));

type Point = readonly [ts: number, value: string | Histogram, start: number];

function contents(cores: readonly ShardCore[]): Record<string, Point[]> {
  const out: Record<string, Point[]> = {};
  const buffer = makeSampleBuffer(1);
  for (const core of cores) {
    const source = headSource(core.head);
    for (const id of source.select("default", [], -Infinity, Infinity)) {
      source.read(id, -Infinity, Infinity, buffer);
      out[source.labels(id).join()] = Array.from({ length: buffer.length }, (_, i): Point => {
        const value = isHistogramAt(buffer.words, i)
          ? decodeHistogram(buffer.histograms!.bytes, histogramRef(buffer.words, i))
          : `${buffer.words[2 * i + 1]}:${buffer.words[2 * i]}`;
        return [buffer.ts[i]!, value, buffer.startTs?.[i] ?? 0];
      });
    }
  }
  return out;
}

const shown = ([low, high]: readonly [number, number]) =>
  high >>> 18 === 0x3ffd ? `${0x7ff80000}:0` : `${high >>> 0}:${low >>> 0}`;

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bits = fc.oneof(
  fc.tuple(u32, u32),
  fc.constantFrom<[number, number]>([2, 0x7ff00000], [5, 0xfff40000], [0xffffffff, 0xfff7ffff], [0, 0x3ff00000]),
);
const start = fc.option(fc.integer({ min: 1, max: 2e12 }), { nil: undefined });
/** One point of time is used once in a series, so that there is one truth. */
const point = fc.oneof(
  fc.record({ bits, start }).map((x) => ({ bits: x.bits as readonly [number, number], start: x.start })),
  fc.record({ h: histogram, start }),
);
const series = (i: number) =>
  fc.array(point, { maxLength: 12 }).map((points) => {
    const at = points.map((p, k) => ({ ...p, ts: NOW - 100_000 + 1000 * k + i }));
    return {
      labels: [
        ["__name__", "m"],
        ["i", String(i)],
      ] as const,
      at,
    };
  });
const request = fc.tuple(series(0), series(1), series(2), series(3));

function wire(list: readonly { labels: WireSeries["labels"]; at: readonly object[] }[]): WireSeries[] {
  return list.map(({ labels, at }) => {
    const points = at as { ts: number; start?: number; bits?: readonly [number, number]; h?: Histogram }[];
    const started = (s: number | undefined) => (s === undefined ? {} : { start: s });
    return {
      labels,
      samples: points.flatMap((p) => (p.bits === undefined ? [] : [{ ts: p.ts, bits: p.bits, ...started(p.start) }])),
      histograms: points.flatMap((p) => (p.h === undefined ? [] : [{ ts: p.ts, h: p.h, ...started(p.start) }])),
    };
  });
}

/** What a sender says of counter resets is not kept, but that a histogram is a gauge. */
const kept = (h: Histogram): Histogram => (h.resetHint === RESET_GAUGE ? h : { ...h, resetHint: RESET_UNKNOWN });

function expected(list: readonly WireSeries[], starts: boolean): Record<string, Point[]> {
  const out: Record<string, Point[]> = {};
  for (const s of list) {
    const points: Point[] = [
      ...(s.samples ?? []).map((x): Point => [x.ts, shown(x.bits), starts ? (x.start ?? 0) : 0]),
      ...(s.histograms ?? []).map((x): Point => [x.ts, kept(x.h), starts ? (x.start ?? 0) : 0]),
    ];
    if (points.length > 0) out[s.labels.flat().join()] = points.sort(([a], [b]) => a - b);
  }
  return out;
}

describe("all kinds of samples", () => {
  test("what is sent by either version of remote write is what is read, bit by bit", async () => {
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.constantFrom(1, 2),
        fc.boolean(),
        fc.boolean(),
        async (list, version, small, twice) => {
          const sent = wire(list);
          const { gateway, cores, take } = setup(small ? 300 : undefined);
          const body = version === 1 ? request1(sent) : request2(sent, small);
          for (let i = 0; i < (twice ? 2 : 1); i++) {
            const result = await (version === 1 ? send1(gateway, body) : send2(gateway, body));
            const histograms = sent.reduce((n, s) => n + s.histograms!.length, 0);
            expect(result.rejected).toEqual([]);
            expect(result.accepted).toBe(sent.reduce((n, s) => n + s.samples!.length, histograms));
            expect(result.histograms ?? 0).toBe(histograms);
            take();
          }
          expect(contents(cores)).toEqual(expected(sent, version === 2));
          const stored = cores.reduce((n, c) => n + c.counts.appended, 0);
          const all = sent.reduce((n, s) => n + s.samples!.length + s.histograms!.length, 0);
          expect(stored).toBe(all);
          expect(cores.reduce((n, c) => n + c.counts.duplicates, 0)).toBe(twice ? all : 0);
        },
      ),
      { numRuns: often(50, 150) },
    );
  });

  test("bad histograms are told with their reason, the good samples are taken", async () => {
    const { gateway, cores, take } = setup();
    const bad = { ...makeHistogram(), count: 3 };
    const body = request2([
      { labels: [["__name__", "good"]], samples: [{ ts: NOW, bits: [0, 0x3ff00000] }] },
      {
        labels: [["__name__", "bad"]],
        histograms: [
          { ts: NOW, h: bad },
          { ts: NOW, h: { ...bad, schema: 20 } },
        ],
      },
    ]);
    const result = await send2(gateway, body);
    expect(result).toMatchObject({
      accepted: 1,
      rejected: [
        {
          reason: "invalid_histogram",
          count: 2,
          message: "series 1: the buckets have 0 observations, the count says 3",
        },
      ],
    });
    take();
    expect(Object.keys(contents(cores))).toEqual(["__name__,good"]);
  });

  test("a created timestamp counts for all samples of its series that do not say otherwise", async () => {
    const { gateway, cores, take } = setup();
    const samples = [1, 2].map((k) => ({ ts: NOW + k, bits: [k, 0x3ff00000] as const }));
    const body = request2([
      { labels: [["__name__", "m"]], samples: [samples[0]!, { ...samples[1]!, start: NOW - 5 }], created: NOW - 9 },
      { labels: [["__name__", "n"]], samples },
    ]);
    expect((await send2(gateway, body)).accepted).toBe(4);
    take();
    const read = contents(cores);
    expect(read["__name__,m"]!.map((p) => p[2])).toEqual([NOW - 9, NOW - 5]);
    expect(read["__name__,n"]!.map((p) => p[2])).toEqual([0, 0]);
    expect(cores.reduce((n, c) => n + c.head.starts.count, 0)).toBe(1);
  });

  test("exemplars are kept by series, in order, once", async () => {
    const { gateway, cores, take } = setup();
    const labels = [["__name__", "m"]] as const;
    const exemplar = (k: number, trace: string) => ({ labels: [["trace_id", trace]] as const, value: k, ts: NOW + k });
    const only = (...exemplars: ReturnType<typeof exemplar>[]): WireSeries => ({ labels, exemplars });
    const first = {
      labels,
      samples: [{ ts: NOW, bits: [0, 0] as const }],
      exemplars: [exemplar(1, "a"), exemplar(2, "ß")],
    };
    expect(await send1(gateway, request1([first]))).toMatchObject({ accepted: 1, exemplars: 2, rejected: [] });
    expect(await send2(gateway, request2([only(exemplar(2, "ß"), exemplar(1, "x"), exemplar(3, "c"))]))).toMatchObject({
      accepted: 0,
      exemplars: 3,
    });
    const refused = await send2(gateway, request2([only(exemplar(4, "y".repeat(121)))]));
    expect(refused.rejected).toMatchObject([{ reason: "invalid_exemplar", count: 1 }]);
    take();
    const found = cores.flatMap((c) => selectExemplars(c.head, "default", [], NOW, NOW + 10));
    expect(found).toEqual([
      {
        series: labels.flat(),
        exemplars: [
          { labels: ["trace_id", "a"], value: 1, ts: NOW + 1 },
          { labels: ["trace_id", "ß"], value: 2, ts: NOW + 2 },
          { labels: ["trace_id", "c"], value: 3, ts: NOW + 3 },
        ],
      },
    ]);
    expect(cores.flatMap((c) => selectExemplars(c.head, "other", [], NOW, NOW + 10))).toEqual([]);
    expect(cores.reduce((n, c) => n + c.counts.exemplarsRefused, 0)).toBe(2);
  });

  test("metadata of either version is known in the shard of its family, and sent once", async () => {
    const { bus, gateway, cores, take } = setup();
    const meta: WireMetadata = { type: 3, help: "how long", unit: "seconds" };
    const known = (family: string) =>
      cores.map((c) => familyMetadata(c.metadata, "default", family)).find((m) => m !== undefined);
    expect(await send1(gateway, request1([], [{ ...meta, family: "old" }]))).toMatchObject({
      accepted: 0,
      rejected: [],
    });
    const samples = [{ ts: NOW, bits: [0, 0] as const }];
    const of = (name: string, k: number): WireSeries => ({
      labels: [
        ["__name__", name],
        ["le", String(k)],
      ],
      samples: samples.map((s) => ({ ...s, ts: s.ts + k })),
      metadata: meta,
    });
    await send2(gateway, request2([of("new_bucket", 1), of("new_bucket", 2), of("new_sum", 0)]));
    take();
    const told = { type: "histogram", help: "how long", unit: "seconds" };
    expect([known("old"), known("new"), known("new_bucket")]).toEqual([told, told, undefined]);
    const before = bus.stored.length;
    expect(await send1(gateway, request1([], [{ ...meta, family: "old" }]))).toMatchObject({ accepted: 0 });
    expect(bus.stored.length).toBe(before);
    await send1(gateway, request1([], [{ ...meta, family: "old", type: 1 }]));
    take();
    expect(known("old")?.type).toBe("counter");
  });

  test.each([
    ["a message of 1.0", request1([{ labels: [["a", "b"]], samples: [{ ts: 1, bits: [0, 0] }] }]), "1.0 message"],
    ["a reference to no symbol", Uint8Array.from([0x22, 0, 0x2a, 4, 0x0a, 2, 0, 1]), "symbol 1 of 1"],
    ["an odd number of references", Uint8Array.from([0x22, 0, 0x2a, 3, 0x0a, 1, 0]), "1 references"],
    ["a series that is cut off", Uint8Array.from([0x22, 0, 0x2a, 9, 0x0a, 1, 0]), "runs over the end"],
  ])("%s is refused as 2.0", async (_, body, message) => {
    const { gateway } = setup();
    await expect(send2(gateway, body)).rejects.toThrow(message);
  });

  test("a changed byte of a 2.0 message never does more than change or refuse it", async () => {
    const body = request2([
      {
        labels: [["__name__", "m"]],
        samples: [{ ts: NOW, bits: [0, 0], start: NOW - 1 }],
        histograms: [{ ts: NOW + 1, h: { ...makeHistogram(), zeroCount: 1, count: 1 } }],
        exemplars: [{ labels: [["t", "1"]], value: 1, ts: NOW }],
        metadata: { type: 1, help: "h", unit: "u" },
      },
    ]);
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const { gateway, take } = setup();
        const changed = body.slice();
        changed[at] = byte;
        await send2(gateway, changed).catch((error: Error) => expect(error.name).toBe("MalformedBody"));
        take();
      }),
      { numRuns: often(130, 400) },
    );
  });
});
