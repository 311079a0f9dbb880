import fc from "fast-check";
import { type Histogram, makeHistogram, RESET_GAUGE, RESET_UNKNOWN } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import {
  type HistogramBytes,
  makeSampleBuffer,
  type SampleBuffer,
  writeHistogramRef,
} from "../../../src/model/sample.ts";
import { evaluateHistogramRange } from "../../../src/query/execute/histogram-range.ts";
import type { Notebook } from "../../../src/query/execute/notebook.ts";
import { evaluateRange, prepareRange } from "../../../src/query/execute/range-function.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import type { RangeCall } from "../../../src/query/plan/shard-plan.ts";

/** A sample that is a float, or a native histogram that has as many observations, of 1 each, in one bucket. */
export interface Sample {
  readonly t: number;
  readonly value: number;
  readonly histogram: boolean;
  /** 0: unknown. */
  readonly start: number;
}

export interface Windowed {
  readonly start: number;
  readonly step: number;
  readonly steps: number;
}

export function histogramOf(count: number, resetHint = RESET_UNKNOWN): Histogram {
  const h = { ...makeHistogram(), float: true, resetHint, count, sum: count };
  return count === 0 ? h : { ...h, positiveSpans: [0, 1], positive: [count] };
}

/** @param gauges the histograms are those of a gauge */
export function bufferOf(samples: readonly Sample[], gauges = false): SampleBuffer {
  const buffer = makeSampleBuffer(Math.max(1, samples.length));
  buffer.startTs = new Float64Array(buffer.ts.length);
  buffer.histograms = makeHistogramBytes();
  samples.forEach((x, i) => {
    buffer.ts[i] = x.t;
    (buffer.startTs as Float64Array)[i] = x.start;
    if (!x.histogram) buffer.values[i] = x.value;
    else {
      const h = histogramOf(x.value, gauges ? RESET_GAUGE : RESET_UNKNOWN);
      writeHistogramRef(buffer.words, i, encodeHistogram(h, buffer.histograms as HistogramBytes));
    }
  });
  buffer.length = samples.length;
  return buffer;
}

/** Whole numbers at ragged times, which mostly grow, some with a start time; each a histogram as often as `histograms` says. */
export function samplesOf(histograms: fc.Arbitrary<boolean>, maxLength = 60): fc.Arbitrary<Sample[]> {
  const entry = fc.record({
    gap: fc.oneof(fc.constant(10_000), fc.integer({ min: 1, max: 40_000 })),
    grows: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 50 }) },
      { weight: 1, arbitrary: fc.constant(-1) },
    ),
    histogram: histograms,
    age: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
    ),
  });
  return fc.array(entry, { maxLength }).map((entries) => {
    let t = 0;
    let value = 0;
    return entries.map((e) => {
      t += e.gap;
      value = e.grows < 0 ? 1 : value + e.grows;
      return { t, value, histogram: e.histogram, start: e.age === 0 ? 0 : t - e.age };
    });
  });
}

export const windowed: fc.Arbitrary<Windowed & { readonly range: number }> = fc.record({
  start: fc.integer({ min: -50_000, max: 400_000 }),
  step: fc.integer({ min: 1, max: 90_000 }),
  steps: fc.integer({ min: 1, max: 30 }),
  range: fc.integer({ min: 1, max: 300_000 }),
});

export interface Answer {
  readonly cells: (number | Histogram | undefined)[];
  readonly said: string[];
}

export function makeBook(): Notebook & { readonly said: Set<string> } {
  const said = new Set<string>();
  return { said, say: (severity, text) => said.add(`${severity} ${text}`), metric: () => "x_total" };
}

const LOOKBACK = 100_000;

/** The function over the samples: floats alone by the functions of floats, or `always` as a series that has histograms. */
export function evaluate(samples: SampleBuffer, call: RangeCall, w: Windowed, always = true): Answer {
  const extended = call.anchored === true || call.smoothed === true;
  const windows = makeWindows(w, call.range, 0, undefined, extended ? LOOKBACK : 0, call.smoothed ? LOOKBACK : 0);
  locateWindows(windows, samples.ts, samples.length);
  const out = new Float64Array(w.steps + 1);
  const present = new Uint8Array(w.steps + 1);
  const pool: Histogram[] = [];
  const book = makeBook();
  const prepared = prepareRange(call, w.steps);
  if (always) evaluateHistogramRange(prepared, samples, windows, pool, out, present, 1, book, () => {});
  else evaluateRange(prepared, samples, windows, out, present, 1);
  const cells = Array.from({ length: w.steps }, (_, s) => {
    const kind = present[s + 1];
    return kind === 0 ? undefined : kind === 1 ? out[s + 1] : pool[out[s + 1] as number];
  });
  return { cells, said: [...book.said].sort() };
}
