import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { beginFrame, createHead, defineSeries, headStats } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { appendRows, bitsOf, hashOf, type ReferenceHead, type Row, referenceAppend } from "./reference-head.ts";

const HOUR = 3600_000;
const window = 2 * HOUR;

const value = fc.oneof(
  fc.constantFrom(0, 1, 2, Number.NaN, -0).map(bitsOf),
  fc.double().map(bitsOf),
  fc.constant({ lo: 2, hi: 0x7ff0_0000 }),
);
/** Mostly small steps forward; some repeats, steps back, and leaps over chunk ranges. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(10_000, 9_999, 10_001, 60_000) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: -90_000, max: 90_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }) },
);
const rows = (start: number) =>
  fc
    .array(fc.record({ hash: fc.integer({ min: 0, max: 2 }), step, v: value }), { minLength: 1, maxLength: 900 })
    .map((steps) => {
      const clock = new Map<number, number>();
      return steps.map((s): Row => {
        const t = (clock.get(s.hash) ?? start) + s.step;
        clock.set(s.hash, t);
        return { hash: s.hash, t, ...s.v };
      });
    });
const frames = fc
  .tuple(fc.constantFrom(0, -5 * HOUR, 1_700_000_000_000), fc.integer({ min: 1, max: 300 }))
  .chain(([start, size]) => rows(start).map((all) => ({ all, size })));

describe("head against maps", () => {
  test("stores, counts and reads back what the rules say", () => {
    void fc.assert(
      fc.property(frames, fc.nat(), fc.nat(), ({ all, size }, i, j) => {
        const head = createHead({ outOfOrderWindowMs: window });
        const model: ReferenceHead = { windowMs: window, series: new Map(), newest: new Map() };
        for (const n of [0, 1]) {
          const { lo, hi } = hashOf(n);
          expect(defineSeries(head, lo, hi, "default", ["__name__", `m${n}`])).toBe("new");
          model.series.set(n, new Map());
        }
        for (let from = 0; from < all.length; from += size) {
          const frame = all.slice(from, from + size);
          const counts: Record<string, number> = {};
          for (const row of frame) {
            const outcome = referenceAppend(model, row);
            counts[outcome] = (counts[outcome] ?? 0) + 1;
          }
          beginFrame(head);
          const got = appendRows(head, frame);
          expect(got.unknownCount).toBe(counts.unknownCount ?? 0);
          expect(got.unknown).toEqual(frame.flatMap((r, k) => (r.hash === 2 ? [k] : [])));
          expect(got.duplicates).toBe(counts.duplicates ?? 0);
          expect(got.tooOld).toBe(counts.tooOld ?? 0);
          expect(got.overwritten).toBe(counts.overwritten ?? 0);
          expect(got.accepted).toBe((counts.accepted ?? 0) + (counts.outOfOrder ?? 0) + (counts.overwritten ?? 0));
        }
        const source = headSource(head);
        const out = makeSampleBuffer(1);
        const times = all.map((r) => r.t).sort((a, b) => a - b);
        const a = times[i % times.length] as number;
        const b = times[j % times.length] as number;
        for (const [minT, maxT] of [
          [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
          [Math.min(a, b), Math.max(a, b)],
          [a, a],
          [a + 1, b - 1],
        ] as const) {
          for (const [n, samples] of model.series) {
            const expected = [...samples]
              .filter(([t]) => t >= minT && t <= maxT)
              .sort(([x], [y]) => x - y)
              .map(([t, v]) => `${t} ${v}`);
            const [id] = source.select("default", [{ name: "__name__", op: "=", value: `m${n}` }], minT, maxT);
            if (id === undefined) {
              expect(expected).toEqual([]);
              continue;
            }
            source.read(id, minT, maxT, out);
            const got = Array.from(
              { length: out.length },
              (_, k) => `${out.ts[k]} ${out.words[2 * k + 1]}:${out.words[2 * k]}`,
            );
            expect(got).toEqual(expected);
          }
        }
        const stats = headStats(head);
        const known = [...model.series.values()].flatMap((s) => [...s.keys()]);
        expect(stats.minTime).toBe(known.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...known));
        expect(stats.maxTime).toBe(known.length === 0 ? Number.NEGATIVE_INFINITY : Math.max(...known));
      }),
      { numRuns: 300 },
    );
  });
});
