import * as fc from "fast-check";
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, makeHistogram } from "../../src/model/histogram.ts";

export interface Side {
  readonly spans: number[];
  readonly counts: number[];
}

const count = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 40 }));
const side = (float: boolean, first: fc.Arbitrary<number>): fc.Arbitrary<Side> =>
  fc
    .array(fc.record({ gap: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 0, max: 4 }) }), { maxLength: 4 })
    .chain((spans) => {
      const n = spans.reduce((sum, s) => sum + s.length, 0);
      const one = float ? fc.double({ min: 0, max: 1e9, noNaN: true }) : count;
      return fc.record({
        first,
        counts: fc.array(one, { minLength: n, maxLength: n }),
        spans: fc.constant(spans),
      });
    })
    .map(({ first, counts, spans }) => ({
      spans: spans.flatMap((s, i) => [i === 0 ? first : s.gap, s.length]),
      counts,
    }));

const sum = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(Number.NaN));
const threshold = fc.oneof(
  fc.constantFrom(0, 2 ** -128, 2 ** -191, 2 ** 62, 2 ** 63, 2 ** -192, 0.001, 1),
  fc.double({ min: 0, max: 1e300, noNaN: true }),
);

/** Histograms of any kind that can be stored, staleness markers among them. */
export const histogram: fc.Arbitrary<Histogram> = fc
  .record({ float: fc.boolean(), custom: fc.boolean(), stale: fc.nat(9).map((n) => n === 0) })
  .chain(({ float, custom, stale }) =>
    fc.record({
      float: fc.constant(float),
      custom: fc.constant(custom),
      stale: fc.constant(stale),
      resetHint: fc.nat(3),
      schema: custom ? fc.constant(CUSTOM_BUCKETS_SCHEMA) : fc.integer({ min: -4, max: 8 }),
      threshold: custom ? fc.constant(0) : threshold,
      zero: custom ? fc.constant(0) : count,
      sum,
      positive: side(float, custom ? fc.nat(3) : fc.integer({ min: -40, max: 40 })),
      negative: custom ? fc.constant<Side>({ spans: [], counts: [] }) : side(float, fc.integer({ min: -40, max: 40 })),
    }),
  )
  .map((r) => {
    const counts = [...r.positive.counts, ...r.negative.counts];
    const buckets = r.positive.spans.reduce((n, x) => n + x, 0);
    return {
      ...makeHistogram(),
      float: r.float,
      resetHint: r.resetHint,
      stale: r.stale,
      schema: r.schema,
      zeroThreshold: r.threshold,
      zeroCount: r.zero,
      count: counts.reduce((n, x) => n + x, r.zero),
      sum: r.stale ? Number.NaN : r.sum,
      positiveSpans: r.positive.spans,
      positive: r.positive.counts,
      negativeSpans: r.negative.spans,
      negative: r.negative.counts,
      customBounds: r.custom ? Array.from({ length: Math.max(0, buckets) }, (_, i) => i * 2.5 - 1) : [],
    };
  });
