import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import { apiBuckets, notateHistogram, showHistogram } from "../../../src/query/histogram/show.ts";
import { anyHistogram, sumOfBuckets } from "./arbitrary-histogram.ts";
import { readHistogram } from "./notation.ts";

const BOTH = readHistogram("{{schema:0 count:13 sum:2.5 z_bucket:3 z_bucket_w:0.001 buckets:[1 0 2] n_buckets:[3 4]}}");

describe("histograms shown", () => {
  it("are buckets with the bounds that belong to them, for the API", () => {
    expect(apiBuckets(BOTH)).toEqual([
      [1, -2, -1, 4],
      [1, -1, -0.5, 3],
      [3, -0.001, 0.001, 3],
      [0, 0.5, 1, 1],
      [0, 2, 4, 2],
    ]);
    expect(apiBuckets(readHistogram("{{schema:-53 count:6 custom_values:[-2 3] buckets:[1 2 3]}}"))).toEqual([
      [3, -Infinity, -2, 1],
      [0, -2, 3, 2],
      [0, 3, Infinity, 3],
    ]);
    expect(apiBuckets(readHistogram("{{}}"))).toEqual([]);
    // The bucket that reaches into the zero bucket ends there.
    expect(apiBuckets(readHistogram("{{count:2 z_bucket:1 z_bucket_w:0.75 buckets:[1]}}"))).toEqual([
      [3, -0.75, 0.75, 1],
      [0, 0.75, 1, 1],
    ]);
  });

  it("are words", () => {
    expect(showHistogram(BOTH)).toBe(
      "{count:13, sum:2.5, [-2,-1):4, [-1,-0.5):3, [-0.001,0.001]:3, (0.5,1]:1, (2,4]:2}",
    );
    expect(showHistogram(readHistogram("{{count:-2 sum:1e6 z_bucket:-2 z_bucket_w:0.5}}"))).toBe(
      "{count:-2, sum:1e+06, [-0.5,0.5]:-2}",
    );
    expect(showHistogram(readHistogram("{{schema:-53 count:3 custom_values:[5] buckets:[1 2]}}"))).toBe(
      "{count:3, sum:0, [-Inf,5]:1, (5,+Inf]:2}",
    );
    expect(showHistogram(readHistogram("{{}}"))).toBe("{count:0, sum:0}");
  });

  it("are the notation of test scripts, which reads back to the same", () => {
    expect(notateHistogram(BOTH)).toBe(
      "{{count:13 sum:2.5 z_bucket:3 z_bucket_w:0.001 buckets:[1 0 2] n_buckets:[3 4]}}",
    );
    expect(
      notateHistogram(
        readHistogram("{{schema:-53 count:2 custom_values:[5 10] offset:1 buckets:[2] counter_reset_hint:gauge}}"),
      ),
    ).toBe("{{schema:-53 count:2 custom_values:[5 10] counter_reset_hint:gauge offset:1 buckets:[2]}}");
    expect(notateHistogram(readHistogram("{{}}"))).toBe("{{}}");
    void fc.assert(
      fc.property(anyHistogram, (h) => {
        const read = readHistogram(notateHistogram(h));
        expect(read.resetHint).toBe(h.resetHint);
        expect(sameHistogram(compactHistogram(read, 0), compactHistogram(cloneHistogram(h), 0))).toBe(true);
      }),
    );
  });

  it("have all observations in their buckets, in ascending order", () => {
    void fc.assert(
      fc.property(anyHistogram, (h) => {
        const buckets = apiBuckets(h);
        expect(buckets.reduce((n, [, , , count]) => n + count, 0)).toBe(sumOfBuckets(h));
        expect(buckets.every(([, , , count]) => count > 0)).toBe(true);
        if (h.zeroThreshold !== 0) return;
        for (let i = 1; i < buckets.length; i++) {
          expect(buckets[i]?.[1]).toBeGreaterThanOrEqual(buckets[i - 1]?.[2] as number);
        }
      }),
    );
  });
});
