/** Rows whose samples are gone, amended, against rows made of all samples: the model still has those that are gone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram, encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { makeRollupBuffer, ROLLUP_COLUMNS, type RollupBuffer } from "../../../src/model/rollup.ts";
import { type SampleBuffer, writeHistogramRef } from "../../../src/model/sample.ts";
import { amendRows, dropRows, rowAt, rowCount } from "../../../src/storage/rollup/amend.ts";
import { rollUp } from "../../../src/storage/rollup/roll-up.ts";
import { bufferOf, type Thing, things } from "./arbitrary-samples.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** As `bufferOf`, with histograms that tell their time, so that they are known again in any buffer. */
function buffer(list: readonly Thing[]): SampleBuffer {
  const out = bufferOf(list);
  if (out.histograms === undefined) return out;
  const bytes = makeHistogramBytes();
  const told = (t: number) => ({ ...makeHistogram(), count: t + 1e6, zeroCount: t + 1e6 });
  for (const [i, x] of list.entries()) {
    if (x.kind !== "histogram") continue;
    writeHistogramRef(out.words, i, encodeHistogram(told(x.t), bytes));
  }
  out.histograms = bytes;
  return out;
}

type Row = Record<string, number>;

/** Rows as plain records, with what their histograms tell. */
function rowsOf(b: RollupBuffer): Row[] {
  return Array.from({ length: b.length }, (_, i) => {
    const row: Row = { start: b.start[i] as number };
    for (const c of ROLLUP_COLUMNS) row[c] = b.columns[c][i] as number;
    const h = b.histograms;
    if (h === undefined || h.numbers.count[i] === 0) return row;
    for (const [name, column] of Object.entries(h.numbers)) row[`histograms ${name}`] = column[i] as number;
    for (const [name, column] of Object.entries(h.refs)) {
      row[`${name} histogram`] = decodeHistogram(h.bytes.bytes, column[i] as number).count - 1e6;
    }
    return row;
  });
}

function rolled(list: readonly Thing[], width: number): RollupBuffer {
  const out = makeRollupBuffer(1);
  rollUp(buffer(list), width, out);
  return out;
}

const rowOf = (list: readonly Thing[], width: number): Row => rowsOf(rolled(list, width))[0] as Row;
const bucketOf = (t: number, width: number): number => Math.ceil(t / width) * width - width;
const isSample = (x: Thing): boolean => x.kind !== "stale";
const byTime = (list: readonly Thing[]): Thing[] => list.toSorted((a, b) => a.t - b.t);

/** Whether a sample at a time is one of those that a row was made of, as far as it can be told from the row. */
function isHeld(t: number, made: readonly Thing[]): boolean {
  const [first, last] = [made[0], made.at(-1)];
  if (first === undefined || last === undefined) return false;
  if (t === first.t || t === last.t) return true;
  const gaps = made.length - 1;
  // All times gaps: whole numbers are exact.
  const isNear = (k: number) => Math.abs(k * (last.t - first.t) - gaps * (t - first.t)) <= gaps;
  return t > first.t && t < last.t && made.some((_, k) => isNear(k));
}

/** One bucket: `was` is what its row was made of, `late` what came since, `all` what is there now. */
function amendedRow(was: readonly Thing[], late: readonly Thing[], all: readonly Thing[], width: number) {
  if (was.length === 0) return rowOf(late, width);
  const made = was.filter(isSample);
  const there = all.filter(isSample);
  const has = (x: Thing | undefined) => there.some((y) => y.t === x?.t);
  if (there.length >= made.length && has(made[0]) && has(made.at(-1))) return rowOf(all, width);
  const more = late.filter((x) => !isHeld(x.t, made));
  if (more.length === 0) return undefined;
  const old = rowOf(was, width);
  const row = rowOf(byTime([...was, ...more]), width);
  const added = more.filter(isSample);
  const [first, last] = [made[0]?.t ?? 0, made.at(-1)?.t ?? 0];
  const isAmong = made.length > 0 && added.length > 0 && (added[0]?.t ?? 0) <= last && (added.at(-1)?.t ?? 0) >= first;
  if (isAmong && old.count !== 0) {
    for (const name of ["resets", "resetCount", "changes"]) row[name] = old[name] as number;
  }
  // When a marker came that ended the row nobody knows: after its samples.
  const newest = more.at(-1) as Thing;
  if (old.stale === 1) row.stale = made.length > 0 && newest.t > last && isSample(newest) ? 0 : 1;
  return row;
}

interface World {
  readonly was: readonly Thing[];
  readonly late: readonly Thing[];
  readonly all: readonly Thing[];
}

function expected({ was, late, all }: World, width: number): Row[] {
  const within = (list: readonly Thing[], start: number) => list.filter((x) => bucketOf(x.t, width) === start);
  return [...new Set(late.map((x) => bucketOf(x.t, width)))].flatMap((start) =>
    [amendedRow(within(was, start), within(late, start), within(all, start), width)].filter((r) => r !== undefined),
  );
}

function amended({ was, late, all }: World, width: number): Row[] {
  const out = makeRollupBuffer(0);
  amendRows(buffer(late), buffer(all), rolled(was, width), width, out);
  return rowsOf(out);
}

/** Of each thing: only in rows; in rows and still there; new; in rows, gone and back again. */
type Part = "gone" | "there" | "new" | "back";
const parts: fc.Arbitrary<fc.Arbitrary<Part>> = fc
  .constantFrom<Part[]>(
    ["gone", "new"],
    ["gone", "gone", "gone", "gone", "new"],
    ["back"],
    ["there", "back", "new"],
    ["gone", "back"],
    ["gone", "there", "new", "back"],
  )
  .map((some) => fc.constantFrom(...some));

function world(list: readonly Thing[], part: readonly Part[]): World {
  const of = (...wanted: Part[]) => list.filter((_, i) => wanted.includes(part[i] as Part));
  return { was: of("gone", "there", "back"), late: of("new", "back"), all: of("there", "new", "back") };
}

const worlds = (list: fc.Arbitrary<Thing[]>): fc.Arbitrary<World> =>
  fc
    .tuple(list, parts)
    .chain(([some, part]) =>
      fc.array(part, { minLength: some.length, maxLength: some.length }).map((of) => world(some, of)),
    );

// Without -0, of which a row does not tell when it came.
const numbers = fc.integer({ min: -20, max: 1000 });

const every = (gap: number, from: number, to: number, kind: Thing["kind"] = "float"): Thing[] =>
  Array.from({ length: Math.floor((to - from) / gap) + 1 }, (_, i) => ({
    t: from + i * gap,
    kind,
    value: i,
    start: 0,
  }));
const one = (t: number, value = 0, kind: Thing["kind"] = "float"): Thing => ({ t, kind, value, start: 0 });

describe("amendRows", () => {
  for (const width of [MINUTE, HOUR]) {
    test(`what rows of all samples say, width ${width}`, () => {
      fc.assert(
        fc.property(worlds(things(numbers)), (it) => {
          expect(amended(it, width)).toEqual(expected(it, width));
        }),
        { numRuns: 400 },
      );
    });

    test(`the same with native histograms among them, width ${width}`, () => {
      fc.assert(
        fc.property(worlds(things(numbers, true)), (it) => {
          expect(amended(it, width)).toEqual(expected(it, width));
        }),
        { numRuns: 400 },
      );
    });
  }

  test("samples that lie evenly come back to their rows without a trace, in whatever parts", () => {
    const evenly = fc.record({
      gap: fc.constantFrom(1000, 5000, 15_000, 60_000),
      first: fc.integer({ min: 1, max: 60_000 }),
      part: fc.array(fc.boolean(), { minLength: 120, maxLength: 120 }),
    });
    fc.assert(
      fc.property(evenly, ({ gap, first, part }) => {
        const was = every(gap, first, first + 119 * gap);
        const late = was.filter((_, i) => part[i]);
        for (const width of [MINUTE, HOUR]) {
          const old = new Map(rowsOf(rolled(was, width)).map((row) => [row.start, row]));
          // Those whose samples are all there are made anew, of the same; others are left alone.
          for (const row of amended({ was, late, all: late }, width)) expect(row).toEqual(old.get(row.start));
        }
      }),
      { numRuns: 100 },
    );
  });

  test("a sample is counted where its time is off by more than a millisecond", () => {
    const was = every(15_000, 15_000, MINUTE);
    for (const [t, isNew] of [
      [15_000, false],
      [29_999, false],
      [30_001, false],
      [30_002, true],
      [29_998, true],
      [15_001, false],
      [14_999, true],
      [MINUTE, false],
      [5, true],
    ] as const) {
      const late = [one(t, 7)];
      const counts = amended({ was, late, all: late }, MINUTE).map((row) => row.count);
      expect(counts, String(t)).toEqual(isNew ? [5] : []);
    }
  });

  test("a marker ends a row only where nothing is newer", () => {
    const was = every(15_000, 15_000, 45_000);
    const staleAfter = (late: Thing[]) => amended({ was, late, all: late }, MINUTE).map((row) => row.stale);
    expect(staleAfter([one(50_000, 0, "stale")])).toEqual([1]);
    expect(staleAfter([one(5_000, 0, "stale")])).toEqual([0]);
    expect(staleAfter([one(20_000, 0, "stale")])).toEqual([0]);
    expect(staleAfter([one(5_000), one(50_000, 0, "stale")])).toEqual([1]);
    expect(staleAfter([one(20_000), one(50_000, 0, "stale")])).toEqual([1]);
    expect(staleAfter([one(50_000, 0, "stale"), one(51_000)])).toEqual([0]);
  });

  test("between a row's histograms its outermost ones stay", () => {
    const was = every(20_000, 10_000, 50_000, "histogram");
    const [row] = amended({ was, late: [one(22_000, 0, "histogram")], all: [] }, MINUTE);
    expect(row).toMatchObject({ "histograms count": 4, "first histogram": 10_000, "last histogram": 50_000 });
    expect(row).toMatchObject({ "histograms firstT": 10_000, "histograms lastT": 50_000 });
  });

  test("samples that add nothing leave `late`, and `out` is emptied", () => {
    const was = every(15_000, 15_000, MINUTE);
    const out = rolled(was, MINUTE);
    const late = buffer([one(30_000, 1), one(45_000, 2)]);
    amendRows(late, buffer([]), rolled(was, MINUTE), MINUTE, out);
    expect([late.length, out.length]).toEqual([0, 0]);
    const more = buffer([one(30_000, 1), one(31_000, 5), one(45_000, 2)]);
    amendRows(more, buffer([]), rolled(was, MINUTE), MINUTE, out);
    expect([...more.ts.subarray(0, more.length)]).toEqual([31_000]);
    expect(more.values[0]).toBe(5);
    expect(out.length).toBe(1);
  });
});

test("rows are found by their starts, counted with their histograms, and taken out", () => {
  fc.assert(
    fc.property(things(numbers, true), fc.func(fc.boolean()), (list, isDropped) => {
      const rows = rolled(list, MINUTE);
      const before = rowsOf(rows);
      const samples = (start: unknown) => list.filter((x) => isSample(x) && bucketOf(x.t, MINUTE) === start).length;
      for (const [i, { start }] of before.entries()) {
        expect(rowAt(rows, start as number)).toBe(i);
        expect(rowAt(rows, (start as number) + 1)).toBe(-1);
        expect(rowCount(rows, i)).toBe(samples(start));
      }
      expect(rowAt(rows, -1e15)).toBe(-1);
      expect(rowAt(rows, 1e15)).toBe(-1);
      dropRows(rows, (i) => isDropped(i));
      expect(rowsOf(rows)).toEqual(before.filter((_, i) => !isDropped(i)));
    }),
    { numRuns: 100 },
  );
});
