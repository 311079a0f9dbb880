import fc from "fast-check";
import { expect, test } from "vitest";
import { makeParkedSamples, parkedHashes, parkRows, unpark } from "../../../src/actors/shard/parked-samples.ts";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram, encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import {
  histogramRef,
  makeSampleBuffer,
  type SampleColumns,
  STALE_NAN_HI,
  STALE_NAN_LO,
  writeHistogramRef,
} from "../../../src/model/sample.ts";

type Row = { lo: number; hi: number; ts: number; wordLo: number; wordHi: number };

function columnsOf(rows: readonly Row[]): SampleColumns {
  const values = new Float64Array(rows.length);
  const words = new Uint32Array(values.buffer);
  rows.forEach((r, i) => {
    words[2 * i] = r.wordLo;
    words[2 * i + 1] = r.wordHi;
  });
  return {
    length: rows.length,
    hashLo: Uint32Array.from(rows, (r) => r.lo),
    hashHi: Uint32Array.from(rows, (r) => r.hi),
    ts: Float64Array.from(rows, (r) => r.ts),
    values,
  };
}

// Few different hashes, chosen so that many fall into the same slot.
const hash = fc.record({ lo: fc.constantFrom(0, 1, 16, 17, 32, 0xffffffff), hi: fc.constantFrom(0, 1, 2, 0xffffffff) });
const row = fc.record({
  ts: fc.integer(),
  wordLo: fc.constantFrom(STALE_NAN_LO, 1, 0xffffffff),
  wordHi: fc.constantFrom(STALE_NAN_HI, 0x7ff80000, 0xffffffff),
});
const command = fc.oneof(
  fc.record({ kind: fc.constant("park" as const), rows: fc.array(fc.tuple(hash, row), { maxLength: 20 }) }),
  fc.record({ kind: fc.constant("unpark" as const), hash }),
);

test("behaves like a map of lists with a bound", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), fc.integer({ min: 0, max: 60 }), (commands, capacity) => {
      const parked = makeParkedSamples(capacity);
      const model = new Map<string, Row[]>();
      const out = makeSampleBuffer(4);
      const waiting = () => [...model.values()].reduce((n, list) => n + list.length, 0);
      for (const c of commands) {
        if (c.kind === "park") {
          const rows = c.rows.map(([h, r]) => ({ ...h, ...r }));
          // Every second row of the batch is unknown.
          const unknown = Uint32Array.from(rows.keys()).filter((i) => i % 2 === 0);
          let refused = 0;
          for (const i of unknown) {
            const r = rows[i]!;
            if (waiting() === capacity) refused++;
            else model.set(`${r.lo},${r.hi}`, [...(model.get(`${r.lo},${r.hi}`) ?? []), r]);
          }
          expect(parkRows(parked, columnsOf(rows), unknown, unknown.length)).toBe(refused);
        } else {
          const key = `${c.hash.lo},${c.hash.hi}`;
          const expected = model.get(key);
          model.delete(key);
          expect(unpark(parked, c.hash.lo, c.hash.hi, out)).toBe(expected !== undefined);
          if (expected !== undefined) {
            expect([...out.ts.subarray(0, out.length)]).toEqual(expected.map((r) => r.ts));
            expect([...out.words.subarray(0, 2 * out.length)]).toEqual(expected.flatMap((r) => [r.wordLo, r.wordHi]));
          }
        }
        expect(parked.length).toBe(waiting());
        expect(parked.seriesCount).toBe(model.size);
        const hashes = parkedHashes(parked, 1000);
        const keys: string[] = [];
        for (let i = 0; i < hashes.length; i += 2) keys.push(`${hashes[i]},${hashes[i + 1]}`);
        expect(keys.sort()).toEqual([...model.keys()].sort());
      }
    }),
  );
});

test("a request names at most so many hashes", () => {
  const parked = makeParkedSamples(100);
  const rows = Array.from({ length: 50 }, (_, i) => ({ lo: i * 7919, hi: i, ts: i, wordLo: 0, wordHi: 0 }));
  parkRows(parked, columnsOf(rows), Uint32Array.from(rows.keys()), rows.length);
  expect(parkedHashes(parked, 8)).toHaveLength(16);
  expect(parkedHashes(parked, 80)).toHaveLength(100);
});

test("histograms, start times and rules wait with their samples, and memory of those that left is used again", () => {
  const parked = makeParkedSamples(10_000);
  const buckets = Array.from({ length: 600 }, (_, i) => i);
  const send = (from: number, n: number) => {
    const bytes = makeHistogramBytes();
    const values = new Float64Array(n);
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < n; i++) {
      const positive = buckets.map((b) => b + from + i);
      const h = { ...makeHistogram(), float: true, positiveSpans: [0, 600], positive };
      writeHistogramRef(words, i, encodeHistogram(h, bytes));
    }
    const rows = Uint32Array.from({ length: n }, (_, i) => i);
    const columns: SampleColumns = {
      length: n,
      hashLo: Uint32Array.from(rows, (i) => i % 2),
      hashHi: new Uint32Array(n),
      ts: Float64Array.from(rows, (i) => from + i),
      values,
      histograms: bytes.bytes.subarray(0, bytes.length),
      startTs: Float64Array.from(rows, (i) => (i % 3 === 0 ? from + i + 1 : 0)),
    };
    expect(parkRows(parked, columns, rows, n, from === 0 ? 0 : 3)).toBe(0);
  };
  send(0, 300);
  const before = parked.histograms.length;
  const out = makeSampleBuffer(1);
  expect(unpark(parked, 0, 0, out)).toBe(true);
  send(1000, 300);
  expect(unpark(parked, 0, 0, out)).toBe(true);
  expect(parked.histograms.length).toBeLessThan(1.1 * before);
  expect(unpark(parked, 1, 0, out)).toBe(true);
  expect(out.length).toBe(300);
  for (let i = 0; i < out.length; i++) {
    const k = (i % 150) * 2 + 1;
    const from = i < 150 ? 0 : 1000;
    expect([out.ts[i], out.startTs![i], parked.takenRules[i]]).toEqual([
      from + k,
      k % 3 === 0 ? from + k + 1 : 0,
      i < 150 ? 0 : 3,
    ]);
    expect(decodeHistogram(out.histograms!.bytes, histogramRef(out.words, i)).positive[9]).toBe(9 + from + k);
  }
  expect([parked.length, parked.histograms.length]).toEqual([0, 0]);
});
