import * as fc from "fast-check";
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, makeHistogram } from "../../../src/model/histogram.ts";

/** Whole counts, so that sums are exact and can be compared. */
const counts = (n: number) => fc.array(fc.nat(100), { minLength: n, maxLength: n });

const side = (first: fc.Arbitrary<number>) =>
  fc
    .record({
      first,
      spans: fc.array(fc.tuple(fc.nat(4), fc.nat(5)), { maxLength: 4 }),
    })
    .chain(({ first, spans }) =>
      fc.record({
        spans: fc.constant(spans.flatMap(([gap, length], i) => [i === 0 ? first : gap, length])),
        counts: counts(spans.reduce((n, [, length]) => n + length, 0)),
      }),
    );

const total = (values: readonly number[]) => values.reduce((sum, n) => sum + n, 0);

/** Float histograms with exponential buckets; thresholds may lie within populated buckets. */
export const exponentialHistogram: fc.Arbitrary<Histogram> = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    resetHint: fc.nat(3),
    zeroThreshold: fc.constantFrom(0, 0.001, 0.5, 1, 3),
    zeroCount: fc.nat(50),
    sum: fc.integer({ min: -1000, max: 1000 }),
    positive: side(fc.integer({ min: -12, max: 12 })),
    negative: side(fc.integer({ min: -12, max: 12 })),
  })
  .map(({ schema, resetHint, zeroThreshold, zeroCount, sum, positive, negative }) => ({
    ...makeHistogram(),
    float: true,
    schema,
    resetHint,
    zeroThreshold,
    zeroCount,
    sum,
    count: zeroCount + total(positive.counts) + total(negative.counts),
    positiveSpans: positive.spans,
    positive: positive.counts,
    negativeSpans: negative.spans,
    negative: negative.counts,
  }));

/** Float histograms with given bounds, some of them common to most. */
export const customHistogram: fc.Arbitrary<Histogram> = fc
  .record({
    bounds: fc.subarray([-5, 0, 1, 2.5, 5, 10, 100], { minLength: 1 }),
    resetHint: fc.nat(3),
    sum: fc.integer({ min: -1000, max: 1000 }),
  })
  .chain((h) => fc.record({ h: fc.constant(h), counts: counts(h.bounds.length + 1) }))
  .map(({ h: { bounds, resetHint, sum }, counts }) => ({
    ...makeHistogram(),
    float: true,
    schema: CUSTOM_BUCKETS_SCHEMA,
    resetHint,
    sum,
    count: total(counts),
    positiveSpans: [0, counts.length],
    positive: counts,
    customBounds: bounds,
  }));

export const anyHistogram: fc.Arbitrary<Histogram> = fc.oneof(exponentialHistogram, customHistogram);

/** Two histograms that can be added. */
export const histogramPair: fc.Arbitrary<[Histogram, Histogram]> = fc.oneof(
  fc.tuple(exponentialHistogram, exponentialHistogram),
  fc.tuple(customHistogram, customHistogram),
);

export const sumOfBuckets = (h: Histogram): number => h.zeroCount + total(h.positive) + total(h.negative);

/** No threshold lies beyond a bucket's near end: every observation of a bucket is outside the zero bucket. */
export function withoutOverlap(h: Histogram): Histogram {
  return { ...h, zeroThreshold: 0 };
}
