import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Histogram, makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import { histogramRef } from "../../../src/model/sample.ts";
import { makeBatch } from "../../../src/streams/codec/sample-batch.ts";
import { scanHistogram } from "../../../src/streams/codec/wire-histogram.ts";
import { histogram } from "../../model/histogram-samples.ts";
import { histogramBytes } from "../support/wire-bytes.ts";

/** What is stored of a histogram that is sent; the reason where nothing is. */
function stored(h: Histogram): Histogram | string {
  const batch = makeBatch();
  const bytes = histogramBytes({ h, ts: 5 });
  scanHistogram(batch, { bytes, view: new DataView(bytes.buffer, bytes.byteOffset) }, 0, bytes.length, 0);
  if (batch.samples === 0) return batch.extras.refused[0]?.message ?? "";
  return decodeHistogram(batch.histograms.bytes, histogramRef(batch.words, 0));
}

/** Count by number of bucket. */
function bucketsOf(spans: readonly number[], counts: readonly number[]): Map<number, number> {
  const out = new Map<number, number>();
  let index = 0;
  let k = 0;
  for (let s = 0; s < spans.length; s += 2) {
    index += spans[s]!;
    for (let n = spans[s + 1]!; n > 0; n--) out.set(index++, counts[k++]!);
  }
  return out;
}

/** Two by two: the buckets (b^(i-1), b^i] and the one below become (b^2^(i/2-1), b^2^(i/2)]. */
function halved(buckets: Map<number, number>): Map<number, number> {
  const out = new Map<number, number>();
  for (const [i, n] of buckets) out.set((i + (i & 1)) / 2, (out.get((i + (i & 1)) / 2) ?? 0) + n);
  return out;
}

describe("what is stored of a native histogram that is sent", () => {
  test.each([
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 3],
  ])("reset hint %i becomes %i", (sent, kept) => {
    expect(stored({ ...makeHistogram(), resetHint: sent })).toEqual({ ...makeHistogram(), resetHint: kept });
  });

  test("finer buckets than are stored are merged, none is lost", () => {
    const fine = histogram.filter((h) => h.schema >= 0);
    fc.assert(
      fc.property(fine, fc.integer({ min: 9, max: 52 }), (h, schema) => {
        const got = stored({ ...h, schema });
        if (typeof got === "string") throw new Error(got);
        expect({ ...got, positiveSpans: [], positive: [], negativeSpans: [], negative: [] }).toEqual({
          ...h,
          schema: 8,
          resetHint: h.resetHint === 3 ? 3 : 0,
          positiveSpans: [],
          positive: [],
          negativeSpans: [],
          negative: [],
        });
        for (const side of ["positive", "negative"] as const) {
          let expected = bucketsOf(h[`${side}Spans`], h[side]);
          for (let s = schema; s > 8; s--) expected = halved(expected);
          const found = bucketsOf(got[`${side}Spans`], got[side]);
          expect([...found.keys()]).toEqual([...expected.keys()]);
          for (const [i, n] of expected) expect(found.get(i)).toBeCloseTo(n, 4);
          expect(got[`${side}Spans`].every((n, i) => i < 2 || n > 0)).toBe(true);
        }
      }),
    );
  });

  test("what does not fit together is refused at any resolution", () => {
    const bad = { ...makeHistogram(), count: 1, positiveSpans: [0, 2], positive: [1] };
    expect(stored({ ...bad, schema: 20 })).toBe("positive buckets: the spans have 2 buckets, 1 counts are given");
    expect(stored({ ...makeHistogram(), schema: 53 })).toContain("schema 53");
    expect(stored({ ...makeHistogram(), schema: -5 })).toContain("schema -5");
  });
});
