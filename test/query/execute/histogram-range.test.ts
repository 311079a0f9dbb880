import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RangeCall, RangeFunction } from "../../../src/query/plan/shard-plan.ts";
import { type Answer, bufferOf, evaluate, type Sample, samplesOf, type Windowed, windowed } from "./histogram-cases.ts";

/** Series that have both floats and histograms, step by step against what each window has. */

const PARAMS: Readonly<Partial<Record<RangeFunction, number[]>>> = {
  quantile_over_time: [0.3],
  predict_linear: [60],
  double_exponential_smoothing: [0.3, 0.6],
};
const FLOATS_ONLY: readonly RangeFunction[] = [
  "min_over_time",
  "max_over_time",
  "ts_of_min_over_time",
  "ts_of_max_over_time",
  "stddev_over_time",
  "stdvar_over_time",
  "mad_over_time",
  "quantile_over_time",
  "deriv",
  "predict_linear",
  "double_exponential_smoothing",
];
const ONE_KIND: readonly RangeFunction[] = ["rate", "increase", "delta", "sum_over_time", "avg_over_time"];
const IGNORED = 'info ignored histograms in a range containing both floats and histograms for metric name "x_total"';
const MIXED = 'warning encountered a mix of histograms and floats for metric name "x_total"';

const mixed = samplesOf(fc.boolean());
/** Long stretches of one kind. */
const inStretches = fc
  .tuple(samplesOf(fc.constant(false)), fc.integer({ min: 1, max: 9 }))
  .map(([list, every]) => list.map((x, i) => ({ ...x, histogram: Math.floor(i / every) % 3 === 1 })));
const series = fc.oneof(mixed, inStretches);

function callOf(func: RangeFunction, range: number): RangeCall {
  return { func, range, params: PARAMS[func] ?? [] };
}

function inWindow(list: readonly Sample[], w: Windowed, s: number, range: number): Sample[] {
  const end = w.start + s * w.step;
  return list.filter((x) => x.t > end - range && x.t <= end);
}

/** The answer for one window by itself. */
function alone(list: readonly Sample[], call: RangeCall, w: Windowed, s: number, always: boolean): Answer {
  return evaluate(bufferOf(list), call, { start: w.start + s * w.step, step: 1, steps: 1 }, always);
}

describe("functions of floats leave histograms out and say so", () => {
  for (const func of FLOATS_ONLY) {
    test(func, () => {
      fc.assert(
        fc.property(series, windowed, (list, w) => {
          const call = callOf(func, w.range);
          const { cells, said } = evaluate(bufferOf(list), call, w);
          const floats = list.filter((x) => !x.histogram);
          expect(cells).toEqual(evaluate(bufferOf(floats), call, w, false).cells);
          const both = cells.some((_, s) => {
            const some = inWindow(list, w, s, w.range);
            return some.some((x) => x.histogram) && some.some((x) => !x.histogram);
          });
          expect(said).toEqual(both ? [IGNORED] : []);
        }),
      );
    });
  }
});

describe("windows of one kind have a result, those of both none", () => {
  for (const func of ONE_KIND) {
    test(func, () => {
      fc.assert(
        fc.property(series, windowed, (list, w) => {
          const call = callOf(func, w.range);
          const { cells, said } = evaluate(bufferOf(list), call, w);
          let both = false;
          cells.forEach((cell, s) => {
            const some = inWindow(list, w, s, w.range);
            const histograms = some.filter((x) => x.histogram).length;
            if (histograms > 0 && histograms < some.length) {
              both = true;
              expect(cell).toBeUndefined();
            } else expect(cell).toEqual(alone(some, call, w, s, histograms > 0).cells[0]);
          });
          expect(said.includes(MIXED)).toBe(both);
        }),
      );
    });
  }

  for (const func of ["irate", "idelta"] as const) {
    test(`${func}, of the last two samples`, () => {
      fc.assert(
        fc.property(series, windowed, (list, w) => {
          const call = callOf(func, w.range);
          const { cells, said } = evaluate(bufferOf(list), call, w);
          let both = false;
          cells.forEach((cell, s) => {
            const two = inWindow(list, w, s, w.range).slice(-2);
            const differ = two.length === 2 && two[0]?.histogram !== two[1]?.histogram;
            both ||= differ;
            if (differ) expect(cell).toBeUndefined();
            else expect(cell).toEqual(alone(two, call, w, s, two[0]?.histogram === true).cells[0]);
          });
          expect(said.includes(MIXED)).toBe(both);
        }),
      );
    });
  }
});

describe("functions that take both", () => {
  test("first and last samples, their times, counts", () => {
    fc.assert(
      fc.property(series, windowed, (list, w) => {
        const of = (func: RangeFunction) => evaluate(bufferOf(list), callOf(func, w.range), w).cells;
        const first = of("first_over_time");
        const last = of("last_over_time");
        const told = [
          of("ts_of_first_over_time"),
          of("ts_of_last_over_time"),
          of("count_over_time"),
          of("present_over_time"),
        ];
        for (let s = 0; s < w.steps; s++) {
          const some = inWindow(list, w, s, w.range);
          const value = (x: Sample | undefined) => (x?.histogram === true ? { count: x.value } : x?.value);
          const count = (cell: Answer["cells"][number]) => (typeof cell === "object" ? { count: cell.count } : cell);
          expect(count(first[s])).toEqual(value(some[0]));
          expect(count(last[s])).toEqual(value(some.at(-1)));
          const none = some.length === 0;
          expect(told.map((cells) => cells[s])).toEqual(
            none
              ? [undefined, undefined, undefined, undefined]
              : [(some[0]?.t ?? 0) / 1000, (some.at(-1)?.t ?? 0) / 1000, some.length, 1],
          );
        }
      }),
    );
  });

  for (const anchored of [false, true]) {
    test(`changes and resets${anchored ? ", anchored" : ""}: from one kind to the other is one`, () => {
      fc.assert(
        fc.property(series, windowed, (list, w) => {
          const of = (func: RangeFunction) => evaluate(bufferOf(list), { ...callOf(func, w.range), anchored }, w).cells;
          const changes = of("changes");
          const resets = of("resets");
          for (let s = 0; s < w.steps; s++) {
            const end = w.start + s * w.step;
            let some = inWindow(list, w, s, w.range);
            const before = list.filter((x) => x.t <= end - w.range && x.t > end - w.range - 100_000).at(-1);
            if (anchored && some.length > 0 && before !== undefined) some = [before, ...some];
            let changed = 0;
            let restarted = 0;
            some.forEach((x, i) => {
              const p = some[i - 1];
              if (p === undefined) return;
              const kinds = p.histogram !== x.histogram;
              if (kinds || p.value !== x.value) changed++;
              const anew =
                x.start !== 0 &&
                x.start < x.t &&
                (x.start > p.t || (x.start === p.t && p.start !== 0 && p.start < p.t));
              if (kinds || x.value < p.value || anew) restarted++;
            });
            expect([changes[s], resets[s]]).toEqual(some.length === 0 ? [undefined, undefined] : [changed, restarted]);
          }
        }),
      );
    });
  }
});

test("long series go in slices, which make no difference", () => {
  const list: Sample[] = Array.from({ length: 20_000 }, (_, i) => ({
    t: i * 1000,
    value: i % 1500,
    histogram: Math.floor(i / 700) % 2 === 1,
    start: 0,
  }));
  const w = { start: 300_000, step: 50_000, steps: 390 };
  for (const func of [
    "increase",
    "sum_over_time",
    "resets",
    "max_over_time",
    "last_over_time",
    "quantile_over_time",
  ] as const) {
    const call = callOf(func, 200_000);
    const { cells } = evaluate(bufferOf(list), call, w);
    for (const s of [0, 7, 61, 128, 250, 389]) {
      const window = list.slice((w.start + s * w.step) / 1000 - 250, (w.start + s * w.step) / 1000 + 50);
      expect(cells[s]).toEqual(alone(window, call, w, s, true).cells[0]);
    }
  }
});
