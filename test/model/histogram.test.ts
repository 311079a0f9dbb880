import { describe, expect, test } from "vitest";
import { clearHistogram, type Histogram, histogramProblem, makeHistogram } from "../../src/model/histogram.ts";

const of = (part: Partial<Histogram>): Histogram => ({ ...makeHistogram(), ...part });
const custom = { schema: -53, customBounds: [1, 2], positiveSpans: [0, 3], positive: [1, 0, 2], count: 3 };

describe("histogramProblem", () => {
  test.each<[string, Partial<Histogram>]>([
    ["nothing observed", {}],
    [
      "exponential buckets",
      {
        positiveSpans: [-3, 2, 1, 1],
        positive: [1, 0, 2],
        negativeSpans: [0, 1],
        negative: [4],
        zeroCount: 1,
        count: 8,
      },
    ],
    ["a sum that is NaN and fewer in buckets", { sum: Number.NaN, positiveSpans: [0, 1], positive: [1], count: 2 }],
    ["float counts that do not add up", { float: true, positiveSpans: [0, 1], positive: [0.25], count: 9 }],
    ["custom buckets", custom],
    ["custom buckets without the last one", { ...custom, positiveSpans: [1, 1], positive: [3] }],
    ["a staleness marker", { stale: true, sum: Number.NaN }],
  ])("takes %s", (_, part) => {
    expect(histogramProblem(of(part))).toBeUndefined();
  });

  test.each<[string, Partial<Histogram>, string]>([
    ["an unknown schema", { schema: 9 }, "schema 9: from -4 to 8"],
    ["another one", { schema: -5 }, "schema -5"],
    [
      "spans and counts that differ",
      { positiveSpans: [0, 2], positive: [1], count: 1 },
      "positive buckets: the spans have 2 buckets, 1 counts",
    ],
    [
      "a negative gap",
      { negativeSpans: [0, 1, -1, 1], negative: [1, 1], count: 2 },
      "negative buckets: span 1 has the negative offset -1",
    ],
    ["a negative bucket", { positiveSpans: [0, 2], positive: [1, -1] }, "bucket 1 has the negative count -1"],
    [
      "a count below the buckets'",
      { positiveSpans: [0, 1], positive: [3], count: 2 },
      "the buckets have 3 observations, the count says 2",
    ],
    ["a count above the buckets'", { positiveSpans: [0, 1], positive: [3], count: 4 }, "the count says 4"],
    ["more in buckets than counted, sum NaN", { sum: Number.NaN, zeroCount: 3, count: 2 }, "the buckets have 3"],
    ["float counts below zero", { float: true, zeroCount: -0.5 }, "the zero bucket has the negative count -0.5"],
    ["a float count below zero", { float: true, count: -1 }, "the count is -1"],
    ["counts that are not exact any more", { zeroCount: 2 ** 52, count: 2 ** 52 }, "2^52 or more"],
    ["bounds of exponential buckets", { customBounds: [1] }, "custom bounds are given"],
    ["bounds that do not ascend", { ...custom, customBounds: [2, 2] }, "bounds are not ascending: 2, 2"],
    ["a bound that is NaN", { ...custom, customBounds: [1, Number.NaN] }, "a bound is NaN"],
    ["a bound that is infinite", { ...custom, customBounds: [1, Number.POSITIVE_INFINITY] }, "not finite"],
    ["too few bounds", { ...custom, customBounds: [1] }, "1 bounds are too few for 3 buckets"],
    ["a first custom span below 0", { ...custom, positiveSpans: [-1, 3] }, "span 0 has the negative offset -1"],
    ["a zero bucket of custom ones", { ...custom, zeroCount: 1, count: 4 }, "the zero bucket has 1 observations"],
    ["a zero threshold of custom ones", { ...custom, zeroThreshold: 0.1 }, "a threshold of 0.1"],
    ["negative custom buckets", { ...custom, negativeSpans: [0, 1], negative: [0] }, "there are negative buckets"],
  ])("refuses %s", (_, part, message) => {
    expect(histogramProblem(of(part))).toContain(message);
  });

  test("a cleared histogram is the empty one", () => {
    const h = of({ ...custom, float: true, stale: true, resetHint: 3, sum: 5, zeroThreshold: 1 });
    clearHistogram(h);
    expect(h).toEqual(makeHistogram());
  });
});
