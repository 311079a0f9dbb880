import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSink, sinkBytes } from "../../../src/storage/block/byte-sink.ts";
import { packBits, putColumn, readColumn, unpackBits } from "../../../src/storage/block/number-column.ts";
import { hitList, putList, readList } from "../../../src/storage/block/posting-list.ts";

const step = fc.oneof(
  fc.constant(0),
  fc.constant(1),
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger().map((n) => n % 2 ** 50),
);
const ids = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.nat(9) },
      { weight: 1, arbitrary: fc.nat(1 << 20) },
    ),
    {
      minLength: 2,
      maxLength: 700,
    },
  )
  .map((gaps) => {
    let id = -1;
    return Uint32Array.from(gaps, (gap) => {
      id += gap + 1;
      return id;
    });
  });

describe("number columns", () => {
  test("give back every number, in each way of writing them", () => {
    void fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.boolean(), fc.boolean(), step, (steps, sum, pack, base) => {
        let total = 0;
        const rows = sum
          ? steps.map((s) => {
              total = (total + s) % 2 ** 50;
              return total;
            })
          : steps;
        const sink = makeSink(1);
        putColumn(sink, rows, rows.length, base, pack);
        const out = new Float64Array(rows.length + 1);
        const cursor = { at: 0 };
        readColumn(sinkBytes(sink), cursor, rows.length, out);
        expect([...out]).toEqual([base, ...rows].map((n) => n + 0));
        expect(cursor.at).toBe(sink.length);
      }),
    );
  });

  test("that are alike take a few bytes, those of few bits their bits", () => {
    const sink = makeSink();
    putColumn(sink, new Array(1000).fill(77), 1000, 77, true);
    expect(sink.length).toBeLessThan(8);
    sink.length = 0;
    putColumn(
      sink,
      Array.from({ length: 1000 }, (_, i) => (i * i) % 2),
      1000,
      0,
      true,
    );
    expect(sink.length).toBeLessThan(260);
  });

  test("of bits of any width", () => {
    void fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 32 }),
        fc.array(fc.nat(), { maxLength: 50 }),
        fc.nat(3),
        (width, some, at) => {
          const rows = some.map((n) => (n * 7919) % 2 ** width);
          const bytes = new Uint8Array(at + Math.ceil((rows.length * width) / 8));
          expect(packBits(rows, 0, rows.length, width, bytes, at)).toBe(bytes.length);
          const out = new Uint32Array(rows.length + 2);
          unpackBits(bytes, at, rows.length, width, out, 1);
          expect([...out]).toEqual([0, ...rows, 0]);
        },
      ),
    );
  });
});

describe("posting lists", () => {
  test("give back their series, all or those asked for", () => {
    void fc.assert(
      fc.property(ids, ids, fc.nat(5), (list, others, at) => {
        const sink = makeSink(1);
        sink.length = at;
        putList(sink, list, 0, list.length);
        const bytes = sinkBytes(sink);
        const out = new Uint32Array(list.length + 1);
        readList(bytes, at, list.length, out, 1);
        expect([...out]).toEqual([0, ...list]);
        const members = new Set(list);
        const asked = [...new Set([...others, ...list.filter((_, i) => i % 7 === 0)])].sort((a, b) => a - b);
        const candidates = Uint32Array.from(asked);
        const hits = new Uint8Array(asked.length);
        hitList(bytes, at, list.length, candidates, hits);
        expect(asked.filter((_, i) => hits[i] === 1)).toEqual(asked.filter((id) => members.has(id)));
      }),
    );
  });
});
