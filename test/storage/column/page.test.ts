import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeHistogramRef } from "../../../src/model/sample.ts";
import {
  encodePage,
  openPage,
  type PageColumn,
  PageError,
  pageBytes,
  pageFloats,
  pageRows,
  pageTimes,
} from "../../../src/storage/column/page.ts";
import { CODE_NUMBERS, CODE_PART } from "../../../src/storage/column/page-layout.ts";

const EFFORTS = ["fast", "small"] as const;

function rowsOf(column: PageColumn): number {
  return column.to - column.from;
}

/** Encodes with both efforts and reads every column back, into arrays with room on both sides, bit for bit. */
function expectBack(columns: PageColumn[]): Uint8Array[] {
  return EFFORTS.map((effort) => {
    const bytes = encodePage(columns, effort);
    const page = openPage(bytes);
    for (const [c, column] of columns.entries()) {
      const n = rowsOf(column);
      expect(pageRows(page, c)).toBe(n);
      if (column.kind === "bytes") {
        const { bytes: got, ends } = pageBytes(page, c);
        expect(ends.length).toBe(n);
        for (let i = 0; i < n; i++) {
          const row = column.from + i;
          const want = column.bytes.subarray(row === 0 ? 0 : column.ends[row - 1], column.ends[row]);
          expect([...got.subarray(i === 0 ? 0 : ends[i - 1], ends[i])]).toEqual([...want]);
        }
        continue;
      }
      const out = new Float64Array(n + 4);
      const words = new Uint32Array(out.buffer).fill(0xdeadbeef);
      if (column.kind === "time") expect(pageTimes(page, c, out, 2)).toBe(n);
      else expect(pageFloats(page, c, out, 2)).toBe(n);
      const all =
        column.kind === "time"
          ? new Uint32Array(column.ts.buffer, column.ts.byteOffset, 2 * column.ts.length)
          : column.words;
      expect(Buffer.compare(bytesOf(words, 4, 4 + 2 * n), bytesOf(all, 2 * column.from, 2 * column.to))).toBe(0);
      expect([...words.subarray(0, 4), ...words.subarray(4 + 2 * n)]).toEqual(Array(8).fill(0xdeadbeef));
    }
    return bytes;
  });
}

function bytesOf(words: Uint32Array, from: number, to: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * from, 4 * (to - from));
}

function times(ts: readonly number[]): PageColumn {
  return { kind: "time", ts: Float64Array.from(ts), from: 0, to: ts.length };
}

function floats(values: readonly number[]): PageColumn {
  return { kind: "float", words: new Uint32Array(Float64Array.from(values).buffer), from: 0, to: values.length };
}

function bits(words: readonly number[]): PageColumn {
  return { kind: "float", words: Uint32Array.from(words), from: 0, to: words.length / 2 };
}

function flipBit(words: Uint32Array, at: number): void {
  words[at] = (words[at] as number) ^ 1;
}

function random(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
}

const word = fc.oneof(
  fc.constantFrom(0, 1, 0x7ff00000, 0x7ff80000, 0xfff80000, 0x80000000, 0xffffffff, 0x7fefffff, 0x000fffff, 2),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const anyBits = fc.array(fc.tuple(word, word), { maxLength: 300 }).map((pairs) => bits(pairs.flat()));
const odd = fc.constantFrom(
  0,
  -0,
  Number.NaN,
  Infinity,
  -Infinity,
  5e-324,
  Number.MAX_VALUE,
  2 ** 53,
  -(2 ** 63),
  1e22,
);
const decimals = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.array(fc.maxSafeInteger(), { maxLength: 200 }));
const decimalFloats = decimals.map(([e, ns]) => floats(ns.map((n) => n / 10 ** e)));
const smallDecimals = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 5000 }), fc.array(fc.integer(), { maxLength: 300 }))
  .map(([e, unit, ns]) => floats(ns.map((n) => (n * unit) / 10 ** e)));
const products = fc
  .tuple(fc.constantFrom(0.001, 0.01, 1e-6, 1e-9, 1 / 1024), fc.array(fc.nat(), { maxLength: 300 }))
  .map(([f, ns]) => floats(ns.map((n) => n * f)));
const withOdd = fc
  .array(fc.oneof({ weight: 20, arbitrary: fc.integer({ min: -100, max: 100 }) }, { weight: 1, arbitrary: odd }), {
    maxLength: 400,
  })
  .map(floats);
const doubles = fc.array(fc.double(), { maxLength: 200 }).map(floats);
const ragged = fc
  .array(fc.oneof(fc.constant(15_000), fc.integer({ min: 14_900, max: 15_100 }), fc.maxSafeInteger()), {
    maxLength: 300,
  })
  .map((steps) => {
    let t = 1.7e12;
    const ts: number[] = [];
    for (const step of steps) {
      t += step;
      if (t > 8.64e15) break;
      ts.push(t);
    }
    return times(ts);
  });
const byteRows = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 }).map((rows): PageColumn => {
  const ends = new Uint32Array(rows.length);
  let end = 0;
  for (const [i, r] of rows.entries()) {
    end += r.length;
    ends[i] = end;
  }
  return { kind: "bytes", bytes: Uint8Array.from(rows.flatMap((r) => [...r])), ends, from: 0, to: rows.length };
});
const anyColumn = fc.oneof(anyBits, decimalFloats, smallDecimals, products, withOdd, doubles, ragged, byteRows);
/** Some rows of a column only: what is around them must not show. */
const anyPart = fc.tuple(anyColumn, fc.nat(20), fc.nat(20)).map(([column, before, behind]): PageColumn => {
  const from = Math.min(before, rowsOf(column));
  return { ...column, from, to: Math.max(from, rowsOf(column) - behind) };
});

describe("a page gives back what went in, bit for bit", () => {
  test("no column, empty columns, one row", () => {
    expectBack([]);
    expectBack([
      times([]),
      floats([]),
      { kind: "bytes", bytes: new Uint8Array(0), ends: new Uint32Array(0), from: 0, to: 0 },
    ]);
    expectBack([times([1.7e12]), floats([0.1]), floats([-0]), floats([Number.NaN]), floats([1e300])]);
  });

  test("columns of any kind", () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 6 }), (columns) => {
        expectBack(columns);
      }),
      { numRuns: 400 },
    );
  });

  test("a column again, and almost again", () => {
    fc.assert(
      fc.property(fc.array(anyPart, { minLength: 1, maxLength: 3 }), fc.nat(), (columns, at) => {
        const again = columns.map((c) => structuredClone(c));
        const changed = structuredClone(columns[at % columns.length] as PageColumn);
        if (changed.kind === "float" && rowsOf(changed) > 0) flipBit(changed.words, 2 * changed.to - 1);
        expectBack([...columns, ...again, changed, ...columns]);
      }),
      { numRuns: 200 },
    );
  });

  test("counters, gauges, staleness and gaps of many rows", () => {
    const r = random(7);
    const columns: PageColumn[] = [];
    for (const n of [1, 2, 63, 64, 480, 2048, 9000]) {
      let t = 1.7e12;
      let count = 0;
      columns.push(
        times(Array.from({ length: n }, () => (t += r() < 0.01 ? 60_000 : 15_000 + Math.floor(r() * 5)))),
        floats(Array.from({ length: n }, () => (count += Math.floor(r() * 1000)))),
        floats(Array.from({ length: n }, () => Math.round(r() * 1e4) / 100)),
        floats(Array.from({ length: n }, () => r())),
        floats(Array.from({ length: n }, () => Math.fround(r() * 100))),
        floats(Array.from({ length: n }, () => (r() < 0.02 ? Number.NaN : Math.floor(r() * 50) * 4096))),
        floats(Array.from({ length: n }, (_, i) => 1.7e9 + i * 15 + r() / 1000)),
        floats(Array.from({ length: n }, () => Math.floor(r() * 1e6) / 1000 / 1000)),
        floats(Array.from({ length: n }, () => Math.floor(r() * 1e6) * 0.001)),
      );
    }
    expectBack(columns);
  });

  test("native histograms: references that count up, with stale markers among them", () => {
    const words = new Uint32Array(2 * 100);
    let next = 0;
    for (let i = 0; i < 100; i++) {
      if (i % 17 === 5) words.set([2, 0x7ff00000], 2 * i);
      else writeHistogramRef(words, i, next++);
    }
    const [fast] = expectBack([{ kind: "float", words, from: 0, to: 100 }]);
    expect(fast?.length).toBeLessThan(60);
    writeHistogramRef(words, 3, 77);
    expectBack([{ kind: "float", words, from: 0, to: 100 }]);
  });

  test("times that are a part of earlier ones", () => {
    const r = random(11);
    let t = 1.7e12;
    const all = Array.from({ length: 1000 }, () => (t += 15_000 + Math.floor(r() * 1000)));
    const parts = [
      all.slice(300),
      all.slice(0, 20),
      all.filter((_, i) => i % 100 !== 99),
      all.filter((_, i) => i % 2 === 0),
      [...all.slice(5, 400), t + 1],
      all.filter(() => r() < 0.9),
    ];
    expectBack([times(all), ...parts.map(times), times(all.slice(1))]);
    const one = encodePage([times(all)]).length;
    expect(encodePage([times(all), ...parts.slice(0, 3).map(times)]).length).toBeLessThan(one + 80);
  });

  test("durations of a coarse clock, and what is off them", () => {
    const r = random(5);
    const step = 10.015;
    const clock = (k: number): number => Math.floor((k + 0.3) * step) / 1e9;
    const columns = [1000, 5000, 90_000].map((size) =>
      floats(Array.from({ length: 900 }, () => clock(Math.floor(size * (1 + r() * r() * 9))))),
    );
    const [fast, small] = expectBack(columns);
    expect(small?.length).toBeLessThan(0.88 * (fast?.length as number));
    expectBack([...columns, floats(Array.from({ length: 900 }, () => (r() < 0.01 ? r() : clock(r() * 4e4))))]);
  });

  test("columns that follow from others: sums, multiples, near ones", () => {
    const r = random(9);
    const walk = (): number[] => {
      let v = 1e6;
      return Array.from({ length: 600 }, () => (v += Math.floor((r() - 0.4) * 10_000)));
    };
    const [a, b] = [walk(), walk()] as [number[], number[]];
    const derived = [
      a.map((v, i) => v + (b[i] as number)),
      a.map((v, i) => v - (b[i] as number)),
      a.map((v) => v * 4096),
      a.map((v) => 1e9 - v / 8),
      b.map((v) => v + Math.floor(r() * 4)),
      a.map((v, i) => (i === 77 ? Number.NaN : 3 - v)),
    ];
    const [, alone] = expectBack([floats(a), floats(b)]);
    const [, together] = expectBack([floats(a), floats(b), ...derived.map(floats)]);
    expect((together?.length as number) - (alone?.length as number)).toBeLessThan(320);
  });

  test("columns of many more rows than are decoded at a time", () => {
    const next = random(7);
    const n = 9001;
    const rows = (row: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => row(i));
    let counter = 0;
    const counters = rows(() => (counter += 50 + Math.floor(next() * 64)));
    let wave = 0;
    const bursts = rows((i) => (wave += Math.floor(next() * (i % 900 < 100 ? 2000 : 3))));
    const half = rows((i) => (i === 0 ? 0 : Math.floor(next() * 3)));
    for (let i = 1; i < n; i++) half[i] = (half[i] as number) + Math.floor((half[i - 1] as number) / 2);
    expectBack([
      times(rows((i) => 1.7e12 + 15_000 * i + Math.floor(next() * 9))),
      floats(counters),
      floats(rows((i) => (counters[i] as number) * i)),
      floats(bursts),
      floats(bursts.map((v) => v + Math.floor(next() * 2))),
      floats(half),
      floats(rows(() => Math.round(next() * 1e15))),
      floats(rows(() => next())),
      floats(rows((i) => Math.round(Math.round(i * 97 * next()) * 41.67))),
    ]);
  });

  test("times in common and more columns that others need than are kept, read in any order", () => {
    const next = random(11);
    const n = 300;
    const ts = times(Array.from({ length: n }, (_, i) => 1.7e12 + 15_000 * i + Math.floor(next() * 5)));
    const columns: PageColumn[] = [];
    for (let s = 0; s < 50; s++) {
      const own = Array.from({ length: n }, () => Math.floor(next() * 1e6));
      columns.push(ts, floats(own), floats(own.map((v) => 4096 * v)));
    }
    const page = openPage(encodePage(columns, "small"));
    expect(page.columns.filter((c) => c.referenced).length).toBeGreaterThan(40);
    const out = new Float64Array(n);
    for (let k = 0; k < 3 * columns.length; k++) {
      const c = Math.floor(next() * columns.length);
      const column = columns[c] as PageColumn;
      if (column.kind === "time") {
        expect(pageTimes(page, c, out, 0)).toBe(n);
        expect(out).toEqual(column.ts);
      } else if (column.kind === "float") {
        expect(pageFloats(page, c, out, 0)).toBe(n);
        expect(Buffer.compare(bytesOf(new Uint32Array(out.buffer), 0, 2 * n), bytesOf(column.words, 0, 2 * n))).toBe(0);
      }
    }
    expect(page.whole.size).toBeLessThanOrEqual(32);
  });

  test("words that stand at an odd place in their buffer", () => {
    const words = new Uint32Array(new ArrayBuffer(4 + 80), 4, 20);
    words.set(new Uint32Array(Float64Array.of(1, 2.5, 3.75, 1e9, 0.1, 7, 8, 9, 10, 11).buffer));
    expectBack([{ kind: "float", words, from: 0, to: 10 }]);
    const page = openPage(encodePage([{ kind: "float", words, from: 0, to: 10 }]));
    const out = new Float64Array(10);
    expect(pageFloats(page, 0, out, 0)).toBe(10);
    expect([...new Uint32Array(out.buffer)]).toEqual([...words]);
  });
});

/** Reads everything of what may be a page: rows in bounds, and nothing but `PageError` thrown. */
function readAll(bytes: Uint8Array): void {
  try {
    const page = openPage(bytes);
    for (let c = 0; c < page.columns.length; c++) {
      const n = pageRows(page, c);
      const out = new Float64Array(n);
      for (const read of [
        () => pageTimes(page, c, out, 0),
        () => pageFloats(page, c, out, 0),
        () => pageBytes(page, c).ends.length,
      ]) {
        try {
          expect(read()).toBe(n);
        } catch (error) {
          if (!(error instanceof PageError)) throw error;
        }
      }
    }
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
  }
}

describe("a damaged page is refused or read within its bounds", () => {
  const r = random(3);
  const tagged = new Uint32Array(2 * 40);
  for (let i = 0; i < 40; i++) writeHistogramRef(tagged, i, i);
  const pages = EFFORTS.map((effort) =>
    encodePage(
      [
        times(Array.from({ length: 300 }, (_, i) => 1.7e12 + i * 15_000 + Math.floor(r() * 9))),
        floats(Array.from({ length: 300 }, () => Math.floor(r() * 1000))),
        floats(Array.from({ length: 90 }, () => r())),
        floats(Array.from({ length: 300 }, (_, i) => (i % 60 === 7 ? Number.NaN : i * 0.25))),
        floats([1, 2, 3]),
        { kind: "float", words: tagged, from: 0, to: 40 },
        {
          kind: "bytes",
          bytes: new Uint8Array(400).fill(7),
          ends: Uint32Array.from({ length: 40 }, (_, i) => 10 * i + 10),
          from: 0,
          to: 40,
        },
      ],
      effort,
    ),
  );

  test("cut short anywhere", () => {
    for (const page of pages) {
      for (let n = 0; n < page.length; n++) expect(() => openPage(page.slice(0, n))).toThrow(PageError);
    }
  });

  test("any byte changed", { timeout: 90_000 }, () => {
    for (const page of pages) {
      for (let i = 0; i < page.length; i++) {
        for (const mask of [1 << (i & 7), 1 + Math.floor(r() * 254)]) {
          const damaged = page.slice();
          damaged[i] = (damaged[i] as number) ^ mask;
          readAll(damaged);
        }
      }
    }
  });

  test("any byte changed of what says which column follows from which", { timeout: 90_000 }, () => {
    const a = Array.from({ length: 400 }, () => Math.floor(r() * 1e6));
    const b = Array.from({ length: 400 }, () => Math.floor(r() * 1e6));
    const at = a.map((_, i) => 1.7e12 + i * 15_000 + Math.floor(r() * 999));
    const bursts = a.map((v, i) => (v % 3 === 0 ? v : i % 2));
    const page = encodePage(
      [
        times(at),
        times(at.slice(7)),
        floats(a),
        floats(b),
        floats(a.map((v, i) => v + (b[i] as number))),
        floats(a.map((v) => v * 3)),
        floats(bursts),
        floats(bursts.map((v) => (v > 1 ? Math.floor(r() * 1e5) : Math.floor(r() * 2)))),
        floats(a.map((v) => Math.floor(Math.floor(v / 900) * 10.015) / 1e9)),
      ],
      "small",
    );
    const codes = openPage(page).columns.map(({ source }) => source);
    expect(codes.some((c) => c.code === CODE_PART)).toBe(true);
    expect(codes.some((c) => c.code === CODE_NUMBERS && c.terms.length === 2)).toBe(true);
    expect(codes.some((c) => c.code === CODE_NUMBERS && c.contexts !== undefined)).toBe(true);
    expect(codes.some((c) => c.code === CODE_NUMBERS && c.ticks !== undefined)).toBe(true);
    for (let i = 0; i < page.length; i += i > 20 && i < page.length - 200 ? 23 : 1) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = page.slice();
        damaged[i] = (damaged[i] as number) ^ (1 << bit);
        readAll(damaged);
      }
    }
  });

  test("any bytes at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        readAll(bytes);
        readAll(Uint8Array.of(1, ...bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("a column of another kind, or that is not there", () => {
    const page = openPage(pages[0] as Uint8Array);
    expect(() => pageFloats(page, 0, new Float64Array(300), 0)).toThrow(PageError);
    expect(() => pageTimes(page, 1, new Float64Array(300), 0)).toThrow(PageError);
    expect(() => pageRows(page, 7)).toThrow(PageError);
    expect(() => pageBytes(page, 99)).toThrow(PageError);
  });
});
