import fc from "fast-check";
import { expect, test } from "vitest";
import { type Histogram, RESET_GAUGE, RESET_UNKNOWN, RESET_YES } from "../../../src/model/histogram.ts";
import { encodeHistogram, type makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { type SampleBuffer, writeHistogramRef } from "../../../src/model/sample.ts";
import { selectSmoothedHistograms } from "../../../src/query/execute/histogram-range-select.ts";
import { selectSmoothed } from "../../../src/query/execute/instant.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import { bufferOf, histogramOf, makeBook, samplesOf, type Windowed, windowed } from "./histogram-cases.ts";

const LOOKBACK = 100_000;

function select(samples: SampleBuffer, w: Windowed): { cells: (number | Histogram | undefined)[]; said: string[] } {
  const windows = makeWindows(w, LOOKBACK, 0, undefined, 0, LOOKBACK);
  locateWindows(windows, samples.ts, samples.length);
  const out = new Float64Array(w.steps);
  const present = new Uint8Array(w.steps);
  const pool: Histogram[] = [];
  const book = makeBook();
  selectSmoothedHistograms(samples, windows, pool, out, present, 0, book);
  const cells = Array.from(out, (v, s) => (present[s] === 0 ? undefined : present[s] === 1 ? v : pool[v]));
  return { cells, said: [...book.said] };
}

test("gauges are on the line that floats are on", () => {
  fc.assert(
    fc.property(samplesOf(fc.constant(true)), windowed, (list, w) => {
      const { cells, said } = select(bufferOf(list, true), w);
      const floats = bufferOf(list.map((x) => ({ ...x, histogram: false })));
      const windows = makeWindows(w, LOOKBACK, 0, undefined, 0, LOOKBACK);
      locateWindows(windows, floats.ts, floats.length);
      const out = new Float64Array(w.steps);
      const present = new Uint8Array(w.steps);
      selectSmoothed(floats, windows, out, present, 0);
      cells.forEach((cell, s) => {
        if (present[s] === 0) expect(cell).toBeUndefined();
        else expect((cell as Histogram).count).toBeCloseTo(out[s] as number, 9);
      });
      expect(said).toEqual([]);
    }),
  );
});

test("a window that has both kinds has no result and says so, others do not mind", () => {
  fc.assert(
    fc.property(samplesOf(fc.boolean()), windowed, (list, w) => {
      const { cells, said } = select(bufferOf(list), w);
      let mixed = false;
      cells.forEach((cell, s) => {
        const t = w.start + s * w.step;
        const some = list.filter((x) => x.t > t - LOOKBACK && x.t <= t + LOOKBACK);
        const kinds = new Set(some.map((x) => x.histogram));
        mixed ||= kinds.size === 2;
        const none = kinds.size !== 1 || (some[0]?.t as number) > t;
        expect(typeof cell).toBe(none ? "undefined" : kinds.has(true) ? "object" : "number");
      });
      const text = 'warning encountered a mix of histograms and floats for metric name "x_total"';
      expect(said).toEqual(mixed ? [text] : []);
    }),
  );
});

/** Samples with these hints, 10 s apart, of 10 observations, then 4. */
function two(...hints: number[]): SampleBuffer {
  const samples = bufferOf([10, 4].map((value, i) => ({ t: 10_000 * i, value, histogram: true, start: 0 })));
  hints.forEach((hint, i) => {
    const h = histogramOf(i === 0 ? 10 : 4, hint);
    const bytes = samples.histograms as ReturnType<typeof makeHistogramBytes>;
    writeHistogramRef(samples.words, i, encodeHistogram(h, bytes));
  });
  return samples;
}

test("a counter that was reset starts at nothing; what comes last says nothing of resets", () => {
  const w = { start: 5000, step: 10_000, steps: 2 };
  const counts = (...hints: number[]) => select(two(...hints), w).cells.map((c) => (c as Histogram).count);
  expect(counts(RESET_UNKNOWN, RESET_YES)).toEqual([2, 4]);
  expect(counts(RESET_UNKNOWN, RESET_UNKNOWN)).toEqual([2, 4]);
  expect(counts(RESET_GAUGE, RESET_GAUGE)).toEqual([7, 4]);
  expect((select(two(RESET_UNKNOWN, RESET_YES), w).cells[1] as Histogram).resetHint).toBe(RESET_UNKNOWN);
});
