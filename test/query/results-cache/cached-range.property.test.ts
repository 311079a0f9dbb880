import fc from "fast-check";
import { expect, test } from "vitest";
import type { RangeRequest } from "../../../src/model/query.ts";
import { DEFAULT_TENANT, STALE_NAN_HI, STALE_NAN_LO } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { makeResultsCache } from "../../../src/query/results-cache/results-cache.ts";
import { type Row, testSeries } from "../../actors/shard/frames.ts";
import { coreShard } from "./core-shard.ts";

const T0 = 1_700_000_040_000;
const MINUTE = 60_000;
const PARTITIONS = 2;
const JOBS = ["x", "y", "z"];
const SERIES = ["a", "b"].flatMap((name) =>
  JOBS.flatMap((job) => ["0", "1"].map((i) => testSeries(["__name__", name, "i", i, "job", job]))),
);

/** With small whole numbers sums are exact, and many values are equal: the order of rows shows. */
const QUERIES = [
  "a",
  "sum by (job) (a)",
  "delta(a[3m])",
  "sum(delta(a[2m])) by (i)",
  "avg_over_time(a[4m:1m] offset 1m)",
  "topk(2, a)",
  "topk(1, sum by (i) (a))",
  "limitk(2, a + on (i, job) b)",
  "bottomk(2, sum by (i, job) (a + on (i, job) b))",
  "a / on (job) b",
  "a and b > 2",
  "a or b",
  "absent(a{i='0'})",
  "scalar(a{i='0', job='x'}) + time()",
  "count_values('v', a)",
  "label_replace(a, 'i', 'same', 'job', '(x)')",
  "max_over_time(a[step() * 3]) offset 30s",
  "histogram_quantile(0.5, a)",
  "idelta(b[90s])",
  "rate(b[3m])",
  "a offset -1m",
  "a @ end()",
  "vector(range())",
  "sort(a)",
  "last_over_time(a[range()])",
];

type Op =
  | { readonly op: "live"; readonly ms: number; readonly values: readonly number[] }
  | { readonly op: "late"; readonly series: number; readonly back: number; readonly value: number }
  | { readonly op: "delete"; readonly job: number; readonly back: number; readonly ms: number }
  | { readonly op: "restart" | "age"; readonly shard: number; readonly back: number }
  | {
      readonly op: "ask";
      readonly query: number;
      readonly step: number;
      readonly phase: number;
      readonly first: number;
      readonly steps: number;
      readonly lookback: boolean;
    };

const GONE = 6;
const STALE = 7;
const value = fc.nat({ max: STALE });
const series = fc.nat({ max: SERIES.length - 1 });
const ask = fc.record({
  op: fc.constant("ask" as const),
  query: fc.nat({ max: QUERIES.length - 1 }),
  step: fc.constantFrom(30_000, MINUTE),
  phase: fc.constantFrom(0, 0, 0, 7_000),
  /** Steps before now at which the range begins, and how many it has. */
  first: fc.constantFrom(20, 25, 30, 35),
  steps: fc.constantFrom(10, 20, 26, 30, 36, 40),
  lookback: fc.nat({ max: 9 }).map((n) => n === 0),
});
const live = fc.record({
  op: fc.constant("live" as const),
  ms: fc.constantFrom(1_000, 15_000, 15_000, 90_000),
  values: fc.array(value, { minLength: SERIES.length, maxLength: SERIES.length }),
});
/** Often at the very time of a step. */
const back = fc.oneof(
  fc.integer({ min: 0, max: 30 * MINUTE }),
  fc.nat({ max: 60 }).map((n) => n * 30_000),
);
const other = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("late" as const), series, back, value }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("delete" as const), job: fc.nat({ max: 2 }), back, ms: back }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constantFrom("restart" as const, "age" as const),
      shard: fc.nat({ max: PARTITIONS - 1 }),
      back,
    }),
  },
);
const ops: fc.Arbitrary<Op[]> = fc
  .tuple(
    // Few queries a run, so that they are asked again.
    fc.uniqueArray(fc.nat({ max: QUERIES.length - 1 }), { minLength: 1, maxLength: 3 }),
    fc.array(fc.oneof({ weight: 6, arbitrary: ask }, { weight: 4, arbitrary: live }, { weight: 2, arbitrary: other }), {
      minLength: 40,
      maxLength: 80,
    }),
  )
  .map(([chosen, list]) =>
    list.map((op) => (op.op === "ask" ? { ...op, query: chosen[op.query % chosen.length] as number } : op)),
  );

const stale = new Float64Array(new Uint32Array([STALE_NAN_LO, STALE_NAN_HI]).buffer)[0] as number;

test("a cached engine answers as one without a cache, whatever is written meanwhile", async () => {
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(ops, fc.constantFrom(1 << 20, 20_000), async (list, bytes) => {
      const shards = Array.from({ length: PARTITIONS }, (_, p) => coreShard(p));
      const clients = shards.map((s) => s.client);
      const results = makeResultsCache(() => bytes);
      const cached = makeEngine({ shards: clients, results });
      const plain = makeEngine({ shards: clients });
      const write = (rows: readonly Row[]): void => {
        shards.forEach((shard, p) => {
          const own = rows.filter(([s]) => SERIES.indexOf(s) % PARTITIONS === p);
          if (own.length > 0) shard.write(own);
        });
      };
      const row = (s: number, t: number, v: number): Row[] =>
        v === GONE ? [] : [[SERIES[s] as (typeof SERIES)[number], t, v === STALE ? stale : v]];
      let now = T0;
      for (let i = 0; i < 40; i++, now += 30_000) write(SERIES.flatMap((_, s) => row(s, now, (i * (s + 1)) % 7)));
      for (const op of list) {
        const step = Math.floor(now / 30_000) * 30_000;
        switch (op.op) {
          case "live":
            now += op.ms;
            write(op.values.flatMap((v, s) => row(s, now, v)));
            break;
          case "late":
            write(row(op.series, (op.back % 30_000 === 0 ? step : now) - op.back, op.value));
            break;
          case "delete":
            for (const shard of shards) {
              const matchers = [{ name: "job", op: "=" as const, value: JOBS[op.job] as string }];
              shard.delete(matchers, now - op.back, now - op.back + op.ms);
            }
            break;
          case "restart":
            // Deletions come back: another life may have other samples.
            shards[op.shard]?.restart();
            break;
          case "age": {
            const shard = shards[op.shard] as (typeof shards)[number];
            shard.agedUpTo = Math.max(shard.agedUpTo, now - 60 * MINUTE - op.back);
            break;
          }
          case "ask": {
            const start = Math.floor(now / op.step) * op.step + op.phase - op.first * op.step;
            const request: RangeRequest = {
              tenant: DEFAULT_TENANT,
              query: QUERIES[op.query] as string,
              start,
              end: start + (op.steps - 1) * op.step,
              step: op.step,
              ...(op.lookback ? { lookbackMs: MINUTE } : {}),
            };
            const [got, fresh] = [await answer(cached.range(request)), await answer(plain.range(request))];
            expect(got).toEqual(fresh);
            break;
          }
        }
        expect(results.stats().bytes).toBeLessThanOrEqual(bytes);
      }
      hits += results.stats().hits;
    }),
    { numRuns: 60 },
  );
  expect(hits).toBeGreaterThan(200);
});

/** All that a client sees of an answer, or its error. Numbers as text, so that NaN and the sign of zero count. */
async function answer(result: ReturnType<ReturnType<typeof makeEngine>["range"]>): Promise<unknown> {
  try {
    const { matrix, warnings, infos, partial } = await result;
    const { start, step, steps, labels } = matrix;
    const points = labels.map((_, r) =>
      Array.from({ length: steps }, (_, s) => {
        const cell = r * steps + s;
        return matrix.present[cell] === 0 ? "" : show(matrix.values[cell] as number);
      }).join(),
    );
    return { start, step, steps, labels, points, warnings, infos, partial };
  } catch (error) {
    return String(error);
  }
}

function show(v: number): string {
  return Object.is(v, -0) ? "-0" : String(v);
}
