import fc from "fast-check";
import { expect, test } from "vitest";
import { type Labels, labelsFromEntries, labelsKey } from "../../../src/model/labels.ts";
import { makeAnnotations, tellNotes } from "../../../src/query/execute/annotations.ts";
import { groupHistograms, readHistograms } from "../../../src/query/execute/histogram-function-groups.ts";
import type { QueryContext } from "../../../src/query/execute/query-context.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM, type Vector } from "../../../src/query/execute/vector.ts";
import { readHistogram } from "../histogram/notation.ts";
import { idlePace } from "../idle-pace.ts";

const POS = { start: 0, end: 1 };
const STEPS = 6;
const POOL = ["{{count:1 buckets:[1]}}", "{{count:2 buckets:[2]}}", "{{count:3 buckets:[3]}}"].map(readHistogram);
const BOUNDS = ["1", "2", "1.0", "+Inf"];

function contextOf(histograms: QueryContext["histograms"], maxSamples = 1000): QueryContext {
  const held = { limits: { maxSamples, maxSeries: 1000 }, points: 0, peak: 0 };
  return { ...idlePace(), ...held, histograms, notes: makeAnnotations("q") } as unknown as QueryContext;
}

/** A cell: absent, a float (by its value), or a histogram (by its place). */
type Cell = { kind: 0 | 1 | 2; value: number };
interface Row {
  readonly job: string;
  readonly le: string | undefined;
  readonly cells: readonly Cell[];
}

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant({ kind: 0 as const, value: 5 }),
  fc.record({ kind: fc.constant(PRESENT_FLOAT as 1), value: fc.nat(100) }),
  fc.record({ kind: fc.constant(PRESENT_HISTOGRAM as 2), value: fc.nat(POOL.length - 1) }),
);
const rows: fc.Arbitrary<Row[]> = fc.uniqueArray(
  fc.record({
    job: fc.constantFrom("a", "b", "c"),
    le: fc.option(fc.constantFrom(...BOUNDS), { nil: undefined }),
    cells: fc.array(cell, { minLength: STEPS, maxLength: STEPS }),
  }),
  { selector: (r) => `${r.job} ${r.le}` },
);

function labelsOf(job: string, le: string | undefined): Labels {
  return labelsFromEntries([["__name__", "h"], ["job", job], ...(le === undefined ? [] : ([["le", le]] as const))]);
}

function vectorOf(all: readonly Row[]): Vector {
  return {
    steps: STEPS,
    labels: all.map((r) => labelsOf(r.job, r.le)),
    dropName: new Uint8Array(all.length),
    values: Float64Array.from(all.flatMap((r) => r.cells.map((c) => c.value))),
    present: Uint8Array.from(all.flatMap((r) => r.cells.map((c) => c.kind))),
  };
}

/** What a reader sees at one step: the counts of buckets by bound, or a histogram; nothing where there are both. */
function seen(all: readonly Row[], s: number): { seen: Map<string, string>; mixed: boolean } {
  const classic = new Map<string, Map<number, number>>();
  const native = new Map<string, number>();
  for (const { job, le, cells } of all) {
    const { kind, value } = cells[s] as Cell;
    if (kind === PRESENT_HISTOGRAM) native.set(labelsKey(labelsOf(job, le)), value);
    if (kind !== PRESENT_FLOAT || le === undefined) continue;
    const key = labelsKey(labelsOf(job, undefined));
    const buckets = classic.get(key) ?? new Map<number, number>();
    const bound = le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
    classic.set(key, buckets);
  }
  const out = new Map<string, string>();
  let mixed = false;
  for (const [key, buckets] of classic) {
    if (native.delete(key)) mixed = true;
    else out.set(key, JSON.stringify([...buckets].sort((a, b) => a[0] - b[0]).map(([b, c]) => [String(b), c])));
  }
  for (const [key, place] of native) out.set(key, `histogram ${place}`);
  return { seen: out, mixed };
}

/** The same histogram before and after a step at which there are buckets as well, where the parameters change. */
const AROUND_MIXED: Row[] = [
  { job: "a", le: undefined, cells: Array.from({ length: STEPS }, () => ({ kind: 2, value: 0 })) },
  { job: "a", le: "1", cells: Array.from({ length: STEPS }, (_, s) => ({ kind: s === 3 ? 1 : 0, value: 5 })) },
];

test("each step's buckets and histograms are read, of mixed ones none", async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.array(fc.nat(1), { minLength: STEPS, maxLength: STEPS }), async (all, params) => {
      const ctx = contextOf(POOL);
      const vector = vectorOf(all);
      const groups = await groupHistograms(ctx, vector, POS);
      const texts: string[] = [];
      const say = (text: string, s: number, out: Float64Array): void => {
        out[0] = texts.push(text) - 1;
        out[1] = params[s] as number;
      };
      const reader = {
        params: [Float64Array.from(params)],
        classic: (
          b: { n: number; bounds: Float64Array; counts: Float64Array },
          s: number,
          _: unknown,
          out: Float64Array,
        ) => {
          say(JSON.stringify(Array.from({ length: b.n }, (_, i) => [String(b.bounds[i]), b.counts[i]])), s, out);
        },
        native: (h: (typeof POOL)[number], s: number, _: unknown, out: Float64Array) =>
          say(`histogram ${POOL.indexOf(h)}`, s, out),
      };
      const [first, second] = (await readHistograms(ctx, vector, groups, 2, reader, POS)) as [Vector, Vector];
      let anyMixed = false;
      for (let s = 0; s < STEPS; s++) {
        const model = seen(all, s);
        anyMixed ||= model.mixed;
        const got = new Map<string, string>();
        first.labels.forEach((labels, r) => {
          const i = r * STEPS + s;
          expect(second.present[i]).toBe(first.present[i]);
          if (first.present[i] === 0) return;
          got.set(labelsKey(labels), texts[first.values[i] as number] as string);
          expect(second.values[i]).toBe(params[s]);
        });
        expect(got).toEqual(model.seen);
      }
      const warnings = tellNotes(ctx.notes, "warning").join("\n");
      expect(warnings.includes("a mix of classic and native histograms")).toBe(anyMixed);
      const malformed = all.some((r) => r.le === undefined && r.cells.some((c) => c.kind === PRESENT_FLOAT));
      expect(warnings.includes('malformed value of ""')).toBe(malformed);
      expect([...first.dropName]).toEqual(first.labels.map(() => 1));
    }),
    { examples: [[AROUND_MIXED, [0, 0, 0, 1, 1, 0]]] },
  );
});

test("a histogram that does not change is read once", async () => {
  const same: Row = { job: "a", le: undefined, cells: [0, 0, 0, 1, 1, 0].map((value) => ({ kind: 2, value })) };
  const ctx = contextOf(POOL);
  const vector = vectorOf([same]);
  const read: string[] = [];
  const reader = {
    params: [Float64Array.of(1, 1, 2, 2, 2, Number.NaN)],
    classic: () => expect.unreachable(),
    native: (h: (typeof POOL)[number], s: number, _: unknown, out: Float64Array) => {
      read.push(`${s}: ${h.count}`);
      out[0] = 10 * h.count + s;
    },
  };
  const groups = await groupHistograms(ctx, vector, POS);
  const [out] = (await readHistograms(ctx, vector, groups, 1, reader, POS)) as [Vector];
  expect(read).toEqual(["0: 1", "2: 1", "3: 2", "5: 1"]);
  expect([...out.values]).toEqual([10, 10, 12, 23, 23, 15]);
});

test("results count against the limit before there is room made for them", async () => {
  const ctx = contextOf([], 3);
  const vector = vectorOf([{ job: "a", le: "1", cells: Array(STEPS).fill({ kind: 1, value: 1 }) }]);
  const groups = await groupHistograms(ctx, vector, POS);
  const reader = { params: [], classic: () => {}, native: () => {} };
  await expect(readHistograms(ctx, vector, groups, 1, reader, POS)).rejects.toThrow("too many samples");
});
