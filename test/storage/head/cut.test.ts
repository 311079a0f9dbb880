import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { abortCut, beginCut, finishCut, windowsBefore } from "../../../src/storage/head/cut.ts";
import { beginFrame, createHead, defineSeries, type Head, headStats } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { seriesInLabelOrder } from "../../../src/storage/head/label-order.ts";
import { readSeries } from "../../../src/storage/head/read.ts";
import { appendRows, bitsOf, hashOf, type ReferenceHead, type Row, referenceAppend } from "./reference-head.ts";

const HOUR = 3600_000;
const RANGE = 2 * HOUR;
const WINDOW = 5 * HOUR;
const SERIES = 5;

/** Blocks as a map for each series: time to value. */
type Blocks = Map<number, Map<number, string>>;

function define(head: Head, n: number): void {
  const { lo, hi } = hashOf(n);
  beginFrame(head);
  defineSeries(head, lo, hi, "default", ["__name__", `m${n}`]);
}

function samplesOf(head: Head, id: number, minT: number, maxT: number): Map<number, string> {
  const out = makeSampleBuffer(1);
  readSeries(head, id, minT, maxT, out);
  const found = new Map<number, string>();
  for (let i = 0; i < out.length; i++) {
    expect(i === 0 || (out.ts[i - 1] as number) < (out.ts[i] as number)).toBe(true);
    found.set(out.ts[i] as number, `${out.words[2 * i + 1]}:${out.words[2 * i]}`);
  }
  return found;
}

const idOf = (head: Head, n: number): number | undefined =>
  headSource(head).select(
    "default",
    [{ name: "__name__", op: "=", value: `m${n}` }],
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  )[0];

/** What a reader of blocks and head sees: the head wins. */
function visible(head: Head, blocks: Blocks, n: number): Map<number, string> {
  const id = idOf(head, n);
  const all = new Map(blocks.get(n));
  if (id !== undefined) {
    for (const [t, v] of samplesOf(head, id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) all.set(t, v);
  }
  return new Map([...all].sort(([a], [b]) => a - b));
}

const value = fc.integer({ min: 0, max: 3 }).map(bitsOf);
const step = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(10_000, 60_000, 600_000) },
  { weight: 2, arbitrary: fc.integer({ min: -RANGE, max: RANGE }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -WINDOW, max: 0 }) },
);
const frame = fc.array(fc.record({ hash: fc.integer({ min: 0, max: SERIES - 1 }), step, v: value }), {
  minLength: 1,
  maxLength: 60,
});
const plan = fc.record({
  start: fc.constantFrom(0, -7 * HOUR, 1_700_000_000_000),
  frames: fc.array(frame, { minLength: 4, maxLength: 30 }),
  /** Before which frames a cut begins, reads its windows, and ends. */
  moments: fc.array(fc.tuple(fc.nat(30), fc.nat(6), fc.nat(6), fc.boolean()), { minLength: 1, maxLength: 4 }),
  back: fc.nat(4),
});

describe("cutting the head while frames come", () => {
  test("nothing is lost, and what was cut is gone from the head", async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ start, frames, moments, back }) => {
        const head = createHead({ outOfOrderWindowMs: WINDOW });
        const model: ReferenceHead = { windowMs: WINDOW, series: new Map(), newest: new Map() };
        const clock = new Map<number, number>();
        const blocks: Blocks = new Map();
        let next = 0;
        let onRow: (row: Row, outcome: string) => void = () => undefined;
        const apply = (): void => {
          const rows = (frames[next++] ?? []).map((s): Row => {
            const t = (clock.get(s.hash) ?? start) + s.step;
            clock.set(s.hash, t);
            return { hash: s.hash, t, ...s.v };
          });
          for (const row of rows) {
            if (!model.series.has(row.hash)) {
              model.series.set(row.hash, new Map());
              define(head, row.hash);
            }
            onRow(row, referenceAppend(model, row));
          }
          beginFrame(head);
          appendRows(head, rows);
        };
        const check = (): void => {
          for (const [n, samples] of model.series) {
            expect(visible(head, blocks, n)).toEqual(new Map([...samples].sort(([a], [b]) => a - b)));
          }
        };
        for (const [at, reading, ending, abort] of moments) {
          while (next < at && next < frames.length) apply();
          if (head.series.count === 0) continue;
          const cutoff = Math.floor(head.maxT / RANGE - back) * RANGE;
          beginCut(head, cutoff);
          const arrived = new Set<string>();
          const stored = new Set<string>();
          onRow = (row, outcome) => {
            if (row.t >= cutoff) return;
            const key = `${row.hash} ${row.t}`;
            arrived.add(key);
            if (outcome !== "duplicates" && outcome !== "tooOld") stored.add(key);
          };
          const pending: Blocks = new Map();
          // Frames come at every pause.
          let left = reading;
          const pause = (): Promise<void> => {
            if (left-- > 0) apply();
            return Promise.resolve();
          };
          for (const id of await seriesInLabelOrder(head, pause)) {
            for (const window of await windowsBefore(head, cutoff, pause)) {
              const n = Number(headSource(head).labels(id)[1]?.slice(1));
              const read = samplesOf(head, id, window, Math.min(window + RANGE, cutoff) - 1);
              pending.set(n, new Map([...(pending.get(n) ?? []), ...read]));
              await pause();
            }
          }
          check();
          if (abort) {
            abortCut(head);
            onRow = () => undefined;
            check();
            continue;
          }
          for (const [n, read] of pending) blocks.set(n, new Map([...(blocks.get(n) ?? []), ...read]));
          check();
          left = ending;
          await finishCut(
            head,
            async () => {
              check();
              await pause();
              check();
            },
            1,
          );
          check();
          onRow = () => undefined;
          // Of the time before the cutoff the head has what came meanwhile, and nothing else.
          const here = [...model.series.keys()].flatMap((n) => {
            const id = idOf(head, n);
            const found = id === undefined ? [] : samplesOf(head, id, Number.NEGATIVE_INFINITY, cutoff - 1).keys();
            return [...found].map((t) => `${n} ${t}`);
          });
          for (const key of here) expect(arrived).toContain(key);
          for (const key of stored) expect(here).toContain(key);
          const all = [...model.series.keys()].flatMap((n) => {
            const id = idOf(head, n);
            return id === undefined
              ? []
              : [...samplesOf(head, id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY).keys()];
          });
          expect(head.minT).toBe(all.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...all));
        }
        while (next < frames.length) apply();
        check();
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test("series whose samples are too many to be kept aside keep all of theirs", async () => {
    const head = createHead({ outOfOrderWindowMs: WINDOW });
    for (const n of [0, 1, 2]) define(head, n);
    const row = (hash: number, t: number): Row => ({ hash, t, ...bitsOf(t) });
    appendRows(head, [row(0, 1), row(1, 1), row(2, 1)]);
    beginCut(head, RANGE, 2);
    appendRows(head, [row(0, 2), row(1, 2), row(1, 3), row(1, 4)]);
    await finishCut(head, () => Promise.resolve());
    const times = [0, 1, 2].map((id) => [...samplesOf(head, id, 0, RANGE).keys()]);
    expect(times).toEqual([[2], [1, 2, 3, 4], []]);
    // The next one takes them.
    beginCut(head, RANGE);
    await finishCut(head, () => Promise.resolve());
    expect(headStats(head)).toMatchObject({ chunks: 0, openChunks: 0 });
    expect(head.pool.free[4]).not.toBe(0);
  });

  test("only at boundaries of windows, and one at a time", () => {
    const head = createHead({ outOfOrderWindowMs: WINDOW });
    expect(() => beginCut(head, HOUR)).toThrow("no multiple");
    beginCut(head, RANGE);
    expect(() => beginCut(head, RANGE)).toThrow("a cut is going on");
    abortCut(head);
    beginCut(head, 2 * RANGE);
  });

  test("chunks of silent series are sealed, slabs without chunks go", async () => {
    const head = createHead({ outOfOrderWindowMs: 1 });
    for (const n of [0, 1]) define(head, n);
    const noisy = (n: number, t: number): Row => ({ hash: n, t, ...bitsOf(Math.sin(t) * 1e9) });
    appendRows(head, [noisy(1, RANGE + 5)]);
    for (let window = 0; window < 9; window++) {
      const rows = Array.from({ length: 16_000 }, (_, i) => noisy(0, window * RANGE + i * 400));
      appendRows(head, rows);
      if (window < 4) continue;
      const cutoff = (window - 2) * RANGE;
      beginCut(head, cutoff);
      await finishCut(head, () => Promise.resolve());
      expect(head.chunks.slabs.filter((s) => s !== undefined).length).toBeLessThanOrEqual(2);
      expect(headStats(head).openChunks).toBe(1);
    }
    expect(headStats(head).appended - 1).toBe(144_000);
    const out = makeSampleBuffer(1);
    readSeries(head, 0, 0, 1e15, out);
    expect(out.length).toBe(48_000);
    expect(idOf(head, 1)).toBe(undefined);
  }, 60_000);
});
