import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import type { RangeCall, RangeFunction } from "../../../src/query/plan/shard-plan.ts";
import { bufferOf, evaluate, samplesOf, windowed } from "./histogram-cases.ts";

/** Histograms of one bucket against floats that are their counts, through functions of floats: with resets and start times. */

const histograms = samplesOf(fc.constant(true));

function countOf(cell: number | Histogram | undefined): number | undefined {
  if (cell === undefined) return undefined;
  const h = cell as Histogram;
  expect(h.sum).toBe(h.count);
  expect(h.positive.reduce((sum, n) => sum + n, 0)).toBe(h.count);
  return h.count;
}

function agree(call: RangeCall, gauges: boolean, close: boolean): void {
  fc.assert(
    fc.property(histograms, windowed, (list, w) => {
      const asked = { ...call, range: w.range };
      const got = evaluate(bufferOf(list, gauges), asked, w);
      const floats = list.map((x) => ({ ...x, histogram: false }));
      const want = evaluate(bufferOf(floats), asked, w, false);
      got.cells.forEach((cell, s) => {
        const count = countOf(cell);
        const float = want.cells[s] as number | undefined;
        if (close && count !== undefined && float !== undefined) expect(count).toBeCloseTo(float, 9);
        else expect(count === undefined ? count : count + 0).toBe(float === undefined ? float : float + 0);
      });
      expect(got.said.filter((text) => !text.includes("start time that overlaps"))).toEqual([]);
    }),
    { numRuns: 300 },
  );
}

describe("to the last bit", () => {
  for (const func of ["rate", "increase", "irate", "sum_over_time"] as const) {
    test(func, () => agree({ func, range: 0, params: [] }, false, false));
  }
  for (const func of ["delta", "idelta"] as const) {
    test(`${func} of a gauge`, () => agree({ func, range: 0, params: [] }, true, false));
  }
});

describe("but for rounding", () => {
  test("avg_over_time", () => agree({ func: "avg_over_time", range: 0, params: [] }, false, true));
  for (const func of ["rate", "increase", "delta"] as const) {
    for (const modifier of ["anchored", "smoothed"] as const) {
      const call = { func, range: 0, params: [], [modifier]: true };
      test(`${func} ${modifier}`, () => agree(call, func === "delta", true));
    }
  }
});

describe("what is said", () => {
  const list = [0, 1, 2, 3].map((i) => ({ t: i * 10_000, value: 2 * i, histogram: true, start: 0 }));
  const said = (func: RangeFunction, gauges: boolean): string[] =>
    evaluate(bufferOf(list, gauges), { func, range: 60_000, params: [] }, { start: 30_000, step: 1, steps: 1 }).said;

  test("a gauge where a counter is expected, a counter where a gauge is", () => {
    for (const func of ["rate", "increase", "irate"] as const) {
      expect(said(func, true)).toEqual(['warning this native histogram metric is not a counter: "x_total"']);
      expect(said(func, false)).toEqual([]);
    }
    for (const func of ["delta", "idelta"] as const) {
      expect(said(func, false)).toEqual(['warning this native histogram metric is not a gauge: "x_total"']);
      expect(said(func, true)).toEqual([]);
    }
  });

  test("start times that overlap, of floats and of histograms, in the windows alone", () => {
    for (const histogram of [false, true]) {
      const started = [0, 1, 2, 3].map((i) => ({ t: i * 10_000, value: i, histogram, start: i === 1 ? -5000 : 0 }));
      const told = (start: number) =>
        evaluate(bufferOf(started), { func: "rate", range: 15_000, params: [] }, { start, step: 1, steps: 1 }).said;
      const text = 'warning sample has start time that overlaps with previous sample timestamp for metric "x_total"';
      expect(told(12_000)).toEqual([text]);
      expect(told(30_000)).toEqual([]);
    }
  });
});
