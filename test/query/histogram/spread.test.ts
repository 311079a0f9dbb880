import { describe, expect, it } from "vitest";
import { histogramAverage, histogramDeviation, histogramVariance } from "../../../src/query/histogram/spread.ts";
import { readHistogram } from "./notation.ts";

describe("average and spread", () => {
  it("take observations to be at the middle of their bucket", () => {
    const low = readHistogram("{{schema:2 count:4 sum:10 buckets:[1 0 0 0 1 0 0 1 1]}}");
    expect(histogramAverage(low)).toBe(2.5);
    expect(histogramDeviation(low)).toBeCloseTo(1.0787993180043811, 14);
    expect(histogramVariance(low)).toBeCloseTo(1.163807968526718, 14);
    const negative = readHistogram(
      "{{schema:0 count:10 sum:-112946 z_bucket:0 n_buckets:[0 0 1 1 1 0 1 1 0 0 3 0 0 0 1 0 0 1]}}",
    );
    expect(histogramVariance(negative) / 759352122.1939945).toBeCloseTo(1, 12);
  });

  it("take 0 in the zero bucket, the arithmetic mean in given bounds", () => {
    expect(histogramVariance(readHistogram("{{count:2 sum:4 z_bucket:2 z_bucket_w:1}}"))).toBe(4);
    expect(histogramVariance(readHistogram("{{schema:-53 count:4 sum:28 custom_values:[5 9] buckets:[0 4]}}"))).toBe(0);
  });

  it("are NaN without observations and where NaN was observed", () => {
    const empty = readHistogram("{{}}");
    expect([histogramAverage(empty), histogramVariance(empty), histogramDeviation(empty)]).toEqual([NaN, NaN, NaN]);
    expect(histogramVariance(readHistogram("{{count:7 sum:NaN buckets:[1]}}"))).toBeNaN();
    expect(histogramVariance(readHistogram("{{count:7 sum:Inf buckets:[1]}}"))).toBe(Number.POSITIVE_INFINITY);
  });
});
