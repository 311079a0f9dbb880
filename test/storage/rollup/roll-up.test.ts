import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { restarted } from "../../../src/model/counter-restart.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import { makeRollupBuffer, ROLLUP_COLUMNS, type RollupBuffer, type RollupColumn } from "../../../src/model/rollup.ts";
import { rollUp } from "../../../src/storage/rollup/roll-up.ts";
import { rollUpFurther } from "../../../src/storage/rollup/roll-up-further.ts";
import { anyNumbers, bufferOf, type Thing, things, wholeNumbers } from "./arbitrary-samples.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;

type Row = { start: number } & Record<RollupColumn, number>;

function rowsOf(b: RollupBuffer): Row[] {
  return Array.from({ length: b.length }, (_, i) => {
    const row = { start: b.start[i] as number } as Row;
    for (const c of ROLLUP_COLUMNS) row[c] = b.columns[c][i] as number;
    return row;
  });
}

function rolled(list: readonly Thing[], width: number): RollupBuffer {
  const out = makeRollupBuffer(1);
  rollUp(bufferOf(list), width, out);
  return out;
}

/** The definition of every column, bucket by bucket; sums exactly where the numbers are whole. */
function defined(list: readonly Thing[], width: number): Row[] {
  const starts = [...new Set(list.map((x) => Math.ceil(x.t / width) * width - width))];
  return starts.map((start) => {
    const inside = list.filter((x) => x.t > start && x.t <= start + width);
    const floats = inside.filter((x) => x.kind === "float");
    const v = floats.map((x) => x.value);
    const numbers = v.filter((x) => !Number.isNaN(x));
    const before = (i: number) => floats[i - 1] as Thing;
    const isReset = (x: Thing, i: number) =>
      i > 0 && (x.value < before(i).value || restarted(x.start, x.t, before(i).start, before(i).t));
    const resets = floats.filter(isReset).map((x) => before(floats.indexOf(x)).value);
    const same = (a: number, b: number) => a === b || (Number.isNaN(a) && Number.isNaN(b));
    const extreme = (best: number) => numbers.findLast((x) => x === best) ?? Number.NaN;
    const empty = floats.length === 0;
    return {
      start,
      count: floats.length,
      sum: v.reduce((a, b) => a + b, 0),
      min: empty ? 0 : extreme(Math.min(...numbers)),
      max: empty ? 0 : extreme(Math.max(...numbers)),
      first: v[0] ?? 0,
      last: v.at(-1) ?? 0,
      firstT: floats[0]?.t ?? 0,
      lastT: floats.at(-1)?.t ?? 0,
      resets: resets.reduce((a, b) => a + b, 0),
      resetCount: resets.length,
      changes: v.filter((x, i) => i > 0 && !same(x, v[i - 1] as number)).length,
      firstStart: floats[0]?.start ?? 0,
      lastStart: floats.at(-1)?.start ?? 0,
      stale: inside.at(-1)?.kind === "stale" ? 1 : 0,
    };
  });
}

const EPS = 2 ** -52;

/** As `expect(a).toEqual(b)`, but sums may differ by `ulps` of the added numbers' size. */
function expectRows(got: Row[], want: Row[], ulps: number, size: (r: Row) => number): void {
  const plain = (rows: Row[]) => rows.map((r) => ({ ...r, sum: 0, resets: 0 }));
  expect(plain(got)).toEqual(plain(want));
  got.forEach((g, i) => {
    const w = want[i] as Row;
    for (const c of ["sum", "resets"] as const) {
      if (Object.is(g[c], w[c]) || g[c] === w[c]) continue;
      expect(Math.abs(g[c] - w[c])).toBeLessThanOrEqual(ulps * EPS * size(g));
    }
  });
}

describe("rollUp", () => {
  for (const width of [MINUTE, HOUR]) {
    test(`the definition of every column, width ${width}`, () => {
      fc.assert(
        fc.property(things(wholeNumbers, true), (list) => {
          expect(rowsOf(rolled(list, width))).toEqual(defined(list, width));
        }),
        { numRuns: 300 },
      );
    });
  }

  test("NaN, infinities and fractions", () => {
    const huge = (list: Thing[]) => (r: Row) =>
      list.reduce(
        (a, x) => a + (x.t > r.start && x.t <= r.start + MINUTE && x.kind === "float" ? Math.abs(x.value) : 0),
        0,
      );
    fc.assert(
      fc.property(things(anyNumbers, true), (list) => {
        fc.pre(list.every((x) => Math.abs(x.value) < 1e299 || !Number.isFinite(x.value)));
        const n = list.length;
        expectRows(rowsOf(rolled(list, MINUTE)), defined(list, MINUTE), n, huge(list));
      }),
      { numRuns: 300 },
    );
  });

  test("the start of a bucket belongs to the one before, its end to it", () => {
    const list: Thing[] = [-60_000, -59_999, 0, 1, 60_000, 60_001].map((t) => ({
      t,
      kind: "float",
      value: 1,
      start: 0,
    }));
    expect(rowsOf(rolled(list, MINUTE)).map((r) => [r.start, r.count])).toEqual([
      [-120_000, 1],
      [-60_000, 2],
      [0, 2],
      [60_000, 1],
    ]);
  });

  test("a bucket with nothing but a staleness marker", () => {
    const [row] = rowsOf(rolled([{ t: 5, kind: "stale", value: 0, start: 0 }], MINUTE));
    expect(row).toEqual({ start: 0, ...Object.fromEntries(ROLLUP_COLUMNS.map((c) => [c, c === "stale" ? 1 : 0])) });
  });

  test("a buffer is used again", () => {
    const out = makeRollupBuffer(0);
    rollUp(bufferOf([{ t: 5, kind: "float", value: 3, start: 0 }]), MINUTE, out);
    rollUp(bufferOf([]), MINUTE, out);
    expect(out.length).toBe(0);
  });
});

describe("rollUpFurther", () => {
  test("the same as from raw samples, bit for bit where numbers are whole", () => {
    fc.assert(
      fc.property(things(wholeNumbers, true), (list) => {
        const out = makeRollupBuffer(0);
        rollUpFurther(rolled(list, MINUTE), HOUR, out);
        expect(rowsOf(out)).toEqual(rowsOf(rolled(list, HOUR)));
      }),
      { numRuns: 500 },
    );
  });

  test("sums of fractions within one rounding a narrow bucket", () => {
    fc.assert(
      fc.property(things(anyNumbers), (list) => {
        fc.pre(list.every((x) => Math.abs(x.value) < 1e299 || !Number.isFinite(x.value)));
        const narrow = rolled(list, MINUTE);
        const out = makeRollupBuffer(0);
        rollUpFurther(narrow, HOUR, out);
        const size = (r: Row) =>
          1e-300 + list.reduce((a, x) => a + (x.t > r.start && x.t <= r.start + HOUR ? Math.abs(x.value) : 0), 0);
        expectRows(rowsOf(out), rowsOf(rolled(list, HOUR)), list.length + 1, size);
      }),
      { numRuns: 300 },
    );
  });
});

/** The histograms of each row: how many, their outer times, and the `count` of the first and the last (the place in the list). */
function histogramsOf(b: RollupBuffer): unknown[] {
  const h = b.histograms;
  const at = (ref: number) => (h === undefined || ref < 0 ? -1 : decodeHistogram(h.bytes.bytes, ref).count);
  return Array.from({ length: b.length }, (_, i) => {
    if (h === undefined || h.numbers.count[i] === 0) return undefined;
    const { count, firstT, lastT, firstStart, lastStart } = h.numbers;
    const numbers = [count, firstT, lastT, firstStart, lastStart].map((c) => c[i]);
    return [...numbers, at(h.refs.first[i] as number), at(h.refs.last[i] as number)];
  });
}

describe("native histograms", () => {
  const definedHistograms = (list: readonly Thing[], width: number): unknown[] =>
    defined(list, width).map(({ start }) => {
      const inside = list.filter((x) => x.kind === "histogram" && x.t > start && x.t <= start + width);
      const [first, last] = [inside[0], inside.at(-1)];
      if (first === undefined || last === undefined) return undefined;
      const places = [list.indexOf(first), list.indexOf(last)];
      return [inside.length, first.t, last.t, first.start, last.start, ...places];
    });

  test("number, times and outermost ones of every bucket, in both tiers", () => {
    const minutes = makeRollupBuffer(0);
    const hours = makeRollupBuffer(0);
    fc.assert(
      fc.property(things(wholeNumbers, true), (list) => {
        rollUp(bufferOf(list), MINUTE, minutes);
        expect(histogramsOf(minutes)).toEqual(definedHistograms(list, MINUTE));
        rollUpFurther(minutes, HOUR, hours);
        expect(histogramsOf(hours)).toEqual(definedHistograms(list, HOUR));
      }),
      { numRuns: 200 },
    );
  });
});
