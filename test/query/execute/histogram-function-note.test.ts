import fc from "fast-check";
import { expect, test } from "vitest";
import { informForced, makeAnnotations, tellNotes } from "../../../src/query/execute/annotations.ts";
import {
  type ForcedMonotonicity,
  formatTwoDigits,
  spanText,
  widen,
} from "../../../src/query/execute/histogram-function-note.ts";

const one = (over: Partial<ForcedMonotonicity> = {}): ForcedMonotonicity => ({
  minT: 0,
  maxT: 0,
  minBucket: 1,
  maxBucket: 1,
  maxDiff: 1,
  samples: 1,
  ...over,
});

test("two digits as Go prints them", () => {
  const texts: [number, string][] = [
    [0, "0"],
    [1, "1"],
    [5.5, "5.5"],
    [10, "10"],
    [12.5, "12"],
    [13.5, "14"],
    [99.4, "99"],
    [99.5, "1e+02"],
    [100, "1e+02"],
    [123, "1.2e+02"],
    [0.125, "0.12"],
    [0.135, "0.14"],
    [0.00012345, "0.00012"],
    [0.0000999, "0.0001"],
    [0.0000949, "9.5e-05"],
    [1e-7, "1e-07"],
    [6.02214e23, "6e+23"],
    [1e100, "1e+100"],
    [5e-324, "4.9e-324"],
    [Number.POSITIVE_INFINITY, "+Inf"],
  ];
  expect(texts.map(([v]) => formatTwoDigits(v))).toEqual(texts.map(([, text]) => text));
});

test("two digits are the nearest there are", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (v) => {
      const text = formatTwoDigits(v);
      expect(
        text
          .replace(/e.*/, "")
          .replace(/^0\.0*|\./g, "")
          .replace(/^0+/, "").length,
      ).toBeLessThanOrEqual(2);
      expect(Math.abs(Number(text) / v - 1)).toBeLessThanOrEqual(0.05 * (1 + 1e-12));
    }),
  );
});

test("what is told of buckets, times and samples", () => {
  const span = one({ minT: 1_703_462_400_999, maxT: 1_735_084_800_000, minBucket: 2.5, maxBucket: 1e6, maxDiff: 7.25 });
  expect(spanText(span)).toBe(
    ", from buckets 2.5 to 1e+06, with a max diff of 7.2, over 1 samples from 2023-12-25T00:00:00Z to 2024-12-25T00:00:00Z",
  );
  expect(spanText(one({ minT: -1, maxT: -1001 }))).toContain("from 1970-01-01T00:00:00Z to 1969-12-31T23:59:59Z");
  expect(spanText(one({ maxT: 9e15, maxBucket: Number.POSITIVE_INFINITY }))).toMatch(/to \+Inf, .* to 9000000000000$/);
});

test("widening does not depend on the order", () => {
  const span = fc.record({
    minT: fc.integer(),
    maxT: fc.integer(),
    minBucket: fc.double({ noNaN: true }),
    maxBucket: fc.double({ noNaN: true }),
    maxDiff: fc.double({ min: 0, noNaN: true }),
    samples: fc.nat(),
  });
  const all = (spans: readonly ForcedMonotonicity[]): ForcedMonotonicity => {
    const [first, ...others] = spans.map((s) => ({ ...s })) as [ForcedMonotonicity, ...ForcedMonotonicity[]];
    for (const s of others) widen(first, s);
    return first;
  };
  fc.assert(
    fc.property(fc.array(span, { minLength: 1 }), (spans) => {
      expect(all([...spans].reverse())).toEqual(all(spans));
    }),
  );
});

test("notes on one metric are one, at the first place", () => {
  const notes = makeAnnotations("\nab");
  informForced(notes, "x", { start: 2, end: 3 }, one({ maxDiff: 3 }));
  informForced(notes, "x", { start: 0, end: 3 }, one({ maxT: 60_000, maxBucket: 8, samples: 4 }));
  informForced(notes, "", { start: 0, end: 3 }, one());
  const text = "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see ";
  const rest = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
  const times = "from 1970-01-01T00:00:00Z to 1970-01-01T00:0";
  expect(tellNotes(notes, "info")).toEqual([
    `${text}${rest} for metric name "x", from buckets 1 to 8, with a max diff of 3, over 5 samples ${times}1:00Z (2:2)`,
    `${text}${rest}, from buckets 1 to 1, with a max diff of 1, over 1 samples ${times}0:00Z (1:1)`,
  ]);
  expect(tellNotes(notes, "warning")).toEqual([]);
});
