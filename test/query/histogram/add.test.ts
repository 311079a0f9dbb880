import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Histogram, RESET_GAUGE, RESET_NO, RESET_UNKNOWN, RESET_YES } from "../../../src/model/histogram.ts";
import {
  addCompensated,
  addHistogram,
  BOUNDS_RECONCILED,
  INCOMPATIBLE,
  makeCompensation,
  RESET_COLLISION,
  subtractHistogram,
} from "../../../src/query/histogram/add.ts";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import { anyHistogram, histogramPair, sumOfBuckets } from "./arbitrary-histogram.ts";
import { expectHistogram } from "./close-to.ts";
import { readHistogram } from "./notation.ts";

function sumOf(...notations: string[]): Histogram {
  const [first, ...rest] = notations.map(readHistogram);
  for (const h of rest) expect(addHistogram(first as Histogram, h)).toBe(0);
  return first as Histogram;
}

const compact = (h: Histogram) => compactHistogram(cloneHistogram(h), 0);

describe("addition", () => {
  it("adds buckets by index, also where the layouts differ", () => {
    expectHistogram(
      sumOf("{{schema:0 sum:4 count:4 buckets:[1 2 1]}}", "{{sum:2 count:1 buckets:[1] offset:1}}"),
      "{{count:5 sum:6 buckets:[1 3 1]}}",
    );
    expectHistogram(
      sumOf("{{count:2 buckets:[1 1] offset:3}}", "{{count:3 buckets:[1 2] offset:-2 n_buckets:[4]}}"),
      "{{count:5 offset:-2 buckets:[1 2 0 0 0 1 1] n_buckets:[4]}}",
    );
  });

  it("takes the coarser of two schemas, on whichever side it is", () => {
    const low = "{{schema:-1 sum:4 count:1 buckets:[1] offset:1}}";
    const high = "{{schema:0 sum:4 count:4 buckets:[2 2] offset:1}}";
    expectHistogram(sumOf(low, high), "{{schema:-1 count:5 sum:8 offset:1 buckets:[5]}}");
    expectHistogram(sumOf(high, low), "{{schema:-1 count:5 sum:8 offset:1 buckets:[5]}}");
  });

  it("subtracts across schemas", () => {
    const a =
      "{{schema:0 count:41 sum:2345.6 z_bucket:5 z_bucket_w:0.001 buckets:[1 3 1 2 1 1 1] n_buckets:[0 1 4 2 7 0 0 0 0 5 5 2]}}";
    const b = "{{schema:1 count:11 sum:1234.5 z_bucket:3 z_bucket_w:0.001 buckets:[0 2 1] n_buckets:[0 0 3 2]}}";
    const h = readHistogram(a);
    expect(subtractHistogram(h, readHistogram(b))).toBe(0);
    expectHistogram(
      h,
      "{{schema:0 count:30 sum:1111.1 z_bucket:2 z_bucket_w:0.001 buckets:[1 0 1 2 1 1 1] n_buckets:[0 -2 2 2 7 0 0 0 0 5 5 2]}}",
    );
    const g = readHistogram(b);
    subtractHistogram(g, readHistogram(a));
    expectHistogram(
      g,
      "{{schema:0 count:-30 sum:-1111.1 z_bucket:-2 z_bucket_w:0.001 buckets:[-1 0 -1 -2 -1 -1 -1] n_buckets:[0 2 -2 -2 -7 0 0 0 0 -5 -5 -2]}}",
    );
  });

  it("widens the zero bucket to hold both, and on to the end of a populated bucket", () => {
    const narrow = "{{count:7 z_bucket:1 z_bucket_w:0.001 buckets:[2 4] offset:-1 n_buckets:[0 0]}}";
    const wide = "{{count:5 z_bucket:5 z_bucket_w:0.5}}";
    // The bucket that ends at 0.5 goes into the zero bucket.
    expectHistogram(sumOf(narrow, wide), "{{count:12 z_bucket:8 z_bucket_w:0.5 buckets:[4]}}");
    expectHistogram(sumOf(wide, narrow), "{{count:12 z_bucket:8 z_bucket_w:0.5 buckets:[4]}}");
    // 0.6 lies in the populated bucket from 0.5 to 1, whose negative counterpart then goes too.
    const inside = "{{count:5 z_bucket:5 z_bucket_w:0.6}}";
    const both = "{{count:7 buckets:[2 4] n_buckets:[1 1]}}";
    expectHistogram(
      sumOf(both, inside),
      "{{count:12 z_bucket:8 z_bucket_w:1 offset:1 buckets:[4] n_offset:1 n_buckets:[1]}}",
    );
    expectHistogram(
      sumOf(inside, both),
      "{{count:12 z_bucket:8 z_bucket_w:1 offset:1 buckets:[4] n_offset:1 n_buckets:[1]}}",
    );
  });

  it("reconciles given bounds to those that both have, and tells", () => {
    const h = readHistogram(
      "{{schema:-53 sum:555 count:450 custom_values:[1 2 3 4 5 6 7 8] buckets:[10 20 30 40 50 60 70 80 90]}}",
    );
    const other = readHistogram("{{schema:-53 sum:55 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}");
    expect(subtractHistogram(h, other)).toBe(BOUNDS_RECONCILED);
    expectHistogram(h, "{{schema:-53 sum:500 count:435 custom_values:[2 4 6] buckets:[29 68 105 233]}}");
    const none = readHistogram("{{schema:-53 sum:3 count:1 custom_values:[7] buckets:[1]}}");
    expect(addHistogram(none, readHistogram("{{schema:-53 sum:1 count:2 custom_values:[3] buckets:[1 1]}}"))).toBe(
      BOUNDS_RECONCILED,
    );
    expectHistogram(none, "{{schema:-53 sum:4 count:3 buckets:[3]}}");
  });

  it("does nothing with a mix of exponential and given bounds", () => {
    const h = readHistogram("{{count:1 buckets:[1]}}");
    expect(addHistogram(h, readHistogram("{{schema:-53 count:1 custom_values:[3] buckets:[1]}}"))).toBe(INCOMPATIBLE);
    expectHistogram(h, "{{count:1 buckets:[1]}}");
  });

  it("says what is known of counter resets", () => {
    const hints = (a: number, b: number) => {
      const h = { ...readHistogram("{{}}"), resetHint: a };
      return [addHistogram(h, { ...readHistogram("{{}}"), resetHint: b }), h.resetHint];
    };
    expect(hints(RESET_GAUGE, RESET_NO)).toEqual([0, RESET_GAUGE]);
    expect(hints(RESET_YES, RESET_GAUGE)).toEqual([0, RESET_GAUGE]);
    expect(hints(RESET_UNKNOWN, RESET_NO)).toEqual([0, RESET_UNKNOWN]);
    expect(hints(RESET_NO, RESET_UNKNOWN)).toEqual([0, RESET_UNKNOWN]);
    expect(hints(RESET_NO, RESET_NO)).toEqual([0, RESET_NO]);
    expect(hints(RESET_YES, RESET_NO)).toEqual([RESET_COLLISION, RESET_UNKNOWN]);
  });

  it("commutes, keeps every observation and leaves the other histogram alone", () => {
    void fc.assert(
      fc.property(histogramPair, ([a, b]) => {
        const before = structuredClone(b);
        const h = cloneHistogram(a);
        const g = cloneHistogram(b);
        addHistogram(h, b);
        addHistogram(g, a);
        expect(b).toEqual(before);
        expect(h.count).toBe(a.count + b.count);
        // Observations of buckets inside the zero bucket are lost only where both agree on that one.
        if (a.zeroThreshold === 0 && b.zeroThreshold === 0) {
          expect(sumOfBuckets(h)).toBe(h.count);
          expect(sameHistogram(compact(h), compact(g))).toBe(true);
        }
      }),
    );
  });

  it("is undone by subtraction, up to layout and resolution", () => {
    void fc.assert(
      fc.property(histogramPair, ([a, b]) => {
        const h = cloneHistogram(a);
        addHistogram(h, b);
        const reduced = cloneHistogram(h);
        subtractHistogram(h, b);
        // `a` in the layout of the sum: plus nothing of that layout.
        const nothing = cloneHistogram(reduced);
        subtractHistogram(nothing, reduced);
        const expected = cloneHistogram(a);
        addHistogram(expected, nothing);
        if (a.zeroThreshold !== b.zeroThreshold || a.zeroThreshold === 0) {
          expect(compact(h).positive).toEqual(compact(expected).positive);
          expect(compact(h).negative).toEqual(compact(expected).negative);
          expect(h.zeroCount).toBe(expected.zeroCount);
        }
        expect(h.count).toBe(a.count);
        expect(h.sum).toBe(a.sum);
      }),
    );
  });

  it("gives the same in the layout of one that has all buckets of the other", () => {
    void fc.assert(
      fc.property(histogramPair, ([a, b]) => {
        // Bounds as they are; all buckets of both are in `wide`, empty.
        if (a.customBounds.length > 0)
          b = { ...b, customBounds: a.customBounds, positive: a.positive, positiveSpans: a.positiveSpans };
        a = { ...a, schema: b.schema, zeroThreshold: 0 };
        b = { ...b, zeroThreshold: 0 };
        const wide = cloneHistogram(a);
        addHistogram(wide, b);
        subtractHistogram(wide, b);
        expect(addHistogram(wide, b) & INCOMPATIBLE).toBe(0);
        const sum = compact(a);
        addHistogram(sum, compact(b));
        expect(sameHistogram(compact(wide), compact(sum))).toBe(true);
      }),
    );
  });

  it("gives the same with one layout in both as with buckets that have to be inserted", () => {
    void fc.assert(
      fc.property(anyHistogram, fc.integer({ min: 1, max: 7 }), (a, factor) => {
        const b = {
          ...cloneHistogram(a),
          positive: a.positive.map((n) => n * factor),
          negative: a.negative.map((n) => n * factor),
        };
        const fast = cloneHistogram(a);
        addHistogram(fast, b);
        const slow = cloneHistogram(a);
        addHistogram(slow, compact(b));
        expect(sameHistogram(compact(fast), compact(slow))).toBe(true);
      }),
    );
  });
});

describe("compensated addition", () => {
  it("loses nothing of small numbers beside large ones, in any layout", () => {
    const h = readHistogram("{{count:1 sum:1 z_bucket:1 buckets:[1 1e100]}}");
    const lost = makeCompensation(h);
    for (const other of [
      "{{count:1e100 sum:1e100 z_bucket:1e100 buckets:[1e100 1 1]}}",
      "{{count:1 sum:1 schema:1 z_bucket:1 buckets:[0 0.5 0.25 0.25 1]}}",
      "{{count:-1e100 sum:-1e100 z_bucket:-1e100 buckets:[-1e100 -1e100]}}",
    ]) {
      expect(addCompensated(h, readHistogram(other), lost)).toBe(0);
    }
    addHistogram(h, lost);
    expectHistogram(h, "{{count:2 sum:2 z_bucket:2 buckets:[1 1.75 2.25]}}");
  });

  it("gives what plain addition gives where that is exact", () => {
    void fc.assert(
      fc.property(fc.array(histogramPair, { minLength: 1, maxLength: 4 }), (pairs) => {
        const list = pairs.flat();
        const plain = cloneHistogram(list[0] as Histogram);
        const sum = cloneHistogram(list[0] as Histogram);
        const lost = makeCompensation(sum);
        for (const h of list.slice(1)) expect(addCompensated(sum, h, lost)).toBe(addHistogram(plain, h));
        lost.resetHint = sum.resetHint;
        addHistogram(sum, lost);
        expect(sameHistogram(compact(sum), compact(plain))).toBe(true);
        expect(sum.resetHint).toBe(plain.resetHint);
      }),
    );
  });
});
