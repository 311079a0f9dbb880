import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Histogram, RESET_GAUGE } from "../../../src/model/histogram.ts";
import { addHistogram } from "../../../src/query/histogram/add.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import { extendedHistogramRate } from "../../../src/query/histogram/extended-rate.ts";
import {
  histogramRate,
  instantHistogram,
  interpolateHistograms,
  MIXED_BUCKETS,
  NOT_A_COUNTER,
  NOT_A_GAUGE,
  RECONCILED_IN_SUBTRACTION,
} from "../../../src/query/histogram/rate.ts";
import { multiplyHistogram } from "../../../src/query/histogram/scale.ts";
import { exponentialHistogram } from "./arbitrary-histogram.ts";
import { expectHistogram } from "./close-to.ts";
import { readHistogram } from "./notation.ts";

const read = (...notations: string[]) => notations.map(readHistogram);
const EXP = "{{schema:0 sum:5 count:4 buckets:[1 2 1]}}";
const CUSTOM = "{{schema:-53 sum:1 count:1 custom_values:[5 10] buckets:[1]}}";

describe("growth over a window", () => {
  it("adds what was there before a reset, even one of a single bucket", () => {
    const points = read(
      EXP,
      "{{schema:0 count:5 sum:6 buckets:[1 1 3]}}",
      "{{schema:0 count:6 sum:7 buckets:[1 2 3]}}",
    );
    const { histogram, notes } = histogramRate(points, true);
    expect(notes).toBe(0);
    // Increase from nothing after the reset: 6 observations, to be extrapolated by 1.5.
    expectHistogram(
      multiplyHistogram(histogram as Histogram, 1.5),
      "{{count:9 sum:10.5 buckets:[1.5 3 4.5] counter_reset_hint:gauge}}",
    );
  });

  it("refuses a mix of buckets, but not with a first point that is reset away", () => {
    const start = read("{{schema:0 sum:1 count:1 buckets:[1]}}", CUSTOM, EXP, CUSTOM);
    expect(histogramRate(start.slice(0, 3), true)).toEqual({ histogram: undefined, notes: MIXED_BUCKETS });
    expect(histogramRate(start.slice(1), true)).toEqual({ histogram: undefined, notes: MIXED_BUCKETS });
    expectHistogram(histogramRate(start.slice(1, 3), true).histogram, EXP);
    expectHistogram(histogramRate(start.slice(0, 2), true).histogram, CUSTOM);
    expect(histogramRate(start.slice(0, 2), false).notes).toBe(MIXED_BUCKETS);
  });

  it("tells counters from gauges", () => {
    const gauge = "{{count:1 buckets:[1] counter_reset_hint:gauge}}";
    expect(histogramRate(read(gauge, "{{count:2 buckets:[2]}}"), true).notes).toBe(NOT_A_COUNTER);
    expect(histogramRate(read("{{}}", gauge, "{{count:2 buckets:[2]}}"), true).notes).toBe(NOT_A_COUNTER);
    expect(histogramRate(read(gauge, gauge), true).notes).toBe(NOT_A_COUNTER);
    expect(histogramRate(read(gauge, "{{count:2 buckets:[2]}}", gauge), false).notes).toBe(0);
    expect(histogramRate(read(gauge, "{{count:2 buckets:[2]}}"), false).notes).toBe(NOT_A_GAUGE);
  });

  it("takes the coarsest schema in the window", () => {
    const points = read(
      "{{schema:1 count:1 buckets:[1]}}",
      "{{schema:0 count:2 buckets:[1 1]}}",
      "{{schema:0 count:4 buckets:[1 3]}}",
    );
    expectHistogram(histogramRate(points, true).histogram, "{{schema:0 count:3 buckets:[0 3]}}");
    // The finer one in the middle is a reset, the coarser one in the middle decides.
    const middle = read(
      "{{schema:1 count:1 buckets:[1]}}",
      "{{schema:-1 count:2 buckets:[2]}}",
      "{{schema:1 count:3 buckets:[3]}}",
    );
    expectHistogram(
      histogramRate(middle, true).histogram,
      "{{schema:-1 count:4 buckets:[4]}}".replace("count:4", "count:4"),
    );
    expect(histogramRate(middle, false).histogram?.schema).toBe(1);
  });

  it("reconciles given bounds", () => {
    const points = read(
      "{{schema:-53 sum:1 count:1 custom_values:[5] buckets:[1]}}",
      "{{schema:-53 sum:1 count:1 custom_values:[5 10] buckets:[1]}}",
    );
    expect(histogramRate(points, false).notes).toBe(NOT_A_GAUGE | RECONCILED_IN_SUBTRACTION);
    expectHistogram(histogramRate(points, true).histogram, "{{schema:-53 custom_values:[5]}}");
  });

  it("believes start times", () => {
    const points = read("{{count:60 sum:60}}", "{{count:60 sum:60}}", "{{count:60 sum:60}}");
    expectHistogram(histogramRate(points, true).histogram, "{{}}");
    expectHistogram(histogramRate(points, true, () => true).histogram, "{{count:120 sum:120}}");
  });

  it("is the sum of what is added from point to point", () => {
    void fc.assert(
      fc.property(fc.array(exponentialHistogram, { minLength: 2, maxLength: 5 }), (steps) => {
        const points: Histogram[] = [];
        for (const step of steps) {
          const h = cloneHistogram(points[points.length - 1] ?? step);
          h.zeroThreshold = 0;
          h.schema = 0;
          h.resetHint = 0;
          if (points.length > 0) addHistogram(h, { ...step, schema: 0, zeroThreshold: 0, resetHint: 0 });
          points.push(h);
        }
        const expected = steps.slice(1).reduce((n, h) => n + h.count, 0);
        const { histogram, notes } = histogramRate(points, true);
        expect(histogram?.count).toBe(expected);
        expect(histogram?.resetHint).toBe(RESET_GAUGE);
        expect(notes).toBe(0);
        expect(histogramRate(points, false).histogram).toEqual(histogram);
      }),
    );
  });
});

describe("the last two points", () => {
  it("give a difference, or the last one after a reset", () => {
    const [a, b] = read(
      "{{schema:-53 sum:55 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
      "{{schema:-53 sum:56 count:15 custom_values:[2 3 4 6] buckets:[1 0 1 5 8]}}",
    ) as [Histogram, Histogram];
    const reset = instantHistogram(a, b, true);
    expect(reset.notes).toBe(0);
    expectHistogram(
      reset.histogram,
      "{{schema:-53 sum:56 count:15 custom_values:[2 3 4 6] buckets:[1 0 1 5 8] counter_reset_hint:gauge}}",
    );
    expectHistogram(
      instantHistogram(a, b, false).histogram,
      "{{schema:-53 sum:1 custom_values:[2 4 6] buckets:[0 -1 0 1]}}",
    );
    expect(instantHistogram(a, b, false).notes).toBe(NOT_A_GAUGE | RECONCILED_IN_SUBTRACTION);
    expect(instantHistogram(readHistogram(EXP), b, false)).toEqual({
      histogram: undefined,
      notes: NOT_A_GAUGE | MIXED_BUCKETS,
    });
    expectHistogram(
      instantHistogram(a, a, true, true).histogram,
      "{{schema:-53 sum:55 count:15 custom_values:[2 4 6] buckets:[1 2 5 7]}}",
    );
  });

  it("are interpolated between", () => {
    const [a, b] = read("{{count:10 sum:10 buckets:[10]}}", "{{count:20 sum:30 buckets:[10 10]}}") as [
      Histogram,
      Histogram,
    ];
    expectHistogram(interpolateHistograms(a, 0, b, 10, 4, true).histogram, "{{count:14 sum:18 buckets:[10 4]}}");
    expectHistogram(interpolateHistograms(b, 0, a, 10, 4, true).histogram, "{{count:4 sum:4 buckets:[4]}}");
    expectHistogram(interpolateHistograms(b, 0, a, 10, 4, false).histogram, "{{count:16 sum:22 buckets:[10 6]}}");
    expectHistogram(interpolateHistograms(a, 0, b, 10, 0, true).histogram, "{{count:10 sum:10 buckets:[10]}}");
    expectHistogram(interpolateHistograms(a, 0, b, 10, 10, true).histogram, "{{count:20 sum:30 buckets:[10 10]}}");
  });
});

describe("growth between the ends of a range", () => {
  const points = read(
    "{{count:5 sum:5 buckets:[5]}}",
    "{{count:10 sum:10 buckets:[10]}}",
    "{{count:2 sum:2 buckets:[2] counter_reset_hint:reset}}",
    "{{count:6 sum:6 buckets:[6]}}",
  );
  const times = [0, 10, 20, 30];

  it("takes the samples at or before the ends, or the line between samples", () => {
    expectHistogram(
      extendedHistogramRate(points, times, 5, 35, true, false).histogram,
      "{{count:11 sum:11 buckets:[11]}}",
    );
    // From 7.5 to 10, and from the reset 4 up to 25 on the line from 2 to 6.
    expectHistogram(
      extendedHistogramRate(points, times, 5, 25, true, true).histogram,
      "{{count:6.5 sum:6.5 buckets:[6.5]}}",
    );
    // The line on the left spans the reset: it starts at nothing.
    expectHistogram(
      extendedHistogramRate(points.slice(1), times.slice(1), 15, 30, true, true).histogram,
      "{{count:5 sum:5 buckets:[5]}}",
    );
    expectHistogram(
      extendedHistogramRate(points, times, 5, 25, false, true).histogram,
      "{{count:-3.5 sum:-3.5 buckets:[-3.5]}}",
    );
  });

  it("has nothing where the range has no samples", () => {
    expect(extendedHistogramRate(points, times, 30, 40, true, false).histogram).toBeUndefined();
    expect(extendedHistogramRate([], [], 0, 40, true, true)).toEqual({ histogram: undefined, notes: 0 });
    expect(extendedHistogramRate(read(EXP, CUSTOM), [1, 2], 0, 4, true, false).notes).toBe(MIXED_BUCKETS);
  });
});
