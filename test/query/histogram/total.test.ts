import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Histogram, RESET_NO, RESET_YES } from "../../../src/model/histogram.ts";
import { addHistogram, BOUNDS_RECONCILED, INCOMPATIBLE } from "../../../src/query/histogram/add.ts";
import { compactHistogram } from "../../../src/query/histogram/compact.ts";
import { sameHistogram } from "../../../src/query/histogram/compare.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import {
  addToTotal,
  type HistogramTotal,
  makeTotal,
  mergeTotal,
  resetCollision,
  totalOf,
} from "../../../src/query/histogram/total.ts";
import { exponentialHistogram } from "./arbitrary-histogram.ts";
import { expectHistogram } from "./close-to.ts";
import { readHistogram } from "./notation.ts";

function total(average: boolean, histograms: readonly Histogram[]): HistogramTotal {
  const t = makeTotal(average);
  for (const h of histograms) addToTotal(t, h);
  return t;
}

const LARGE_SUMS = [
  "{{schema:0 count:25 sum:3.1 z_bucket:4 z_bucket_w:0.001 buckets:[1 2 0 1 1] n_buckets:[2 4 0 0 1 9]}}",
  "{{schema:0 count:41 sum:1e100 z_bucket:5 z_bucket_w:0.001 buckets:[1 3 1 2 1 1 1] n_buckets:[0 1 4 2 7 0 0 0 0 5 5 2]}}",
  "{{schema:0 count:41 sum:-1e100 z_bucket:5 z_bucket_w:0.001 buckets:[1 3 1 2 1 1 1] n_buckets:[0 1 4 2 7 0 0 0 0 5 5 2]}}",
  "{{schema:1 count:0 sum:1.3 z_bucket:3 z_bucket_w:0.001 buckets:[2 4 2 3 2 2] n_buckets:[1 2 5 3 8 1 1 1 1 6 3]}}",
].map(readHistogram);
const SUM =
  "{{schema:0 count:107 sum:4.4 z_bucket:17 z_bucket_w:0.001 buckets:[5 14 7 7 3 2 2] n_buckets:[3 13 19 6 17 18 0 0 0 10 10 4]}}";
const AVERAGE =
  "{{schema:0 count:26.75 sum:1.1 z_bucket:4.25 z_bucket_w:0.001 buckets:[1.25 3.5 1.75 1.75 0.75 0.5 0.5] n_buckets:[0.75 3.25 4.75 1.5 4.25 4.5 0 0 0 2.5 2.5 1]}}";

describe("sums and averages", () => {
  it("do not lose small sums beside large ones", () => {
    expectHistogram(totalOf(total(false, LARGE_SUMS)), SUM);
    expectHistogram(totalOf(total(true, LARGE_SUMS)), AVERAGE);
  });

  it("are the same in parts that are merged", () => {
    for (const [average, expected] of [
      [false, SUM],
      [true, AVERAGE],
    ] as const) {
      for (let split = 0; split <= 4; split++) {
        const t = total(average, LARGE_SUMS.slice(0, split));
        mergeTotal(t, total(average, LARGE_SUMS.slice(split)));
        expect(t.n).toBe(4);
        expectHistogram(totalOf(t), expected);
      }
    }
  });

  it("average what would overflow as a sum, merged or not", () => {
    const huge = ["5.3", "1e100", "1", "-1e100", "2", "0", "0"].map((sum, i) =>
      readHistogram(`{{count:${["1.7976931348623157e+308", "1e308"][i] ?? "1e-6"} sum:${sum} buckets:[${i}]}}`),
    );
    const expected = "{{count:3.9967044783747367e+307 sum:1.1857142857142857 buckets:[3]}}";
    expectHistogram(totalOf(total(true, huge)), expected);
    for (const split of [1, 2, 3]) {
      const t = total(true, huge.slice(0, split));
      mergeTotal(t, total(true, huge.slice(split)));
      // Merged means are as exact as their parts: the small sums are gone in a part that has one of the two large ones only.
      expect(totalOf(t)?.count).toBeCloseTo(3.9967044783747367e307, -300);
    }
    expectHistogram(totalOf(total(false, huge)), "{{count:Inf sum:8.3 buckets:[21]}}");
  });

  it("give one histogram back as it is, and nothing of nothing", () => {
    const h = readHistogram("{{schema:3 sum:5 count:4 buckets:[1 2 1] counter_reset_hint:gauge}}");
    expect(totalOf(total(true, [h]))).toEqual(h);
    expect(totalOf(makeTotal(true))).toBeUndefined();
  });

  it("tell of bounds and counter resets that do not fit, and refuse a mix of buckets", () => {
    const nhcb = [
      "{{schema:-53 sum:1 count:1 custom_values:[5] buckets:[1]}}",
      "{{schema:-53 sum:1 count:1 custom_values:[5 10] buckets:[1]}}",
    ];
    const reconciled = total(false, nhcb.map(readHistogram));
    expect(reconciled.flags & BOUNDS_RECONCILED).not.toBe(0);
    expectHistogram(totalOf(reconciled), "{{schema:-53 sum:2 count:2 custom_values:[5] buckets:[2]}}");
    const mixed = total(false, ["{{count:1}}", nhcb[0] as string, "{{count:2}}"].map(readHistogram));
    expect(mixed.flags & INCOMPATIBLE).not.toBe(0);
    expect(totalOf(mixed)).toBeUndefined();
    const hinted = (...hints: number[]) =>
      total(
        false,
        hints.map((resetHint) => ({ ...readHistogram("{{}}"), resetHint })),
      );
    expect(resetCollision(hinted(RESET_NO, RESET_YES))).toBe(true);
    expect(resetCollision(hinted(0, RESET_NO, RESET_YES))).toBe(true);
    expect(resetCollision(hinted(RESET_NO, 0, RESET_NO))).toBe(false);
    const merged = hinted(0, RESET_NO);
    mergeTotal(merged, hinted(RESET_YES));
    expect(resetCollision(merged)).toBe(true);
  });

  it("are what adding gives where that is exact, and leave what is added alone", () => {
    void fc.assert(
      fc.property(fc.array(exponentialHistogram, { minLength: 1, maxLength: 6 }), fc.nat(6), (list, split) => {
        const before = structuredClone(list);
        const sum = cloneHistogram(list[0] as Histogram);
        for (const h of list.slice(1)) addHistogram(sum, h);
        const expected = compactHistogram(sum, 0);
        expect(sameHistogram(totalOf(total(false, list)) as Histogram, expected)).toBe(true);
        const parts = total(false, list.slice(0, split));
        mergeTotal(parts, total(false, list.slice(split)));
        const merged = totalOf(parts) as Histogram;
        expect([merged.count, merged.sum, merged.schema]).toEqual([expected.count, expected.sum, expected.schema]);
        expect(list).toEqual(before);
      }),
    );
  });
});
