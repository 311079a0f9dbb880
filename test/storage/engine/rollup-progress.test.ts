import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Stretch } from "../../../src/model/series-source.ts";
import {
  accountBlocks,
  amendedIn,
  completeStretches,
  hoursOf,
  isRolledUp,
  NO_PROGRESS,
  nextStretch,
  type RawBlock,
  type RollupProgress,
  rawRemoved,
  stretchDone,
  stretchRemoved,
  ROLLUP_WINDOW as W,
  wholeFrom,
  windowOf,
} from "../../../src/storage/engine/rollup-progress.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

const block = (id: string, minT: number, maxT: number, sources: readonly string[] = []): RawBlock => ({
  id,
  minT,
  maxT,
  sources,
});
const cut = (p: RollupProgress, cutUpTo: number): RollupProgress => ({ ...p, cutUpTo });

test("a window is open to the left and closed to the right", () => {
  expect([1, W - 1, W, W + 1, 0, -1].map(windowOf)).toEqual([0, 0, 0, W, -W, -W]);
});

describe("a shard's life", () => {
  const a = block("a", 5, W - 1);
  test("a window waits until the time after its end is in blocks", () => {
    const p = accountBlocks(cut(NO_PROGRESS, W), [a]);
    expect(p.doneUpTo).toBe(0);
    expect(nextStretch(p)).toBeUndefined();
    expect(nextStretch(cut(p, 2 * W))).toEqual({ after: 0, until: W });
  });
  test("windows one behind another make one job, up to a day", () => {
    const p = accountBlocks(cut(NO_PROGRESS, 30 * W), [block("a", 5 * W + 1, 29 * W)]);
    expect(nextStretch(p)).toEqual({ after: 5 * W, until: 12 * W });
    const q = stretchDone(p, { after: 5 * W, until: 12 * W });
    expect(nextStretch(q)).toEqual({ after: 12 * W, until: 24 * W });
    expect(nextStretch(stretchDone(q, { after: 12 * W, until: 24 * W }))).toEqual({ after: 24 * W, until: 29 * W });
  });
  test("late blocks make their windows pending, merges of known blocks do not", () => {
    let p = stretchDone(accountBlocks(cut(NO_PROGRESS, 9 * W), [block("a", 1, 8 * W)]), { after: 0, until: 8 * W });
    expect(nextStretch(p)).toBeUndefined();
    p = accountBlocks(p, [block("a", 1, 8 * W), block("late", 3 * W + 1, 4 * W + 1)]);
    expect(p.pending).toEqual([3 * W, 4 * W]);
    expect(isRolledUp(p, block("a", 1, 2 * W))).toBe(true);
    expect(isRolledUp(p, block("late", 3 * W + 1, 4 * W + 1))).toBe(false);
    expect(completeStretches(p, Number.POSITIVE_INFINITY)).toEqual([
      { after: Number.NEGATIVE_INFINITY, until: 3 * W },
      { after: 5 * W, until: 8 * W },
    ]);
    p = accountBlocks(p, [block("m", 1, 8 * W, ["a", "late"])]);
    expect(p).toMatchObject({ pending: [3 * W, 4 * W], known: ["m"] });
    p = stretchDone(p, nextStretch(p) as never);
    expect(p.pending).toEqual([]);
    expect(isRolledUp(p, block("m", 1, 8 * W))).toBe(true);
    // Older than all there was: windows before the first one.
    p = accountBlocks(p, [block("m", 1, 8 * W, ["a", "late"]), block("older", -W, -W)]);
    expect(p.pending).toEqual([-2 * W]);
  });
  test("what the head still holds, and what was removed, is not complete", () => {
    const p = stretchDone(accountBlocks(cut(NO_PROGRESS, 9 * W), [block("a", 1, 8 * W)]), { after: 0, until: 8 * W });
    expect(completeStretches(p, 5 * W + 1)).toEqual([{ after: Number.NEGATIVE_INFINITY, until: 5 * W }]);
    expect(stretchRemoved(p, 1, 2 * W, 0).pending).toEqual([0, W]);
    expect(completeStretches(NO_PROGRESS, 0)).toEqual([]);
  });
});

test("whatever comes when, in the end every sample is in rows made after its block came", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    let p = NO_PROGRESS;
    let blocks: RawBlock[] = [];
    // Per window the ids of first-level blocks that its newest rows were made of.
    const rows = new Map<number, Set<string>>();
    const firstLevel = new Map<string, readonly RawBlock[]>();
    let time = 0;
    for (let step = 0; step < 60; step++) {
      const what = random();
      if (what < 0.4) {
        time += W;
        const b = block(`c${step}`, time - W + 1, time - 1);
        firstLevel.set(b.id, [b]);
        blocks = [...blocks, b];
        p = accountBlocks(cut(p, time), blocks);
      } else if (what < 0.5) {
        const from = Math.floor(random() * time) - 2 * W;
        const b = block(`l${step}`, from, Math.min(from + Math.floor(random() * 3 * W), time - 1));
        if (b.maxT < b.minT) continue;
        firstLevel.set(b.id, [b]);
        blocks = [...blocks, b];
        p = accountBlocks(p, blocks);
      } else if (what < 0.6 && blocks.length > 2) {
        const some = blocks.slice(0, 2 + Math.floor(random() * (blocks.length - 2)));
        const ids = some.map((b) => b.id);
        const m = block(`m${step}`, Math.min(...some.map((b) => b.minT)), Math.max(...some.map((b) => b.maxT)), ids);
        firstLevel.set(
          m.id,
          some.flatMap((b) => firstLevel.get(b.id) as RawBlock[]),
        );
        blocks = [m, ...blocks.filter((b) => !some.includes(b))];
        p = accountBlocks(p, blocks);
      } else {
        const stretch = nextStretch(p);
        if (stretch === undefined) continue;
        const present = blocks.flatMap((b) => firstLevel.get(b.id) as RawBlock[]).map((b) => b.id);
        for (let w = stretch.after; w < stretch.until; w += W) rows.set(w, new Set(present));
        p = stretchDone(p, stretch);
      }
      for (const { after, until } of completeStretches(p, Number.POSITIVE_INFINITY)) {
        for (const b of blocks.flatMap((x) => firstLevel.get(x.id) as RawBlock[])) {
          for (let w = windowOf(b.minT); w <= windowOf(b.maxT); w += W) {
            if (w >= after && w < until)
              expect(rows.get(w)?.has(b.id), `seed ${seed} window ${w / W} ${b.id}`).toBe(true);
          }
        }
      }
    }
  }
});

const HOUR = 3600_000;
/** Hours that follow one another, as stretches. */
function runs(hours: readonly number[]): Stretch[] {
  const starts = hours.filter((h) => !hours.includes(h - HOUR));
  return starts.map((after) => {
    let until = after + HOUR;
    while (hours.includes(until)) until += HOUR;
    return { after, until };
  });
}
const BASE = 240_000 * W;
/** Starts of the hours (h, h + 1 h] around it. */
const HOURS = Array.from({ length: 60 }, (_, i) => BASE + (i - 30) * HOUR);
const times = fc.oneof(
  fc.integer({ min: BASE - 20 * HOUR, max: BASE + 20 * HOUR }),
  fc.tuple(fc.integer({ min: -20, max: 20 }), fc.constantFrom(-1, 0, 1)).map(([h, ms]) => BASE + h * HOUR + ms),
);
const spans = fc.array(
  fc.tuple(times, fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 * HOUR }))).map(([minT, length]) => ({
    minT,
    maxT: minT + length,
  })),
  { maxLength: 6 },
);

describe("hoursOf", () => {
  test("the hours with a time of one of the spans, one behind another as one", () => {
    fc.assert(
      fc.property(spans, (some) => {
        const touched = HOURS.filter((h) => some.some(({ minT, maxT }) => maxT > h && minT <= h + HOUR));
        expect(hoursOf(some)).toEqual(runs(touched));
      }),
    );
  });
  test("the end of an hour belongs to it, its start to the one before", () => {
    expect(hoursOf([{ minT: HOUR, maxT: HOUR }])).toEqual([{ after: 0, until: HOUR }]);
    expect(hoursOf([{ minT: HOUR + 1, maxT: 2 * HOUR }])).toEqual([{ after: HOUR, until: 2 * HOUR }]);
    expect(hoursOf([])).toEqual([]);
  });
});

describe("amendedIn", () => {
  const window = fc.integer({ min: -8, max: 8 }).map((n) => BASE + n * W);
  const progresses = fc.record({
    doneUpTo: fc.oneof(window, fc.constant(undefined)),
    fresh: fc.array(fc.record({ window, id: fc.constantFrom("a", "b", "c") }), { maxLength: 12 }),
    rawGoneUpTo: fc.oneof(times, fc.constant(undefined)),
  });
  const stretches = fc.tuple(window, fc.integer({ min: 1, max: 12 })).map(([after, n]) => ({
    after,
    until: after + n * W,
  }));

  test("the hours without raw samples of each window that has rows, and what is new to the window", () => {
    fc.assert(
      fc.property(progresses, stretches, spans, (some, stretch, lost) => {
        const progress = { ...NO_PROGRESS, ...some };
        const gaps = hoursOf(lost);
        const isWithout = (h: number) =>
          (some.rawGoneUpTo !== undefined && some.rawGoneUpTo > h) ||
          lost.some(({ minT, maxT }) => maxT > h && minT <= h + HOUR);
        const want = [];
        for (let w = stretch.after; w < stretch.until; w += W) {
          if (some.doneUpTo === undefined || w >= some.doneUpTo) continue;
          const ids = [...new Set(some.fresh.filter((f) => f.window === w).map((f) => f.id))];
          for (const run of runs([w, w + HOUR].filter(isWithout))) want.push({ ...run, ids });
        }
        expect(amendedIn(progress, stretch, gaps)).toEqual(want);
        // The order of the gaps does not matter, nor that some are told twice.
        expect(amendedIn(progress, stretch, [...gaps.toReversed(), ...gaps])).toEqual(want);
      }),
      { numRuns: 500 },
    );
  });

  test("a window that is half gone is amended in its first hour alone", () => {
    const done = accountBlocks(cut(NO_PROGRESS, 9 * W), [block("a", 1, 8 * W)]);
    const p = rawRemoved(stretchDone(done, { after: 0, until: 8 * W }), 2 * W + 5);
    expect(wholeFrom(p)).toBe(2 * W + HOUR);
    const late = accountBlocks(p, [block("a", 1, 8 * W), block("late", 2 * W + 1, 2 * W + 1)]);
    const stretch = nextStretch(late) as Stretch;
    expect(stretch).toEqual({ after: 2 * W, until: 3 * W });
    expect(amendedIn(late, stretch, [])).toEqual([{ after: 2 * W, until: 2 * W + HOUR, ids: ["late"] }]);
    // Merged before its window was done again, it is the block that it became.
    const merged = accountBlocks(late, [block("m", 1, 8 * W, ["a", "late"])]);
    expect(amendedIn(merged, stretch, [])).toEqual([{ after: 2 * W, until: 2 * W + HOUR, ids: ["m"] }]);
    expect(amendedIn(stretchDone(late, stretch), stretch, [])).toEqual([
      { after: 2 * W, until: 2 * W + HOUR, ids: [] },
    ]);
  });
});
