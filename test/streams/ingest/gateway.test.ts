import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram, encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { MalformedBody, type SeriesRef } from "../../../src/model/ingest.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import {
  histogramRef,
  isHistogramAt,
  ORDINARY_NAN_HI,
  STALE_NAN_HI,
  STALE_NAN_LO,
  writeHistogramRef,
  writeStale,
} from "../../../src/model/sample.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { partitionOf, seriesHash } from "../../../src/streams/codec/series-hash.ts";
import { replay } from "../support/memory-bus.ts";
import type { TestSeries } from "../support/write-request-bytes.ts";
import { definitions, NOW, one, setup, text, told, turn, write } from "./gateway-setup.ts";

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
        { labels: [m, ["h", "1"]], samples: [], histograms: [Uint8Array.from([0x20, 0x6a])] },
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

  test("native histograms go with handles; without their bytes what looks like one is a NaN", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const h = { ...makeHistogram(), float: true, count: 3, sum: 2.5, positiveSpans: [0, 2], positive: [1, 2] };
    const bytes = makeHistogramBytes();
    const values = Float64Array.of(7, 0, 0);
    const words = new Uint32Array(values.buffer);
    for (const row of [1, 2]) writeHistogramRef(words, row, encodeHistogram({ ...h, schema: row }, bytes));
    const refs = ["a", "b", "b"].map((tenant) => gateway.series(tenant, ["__name__", "m"]));
    const ts = Float64Array.of(NOW, NOW, NOW + 1);
    expect(await gateway.append(refs, ts, values, bytes.bytes.slice(0, bytes.length))).toEqual(
      expect.objectContaining({ accepted: 3, histograms: 2, rejected: [] }),
    );
    const found: unknown[] = [];
    for (const { frame } of bus.stored) {
      const { columns: samples } = decodeFrame(frame);
      const rows = new Uint32Array(samples.values.buffer, samples.values.byteOffset, 2 * samples.length);
      for (let i = 0; i < samples.length; i++) {
        if (isHistogramAt(rows, i)) found.push(decodeHistogram(samples.histograms!, histogramRef(rows, i)));
      }
    }
    expect(found).toEqual([1, 2].map((schema) => ({ ...h, schema })));
    expect(await gateway.append(refs, ts, values)).not.toHaveProperty("histograms");
    expect(replay(bus.stored).filter((s) => s.bits[1] === ORDINARY_NAN_HI)).toHaveLength(2);
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
});
