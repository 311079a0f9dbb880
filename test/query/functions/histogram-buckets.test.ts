import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM } from "../../../src/query/execute/vector.ts";
import {
  type Buckets,
  bucketFraction,
  bucketQuantile,
  formatQuantileLabel,
  gatherBuckets,
  isComplete,
  makeBuckets,
  makeMonotonic,
  parseBound,
} from "../../../src/query/functions/histogram-buckets.ts";

const INF = Number.POSITIVE_INFINITY;

function bucketsOf(pairs: readonly (readonly [bound: number, count: number])[]): Buckets {
  return {
    n: pairs.length,
    bounds: Float64Array.from(pairs, (p) => p[0]),
    counts: Float64Array.from(pairs, (p) => p[1]),
  };
}

const raised = () => ({ minBucket: 0, maxBucket: 0, maxDiff: 0 });

describe("bounds", () => {
  test("are numbers as Go reads them", () => {
    const good = ["1", "+1", "-0.5", ".5", "1.", "1e3", "1_0", "+Inf", "-inf", "Infinity", "NaN"];
    expect(good.map(parseBound).slice(0, 6)).toEqual([1, 1, -0.5, 0.5, 1, 1000]);
    expect(good.slice(7).map(parseBound)).toEqual([INF, -INF, INF, Number.NaN]);
    expect(["", "a", "1 ", "1e", "0x", "--1", "in"].map(parseBound)).toEqual(Array(7).fill(undefined));
  });

  test("of a quantile's label have a point or an exponent", () => {
    expect([0, 1, 0.5, -3, 1e9, INF].map(formatQuantileLabel)).toEqual(["0.0", "1.0", "0.5", "-3.0", "1e+09", "+Inf"]);
  });
});

test("only floats of the step are buckets; one bound spelled twice is one", () => {
  const vector = {
    steps: 2,
    labels: [[], [], [], []],
    dropName: new Uint8Array(4),
    values: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    present: Uint8Array.of(1, 1, 1, 0, 1, PRESENT_HISTOGRAM, 0, PRESENT_FLOAT),
  };
  const out = makeBuckets(4);
  gatherBuckets(vector, [0, 1, 2, 3], [1, 1, 2, INF], 0, out);
  expect([out.n, ...out.bounds.subarray(0, 2), ...out.counts.subarray(0, 2)]).toEqual([2, 1, 2, 4, 5]);
  expect(isComplete(out)).toBe(false);
  gatherBuckets(vector, [0, 1, 2, 3], [1, 1, 2, INF], 1, out);
  expect([out.n, ...out.bounds.subarray(0, 2), ...out.counts.subarray(0, 2)]).toEqual([2, 1, INF, 2, 8]);
  expect(isComplete(out)).toBe(true);
});

describe("counts that are made to ascend", () => {
  test("tell which buckets were raised by how much", () => {
    const b = bucketsOf([
      [0.1, 20],
      [1, 10],
      [10, 50],
      [100, 43],
      [1000, 90],
      [INF, 90 - 1e-11],
    ]);
    const what = raised();
    expect(makeMonotonic(b, what)).toBe(true);
    expect([...b.counts]).toEqual([20, 20, 50, 50, 90, 90]);
    expect(what).toEqual({ minBucket: 1, maxBucket: 100, maxDiff: 10 });
    expect(makeMonotonic(b, what)).toBe(false);
  });

  test("ascend, and are at least what they were, lost precision aside", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 }), (counts) => {
        const b = bucketsOf(counts.map((c, i) => [i, c]));
        const what = raised();
        const forced = makeMonotonic(b, what);
        let most = 0;
        for (let i = 0; i < counts.length; i++) {
          most = Math.max(most, counts[i] as number);
          if (i > 0) expect(b.counts[i]).toBeGreaterThanOrEqual(b.counts[i - 1] as number);
          expect(Math.abs((b.counts[i] as number) - most)).toBeLessThanOrEqual(most * 1e-11);
        }
        expect(forced).toBe(what.maxDiff > 0);
        if (forced) expect(what.minBucket).toBeLessThanOrEqual(what.maxBucket);
      }),
    );
  });
});

test("the fraction below a quantile is the quantile", () => {
  const buckets = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 }).map((sizes) => {
    let count = 0;
    const pairs = sizes.map((size, i): [number, number] => {
      count += size;
      return [i + 1, count];
    });
    return bucketsOf([...pairs, [INF, count]]);
  });
  fc.assert(
    fc.property(buckets, fc.double({ min: 0, max: 1, noNaN: true }), (b, q) => {
      expect(bucketFraction(-INF, bucketQuantile(q, b), b)).toBeCloseTo(q, 9);
    }),
  );
});

test("without observations, or with +Inf alone, there is no quantile", () => {
  expect(bucketQuantile(0.5, bucketsOf([[INF, 3]]))).toBeNaN();
  expect(
    bucketQuantile(
      0.5,
      bucketsOf([
        [1, 0],
        [INF, 0],
      ]),
    ),
  ).toBeNaN();
  expect(
    bucketFraction(
      0,
      1,
      bucketsOf([
        [1, 0],
        [INF, 0],
      ]),
    ),
  ).toBeNaN();
  expect(
    bucketFraction(
      2,
      1,
      bucketsOf([
        [1, 1],
        [INF, 1],
      ]),
    ),
  ).toBe(0);
});
