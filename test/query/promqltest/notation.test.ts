import { describe, expect, test } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import { bucketsOf, readHistogram, type WrittenHistogram } from "../../../src/query/notation/histogram-notation.ts";
import { readSeries } from "../../../src/query/notation/series-notation.ts";
import { storedHistograms } from "../../../src/query/notation/stored-histograms.ts";
import { sameHistogram } from "./compare-histograms.ts";
import { customHistogram } from "./custom-histogram.ts";

/** The runner of the scripts must read, load and compare what they say, or they prove nothing. */
const histograms = (line: string): WrittenHistogram[] =>
  readSeries(line).points.map((p) => {
    if (p.kind !== "histogram") throw new Error(`a ${p.kind}`);
    return p;
  });

describe("histograms of scripts", () => {
  test("have all their attributes", () => {
    const [h] = histograms(
      "m {{schema:2 sum:-1.5e3 count:7 z_bucket:2 z_bucket_w:0.001 buckets:[1 0 2] offset:-3 n_buckets:[ 4 ] n_offset:5 counter_reset_hint:gauge}}",
    );
    expect(h).toEqual({
      kind: "histogram",
      hintSet: true,
      histogram: {
        float: true,
        stale: false,
        resetHint: 3,
        schema: 2,
        sum: -1500,
        count: 7,
        zeroCount: 2,
        zeroThreshold: 0.001,
        positiveSpans: [-3, 3],
        positive: [1, 0, 2],
        negativeSpans: [5, 1],
        negative: [4],
        customBounds: [],
      },
    });
    expect(readHistogram("").hintSet).toBe(false);
    expect(() => readHistogram("schema:0 colour:3")).toThrow("colour");
    expect(() => readHistogram("sum:1 sum:2")).toThrow("sum");
    expect(() => readHistogram("sum:1 buckets")).toThrow("cannot read");
  });

  test("stand among other values, repeated and in sequences", () => {
    expect(readSeries("m 1 {{count:1}} _ {{}}x2 stale").points.map((p) => p.kind)).toEqual(
      "float histogram none histogram histogram histogram stale".split(" "),
    );
    const grows = histograms("m {{schema:-1 count:1 buckets:[1] offset:1}}+{{count:2 buckets:[1 1] offset:1}}x2");
    expect(grows.map(({ histogram: h }) => [h.schema, h.count, [...bucketsOf(h.positiveSpans, h.positive)]])).toEqual([
      [-1, 1, [[1, 1]]],
      [-1, 3, [[1, 3]]],
      [-1, 5, [[1, 5]]],
    ]);
    const shrinks = histograms("m {{count:5 buckets:[5]}}-{{count:1 buckets:[1] counter_reset_hint:gauge}}x1");
    expect(shrinks.map(({ histogram: h, hintSet }) => [h.count, h.positive, h.resetHint, hintSet])).toEqual([
      [5, [5], 0, true],
      [4, [4], 3, true],
    ]);
    expect(() => histograms("m {{schema:1}}+{{schema:0}}x1")).toThrow("cannot merge");
  });

  test("come from the storage with the hints that Prometheus gives back", () => {
    const hints = (line: string): (number | string)[] =>
      storedHistograms(readSeries(line).points).map((p) => (p.kind === "histogram" ? p.histogram.resetHint : p.kind));
    expect(hints("m {{count:1}} {{count:2}} _ {{count:3}} {{count:1}} {{count:2}}")).toEqual([0, 2, "none", 2, 0, 2]);
    expect(hints("m {{count:1}} 5 {{count:2}} {{count:2}} stale {{count:2}}")).toEqual([0, "float", 0, 2, "stale", 0]);
    expect(hints("m {{count:1}} {{count:2 counter_reset_hint:gauge}} {{count:3}} {{count:4}}")).toEqual([0, 3, 0, 2]);
    expect(hints("m {{count:1}} {{count:2 counter_reset_hint:reset}} {{count:3}}")).toEqual([0, 0, 2]);
    expect(hints("m {{count:9 buckets:[2 0 1]}} {{count:9 buckets:[2 4 1]}} {{count:9 buckets:[2 4]}}")).toEqual([
      0, 2, 0,
    ]);
    expect(hints("m {{schema:1 count:1}} {{count:2}} {{count:2 z_bucket_w:1}}")).toEqual([0, 0, 0]);
  });
});

describe("the comparison", () => {
  const BOTH = "schema:1 count:5 sum:2 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 2] offset:3 n_buckets:[1] n_offset:2";
  const got = (text: string): Histogram => readHistogram(text).histogram;

  test("takes equal histograms, and empty buckets for none", () => {
    const empty = BOTH.replace("buckets:[1 0 2] offset:3", "buckets:[0 1 0 2 0] offset:2");
    expect(sameHistogram(readHistogram(BOTH), got(empty), "all")).toBe(true);
    const spans = { ...got(BOTH), positiveSpans: [2, 0, 1, 1, 1, 1], positive: [1, 2] };
    expect(sameHistogram(readHistogram(BOTH), spans, "all")).toBe(true);
    expect(sameHistogram(readHistogram(BOTH), got(BOTH.replace("sum:2", "sum:2.0000001")), "all")).toBe(true);
  });

  test.each([
    ["schema:1", "schema:0"],
    ["count:5", "count:5.1"],
    ["sum:2", "sum:NaN"],
    ["z_bucket:1", "z_bucket:0"],
    ["z_bucket_w:0.5", "z_bucket_w:0.50000001"],
    ["buckets:[1 0 2]", "buckets:[1 2]"],
    ["buckets:[1 0 2]", "buckets:[1 0 2 1]"],
    [" offset:3", " offset:4"],
    ["n_buckets:[1]", "n_buckets:[2]"],
    ["n_offset:2", "n_offset:1"],
  ])("tells %s from %s", (from, to) => {
    expect(sameHistogram(readHistogram(BOTH), got(BOTH.replace(from, to)), "all")).toBe(false);
    expect(sameHistogram(readHistogram(BOTH.replace(from, to)), got(BOTH), "all")).toBe(false);
  });

  test("sees custom bounds exactly, and hints where one is written down", () => {
    const custom = readHistogram("schema:-53 custom_values:[1 2]");
    expect(sameHistogram(custom, got("schema:-53 custom_values:[1 2.0000001]"), "all")).toBe(false);
    expect(sameHistogram(custom, got("schema:-53 custom_values:[1]"), "all")).toBe(false);
    expect(sameHistogram(custom, got("schema:-53 custom_values:[1 2] counter_reset_hint:reset"), "all")).toBe(true);
    const hint = (text: string): WrittenHistogram => readHistogram(`counter_reset_hint:${text}`);
    expect(sameHistogram(hint("unknown"), hint("not_reset").histogram, "all")).toBe(false);
    expect(sameHistogram(hint("unknown"), hint("not_reset").histogram, "gauge")).toBe(true);
    expect(sameHistogram(hint("gauge"), hint("not_reset").histogram, "gauge")).toBe(false);
    expect(sameHistogram(hint("unknown"), hint("gauge").histogram, "gauge")).toBe(false);
  });

  test("refuses spans that do not fit the counts", () => {
    expect(() => bucketsOf([0, 2], [1])).toThrow("spans");
    expect(() => bucketsOf([0, 1], [1, 2])).toThrow("spans");
    expect(() => bucketsOf([0, 2, -1, 1], [1, 2, 3])).toThrow("spans");
  });
});

test("a classic histogram becomes one with custom buckets", () => {
  const buckets = (...of: [number, number][]): Map<number, number> => new Map(of);
  const infinity = Number.POSITIVE_INFINITY;
  const { histogram } = customHistogram({ buckets: buckets([infinity, 6], [1, 2], [0.5, 2]), sum: 3 });
  expect(histogram).toMatchObject({ schema: -53, count: 6, sum: 3, customBounds: [0.5, 1] });
  expect([...bucketsOf(histogram.positiveSpans, histogram.positive)]).toEqual([
    [0, 2],
    [2, 4],
  ]);
  expect(customHistogram({ buckets: buckets([1, 2]), count: 5, sum: 0 }).histogram.positive).toEqual([2, 3]);
  expect(customHistogram({ buckets: buckets([1, 2]), sum: 0 }).histogram.count).toBe(2);
  expect(() => customHistogram({ buckets: buckets(), sum: 0 })).toThrow("count must be provided");
  expect(() => customHistogram({ buckets: buckets([1, 3], [2, 2]), sum: 0 })).toThrow("not cumulative");
  expect(() => customHistogram({ buckets: buckets([infinity, 3]), count: 4, sum: 0 })).toThrow("mismatch");
});
