import fc from "fast-check";
import { expect, test } from "vitest";
import { makeHistogramSeries, pointAt } from "../../../src/query/execute/histogram-range-series.ts";
import { seekTimes } from "../../../src/query/execute/histogram-stats.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import { bufferOf, type Sample, samplesOf, type Windowed, windowed } from "./histogram-cases.ts";
import { statsIterator } from "./stats-iterator.ts";

/** The hints of each window's histograms; Prometheus keeps those of windows that overlap, and reads ahead through a buffer. */
function hintsOf(samples: readonly Sample[], { start, step, steps, range }: Windowed & { range: number }): number[][] {
  const it = statsIterator(samples, start - range);
  const hints = new Map<number, number>();
  let reached = Number.NEGATIVE_INFINITY;
  let delta = range;
  const out: number[][] = [];
  const note = (): void => {
    const { t } = it.current() as Sample;
    const hint = it.look();
    if (hint !== undefined && !hints.has(t)) hints.set(t, hint);
  };
  for (let s = 0; s < steps; s++) {
    const end = start + s * step;
    if (it.current() !== undefined && end - delta > reached) {
      it.seek(end - delta);
      reached = it.current()?.t ?? reached;
    }
    while (it.current() !== undefined && reached < end) {
      note();
      it.next();
      reached = it.current()?.t ?? reached;
    }
    if (it.current()?.t === end) note();
    out.push([...hints].filter(([t]) => t > end - range && t <= end).map(([, hint]) => hint));
    delta = Math.min(range, step);
  }
  return out;
}

test("hints that windows find out are those that Prometheus finds out", () => {
  fc.assert(
    fc.property(samplesOf(fc.oneof(fc.constant(true), fc.boolean())), windowed, (list, w) => {
      const buffer = bufferOf(list);
      const windows = makeWindows(w, w.range, 0, undefined);
      locateWindows(windows, buffer.ts, buffer.length);
      const series = makeHistogramSeries(buffer, seekTimes(buffer, windows));
      const got = Array.from({ length: w.steps }, (_, s) => {
        const hints: number[] = [];
        for (let k = windows.lo[s] as number; k < (windows.hi[s] as number); k++) {
          if (list[k]?.histogram === true) hints.push(pointAt(series, k).resetHint);
        }
        return hints;
      });
      expect(got).toEqual(hintsOf(list, w));
    }),
    { numRuns: 500 },
  );
});

test("points have no buckets", () => {
  const buffer = bufferOf([{ t: 1, value: 5, histogram: true, start: 0 }]);
  expect(pointAt(makeHistogramSeries(buffer, []), 0)).toMatchObject({
    count: 5,
    sum: 5,
    positive: [],
    positiveSpans: [],
  });
  expect(pointAt(makeHistogramSeries(buffer), 0).positive).toEqual([5]);
});
