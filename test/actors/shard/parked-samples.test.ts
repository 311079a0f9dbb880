import fc from "fast-check";
import { expect, test } from "vitest";
import {
  makeParkedSamples,
  type ParkedSamples,
  parkedHashes,
  parkRows,
  unpark,
} from "../../../src/actors/shard/parked-samples.ts";
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

function keysOf(parked: ParkedSamples): string[] {
  const hashes = parkedHashes(parked);
  return Array.from({ length: hashes.length / 2 }, (_, i) => `${hashes[2 * i]},${hashes[2 * i + 1]}`);
}

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
          const columns = columnsOf(rows);
          // Every second row of the batch is unknown.
          for (let i = 0; i < rows.length; i += 2) {
            const r = rows[i]!;
            const own = `${r.lo},${r.hi}`;
            const isFull = waiting() === capacity;
            const dropped = parkRows(parked, columns, Uint32Array.of(i), 1);
            const others = [...model.keys()].filter((k) => k !== own);
            if (isFull && others.length === 0) {
              expect(dropped).toBe(1);
              continue;
            }
            if (isFull) {
              // One other series has made room.
              const left = keysOf(parked);
              const gone = others.filter((k) => !left.includes(k));
              expect(gone).toHaveLength(1);
              expect(dropped).toBe(model.get(gone[0]!)!.length);
              model.delete(gone[0]!);
            } else expect(dropped).toBe(0);
            model.set(own, [...(model.get(own) ?? []), r]);
          }
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
        expect(keysOf(parked).sort()).toEqual([...model.keys()].sort());
      }
    }),
  );
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

test("histograms of series that made room do not keep their memory", () => {
  const parked = makeParkedSamples(100);
  const positive = Array.from({ length: 600 }, (_, i) => i);
  const h = { ...makeHistogram(), float: true, positiveSpans: [0, 600], positive };
  const bytes = makeHistogramBytes();
  const values = new Float64Array(1);
  writeHistogramRef(new Uint32Array(values.buffer), 0, encodeHistogram(h, bytes));
  const histograms = bytes.bytes.subarray(0, bytes.length);
  let dropped = 0;
  for (let i = 0; i < 5_000; i++) {
    const hashLo = Uint32Array.of(i * 7919);
    const columns = { length: 1, hashLo, hashHi: Uint32Array.of(i), ts: Float64Array.of(i), values, histograms };
    dropped += parkRows(parked, columns, Uint32Array.of(0), 1);
  }
  expect([parked.length, dropped]).toEqual([100, 4_900]);
  expect(parked.histograms.length).toBeLessThan(2 * 100 * bytes.length + (2 << 20));
});
