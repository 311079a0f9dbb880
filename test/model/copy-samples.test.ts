import { expect, test } from "vitest";
import { appendSamples } from "../../src/model/copy-samples.ts";
import {
  histogramRef,
  isHistogramAt,
  makeSampleBuffer,
  type SampleBuffer,
  writeHistogramRef,
} from "../../src/model/sample.ts";

/** Sample i is at time from + i; those of odd numbers are histograms, of one byte each: their time. */
function buffer(from: number, count: number): SampleBuffer {
  const out = makeSampleBuffer(count);
  out.histograms = { bytes: new Uint8Array(count), length: 0 };
  for (let i = 0; i < count; i++) {
    out.ts[i] = from + i;
    out.values[i] = 10 * (from + i);
    if (i % 2 === 0) continue;
    writeHistogramRef(out.words, i, out.histograms.length);
    out.histograms.bytes[out.histograms.length++] = from + i;
  }
  out.length = count;
  return out;
}

function rowsOf(b: SampleBuffer): (readonly [number, number | string])[] {
  return Array.from({ length: b.length }, (_, i) => {
    const value = isHistogramAt(b.words, i) ? `h${b.histograms?.bytes[histogramRef(b.words, i)]}` : b.values[i];
    return [b.ts[i] as number, value as number | string] as const;
  });
}

test("samples appended keep their values and histograms; nothing but the given range comes", () => {
  const out = makeSampleBuffer(1);
  appendSamples(buffer(1, 3), out);
  appendSamples(buffer(10, 5), out, 1, 4);
  appendSamples(makeSampleBuffer(4), out);
  expect(rowsOf(out)).toEqual([
    [1, 10],
    [2, "h2"],
    [3, 30],
    [11, "h11"],
    [12, 120],
    [13, "h13"],
  ]);
  expect(out.startTs).toBeUndefined();
});

test("start timestamps: 0 where a side has none", () => {
  const started = buffer(5, 2);
  started.startTs = Float64Array.of(3, 4);
  const out = makeSampleBuffer(0);
  appendSamples(buffer(1, 2), out);
  appendSamples(started, out);
  appendSamples(buffer(8, 1), out);
  expect([...(out.startTs as Float64Array).subarray(0, out.length)]).toEqual([0, 0, 3, 4, 0]);
});
