import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { collectSeries } from "../../../src/storage/head/collect.ts";
import { beginCut, finishCut } from "../../../src/storage/head/cut.ts";
import { deleteSamples } from "../../../src/storage/head/delete.ts";
import { beginFrame, createHead, defineSeries, headStats } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { appendRows, bitsOf, hashOf, type ReferenceHead, type Row, referenceAppend } from "./reference-head.ts";

const HOUR = 3600_000;
const window = 4 * HOUR;
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(10_000, 60_000) },
  { weight: 2, arbitrary: fc.integer({ min: -HOUR, max: HOUR }) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const rows = fc.array(fc.record({ hash: fc.integer({ min: 0, max: 2 }), step, v: fc.nat(3).map(bitsOf) }), {
  minLength: 1,
  maxLength: 300,
});
const part = fc.record({
  rows,
  target: fc.constantFrom("m0", "m1", "m.*", "other"),
  from: fc.nat(1000),
  to: fc.nat(1000),
});

describe("deleting samples", () => {
  test("is exact, and what comes again is new", () => {
    void fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const head = createHead({ outOfOrderWindowMs: window });
        const model: ReferenceHead = { windowMs: window, series: new Map(), newest: new Map() };
        for (const n of [0, 1, 2]) {
          beginFrame(head);
          defineSeries(head, hashOf(n).lo, hashOf(n).hi, "default", ["__name__", `m${n}`]);
          model.series.set(n, new Map());
        }
        const clock = new Map<number, number>();
        for (const { rows: steps, target, from, to } of parts) {
          const frame = steps.map((s): Row => {
            const t = (clock.get(s.hash) ?? 0) + s.step;
            clock.set(s.hash, t);
            return { hash: s.hash, t, ...s.v };
          });
          const outcomes = frame.map((row) => referenceAppend(model, row));
          expect(appendRows(head, frame).duplicates).toBe(outcomes.filter((o) => o === "duplicates").length);
          const times = [...model.series.values()].flatMap((s) => [...s.keys()]).sort((a, b) => a - b);
          const at = (k: number): number => times[Math.floor((k / 1001) * times.length)] ?? 0;
          const [minT, maxT] = [Math.min(at(from), at(to)), Math.max(at(from), at(to))];
          let touched = 0;
          for (const [n, samples] of model.series) {
            if (!new RegExp(`^${target}$`).test(`m${n}`)) continue;
            const doomed = [...samples.keys()].filter((t) => t >= minT && t <= maxT);
            for (const t of doomed) samples.delete(t);
            if (doomed.length > 0) touched++;
          }
          expect(deleteSamples(head, "other", [], minT, maxT)).toBe(0);
          expect(deleteSamples(head, "default", [{ name: "__name__", op: "=~", value: target }], minT, maxT)).toBe(
            touched,
          );
          const source = headSource(head);
          const out = makeSampleBuffer(1);
          const known = [...model.series.values()].flatMap((s) => [...s.keys()]);
          expect(head.minT).toBe(known.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...known));
          for (const [n, samples] of model.series) {
            const matcher = { name: "__name__", op: "=", value: `m${n}` } as const;
            const [id] = source.select("default", [matcher], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
            const expected = [...samples].sort(([a], [b]) => a - b).map(([t, v]) => `${t} ${v}`);
            expect(id === undefined).toBe(expected.length === 0);
            if (id === undefined) continue;
            source.read(id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out);
            const got = Array.from(
              { length: out.length },
              (_, k) => `${out.ts[k]} ${out.words[2 * k + 1]}:${out.words[2 * k]}`,
            );
            expect(got).toEqual(expected);
          }
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test("during a cut what was kept aside goes as well", async () => {
    const head = createHead({ outOfOrderWindowMs: window });
    beginFrame(head);
    defineSeries(head, hashOf(0).lo, hashOf(0).hi, "default", ["a", "b"]);
    const row = (t: number): Row => ({ hash: 0, t, ...bitsOf(t) });
    appendRows(head, [row(1000), row(3 * HOUR)]);
    beginCut(head, 2 * HOUR);
    appendRows(head, [row(2000), row(3000), row(4000)]);
    expect(deleteSamples(head, "default", [], 2500, 3500)).toBe(1);
    appendRows(head, [row(5000)]);
    await finishCut(head, () => Promise.resolve());
    const out = makeSampleBuffer(1);
    headSource(head).read(0, 0, 9 * HOUR, out);
    expect([...out.ts.subarray(0, out.length)]).toEqual([2000, 4000, 5000, 3 * HOUR]);
    deleteSamples(head, "default", [], 0, 9 * HOUR);
    expect(headStats(head)).toMatchObject({ chunks: 0, openChunks: 0, series: 1 });
    expect(collectSeries(head, 9 * HOUR)).toBe(1);
  });
});
