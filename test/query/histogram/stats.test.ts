import fc from "fast-check";
import { expect, test } from "vitest";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, HistogramCodeError, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { decodeStats } from "../../../src/query/histogram/stats.ts";
import { histogram } from "../../model/histogram-samples.ts";

test("stats are the count, the sum, the schema and the hint of any histogram, wherever it lies", () => {
  fc.assert(
    fc.property(fc.array(histogram, { minLength: 1, maxLength: 4 }), (list) => {
      const bytes = makeHistogramBytes();
      const places = list.map((h) => encodeHistogram(h, bytes));
      list.forEach(({ count, sum, schema, resetHint, stale }, i) => {
        const stats = decodeStats(bytes.bytes, places[i] as number);
        if (stale) expect(stats.sum).toBeNaN();
        else expect(stats).toEqual({ ...makeHistogram(), float: true, count, sum, schema, resetHint });
      });
    }),
  );
});

test("a threshold that is written out is passed over", () => {
  const bytes = makeHistogramBytes();
  const at = encodeHistogram({ ...makeHistogram(), zeroThreshold: 0.3, zeroCount: 7, count: 7, sum: 1.5 }, bytes);
  expect(decodeStats(bytes.bytes, at)).toMatchObject({ count: 7, sum: 1.5, zeroCount: 0, zeroThreshold: 0 });
});

test("bytes that end before the count are refused, and so are those of another version", () => {
  const short = Uint8Array.of(11, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  expect(() => decodeStats(short, 0)).toThrow(HistogramCodeError);
  const other = Uint8Array.of(14, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0);
  expect(() => decodeStats(other, 0)).toThrow(HistogramCodeError);
});
