import fc from "fast-check";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import {
  type HistogramBytes,
  makeSampleBuffer,
  type SampleBuffer,
  writeHistogramRef,
  writeStale,
} from "../../../src/model/sample.ts";

/** One thing in a series: a float, a staleness marker or a native histogram. */
export interface Thing {
  readonly t: number;
  readonly kind: "float" | "stale" | "histogram";
  readonly value: number;
  readonly start: number;
}

export const wholeNumbers: fc.Arbitrary<number> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -20, max: 1000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0) },
);
export const anyNumbers: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: wholeNumbers },
  { weight: 3, arbitrary: fc.double({ min: -1e9, max: 1e9, noNaN: true }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 1e-300, 0.1),
  },
);

/** Ragged times: mostly a scrape's pace with jitter, times right on bucket bounds, now and then an outage. */
export function things(value: fc.Arbitrary<number>, histograms = false, maxLength = 120): fc.Arbitrary<Thing[]> {
  const gap = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1000, max: 20_000 }) },
    { weight: 2, arbitrary: fc.constantFrom(15_000, 30_000, 60_000) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 900_000 }) },
  );
  const kind = fc.oneof(
    { weight: 12, arbitrary: fc.constant("float" as const) },
    { weight: 1, arbitrary: fc.constant("stale" as const) },
    ...(histograms ? [{ weight: 1, arbitrary: fc.constant("histogram" as const) }] : []),
  );
  // How long before the sample its start time lies; most series have none.
  const age = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.integer({ max: 90_000 }) });
  const entry = fc.record({ gap, kind, value, age });
  return fc
    .record({
      first: fc.constantFrom(0, -90_000, 1_700_000_000_000),
      withStart: fc.boolean(),
      entries: fc.array(entry, { maxLength }),
    })
    .map(({ first, withStart, entries }) => {
      let t = first;
      return entries.map((e) => {
        t += e.gap;
        return { t, kind: e.kind, value: e.value, start: withStart && e.age !== 0 ? t - e.age : 0 };
      });
    });
}

export function bufferOf(list: readonly Thing[]): SampleBuffer {
  const buffer = makeSampleBuffer(Math.max(1, list.length));
  buffer.startTs = new Float64Array(buffer.ts.length);
  buffer.histograms = makeHistogramBytes();
  list.forEach((x, i) => {
    buffer.ts[i] = x.t;
    if (x.kind === "float") buffer.values[i] = x.value;
    else if (x.kind === "stale") writeStale(buffer.words, i);
    else
      writeHistogramRef(
        buffer.words,
        i,
        encodeHistogram({ ...makeHistogram(), count: i, zeroCount: i }, buffer.histograms as HistogramBytes),
      );
    (buffer.startTs as Float64Array)[i] = x.start;
  });
  buffer.length = list.length;
  if (list.every((x) => x.start === 0)) delete buffer.startTs;
  if (list.every((x) => x.kind !== "histogram")) delete buffer.histograms;
  return buffer;
}
