import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { fractionOfHistogram } from "../../../src/query/histogram/fraction.ts";
import { trimHistogram } from "../../../src/query/histogram/trim.ts";
import { exponentialHistogram, sumOfBuckets } from "./arbitrary-histogram.ts";
import { expectHistogram } from "./close-to.ts";
import { readHistogram } from "./notation.ts";

const H = "{{schema:0 sum:123.75 count:34 z_bucket:1 z_bucket_w:0.001 buckets:[2 4 8 16] n_buckets:[1 2]}}";
const FINE =
  "{{schema:2 sum:12.8286080906 count:28 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 4 7 3] n_buckets:[1 5 3 1]}}";
const POSITIVE = "{{schema:0 sum:8.0210678118654755 count:12 z_bucket:2 z_bucket_w:0.5 buckets:[10]}}";
const NEGATIVE = "{{schema:0 sum:-8.0210678118654755 count:12 z_bucket:2 z_bucket_w:0.5 n_buckets:[10]}}";
const ZERO = "{{schema:0 count:5 sum:0 z_bucket:5 z_bucket_w:0.1}}";
const CUSTOM = "{{schema:-53 sum:172.5 count:15 custom_values:[5 10 15 20] buckets:[1 6 4 3 1]}}";
const ONE = "{{schema:-53 sum:100 count:100 buckets:[100]}}";
const SPLIT = "{{schema:-53 sum:33 count:101 custom_values:[5] buckets:[1 100]}}";
const SPLIT_BELOW = "{{schema:-53 sum:33 count:101 custom_values:[-5] buckets:[1 100]}}";
const inf = Number.POSITIVE_INFINITY;

const CASES: readonly (readonly [string, "</" | ">/", number, string])[] = [
  [H, ">/", -inf, H],
  [H, "</", inf, H],
  [H, ">/", inf, "{{z_bucket_w:0.001}}"],
  [H, "</", -inf, "{{z_bucket_w:0.001}}"],
  [H, ">/", 0, "{{sum:120.20840280171308 count:30.5 z_bucket:0.5 z_bucket_w:0.001 buckets:[2 4 8 16]}}"],
  [H, "</", 0, "{{sum:-3.53578390593273768 count:3.5 z_bucket:0.5 z_bucket_w:0.001 n_buckets:[1 2]}}"],
  [H, "</", Math.SQRT2, "{{count:8 sum:0.2570938865989847 z_bucket:1 z_bucket_w:0.001 buckets:[2 2] n_buckets:[1 2]}}"],
  [H, ">/", Math.SQRT2, "{{count:26 sum:116.50067065070982 z_bucket_w:0.001 buckets:[0 2 8 16]}}"],
  [H, "</", 2, "{{count:10 sum:3.5355339059327373 z_bucket:1 z_bucket_w:0.001 buckets:[2 4] n_buckets:[1 2]}}"],
  [H, "</", -1, "{{count:2 sum:-2.8284271247461903 z_bucket_w:0.001 n_offset:1 n_buckets:[2]}}"],
  [
    FINE,
    "</",
    1.13,
    "{{schema:2 count:13.410582181123704 sum:-9.385798726068233 z_bucket:1 z_bucket_w:0.001 buckets:[1 1.410582181123704] n_buckets:[1 5 3 1]}}",
  ],
  [
    FINE,
    ">/",
    -1.3,
    "{{schema:2 count:25.54213947904476 sum:16.29588491217537 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 4 7 3] n_buckets:[1 5 1.54213947904476]}}",
  ],
  [POSITIVE, ">/", 0.1, "{{count:11.6 sum:7.551067811865476 z_bucket:1.6 z_bucket_w:0.5 buckets:[10]}}"],
  [POSITIVE, "</", 0.1, "{{count:0.4 sum:0.02 z_bucket:0.4 z_bucket_w:0.5}}"],
  [NEGATIVE, "</", -0.1, "{{count:11.6 sum:-7.551067811865476 z_bucket:1.6 z_bucket_w:0.5 n_buckets:[10]}}"],
  [ZERO, ">/", 0.05, "{{count:1.25 sum:0.09375 z_bucket:1.25 z_bucket_w:0.1}}"],
  [ZERO, "</", -0.05, "{{count:1.25 sum:-0.09375 z_bucket:1.25 z_bucket_w:0.1}}"],
  [CUSTOM, "</", 15, "{{schema:-53 count:11 sum:97.5 custom_values:[5 10 15 20] buckets:[1 6 4]}}"],
  [CUSTOM, ">/", 13, "{{schema:-53 count:5.6 sum:94.9 custom_values:[5 10 15 20] offset:2 buckets:[1.6 3 1]}}"],
  [CUSTOM, "</", 50, "{{schema:-53 count:14 sum:150 custom_values:[5 10 15 20] buckets:[1 6 4 3]}}"],
  [CUSTOM, ">/", 0, CUSTOM],
  [ONE, "</", 10, "{{schema:-53}}"],
  [ONE, ">/", 10, "{{schema:-53}}"],
  [ONE, ">/", -inf, ONE],
  [SPLIT, "</", 2, "{{schema:-53 sum:0.4 count:0.4 custom_values:[5] buckets:[0.4]}}"],
  [SPLIT, ">/", 2, "{{schema:-53 sum:502.1 count:100.6 custom_values:[5] buckets:[0.6 100]}}"],
  [SPLIT, ">/", 0, SPLIT],
  [SPLIT, ">/", -10, "{{schema:-53 sum:500 count:100 custom_values:[5] buckets:[0 100]}}"],
  [SPLIT, ">/", 10, "{{schema:-53 sum:1000 count:100 custom_values:[5] buckets:[0 100]}}"],
  [SPLIT_BELOW, "</", -10, "{{schema:-53 sum:-10 count:1 custom_values:[-5] buckets:[1]}}"],
  [SPLIT_BELOW, "</", -2, "{{schema:-53 sum:-5 count:1 custom_values:[-5] buckets:[1]}}"],
  [SPLIT_BELOW, ">/", -2, "{{schema:-53 sum:-200 count:100 custom_values:[-5] buckets:[0 100]}}"],
];

describe("trimming", () => {
  it.each(CASES)("%s %s %d", (before, operator, at, after) => {
    const h = readHistogram(before);
    expectHistogram(trimHistogram(h, at, operator === "</"), after);
    expect(h).toEqual(readHistogram(before));
  });

  it("keeps as many observations as the fraction says, on the two sides together all", () => {
    void fc.assert(
      fc.property(exponentialHistogram, fc.double({ min: -50, max: 50, noNaN: true }), (h, at) => {
        // Fractions end a bucket where the zero bucket begins, and look for sides with buckets, not with observations.
        fc.pre(h.zeroThreshold === 0 && h.count > 0);
        const below = trimHistogram(h, at, true);
        const above = trimHistogram(h, at, false);
        expect(below.count + above.count).toBeCloseTo(h.count, 9);
        expect(below.count).toBeCloseTo(fractionOfHistogram(-inf, at, h) * h.count, 6);
        expect(sumOfBuckets(below)).toBeCloseTo(below.count, 9);
      }),
    );
  });

  it("changes nothing when it is done twice, but for the sum", () => {
    void fc.assert(
      fc.property(exponentialHistogram, fc.integer({ min: -9, max: 9 }), (h, power) => {
        const at = Math.sign(power) * 2 ** (Math.abs(power) * 16);
        fc.pre(power !== 0 && h.zeroThreshold === 0);
        const once = trimHistogram(h, at, true);
        expect(sameHistogram(trimHistogram(once, at, true), once)).toBe(true);
      }),
    );
  });
});
