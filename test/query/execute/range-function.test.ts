import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer, type SampleBuffer } from "../../../src/model/sample.ts";
import { evaluateRange, prepareRange } from "../../../src/query/execute/range-function.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import type { RangeFunction } from "../../../src/query/plan/shard-plan.ts";

/** The sliding kernels against the definition of each function, window by window. */

interface Case {
  readonly ts: number[];
  readonly values: number[];
  readonly start: number;
  readonly step: number;
  readonly steps: number;
  readonly range: number;
}

const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -50, max: 1000 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, 0, 1e15, -1e15, 0.1) },
);
const cases: fc.Arbitrary<Case> = fc
  .record({
    gaps: fc.array(fc.oneof(fc.constant(10_000), fc.integer({ min: 1, max: 40_000 })), { maxLength: 80 }),
    values: fc.array(value, { minLength: 81, maxLength: 81 }),
    start: fc.integer({ min: -50_000, max: 400_000 }),
    step: fc.integer({ min: 1, max: 90_000 }),
    steps: fc.integer({ min: 1, max: 40 }),
    range: fc.integer({ min: 1, max: 300_000 }),
  })
  .map(({ gaps, values, ...rest }) => {
    const ts: number[] = [];
    for (const g of gaps) ts.push((ts.at(-1) ?? 0) + g);
    return { ts, values: values.slice(0, ts.length), ...rest };
  });

function bufferOf({ ts, values }: { ts: number[]; values: number[] }): SampleBuffer {
  const buffer = makeSampleBuffer(Math.max(1, ts.length));
  buffer.ts.set(ts);
  buffer.values.set(values);
  buffer.length = ts.length;
  return buffer;
}

type Window = { ts: number[]; v: number[]; from: number; to: number };

function evaluate(c: Case, func: RangeFunction, params: number[] = []): (number | undefined)[] {
  const buffer = bufferOf(c);
  const w = makeWindows(c, c.range, 0, undefined);
  locateWindows(w, buffer.ts, buffer.length);
  const out = new Float64Array(c.steps + 3);
  const present = new Uint8Array(c.steps + 3);
  evaluateRange(prepareRange({ func, range: c.range, params }, c.steps), buffer, w, out, present, 3);
  expect([...present.subarray(0, 3)]).toEqual([0, 0, 0]);
  return Array.from({ length: c.steps }, (_, s) => (present[s + 3] === 0 ? undefined : out[s + 3]));
}

function defined(c: Case, f: (w: Window) => number | undefined): (number | undefined)[] {
  return Array.from({ length: c.steps }, (_, s) => {
    const to = c.start + s * c.step;
    const from = to - c.range;
    const picked = c.ts.map((t, i) => [t, c.values[i] as number] as const).filter(([t]) => t > from && t <= to);
    return f({ ts: picked.map(([t]) => t), v: picked.map(([, v]) => v), from, to });
  });
}

function expectNear(got: (number | undefined)[], want: (number | undefined)[]): void {
  expect(got.map((g) => g !== undefined)).toEqual(want.map((x) => x !== undefined));
  got.forEach((g, i) => {
    const x = want[i];
    if (g === undefined || x === undefined) return;
    if (Number.isNaN(x)) expect(g).toBeNaN();
    else expect(Math.abs(g - x)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(x)));
  });
}

const nonEmpty = (f: (w: Window) => number) => (w: Window) => (w.v.length === 0 ? undefined : f(w));
/** Exact sums for the magnitudes above: big integers of tenths would do, but adding by size is enough. */
const sum = (v: number[]): number => [...v].sort((a, b) => Math.abs(a) - Math.abs(b)).reduce((a, b) => a + b, 0);
const numbers = (v: number[]): number[] => v.filter((x) => !Number.isNaN(x));
const counterDifference = (v: number[]): number =>
  v.reduce((d, x, i) => d + (i > 0 && x < (v[i - 1] as number) ? (v[i - 1] as number) : 0), 0) +
  ((v.at(-1) as number) - (v[0] as number));

function quantile(q: number, v: number[]): number {
  const s = [...v].sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b));
  const rank = q * (s.length - 1);
  const lo = Math.floor(rank);
  return (s[lo] as number) * (1 - (rank - lo)) + (s[Math.min(lo + 1, s.length - 1)] as number) * (rank - lo);
}

const definitions: Partial<Record<RangeFunction, (w: Window) => number | undefined>> = {
  count_over_time: nonEmpty((w) => w.v.length),
  sum_over_time: nonEmpty((w) => sum(w.v)),
  avg_over_time: nonEmpty((w) => sum(w.v) / w.v.length),
  min_over_time: nonEmpty((w) => (numbers(w.v).length === 0 ? Number.NaN : Math.min(...numbers(w.v)))),
  max_over_time: nonEmpty((w) => (numbers(w.v).length === 0 ? Number.NaN : Math.max(...numbers(w.v)))),
  first_over_time: nonEmpty((w) => w.v[0] as number),
  last_over_time: nonEmpty((w) => w.v.at(-1) as number),
  ts_of_first_over_time: nonEmpty((w) => (w.ts[0] as number) / 1000),
  ts_of_last_over_time: nonEmpty((w) => (w.ts.at(-1) as number) / 1000),
  changes: nonEmpty((w) => w.v.filter((x, i) => i > 0 && !Object.is(x, w.v[i - 1]) && x !== w.v[i - 1]).length),
  resets: nonEmpty((w) => w.v.filter((x, i) => i > 0 && x < (w.v[i - 1] as number)).length),
  idelta: (w) => (w.v.length < 2 ? undefined : (w.v.at(-1) as number) - (w.v.at(-2) as number)),
};

describe("range functions", () => {
  for (const [func, definition] of Object.entries(definitions)) {
    test(func, () => {
      fc.assert(
        fc.property(cases, (c) => {
          // Sums of 1e15 next to 0.1 are left to the compensation's own limits.
          fc.pre(!func.includes("sum") && !func.includes("avg") ? true : !c.values.some((v) => Math.abs(v) > 1e14));
          expectNear(evaluate(c, func as RangeFunction), defined(c, definition));
        }),
        { numRuns: 300 },
      );
    });
  }

  test("quantile_over_time", () => {
    fc.assert(
      fc.property(cases, fc.double({ min: 0, max: 1, noNaN: true }), (c, q) => {
        expectNear(
          evaluate(c, "quantile_over_time", [q]),
          defined(
            c,
            nonEmpty((w) => quantile(q, w.v)),
          ),
        );
      }),
    );
  });

  test("stdvar_over_time", () => {
    fc.assert(
      fc.property(cases, (c) => {
        fc.pre(!c.values.some((v) => Math.abs(v) > 1e14));
        const variance = (w: Window): number => {
          const mean = sum(w.v) / w.v.length;
          return sum(w.v.map((x) => (x - mean) ** 2)) / w.v.length;
        };
        expectNear(evaluate(c, "stdvar_over_time"), defined(c, nonEmpty(variance)));
      }),
    );
  });

  test("rate, increase and delta: the extrapolation's definition, in seconds", () => {
    const extrapolated = (w: Window, range: number, counter: boolean, perSecond: boolean): number | undefined => {
      const n = w.v.length;
      if (n < 2) return undefined;
      const first = w.v[0] as number;
      const change = counter ? counterDifference(w.v) : (w.v.at(-1) as number) - first;
      const sampled = ((w.ts.at(-1) as number) - (w.ts[0] as number)) / 1000;
      const average = sampled / (n - 1);
      let left = ((w.ts[0] as number) - w.from) / 1000;
      let right = (w.to - (w.ts.at(-1) as number)) / 1000;
      if (left >= average * 1.1) left = average / 2;
      if (counter && change > 0 && first >= 0) left = Math.min(left, sampled * (first / change));
      if (right >= average * 1.1) right = average / 2;
      const factor = (sampled + left + right) / sampled;
      return change * (perSecond ? factor / (range / 1000) : factor);
    };
    fc.assert(
      fc.property(cases, (c) => {
        fc.pre(!c.values.some((v) => Math.abs(v) > 1e14));
        for (const [func, counter, perSecond] of [
          ["rate", true, true],
          ["increase", true, false],
          ["delta", false, false],
        ] as const) {
          expectNear(
            evaluate(c, func),
            defined(c, (w) => extrapolated(w, c.range, counter, perSecond)),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a sum that leaves the float range still has a mean", () => {
    const big = { ts: [0, 1, 2, 3], values: [1.6e308, 1.6e308, -1.6e308, 1.6e308] };
    const c = { ...big, start: 3, step: 1, steps: 1, range: 10 };
    expect(evaluate(c, "avg_over_time")[0]).toBeCloseTo(0.8e308, -300);
    expect(evaluate(c, "sum_over_time")).toEqual([Number.POSITIVE_INFINITY]);
  });
});

describe("windows", () => {
  test("hold the samples after the start up to the end, whatever the pace", () => {
    fc.assert(
      fc.property(cases, (c) => {
        const w = makeWindows(c, c.range, 0, undefined);
        locateWindows(w, Float64Array.from(c.ts), c.ts.length);
        for (let s = 0; s < c.steps; s++) {
          const inside = c.ts.filter((t) => t > (w.start[s] as number) && t <= (w.end[s] as number));
          expect(c.ts.slice(w.lo[s], w.hi[s])).toEqual(inside);
        }
      }),
      { numRuns: 500 },
    );
  });
});
