/** Late samples one by one and in runs, floats and histograms, by the rules of fresh frames, of backfill and of a backlog. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram, encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { histogramRef, isHistogramAt, makeSampleBuffer, writeHistogramRef } from "../../../src/model/sample.ts";
import { type AppendOptions, type AppendResult, appendColumns } from "../../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries, type Head } from "../../../src/storage/head/head.ts";
import { dropOldHistograms } from "../../../src/storage/head/histogram-arena.ts";
import { readSeries } from "../../../src/storage/head/read.ts";
import { hashOf } from "./reference-head.ts";

const HOUR = 3600_000;
const WINDOW = HOUR;
const BASE = 1_700_000_000_000;

/** A sample: a float's value, or a histogram with that count. */
interface Row {
  readonly series: number;
  readonly t: number;
  readonly value: number;
  readonly histogram: boolean;
  readonly start: number;
}

function append(head: Head, rows: readonly Row[], options: AppendOptions): AppendResult {
  const n = rows.length;
  const values = Float64Array.from(rows, (r) => r.value);
  const words = new Uint32Array(values.buffer);
  const bytes = makeHistogramBytes();
  rows.forEach((r, i) => {
    if (r.histogram)
      writeHistogramRef(words, i, encodeHistogram({ ...makeHistogram(), zeroCount: r.value, count: r.value }, bytes));
  });
  beginFrame(head);
  return appendColumns(
    head,
    {
      length: n,
      hashLo: Uint32Array.from(rows, (r) => hashOf(r.series).lo),
      hashHi: Uint32Array.from(rows, (r) => hashOf(r.series).hi),
      ts: Float64Array.from(rows, (r) => r.t),
      values,
      histograms: bytes.length > 0 ? bytes.bytes.subarray(0, bytes.length) : undefined,
      startTs: rows.some((r) => r.start !== 0) ? Float64Array.from(rows, (r) => r.start) : undefined,
    },
    new Uint32Array(n),
    options,
  );
}

const shown = (r: Row) => `${r.histogram ? "h" : "f"}${r.value}`;

/** The rules, said as plainly as possible. */
function reference(model: Map<number, string>[], newest: number[], row: Row, options: AppendOptions): string {
  const samples = model[row.series]!;
  const last = newest[row.series]!;
  if (options.anyAge !== true && row.t < last - WINDOW) return "tooOld";
  const there = samples.get(row.t);
  if (there === shown(row)) return "duplicates";
  if (there !== undefined && options.keepExisting === true) return "kept";
  samples.set(row.t, shown(row));
  newest[row.series] = Math.max(last, row.t);
  return there === undefined ? "stored" : "overwritten";
}

function read(head: Head, id: number, minT: number, maxT: number): string[] {
  const out = makeSampleBuffer(1);
  readSeries(head, id, minT, maxT, out);
  return Array.from({ length: out.length }, (_, i) => {
    const value = isHistogramAt(out.words, i)
      ? `h${decodeHistogram(out.histograms!.bytes, histogramRef(out.words, i)).count}`
      : `f${out.values[i]}`;
    return `${out.ts[i]} ${value}`;
  });
}

function newHead(series: number): Head {
  const head = createHead({ outOfOrderWindowMs: WINDOW });
  for (let n = 0; n < series; n++) {
    const { lo, hi } = hashOf(n);
    defineSeries(head, lo, hi, "default", ["__name__", `m${n}`]);
  }
  return head;
}

const options = fc.constantFrom<AppendOptions>({}, { anyAge: true }, { anyAge: true, keepExisting: true });
/** Samples of one series from a time on, mostly at regular steps: runs, as a sender of history has them. */
const run = fc
  .record({
    series: fc.nat(1),
    from: fc.integer({ min: 0, max: 500 }),
    step: fc.integer({ min: 1, max: 3 }),
    values: fc.array(fc.nat(3), { minLength: 1, maxLength: 160 }),
    histograms: fc.constantFrom("none", "none", "all", "some"),
  })
  .map(({ series, from, step, values, histograms }) =>
    values.map(
      (value, k): Row => ({
        series,
        t: BASE + 15_000 * (from + k * step),
        value,
        histogram: histograms === "all" || (histograms === "some" && k % 7 === 3),
        start: 0,
      }),
    ),
  );
const single = fc
  .record({ series: fc.nat(1), at: fc.nat(700), value: fc.nat(3), histogram: fc.boolean() })
  .map(({ series, at, value, histogram }): Row[] => [{ series, t: BASE + 15_000 * at, value, histogram, start: 0 }]);
const frame = fc.record({
  options,
  rows: fc
    .array(fc.oneof({ weight: 2, arbitrary: run }, single), { minLength: 1, maxLength: 4 })
    .map((list) => list.flat()),
});

describe("late samples", () => {
  test("are stored, counted and read back as the rules say, in runs or one by one", () => {
    void fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 10 }), fc.nat(700), fc.nat(700), (frames, a, b) => {
        const head = newHead(2);
        const model = [new Map<number, string>(), new Map<number, string>()];
        const newest = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (const { options: how, rows } of frames) {
          const counts: Record<string, number> = { stored: 0, overwritten: 0, duplicates: 0, kept: 0, tooOld: 0 };
          for (const row of rows) counts[reference(model, newest, row, how)]! += 1;
          const got = append(head, rows, how);
          const { duplicates, kept, tooOld, overwritten } = got;
          expect({ stored: got.accepted - overwritten, overwritten, duplicates, kept, tooOld }).toEqual(counts);
        }
        const range = [BASE + 15_000 * Math.min(a, b), BASE + 15_000 * Math.max(a, b)] as const;
        for (const [minT, maxT] of [[Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY], range] as const) {
          for (const n of [0, 1]) {
            const expected = [...model[n]!]
              .filter(([t]) => t >= minT && t <= maxT)
              .sort(([x], [y]) => x - y)
              .map(([t, v]) => `${t} ${v}`);
            expect(read(head, n, minT, maxT)).toEqual(expected);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test("a histogram that is there already takes no memory again", () => {
    const head = newHead(1);
    const row = (k: number, value: number): Row => ({ series: 0, t: BASE + k, value, histogram: true, start: 0 });
    append(head, [row(0, 1), row(1, 2), row(2, 3)], {});
    const used = head.histograms.next;
    expect(append(head, [row(2, 3), row(1, 2), row(0, 1)], {})).toMatchObject({ accepted: 0, duplicates: 3 });
    expect(head.histograms.next).toBe(used);
    expect(append(head, [row(1, 9)], { keepExisting: true })).toMatchObject({ accepted: 0, kept: 1 });
    expect(head.histograms.next).toBe(used);
  });

  test("histograms whose bytes were dropped with age are not read any more, younger ones are", () => {
    const head = newHead(1);
    for (let k = 0; k < 400; k++) {
      const buckets = Array.from({ length: 900 }, (_, i) => (i * k) % 97);
      const bytes = makeHistogramBytes();
      const count = buckets.reduce((x, y) => x + y, 0);
      encodeHistogram({ ...makeHistogram(), float: true, count, positiveSpans: [0, 900], positive: buckets }, bytes);
      const values = new Float64Array(1);
      writeHistogramRef(new Uint32Array(values.buffer), 0, 0);
      const { lo, hi } = hashOf(0);
      const hashes = { hashLo: Uint32Array.of(lo), hashHi: Uint32Array.of(hi) };
      const columns = { length: 1, ...hashes, ts: Float64Array.of(BASE + k), values, histograms: bytes.bytes };
      expect(appendColumns(head, columns, new Uint32Array(1)).accepted).toBe(1);
    }
    expect(head.histograms.slabs.length).toBe(3);
    dropOldHistograms(head.histograms, BASE + 200);
    expect(head.histograms.slabs.length).toBe(2);
    const out = makeSampleBuffer(1);
    readSeries(head, 0, BASE + 200, BASE + 400, out);
    expect(out.length).toBe(200);
    readSeries(head, 0, BASE, BASE + 400, out);
    expect(out.length).toBeLessThan(400);
    expect(out.ts[out.length - 1]).toBe(BASE + 399);
    expect(decodeHistogram(out.histograms!.bytes, histogramRef(out.words, out.length - 1)).positive[5]).toBe(
      (5 * 399) % 97,
    );
  });

  test("a NaN that looks like a histogram is the ordinary one where the frame has none", () => {
    const head = newHead(1);
    const values = new Float64Array(2);
    const words = new Uint32Array(values.buffer);
    words.set([7, 0xfff4_0001, 9, 0xfff7_ffff]);
    const { lo, hi } = hashOf(0);
    const hashes = { hashLo: Uint32Array.of(lo, lo), hashHi: Uint32Array.of(hi, hi) };
    const columns = { length: 2, ...hashes, ts: Float64Array.of(BASE + 5, BASE), values };
    expect(appendColumns(head, columns, new Uint32Array(2))).toMatchObject({ accepted: 2, outOfOrder: 1 });
    expect(appendColumns(head, columns, new Uint32Array(2))).toMatchObject({ accepted: 0, duplicates: 2 });
    const out = makeSampleBuffer(1);
    readSeries(head, 0, BASE, BASE + 5, out);
    expect([...out.words.subarray(0, 4)]).toEqual([0, 0x7ff8_0000, 0, 0x7ff8_0000]);
  });

  test("start times go with their samples, late ones as well, and 0 is unknown", () => {
    const head = newHead(2);
    const row = (k: number, start: number, series = 0): Row => ({
      series,
      t: BASE + k,
      value: k,
      histogram: k % 2 === 0,
      start,
    });
    append(head, [row(10, 5), row(20, 5), row(30, 0), row(10, 0, 1)], {});
    append(head, [row(15, 7), row(5, 0)], {});
    append(head, [row(40, 35)], {});
    const out = makeSampleBuffer(1);
    readSeries(head, 0, BASE, BASE + 100, out);
    expect(Array.from({ length: out.length }, (_, i) => [out.ts[i]! - BASE, out.startTs![i]])).toEqual([
      [5, 0],
      [10, 5],
      [15, 7],
      [20, 5],
      [30, 0],
      [40, 35],
    ]);
    readSeries(head, 1, BASE, BASE + 100, out);
    expect([...out.startTs!.subarray(0, out.length)]).toEqual([0]);
    expect(head.starts.count).toBe(1);
  });
});
