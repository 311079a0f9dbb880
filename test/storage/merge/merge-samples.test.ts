import fc from "fast-check";
import { expect, test } from "vitest";
import {
  histogramRef,
  isHistogramAt,
  makeSampleBuffer,
  reserveSamples,
  type SampleBuffer,
  writeHistogramRef,
} from "../../../src/model/sample.ts";
import { mergeSamples } from "../../../src/storage/merge/merge-samples.ts";

/** Value "h<byte>" is a histogram of one byte. */
interface Row {
  readonly value: number | `h${number}`;
  readonly start: number;
}

function bufferOf(rows: ReadonlyMap<number, Row>, withStart: boolean): SampleBuffer {
  const buffer = makeSampleBuffer(4);
  if (withStart) buffer.startTs = new Float64Array(4);
  for (const [t, { value, start }] of [...rows].sort(([a], [b]) => a - b)) {
    reserveSamples(buffer, buffer.length + 1);
    const i = buffer.length++;
    buffer.ts[i] = t;
    if (buffer.startTs !== undefined) buffer.startTs[i] = start;
    if (typeof value === "number") buffer.values[i] = value;
    else {
      buffer.histograms ??= { bytes: new Uint8Array(256), length: 0 };
      writeHistogramRef(buffer.words, i, buffer.histograms.length);
      buffer.histograms.bytes[buffer.histograms.length++] = Number(value.slice(1));
    }
  }
  return buffer;
}

function rowsOf(buffer: SampleBuffer): [number, number | string, number][] {
  return Array.from({ length: buffer.length }, (_, i) => {
    const ref = isHistogramAt(buffer.words, i) ? histogramRef(buffer.words, i) : -1;
    const value = ref < 0 ? (buffer.values[i] as number) : `h${buffer.histograms?.bytes[ref]}`;
    return [buffer.ts[i] as number, value, buffer.startTs?.[i] ?? 0];
  });
}

const rows = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 40 }),
      fc.record({
        value: fc.oneof(
          fc.double(),
          fc.integer({ min: 0, max: 255 }).map((b): `h${number}` => `h${b}`),
        ),
        start: fc.integer({ min: 1, max: 9 }),
      }),
    ),
    { maxLength: 30 },
  )
  .map((list) => new Map<number, Row>(list));

test("merging several buffers, the later one wins at equal times; floats, histograms and start times", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(rows, fc.boolean()), { minLength: 1, maxLength: 5 }), (parts) => {
      const expected = new Map<number, Row>();
      const out = makeSampleBuffer(1);
      for (const [part, withStart] of parts) {
        for (const [t, row] of part) expected.set(t, withStart ? row : { ...row, start: 0 });
        mergeSamples(out, bufferOf(part, withStart));
      }
      const sorted = [...expected].sort(([a], [b]) => a - b).map(([t, r]) => [t, r.value, r.start]);
      expect(rowsOf(out)).toEqual(sorted);
    }),
    { numRuns: 500 },
  );
});

test("a buffer without start times stays without", () => {
  mergeSamples(
    bufferOf(new Map([[5, { value: 1, start: 2 }]]), true),
    bufferOf(new Map([[3, { value: 1, start: 2 }]]), true),
  );
  const out = bufferOf(new Map([[5, { value: 1, start: 0 }]]), false);
  mergeSamples(out, bufferOf(new Map([[3, { value: 2, start: 0 }]]), false));
  expect(out.startTs).toBeUndefined();
  expect(rowsOf(out)).toEqual([
    [3, 2, 0],
    [5, 1, 0],
  ]);
});
