import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeHistogram, RESET_GAUGE, RESET_UNKNOWN } from "../../../src/model/histogram.ts";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { cloneHistogram, emptyLike, toFloatHistogram } from "../../../src/query/histogram/copy.ts";
import { copyToSchema, reduceResolution } from "../../../src/query/histogram/resolution.ts";
import { divideHistogram, multiplyHistogram } from "../../../src/query/histogram/scale.ts";
import { apiBuckets } from "../../../src/query/histogram/show.ts";
import { anyHistogram, exponentialHistogram, sumOfBuckets } from "./arbitrary-histogram.ts";
import { readHistogram } from "./notation.ts";

function compacted(spans: number[], counts: number[], maxEmptyBuckets: number): unknown {
  const h = { ...makeHistogram(), positiveSpans: spans, positive: counts };
  compactHistogram(h, maxEmptyBuckets);
  return [h.positiveSpans, h.positive];
}

describe("compaction", () => {
  it("removes empty buckets at the ends of spans and long runs of them", () => {
    expect(compacted([-2, 1, 2, 3], [6, 3, 0, 5], 0)).toEqual([
      [-2, 1, 2, 1, 1, 1],
      [6, 3, 5],
    ]);
    expect(compacted([-2, 1, 2, 3], [6, 3, 0, 5], 1)).toEqual([
      [-2, 1, 2, 3],
      [6, 3, 0, 5],
    ]);
    expect(compacted([-2, 3, 0, 2], [0, 0, 1, 2, 0], 0)).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(compacted([3, 2, 1, 1], [1, 2, 3], 1)).toEqual([
      [3, 4],
      [1, 2, 0, 3],
    ]);
    expect(compacted([3, 2, 5, 2, 1, 0], [0, 0, 0, 0], 9)).toEqual([[], []]);
    expect(compacted([0, 1, 0, 1], [1, 1], 0)).toEqual([
      [0, 2],
      [1, 1],
    ]);
  });

  it("keeps every populated bucket, whatever gaps are filled", () => {
    void fc.assert(
      fc.property(anyHistogram, fc.nat(4), (h, maxEmptyBuckets) => {
        const c = compactHistogram(cloneHistogram(h), maxEmptyBuckets);
        expect(apiBuckets(c)).toEqual(apiBuckets(h));
        expect(sameHistogram(compactHistogram(cloneHistogram(c), maxEmptyBuckets), c)).toBe(true);
      }),
    );
  });
});

describe("resolution", () => {
  it("is reduced by merging buckets that end at the same coarser bound", () => {
    const h = readHistogram(
      "{{schema:1 count:15 offset:-1 buckets:[1 2 4 8] n_buckets:[1 1 1] counter_reset_hint:gauge}}",
    );
    const c = copyToSchema(h, 0);
    expect([c.positiveSpans, c.positive, c.negative]).toEqual([
      [0, 2],
      [3, 12],
      [1, 2],
    ]);
    expect([c.resetHint, copyToSchema(h, 1).resetHint]).toEqual([RESET_UNKNOWN, RESET_GAUGE]);
    expect(() => reduceResolution(c, 1)).toThrow();
    expect(() => reduceResolution(readHistogram("{{schema:-53}}"), 0)).toThrow();
  });

  it("loses no observation, and goes step by step or at once", () => {
    void fc.assert(
      fc.property(exponentialHistogram, fc.nat(6), fc.nat(6), (h, one, two) => {
        fc.pre(h.schema - one - two >= -4);
        const c = copyToSchema(h, h.schema - one - two);
        expect(sumOfBuckets(c)).toBe(sumOfBuckets(h));
        expect(apiBuckets(copyToSchema(copyToSchema(h, h.schema - one), c.schema))).toEqual(apiBuckets(c));
      }),
    );
  });
});

describe("equality", () => {
  it("is of counts and layout, bit by bit, not of hints", () => {
    const h = readHistogram("{{count:3 sum:NaN buckets:[1 0 2]}}");
    expect(sameHistogram(h, { ...h, resetHint: RESET_GAUGE })).toBe(true);
    expect(sameHistogram(h, { ...h, positiveSpans: [0, 0, 0, 3] })).toBe(true);
    expect(sameHistogram(h, { ...h, positiveSpans: [0, 2, 0, 0, 0, 1] })).toBe(false);
    expect(sameHistogram(h, compactHistogram(cloneHistogram(h), 0))).toBe(false);
    expect(sameHistogram(h, { ...h, zeroCount: -0 })).toBe(false);
    expect(sameHistogram(h, { ...h, zeroThreshold: 1 })).toBe(false);
    const custom = readHistogram("{{schema:-53 custom_values:[1 2]}}");
    expect(sameHistogram(custom, { ...custom, customBounds: [1, 3] })).toBe(false);
  });
});

describe("copies and multiples", () => {
  it("share nothing", () => {
    void fc.assert(
      fc.property(anyHistogram, (h) => {
        const before = structuredClone(h);
        const copy = cloneHistogram(h);
        expect(copy).toEqual(h);
        multiplyHistogram(copy, 2);
        copy.customBounds.push(1e9);
        copy.positiveSpans.push(1, 1);
        copy.negativeSpans.push(1, 1);
        expect(h).toEqual(before);
      }),
    );
  });

  it("with float counts are made of whole ones only", () => {
    const h = makeHistogram();
    expect(toFloatHistogram(h)).toEqual({ ...h, float: true });
    expect(h.float).toBe(false);
    const float = readHistogram("{{count:1}}");
    expect(toFloatHistogram(float)).toBe(float);
    expect(emptyLike(readHistogram("{{schema:-53 count:2 custom_values:[3] buckets:[2]}}"))).toEqual(
      readHistogram("{{schema:-53 custom_values:[3]}}"),
    );
  });

  it("are gauges when negative; division by zero leaves the zero bucket", () => {
    const h = readHistogram("{{count:30 sum:33 z_bucket:3 z_bucket_w:0.001 buckets:[3 3 3] n_buckets:[6 6 6]}}");
    expect(multiplyHistogram(cloneHistogram(h), -3)).toEqual(
      readHistogram(
        "{{count:-90 sum:-99 z_bucket:-9 z_bucket_w:0.001 buckets:[-9 -9 -9] n_buckets:[-18 -18 -18] counter_reset_hint:gauge}}",
      ),
    );
    expect(divideHistogram(cloneHistogram(h), -3)).toEqual(
      readHistogram(
        "{{count:-10 sum:-11 z_bucket:-1 z_bucket_w:0.001 buckets:[-1 -1 -1] n_buckets:[-2 -2 -2] counter_reset_hint:gauge}}",
      ),
    );
    expect(divideHistogram(cloneHistogram(h), 0)).toEqual(
      readHistogram("{{count:Inf sum:Inf z_bucket:Inf z_bucket_w:0.001}}"),
    );
  });
});
