import { expect, it } from "vitest";
import { encodeInstant, encodeRange, formatTime } from "../../src/api/encode.ts";
import { makeHistogram } from "../../src/model/histogram.ts";
import { encodeHistogram, histogramBytes, makeHistogramBytes } from "../../src/model/histogram-code.ts";
import { writeHistogramRef } from "../../src/model/sample.ts";

const none = { warnings: [], infos: [], partial: false };
const text = (pieces: Iterable<Buffer>) => Buffer.concat([...pieces]).toString();

it.each([
  [0, "0"],
  [1000, "1"],
  [1435781430781, "1435781430.781"],
  [1500, "1.500"],
  [-1, "-0.001"],
  [-1500, "-1.500"],
])("a time of %d ms is %s", (ms, want) => expect(formatTime(ms)).toBe(want));

it("writes a range as Prometheus does, absent points left out", () => {
  const matrix = {
    start: 1000,
    step: 500,
    steps: 3,
    labels: [
      ["__name__", "a", "x", 'quo"te'],
      ["__name__", "b"],
    ],
    values: Float64Array.of(1, 2.5, Number.NaN, 1e21, 0, Number.POSITIVE_INFINITY),
    present: Uint8Array.of(1, 0, 1, 1, 0, 1),
    histograms: [],
  };
  expect(text(encodeRange({ ...none, type: "matrix", matrix, warnings: ["careful"] }))).toBe(
    '{"status":"success","data":{"resultType":"matrix","result":[' +
      '{"metric":{"__name__":"a","x":"quo\\"te"},"values":[[1,"1"],[2,"NaN"]]},' +
      '{"metric":{"__name__":"b"},"values":[[1,"1e+21"],[2,"+Inf"]]}]},"warnings":["careful"]}',
  );
});

it("writes the instant forms", () => {
  const one = { labels: [[]], values: Float64Array.of(1e-7), present: Uint8Array.of(1), histograms: [] } as const;
  const vector = { ...none, type: "vector", time: 1234, ...one } as const;
  expect(JSON.parse(text(encodeInstant(vector))).data).toEqual({
    resultType: "vector",
    result: [{ metric: {}, value: [1.234, "1e-07"] }],
  });
  expect(JSON.parse(text(encodeInstant({ ...none, type: "scalar", time: 0, value: -0 }))).data.result).toEqual([
    0,
    "-0",
  ]);
  expect(JSON.parse(text(encodeInstant({ ...none, type: "string", time: 0, value: 'a"b' }))).data.result).toEqual([
    0,
    'a"b',
  ]);
  const samples = {
    ...none,
    type: "matrix",
    labels: [["a", "b"]],
    ts: [Float64Array.of(1, 1000)],
    values: [Float64Array.of(1, 2)],
    histograms: [new Uint8Array(0)],
  } as const;
  expect(JSON.parse(text(encodeInstant(samples))).data.result).toEqual([
    {
      metric: { a: "b" },
      values: [
        [0.001, "1"],
        [1, "2"],
      ],
    },
  ]);
});

it("writes native histograms as Prometheus does, beside floats", () => {
  const h = { ...makeHistogram(), float: true, schema: 0, count: 7, sum: 4.5, zeroThreshold: 0.5, zeroCount: 2 };
  Object.assign(h, { positiveSpans: [0, 2], positive: [3, 0], negativeSpans: [1, 1], negative: [2] });
  const shown = {
    count: "7",
    sum: "4.5",
    buckets: [
      [1, "-2", "-1", "2"],
      [3, "-0.5", "0.5", "2"],
      [0, "0.5", "1", "3"],
    ],
  };
  const one = { labels: [[]], values: Float64Array.of(0), present: Uint8Array.of(2), histograms: [h] };
  const vector = { ...none, ...one, type: "vector", time: 1000 } as const;
  expect(JSON.parse(text(encodeInstant(vector))).data.result).toEqual([{ metric: {}, histogram: [1, shown] }]);
  const empty = { ...vector, histograms: [{ ...makeHistogram(), float: true }] };
  expect(JSON.parse(text(encodeInstant(empty))).data.result[0].histogram).toEqual([1, { count: "0", sum: "0" }]);
  const matrix = {
    start: 0,
    step: 1000,
    steps: 4,
    labels: [
      ["a", "1"],
      ["a", "2"],
    ],
    values: Float64Array.of(5, 0, 0, 6, 0, 0, 0, 0),
    present: Uint8Array.of(1, 2, 0, 1, 0, 2, 2, 0),
    histograms: [h],
  };
  expect(JSON.parse(text(encodeRange({ ...none, type: "matrix", matrix }))).data.result).toEqual([
    {
      metric: { a: "1" },
      values: [
        [0, "5"],
        [3, "6"],
      ],
      histograms: [[1, shown]],
    },
    {
      metric: { a: "2" },
      histograms: [
        [1, shown],
        [2, shown],
      ],
    },
  ]);
  const bytes = makeHistogramBytes();
  const values = Float64Array.of(1, 0);
  writeHistogramRef(new Uint32Array(values.buffer), 1, encodeHistogram(h, bytes));
  const raw = { labels: [["a", "1"]], ts: [Float64Array.of(0, 1000)], values: [values] };
  const samples = { ...none, ...raw, type: "matrix", histograms: [histogramBytes(bytes)] } as const;
  expect(JSON.parse(text(encodeInstant(samples))).data.result).toEqual([
    { metric: { a: "1" }, values: [[0, "1"]], histograms: [[1, shown]] },
  ]);
});

it("writes statistics in seconds, behind the result", () => {
  const stats = {
    tiers: [{ tier: "1h", after: 0, until: 7_200_000, rows: 2, rounded: false }],
    samples: 2,
    windowSamples: 3,
    perStep: { start: 1000, step: 500, windowSamples: Float64Array.of(1, 2) },
    peakPoints: 4,
    preparationMs: 1,
    queuedMs: 0.5,
    evaluationMs: 2,
  } as const;
  const scalar = { ...none, type: "scalar", time: 0, value: 1, stats, infos: ["i"] } as const;
  const { data, infos } = JSON.parse(text(encodeInstant(scalar)));
  expect(infos).toEqual(["i"]);
  expect(data).toEqual({
    resultType: "scalar",
    result: [0, "1"],
    stats: {
      timings: {
        evalTotalTime: 0.002,
        resultSortTime: 0,
        queryPreparationTime: 0.001,
        innerEvalTime: 0.002,
        execQueueTime: 0.0005,
        execTotalTime: 0.0035,
      },
      samples: {
        totalQueryableSamplesPerStep: [
          [1, 1],
          [1.5, 2],
        ],
        totalQueryableSamples: 3,
        peakSamples: 4,
        samplesRead: 2,
      },
      tiers: [{ tier: "1h", from: 0, to: 7200, rows: 2, rounded: false }],
    },
  });
});

it("comes in pieces when it is long", () => {
  const steps = 20_000;
  const matrix = {
    start: 0,
    step: 1000,
    steps,
    labels: [["a", "b"]],
    values: new Float64Array(steps).fill(1.5),
    present: new Uint8Array(steps).fill(1),
    histograms: [],
  };
  const pieces = [...encodeRange({ ...none, type: "matrix", matrix })];
  expect(pieces.length).toBeGreaterThan(5);
  expect(JSON.parse(text(pieces)).data.result[0].values).toHaveLength(steps);
});
