import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fractionLeavesOutNaN, fractionOfHistogram } from "../../../src/query/histogram/fraction.ts";
import { quantileNote, quantileOfHistogram } from "../../../src/query/histogram/quantile.ts";
import { anyHistogram, sumOfBuckets } from "./arbitrary-histogram.ts";
import { readHistogram } from "./notation.ts";

const POSITIVE = readHistogram("{{schema:0 count:12 sum:100 z_bucket:2 z_bucket_w:0.001 buckets:[2 3 0 1 4]}}");
const NEGATIVE = readHistogram("{{schema:0 count:12 sum:100 z_bucket:2 z_bucket_w:0.001 n_buckets:[2 3 0 1 4]}}");
const BOTH = readHistogram(
  "{{schema:0 count:24 sum:100 z_bucket:4 z_bucket_w:0.001 buckets:[2 3 0 1 4] n_buckets:[2 3 0 1 4]}}",
);
const CUSTOM = readHistogram("{{schema:-53 sum:5 count:4 custom_values:[5 10] buckets:[1 2 1]}}");
const NAN = readHistogram("{{count:15 sum:NaN buckets:[12]}}");

/** To the last digits, which differ with how a processor rounds. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(
    actual.map((x, i) => Math.abs(x - (expected[i] as number)) <= 4e-16 * Math.abs(x) || `${x} is not ${expected[i]}`),
  ).toEqual(expected.map(() => true));
}

describe("quantiles", () => {
  it("are interpolated on a logarithmic scale in exponential buckets, linearly in the zero bucket", () => {
    const at = (h: typeof POSITIVE, ...qs: number[]) => qs.map((q) => quantileOfHistogram(q, h));
    const inf = Number.POSITIVE_INFINITY;
    expect(at(POSITIVE, 1.001, 1, 0, -1)).toEqual([inf, 16, 0, -inf]);
    expectClose(
      at(POSITIVE, 0.99, 0.9, 0.6, 0.5),
      [15.67072476139083, 12.99603834169977, 4.594793419988138, 1.5874010519681994],
    );
    expect(quantileOfHistogram(0.1, POSITIVE)).toBeCloseTo(0.0006, 12);
    expectClose(at(NEGATIVE, 1, 0.5, 0.1, 0), [0, -1.5874010519681996, -12.996038341699768, -16]);
    expectClose(at(BOTH, 0.99, 0.9, 0.7, 0.5), [15.34822590920423, 10.556063286183155, 1.2030250360821164, 0]);
    expect(quantileOfHistogram(0.45, BOTH)).toBeCloseTo(-0.0006, 12);
  });

  it("are linear in given bounds; nothing is known of buckets of infinite width", () => {
    expect(quantileOfHistogram(0.5, CUSTOM)).toBe(7.5);
    expect(quantileOfHistogram(0.1, CUSTOM)).toBe(2);
    expect(quantileOfHistogram(0.9, CUSTOM)).toBe(10);
    const low = readHistogram("{{schema:-53 count:2 sum:1 custom_values:[-5 3] buckets:[1 1]}}");
    expect(quantileOfHistogram(0.2, low)).toBe(-5);
  });

  it("are NaN without observations and where NaN was observed, which is told", () => {
    expect(quantileOfHistogram(0.5, readHistogram("{{}}"))).toBeNaN();
    expect(quantileOfHistogram(Number.NaN, POSITIVE)).toBeNaN();
    expect([1, 0.81, 0.8, 0.4].map((q) => [quantileOfHistogram(q, NAN), quantileNote(q, NAN)])).toEqual([
      [Number.NaN, "result is NaN"],
      [Number.NaN, "result is NaN"],
      [1, "skewed"],
      [0.7071067811865475, "skewed"],
    ]);
    const all = readHistogram("{{count:3 sum:NaN}}");
    expect([quantileOfHistogram(0.4, all), quantileNote(0.4, all)]).toEqual([Number.NaN, "result is NaN"]);
    expect(quantileNote(0.4, POSITIVE)).toBe("none");
    expect(quantileNote(2, NAN)).toBe("none");
    // The share of the bucket, 3 of 4, is taken of the last one, as Prometheus does: 3 of the 2 between 2 and 4.
    const skewed = readHistogram("{{count:10 sum:NaN buckets:[4 0 2]}}");
    expect([quantileOfHistogram(0.3, skewed), quantileNote(0.3, skewed)]).toEqual([5.65685424949238, "skewed"]);
    // Infinities of both signs make the sum NaN too.
    expect(quantileNote(0.5, readHistogram("{{count:2 sum:NaN buckets:[2]}}"))).toBe("none");
  });

  it("ascend", () => {
    void fc.assert(
      fc.property(
        anyHistogram,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (h, p, q) => {
          fc.pre(h.count > 0 && h.zeroThreshold === 0);
          const low = quantileOfHistogram(Math.min(p, q), h);
          const high = quantileOfHistogram(Math.max(p, q), h);
          expect(low).toBeLessThanOrEqual(high + 1e-9 * Math.abs(high));
        },
      ),
    );
  });
});

describe("fractions", () => {
  it("of histograms on one side count the zero bucket to that side", () => {
    const inf = Number.POSITIVE_INFINITY;
    const share = (h: typeof POSITIVE, lower: number, upper: number) => fractionOfHistogram(lower, upper, h);
    expect(share(POSITIVE, 0, inf)).toBe(1);
    expect(share(POSITIVE, -0.001, 0)).toBe(0);
    expectClose([share(POSITIVE, 0, 0.0005)], [0.08333333333333333]);
    expectClose([share(POSITIVE, 0, 1.5)], [0.4795739585136224]);
    expect(share(POSITIVE, 1.5, 6)).toBeCloseTo(0.15250624987980724, 15);
    expect(share(NEGATIVE, -inf, 0)).toBe(1);
    expect(share(NEGATIVE, -2, -1.5)).toBeCloseTo(0.10375937481971091, 15);
    expectClose([share(NEGATIVE, -inf, -6)], [0.36791979160657035]);
    expect(share(BOTH, -0.0005, 0.0005)).toBeCloseTo(1 / 12, 15);
    expectClose([share(BOTH, 1.5, 2)], [0.051879687409855414]);
  });

  it("are linear in given bounds", () => {
    expect(fractionOfHistogram(5, 10, CUSTOM)).toBe(0.5);
    expect(fractionOfHistogram(Number.NEGATIVE_INFINITY, 2.5, CUSTOM)).toBe(0.125);
    expect(fractionOfHistogram(20, Number.POSITIVE_INFINITY, CUSTOM)).toBe(0.25);
    const low = readHistogram("{{schema:-53 count:4 sum:1 custom_values:[-5 3] buckets:[1 2 1]}}");
    expect(fractionOfHistogram(Number.NEGATIVE_INFINITY, -7, low)).toBe(0.25);
  });

  it("leave observations of NaN out, which is told", () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(fractionOfHistogram(-inf, inf, NAN)).toBe(0.8);
    expect(fractionOfHistogram(-inf, 0.7071067811865475, NAN)).toBeCloseTo(0.4, 12);
    expect(fractionLeavesOutNaN(-inf, inf, NAN)).toBe(true);
    expect(fractionLeavesOutNaN(1, 1, NAN)).toBe(false);
    expect(fractionLeavesOutNaN(0, 1, readHistogram("{{count:2 sum:NaN buckets:[2]}}"))).toBe(false);
    expect(fractionLeavesOutNaN(0, 1, POSITIVE)).toBe(false);
    expect(fractionOfHistogram(0, Number.NaN, POSITIVE)).toBeNaN();
    expect(fractionOfHistogram(0, 1, readHistogram("{{}}"))).toBeNaN();
    expect(fractionOfHistogram(3, 3, POSITIVE)).toBe(0);
  });

  it("of everything are 1, and parts of it add up", () => {
    void fc.assert(
      fc.property(anyHistogram, fc.double({ min: -50, max: 50, noNaN: true }), (h, at) => {
        fc.pre(sumOfBuckets(h) > 0 && h.zeroThreshold === 0);
        const inf = Number.POSITIVE_INFINITY;
        expect(fractionOfHistogram(-inf, inf, h)).toBeCloseTo(1, 12);
        expect(fractionOfHistogram(-inf, at, h) + fractionOfHistogram(at, inf, h)).toBeCloseTo(1, 12);
      }),
    );
  });

  it("invert quantiles", () => {
    void fc.assert(
      fc.property(
        fc.constantFrom(POSITIVE, NEGATIVE, BOTH),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (h, q) => {
          expect(fractionOfHistogram(Number.NEGATIVE_INFINITY, quantileOfHistogram(q, h), h)).toBeCloseTo(q, 9);
        },
      ),
    );
  });
});
