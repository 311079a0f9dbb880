import fc from "fast-check";
import { expect, test } from "vitest";
import { packLabels, unpackLabels } from "../../../src/query/execute/packed-labels.ts";
import {
  addGroup,
  addRow,
  finishPartial,
  makePartial,
  mergeGroup,
  type Partial,
} from "../../../src/query/execute/partial-aggregate.ts";
import type { PartialOp, ShardPartials } from "../../../src/query/plan/shard-plan.ts";
import { idlePace } from "../idle-pace.ts";

const STEPS = 3;
const OPS: readonly PartialOp[] = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"];
const cell = fc.option(
  fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.constantFrom(Number.NaN, Infinity, 1.7e308)),
  {
    nil: undefined,
    freq: 3,
  },
);
const rows = fc.array(fc.array(cell, { minLength: STEPS, maxLength: STEPS }), { maxLength: 30 });

function aggregate(op: PartialOp, input: (number | undefined)[][]): Partial {
  const p = makePartial(op, STEPS, 1);
  const g = addGroup(p, []);
  for (const row of input) {
    addRow(
      p,
      g,
      0,
      Float64Array.from(row, (v) => v ?? 99),
      Uint8Array.from(row, (v) => (v === undefined ? 0 : 1)),
      0,
    );
  }
  return p;
}

const answer = (p: Partial): ShardPartials => ({
  kind: "partials",
  labels: packLabels(p.labels),
  dropName: p.dropName,
  count: p.count,
  columns: p.columns,
  samples: 0,
  tiers: [],
  notes: [],
});

test("parts of the rows, merged, give what all rows together give", async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.nat(30), fc.nat(30), fc.constantFrom(...OPS), async (input, a, b, op) => {
      const [x, y] = a < b ? [a, b] : [b, a];
      const merged = makePartial(op, STEPS, 1);
      const g = addGroup(merged, []);
      for (const part of [input.slice(0, x), input.slice(x, y), input.slice(y)]) {
        mergeGroup(merged, g, answer(aggregate(op, part)), 0);
      }
      const whole = await finishPartial(idlePace(), aggregate(op, input));
      const parts = await finishPartial(idlePace(), merged);
      expect([...parts.present]).toEqual([...whole.present]);
      for (let s = 0; s < STEPS; s++) {
        if (whole.present[s] === 0) continue;
        const p = parts.values[s] as number;
        const w = whole.values[s] as number;
        // Where the sum overflows on the way, which part does so first decides; the mean does not overflow.
        if (op === "sum" && input.some((r) => r[s] === 1.7e308)) continue;
        if (op.startsWith("std") && input.some((r) => Math.abs(r[s] ?? 0) > 1e300)) continue;
        if (Number.isFinite(w)) expect(Math.abs(p - w)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(w)));
        else expect(p).toBe(w);
      }
    }),
    { numRuns: 500 },
  );
});

test("the mean of what does not fit a sum", async () => {
  const input = [
    [1.7e308, 1, -1.7e308],
    [1.7e308, 2, -1.7e308],
  ];
  expect((await finishPartial(idlePace(), aggregate("avg", input))).values).toEqual(
    Float64Array.of(1.7e308, 1.5, -1.7e308),
  );
});

test("min and max ignore NaN next to numbers", async () => {
  const input = [
    [Number.NaN, 3, Number.NaN],
    [5, Number.NaN, Number.NaN],
  ];
  expect((await finishPartial(idlePace(), aggregate("max", input))).values).toEqual(Float64Array.of(5, 3, Number.NaN));
  expect((await finishPartial(idlePace(), aggregate("min", input))).values).toEqual(Float64Array.of(5, 3, Number.NaN));
});

test("groups beyond the capacity keep what was there", async () => {
  const p = makePartial("sum", STEPS, 1);
  for (let i = 0; i < 20; i++) {
    addRow(p, addGroup(p, ["n", String(i)]), i % 2, Float64Array.of(i, i, i), Uint8Array.of(1, 0, 1), 0);
  }
  const v = await finishPartial(idlePace(), p);
  expect([...v.values.filter((_, i) => i % STEPS === 0)]).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect([...v.dropName]).toEqual(Array.from({ length: 20 }, (_, i) => i % 2));
});

test("label sets survive packing", async () => {
  const sets = fc.array(fc.array(fc.string(), { maxLength: 8 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(sets, async (s) => {
      expect(await unpackLabels(idlePace(), packLabels(s))).toEqual(s);
    }),
  );
});
