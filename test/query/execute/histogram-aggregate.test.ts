import fc from "fast-check";
import { expect, test } from "vitest";
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { type Labels, labelsFromEntries, labelValue } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { writeHistogramRef } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { runShardQuery } from "../../../src/query/execute/run-shard-query.ts";
import type { PartialOp, ShardPartials, ShardPlan } from "../../../src/query/plan/shard-plan.ts";
import { localShard, type MemorySource, makeMemorySource } from "../promqltest/memory-source.ts";
import { rangeRows } from "../promqltest/result-cells.ts";
import { type Cell, modelOf, plain, type Series } from "./aggregate-model.ts";

const STEPS = 4;
const STEP = 60_000;
const OPS: readonly PartialOp[] = ["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"];

/** Whole counts: their sums are exact in any order. All have one zero bucket, whose reconciliation depends on the order. */
const exponential: fc.Arbitrary<Histogram> = fc
  .record({
    schema: fc.integer({ min: -1, max: 3 }),
    resetHint: fc.nat(3),
    sum: fc.integer({ min: -100, max: 100 }),
    offset: fc.integer({ min: 0, max: 9 }),
    positive: fc.array(fc.nat(9), { maxLength: 5 }),
    negative: fc.array(fc.nat(9), { maxLength: 5 }),
    zeroCount: fc.nat(9),
  })
  .map(({ schema, resetHint, sum, offset, positive, negative, zeroCount }) => ({
    ...makeHistogram(),
    float: true,
    schema,
    resetHint,
    sum,
    zeroCount,
    zeroThreshold: 0.001,
    count: [zeroCount, ...positive, ...negative].reduce((a, b) => a + b, 0),
    positiveSpans: positive.length === 0 ? [] : [offset, positive.length],
    positive,
    negativeSpans: negative.length === 0 ? [] : [offset, negative.length],
    negative,
  }));

const custom: fc.Arbitrary<Histogram> = fc
  .record({
    bounds: fc.subarray([1, 2.5, 5, 10], { minLength: 2 }),
    resetHint: fc.nat(3),
    counts: fc.array(fc.nat(9), { minLength: 5, maxLength: 5 }),
  })
  .map(({ bounds, resetHint, counts }) => ({
    ...makeHistogram(),
    float: true,
    schema: CUSTOM_BUCKETS_SCHEMA,
    resetHint,
    sum: 7,
    customBounds: bounds,
    positiveSpans: [0, bounds.length + 1],
    positive: counts.slice(0, bounds.length + 1),
    count: counts.slice(0, bounds.length + 1).reduce((a, b) => a + b, 0),
  }));

const float = fc.integer({ min: -50, max: 50 });
const none = fc.constant(undefined);
/** What the cells of a group at a step are: mostly of one kind. */
const MODES: readonly fc.Arbitrary<Cell>[] = [
  fc.oneof(float, none),
  fc.oneof(exponential, none),
  fc.oneof(custom, none),
  fc.oneof({ arbitrary: exponential, weight: 5 }, float, none),
  fc.oneof({ arbitrary: exponential, weight: 4 }, custom),
];

const GROUPS = ["a", "b"];
const input: fc.Arbitrary<Series[]> = fc
  .array(fc.nat(MODES.length - 1), { minLength: STEPS * GROUPS.length, maxLength: STEPS * GROUPS.length })
  .chain((modes) =>
    fc.array(
      fc.nat(GROUPS.length - 1).chain((g) =>
        fc.record({
          group: fc.constant(GROUPS[g] as string),
          shard: fc.nat(),
          cells: fc.tuple(
            ...Array.from({ length: STEPS }, (_, s) => MODES[modes[g * STEPS + s] as number] as fc.Arbitrary<Cell>),
          ),
        }),
      ),
      { minLength: 1, maxLength: 9 },
    ),
  );

function labelsOf(group: string, i: number): Labels {
  const entries: [string, string][] = [
    ["__name__", "m"],
    ["g", group],
    ["i", String(i)],
  ];
  return labelsFromEntries(entries);
}

function sourcesOf(series: readonly Series[], shards: number): MemorySource[] {
  const sources = Array.from({ length: shards }, makeMemorySource);
  series.forEach(({ group, shard, cells }, i) => {
    const at = cells.flatMap((c, s) => (c === undefined ? [] : [s]));
    if (at.length === 0) return;
    const values = new Float64Array(at.length);
    const bytes = makeHistogramBytes();
    at.forEach((s, k) => {
      const cell = cells[s];
      if (typeof cell === "number") values[k] = cell;
      else writeHistogramRef(new Uint32Array(values.buffer), k, encodeHistogram(cell as Histogram, bytes));
    });
    const ts = at.map((s) => s * STEP);
    (sources[shard % shards] as MemorySource).add(labelsOf(group, i), ts, values, undefined, bytes);
  });
  return sources;
}

async function ask(series: readonly Series[], shards: number, query: string, maxSamples = 1e6) {
  const sources = sourcesOf(series, shards);
  const engine = makeEngine({
    shards: sources.map((source, p) => localShard(p, source)),
    lookbackMs: STEP / 2,
    maxSamples,
  });
  const result = await engine.range({ tenant: "t", query, start: 0, end: (STEPS - 1) * STEP, step: STEP });
  const rows = new Map([...rangeRows(result).values()].map((r) => [labelValue(r.labels, "g"), r.cells.map(plain)]));
  return { rows, warnings: result.warnings, infos: result.infos };
}

test("any number of shards, and the front, answer what a plain model says, with the same notes", async () => {
  await fc.assert(
    fc.asyncProperty(input, fc.constantFrom(...OPS), async (series, op) => {
      const model = modelOf(series, op, STEPS);
      const note = (text: string, at: number): string => `${text} (1:${at})`;
      for (const shards of [1, 2, 5]) {
        for (const argument of ["m", "limitk(100, m)"]) {
          const got = await ask(series, shards, `${op} by (g) (${argument})`);
          const at = op.length + " by (g) (".length + 1;
          expect(got.warnings).toEqual(model.warnings.map((t) => note(t, at)));
          expect(got.infos).toEqual(model.infos.map((t) => note(t, at)));
          expect([...got.rows.keys()].sort()).toEqual([...model.rows.keys()].sort());
          for (const [g, cells] of model.rows) expectCells(got.rows.get(g), cells);
        }
      }
    }),
    { numRuns: 100 },
  );
});

function expectCells(got: unknown, expected: unknown): void {
  if (typeof expected === "number" && typeof got === "number") expect(got).toBeCloseTo(expected, 9);
  else if (Array.isArray(expected) && Array.isArray(got)) {
    expect(got.length).toBe(expected.length);
    expected.forEach((e, i) => {
      expectCells(got[i], e);
    });
  } else expect(got).toEqual(expected);
}

const H: Histogram = { ...makeHistogram(), float: true, count: 3, sum: 2, positiveSpans: [0, 2], positive: [1, 2] };
const floats: Series = { group: "a", shard: 0, cells: [1, 2, 3, 4] };
const histograms: Series = { group: "a", shard: 1, cells: [H, H, H, H] };

function partialsOf(series: readonly Series[], op: PartialOp, maxSamples: number): ShardPartials {
  const plan: ShardPlan = {
    version: 1,
    tenant: "t",
    grid: { start: 0, step: STEP, steps: STEPS },
    select: { matchers: [{ name: "__name__", op: "=", value: "m" }], offset: 0, lookback: STEP / 2, output: "value" },
    maps: [],
    aggregate: { op, grouping: ["g"], without: false },
    limits: { maxSamples, maxSeries: 100, timeoutMs: 60_000 },
  };
  return runShardQuery(sourcesOf(series, 1)[0] as MemorySource, plan).result as ShardPartials;
}

test("partial aggregates of floats carry nothing of histograms; those with some only what is there", () => {
  expect("histograms" in partialsOf([floats], "sum", 1e6)).toBe(false);
  expect("histograms" in partialsOf([floats, histograms], "count", 1e6)).toBe(false);
  expect(partialsOf([floats, histograms], "max", 1e6).histograms).toEqual({
    ignored: true,
    cells: new Uint32Array(0),
    totals: [],
  });
  const one: Series = { group: "b", shard: 0, cells: [undefined, H, undefined, 1] };
  expect([...(partialsOf([floats, one], "avg", 1e6).histograms?.cells ?? [])]).toEqual([STEPS + 1]);
});

test("histograms count as points in the shard and in front", async () => {
  const points = (count: number): Series[] =>
    Array.from({ length: count }, () => ({ group: "a", shard: 0, cells: [H, H, H, H] }));
  // A row of four steps and the four histograms of its total, 6 points each, and those of the row that is added: 52.
  expect(partialsOf(points(3), "sum", 52).kind).toBe("partials");
  expect(partialsOf(points(3), "sum", 51)).toMatchObject({ kind: "failure", type: "execution" });
  // In front two rows and the totals of both.
  const two = [histograms, { ...histograms, group: "b", shard: 0 }];
  await expect(ask(two, 2, "sum by (g) (m)", 56)).resolves.toMatchObject({ warnings: [] });
  const refused = ask(two, 2, "sum by (g) (m)", 55);
  await expect(refused).rejects.toThrow(QueryError);
  // Over rows that are in front already: these with their histograms, and the totals.
  const inFront = "sum by (g) (limitk(9, m))";
  await expect(ask(two, 2, inFront, 56 + 48)).resolves.toMatchObject({ warnings: [] });
  await expect(ask(two, 2, inFront, 56 + 47)).rejects.toThrow(QueryError);
});

test("operators that are not built from parts", async () => {
  const series: Series[] = [
    { group: "a", shard: 0, cells: [5, H, 7, H] },
    { group: "b", shard: 1, cells: [H, 1, H, undefined] },
    { group: "c", shard: 2, cells: [undefined, 2, H, H] },
  ];
  const h = plain(H);
  const cases: [query: string, rows: Record<string, unknown[]>, infos: string[]][] = [
    [
      "topk(1, m)",
      { a: [5, undefined, 7, undefined], c: [undefined, 2, undefined, undefined] },
      ["PromQL info: ignored histogram in topk aggregation (1:1)"],
    ],
    [
      "bottomk(9, m)",
      {
        a: [5, undefined, 7, undefined],
        b: [undefined, 1, undefined, undefined],
        c: [undefined, 2, undefined, undefined],
      },
      ["PromQL info: ignored histogram in bottomk aggregation (1:1)"],
    ],
    ["topk(0, m)", {}, []],
    // At the first minute k is 1, and only then is anything looked at.
    [
      "topk(1 - (time() > bool 0), m)",
      { a: [5, undefined, undefined, undefined] },
      ["PromQL info: ignored histogram in topk aggregation (1:1)"],
    ],
    ["topk(time() == bool 180, limitk(9, m{g='b'}))", {}, []],
    [
      "quantile(0.5, m)",
      { "": [5, 1.5, 7, undefined] },
      ["PromQL info: ignored histogram in quantile aggregation (1:15)"],
    ],
    ["limitk(1, m{g!='a'})", { b: [h, 1, h, undefined], c: [undefined, undefined, undefined, h] }, []],
    ["limitk(9, m)", { a: [5, h, 7, h], b: [h, 1, h, undefined], c: [undefined, 2, h, h] }, []],
    ["limit_ratio(1, m)", { a: [5, h, 7, h], b: [h, 1, h, undefined], c: [undefined, 2, h, h] }, []],
    [
      'count_values("g", m)',
      {
        "5": [1, undefined, undefined, undefined],
        "7": [undefined, undefined, 1, undefined],
        "1": [undefined, 1, undefined, undefined],
        "2": [undefined, 1, undefined, undefined],
        "{count:3, sum:2, (0.5,1]:1, (1,2]:2}": [1, 1, 2, 2],
      },
      [],
    ],
  ];
  for (const [query, rows, infos] of cases) {
    const got = await ask(series, 3, query);
    const own = Object.fromEntries([...got.rows].filter(([, cells]) => cells.some((c) => c !== undefined)));
    expect({ query, rows: own, infos: got.infos, warnings: got.warnings }).toEqual({
      query,
      rows,
      infos,
      warnings: [],
    });
  }
});
