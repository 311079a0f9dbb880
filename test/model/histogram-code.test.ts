import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { histogramProblem } from "../../src/model/histogram.ts";
import {
  copyHistogram,
  decodeHistogram,
  encodeHistogram,
  equalHistograms,
  HistogramCodeError,
  histogramSize,
  makeHistogramBytes,
} from "../../src/model/histogram-code.ts";
import { histogram } from "./histogram-samples.ts";

describe("the byte code of histograms", () => {
  test("gives back every histogram, whatever lies around it", () => {
    void fc.assert(
      fc.property(fc.array(histogram, { minLength: 1, maxLength: 6 }), (list) => {
        const bytes = makeHistogramBytes();
        const at = list.map((h) => encodeHistogram(h, bytes));
        for (const [i, h] of list.entries()) {
          expect(histogramProblem(h)).toBeUndefined();
          expect(decodeHistogram(bytes.bytes, at[i]!)).toEqual(h);
          expect(histogramSize(bytes.bytes, at[i]!)).toBe((at[i + 1] ?? bytes.length) - at[i]!);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("two histograms have the same bytes exactly when they are the same", () => {
    void fc.assert(
      fc.property(histogram, histogram, fc.boolean(), (a, b, same) => {
        const bytes = makeHistogramBytes();
        const x = encodeHistogram(a, bytes);
        const y = encodeHistogram(same ? structuredClone(a) : b, bytes);
        const copy = copyHistogram(bytes.bytes, y, bytes);
        const equal =
          JSON.stringify([a, String(a.sum)]) === JSON.stringify(same ? [a, String(a.sum)] : [b, String(b.sum)]);
        expect(equalHistograms(bytes.bytes, x, bytes.bytes, y)).toBe(
          equal || Object.is(JSON.stringify(a), JSON.stringify(b)),
        );
        expect(equalHistograms(bytes.bytes, copy, bytes.bytes, y)).toBe(true);
      }),
    );
  });

  test("a staleness marker keeps its bits, another NaN is the ordinary one", () => {
    for (const stale of [true, false]) {
      const bytes = makeHistogramBytes();
      const [h] = fc.sample(histogram, { numRuns: 1, seed: 7 });
      const at = encodeHistogram({ ...h!, zeroThreshold: 0, stale, sum: Number.NaN }, bytes);
      const sum = Buffer.from(bytes.bytes).readBigUInt64LE(at + (histogramSize(bytes.bytes, at) > 128 ? 2 : 1) + 3);
      expect(sum).toBe(stale ? 0x7ff0000000000002n : 0x7ff8000000000000n);
      expect(decodeHistogram(bytes.bytes, at).stale).toBe(stale);
    }
  });

  test("changed or cut bytes are refused or are another histogram, never another error", () => {
    void fc.assert(
      fc.property(histogram, fc.nat(), fc.integer({ min: 0, max: 255 }), (h, where, value) => {
        const into = makeHistogramBytes();
        encodeHistogram(h, into);
        const bytes = into.bytes.slice(0, into.length);
        const cut = bytes.slice(0, where % bytes.length);
        expect(() => decodeHistogram(cut, 0)).toThrow(HistogramCodeError);
        bytes[where % bytes.length] = value;
        try {
          decodeHistogram(bytes, 0);
        } catch (error) {
          expect(error).toBeInstanceOf(HistogramCodeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
