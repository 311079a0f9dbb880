import { beforeEach, describe, expect, it } from "vitest";
import type { RangeRequest, RangeResult } from "../../../src/model/query.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import type { ShardPlan } from "../../../src/query/plan/shard-plan.ts";
import { makeResultsCache, type ResultsCache } from "../../../src/query/results-cache/results-cache.ts";
import { type TestSeries, testSeries } from "../../actors/shard/frames.ts";
import { type CoreShard, coreShard } from "./core-shard.ts";

const STEP = 60_000;
const T0 = 1_700_000_040_000;
const at = (step: number): number => T0 + step * STEP;
const up = testSeries(["__name__", "up", "i", "0"]);
const other = testSeries(["__name__", "up", "i", "1"]);

let shard: CoreShard;
let results: ResultsCache;
/** The steps of each plan that the shard got, counted from T0. */
let plans: (readonly [first: number, last: number])[];
let engine: ReturnType<typeof makeEngine>;

beforeEach(() => {
  shard = coreShard(0, 100 * STEP);
  results = makeResultsCache(() => 1 << 20);
  plans = [];
  shard.onRequest = (request) => {
    if (request.kind !== "query") return;
    const { grid } = request.plan as ShardPlan;
    const first = (grid.start - T0) / STEP;
    plans.push([first, first + grid.steps - 1]);
  };
  engine = makeEngine({ shards: [shard.client], results });
  for (let s = 0; s <= 60; s++) write(up, s, s);
});

function write(series: TestSeries, step: number, value: number, ms = 0): void {
  shard.write([[series, at(step) + ms, value]]);
}

function ask(first: number, last: number, more: Partial<RangeRequest> = {}): Promise<RangeResult> {
  const range = { start: at(first), end: at(last), step: STEP };
  return engine.range({ tenant: DEFAULT_TENANT, query: "up", ...range, ...more });
}

/** The values of a row, "" where there is none. */
function row({ matrix }: RangeResult, r = 0): (number | "")[] {
  const { steps, values, present } = matrix;
  return Array.from({ length: steps }, (_, s) =>
    present[r * steps + s] === 0 ? "" : (values[r * steps + s] as number),
  );
}

const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe("a range that was asked for before", () => {
  it("is not evaluated again while nothing is written", async () => {
    const first = await ask(10, 50);
    const second = await ask(10, 50);
    expect(plans).toEqual([[10, 50]]);
    expect(second).toEqual(first);
    expect(row(second)).toEqual(numbers(10, 50));
    expect(row(await ask(20, 40))).toEqual(numbers(20, 40));
    expect(plans).toHaveLength(1);
    expect(results.stats()).toMatchObject({ hits: 2, misses: 1, entries: 1, reusedPoints: 41 + 21 });
  });

  it("is evaluated where it goes on, two steps at least", async () => {
    await ask(10, 50);
    expect(row(await ask(12, 52))).toEqual(numbers(12, 52));
    expect(row(await ask(13, 53))).toEqual(numbers(13, 53));
    expect(row(await ask(8, 54))).toEqual(numbers(8, 54));
    expect(plans.slice(1)).toEqual([
      [51, 52],
      // A single step would be read in another way.
      [52, 53],
      // Of the times before, what the longest range had was kept.
      [8, 12],
      [53, 54],
    ]);
    expect(row(await ask(8, 54))).toEqual(numbers(8, 54));
    expect(plans).toHaveLength(5);
  });

  it("of which more was asked for before keeps that", async () => {
    await ask(0, 50);
    await ask(40, 55);
    expect(row(await ask(6, 56))).toEqual(numbers(6, 56));
    expect(plans).toEqual([
      [0, 50],
      [51, 55],
      [55, 56],
    ]);
  });

  it("is evaluated from the time on at which something came", async () => {
    await ask(10, 50);
    write(up, 30, 7, 1);
    write(up, 61, 61);
    // At step 30 the sample is not there yet.
    const changed = [...numbers(10, 30), 7, ...numbers(32, 50)];
    changed[21] = 31;
    expect(row(await ask(10, 50))).toEqual(changed);
    expect(plans.slice(1)).toEqual([[31, 50]]);
    write(up, 40, 1000);
    changed[30] = 1000;
    expect(row(await ask(10, 50))).toEqual(changed);
    expect(plans.slice(2)).toEqual([[40, 50]]);
  });

  it("has the rows that came and not those that are out of it", async () => {
    write(other, 12, 1);
    await ask(10, 40);
    write(testSeries(["__name__", "up", "a", "first"]), 41, 2);
    const { matrix } = await ask(20, 50);
    expect(plans.slice(1)).toEqual([[41, 50]]);
    expect(matrix.labels).toEqual([
      ["__name__", "up", "a", "first"],
      ["__name__", "up", "i", "0"],
    ]);
    expect(row(await ask(20, 50))).toEqual([...new Array(21).fill(""), 2, 2, 2, 2, 2, ...new Array(5).fill("")]);
  });

  it("picks the same of equal rows as when it is evaluated as a whole", async () => {
    const second = coreShard(1, 100 * STEP);
    const job = (name: string, i: string) => testSeries(["__name__", "m", "i", i, "job", name]);
    // The first shard knows of one group only, and of nothing later on.
    shard.write([[job("b", "0"), at(10), 1]]);
    for (let s = 0; s <= 60; s++) {
      second.write([
        [job("a", "1"), at(s), 1],
        [job("b", "1"), at(s), 1],
      ]);
    }
    const shards = [shard.client, second.client];
    engine = makeEngine({ shards, results });
    const plain = makeEngine({ shards });
    for (const query of ["topk(1, sum by (job) (m))", "bottomk(1, sum by (job) (m))", "limitk(1, sum by (job) (m))"]) {
      await ask(5, 40, { query });
      const { matrix } = await ask(6, 50, { query });
      const range = { start: at(6), end: at(50), step: STEP };
      const whole = await plain.range({ tenant: DEFAULT_TENANT, query, ...range });
      expect(matrix.labels).toEqual(whole.matrix.labels);
      expect(matrix.present).toEqual(whole.matrix.present);
    }
    expect(results.stats().hits).toBe(3);
  });

  it("is evaluated anew after a deletion, and in another life of the shard", async () => {
    await ask(10, 50);
    shard.delete([{ name: "i", op: "=", value: "0" }], at(15), at(15));
    expect(row(await ask(10, 50))).toEqual([10, 11, 12, 13, 14, 14, ...numbers(16, 50)]);
    shard.restart();
    expect(row(await ask(10, 50))).toEqual(numbers(10, 50));
    expect(plans).toEqual([
      [10, 50],
      [10, 50],
      [10, 50],
    ]);
  });

  it("is not taken from times whose samples go by their age", async () => {
    await ask(10, 50);
    // Five minutes are looked back, and a bucket of an hour may reach out of that.
    shard.agedUpTo = at(20 - 65);
    await ask(10, 50);
    expect(plans.slice(1)).toEqual([[10, 20]]);
  });

  it("hears the next time of what came while it was evaluated", async () => {
    const note = shard.onRequest;
    shard.onRequest = (request) => {
      note(request);
      if (request.kind !== "query") return;
      shard.onRequest = note;
      // Behind the answer's back: it has been asked where it stands.
      queueMicrotask(() => write(up, 20, 99));
    };
    await ask(10, 50);
    expect(row(await ask(10, 50))[10]).toBe(99);
  });
});

describe("a result is not another one's", () => {
  it.each([
    ["of another tenant", { tenant: "another" }],
    ["of another query", { query: "up + 0" }],
    ["with another step", { step: 2 * STEP }],
    ["with another phase", { start: at(10) + 1 }],
    ["with another lookback", { lookbackMs: 7 * STEP }],
  ])("%s", async (_, more) => {
    await ask(10, 50);
    await ask(10, 50, more);
    expect(results.stats()).toMatchObject({ hits: 0, misses: 2, entries: 2 });
  });

  it("but of the same query written in another way", async () => {
    await ask(10, 50, { query: 'sum by(i)(rate(up{a="",i="0"}[step()*5]))' });
    await ask(10, 50, { query: 'sum(rate(up{i = "0", a = ""}[300s])) by (i)' });
    expect(results.stats()).toMatchObject({ hits: 0, misses: 0 });
    await ask(10, 50, { query: 'sum by(i)(delta(up{a="",i="0"}[step()*5]))' });
    await ask(10, 50, { query: 'sum(delta(up{i = "0", a = ""}[300s])) by (i)' });
    expect(results.stats()).toMatchObject({ hits: 1, misses: 1 });
  });
});

describe("nothing is kept", () => {
  it.each([
    ["where the request says so", { noCache: true }, "request"],
    ["with statistics", { stats: "total" }, "request"],
    ["of a single step", { end: at(10) }, "request"],
    ["of what depends on the range", { query: "up @ end()" }, "expression"],
    ["of what reads nothing", { query: "vector(1)" }, "expression"],
    ["of an answer with infos", { query: "rate(up[5m])" }, "answer"],
  ] as const)("%s", async (_, more, reason) => {
    for (let i = 0; i < 2; i++) await ask(10, 50, more);
    expect(results.stats()).toMatchObject({ hits: 0, misses: 0, entries: 0, bypassed: { [reason]: 2 } });
  });

  it("where a shard does not say what changed, and the answer comes all the same", async () => {
    const note = shard.onRequest;
    shard.onRequest = (request) => {
      note(request);
      if (request.kind === "changes") throw new Error("an older one");
    };
    for (let i = 0; i < 2; i++) expect(row(await ask(10, 50))).toEqual(numbers(10, 50));
    expect(results.stats()).toMatchObject({ hits: 0, misses: 0, entries: 0, bypassed: { shard: 2 } });
  });

  it("where a shard is late, which is not waited for twice", async () => {
    const hangs: ShardClient = { partition: 1, request: () => new Promise(() => undefined) };
    engine = makeEngine({ shards: [shard.client, hangs], results, shardTimeoutMs: 20 });
    const result = await ask(10, 50);
    expect(row(result)).toEqual(numbers(10, 50));
    expect(result.partial).toBe(true);
    expect(result.warnings.join()).toMatch(/shard 1 .*late/);
    expect(results.stats()).toMatchObject({ entries: 0, bypassed: { shard: 1 } });
  });

  it("of an answer that lacks a shard", async () => {
    const whole = coreShard(1);
    const note = shard.onRequest;
    shard.onRequest = (request) => {
      note(request);
      if (request.kind === "query") throw new Error("it died");
    };
    engine = makeEngine({ shards: [shard.client, whole.client], results });
    expect((await ask(10, 50)).partial).toBe(true);
    expect(results.stats()).toMatchObject({ entries: 0, bypassed: { answer: 1 } });
    shard.onRequest = note;
    const { partial, ...rest } = await ask(10, 50);
    expect(partial).toBe(false);
    expect(row({ ...rest, partial })).toEqual(numbers(10, 50));
  });

  it("of what is too large for the cache", async () => {
    results = makeResultsCache(() => 1_000);
    engine = makeEngine({ shards: [shard.client], results });
    for (let i = 0; i < 2; i++) await ask(10, 50);
    expect(results.stats()).toMatchObject({ hits: 0, entries: 0, bytes: 0, bypassed: { size: 2 } });
  });
});
