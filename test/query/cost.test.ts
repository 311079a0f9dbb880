import { describe, expect, it, test } from "vitest";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { QueryCost, RangeRequest } from "../../src/model/query.ts";
import { makeRollupBuffer } from "../../src/model/rollup.ts";
import { makeSampleBuffer } from "../../src/model/sample.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { type EngineOptions, makeEngine } from "../../src/query/engine.ts";
import { runShardQuery } from "../../src/query/execute/run-shard-query.ts";
import { localShard, type MemorySource, makeMemorySource, partitionOf } from "./promqltest/memory-source.ts";
import { makeTierSource } from "./tier-source.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BYTES = 3;

/** A source that can tell to the sample what it would read: it reads. 3 bytes each. */
function telling(source: SeriesSource): SeriesSource {
  const samples = makeSampleBuffer(64);
  const rows = makeRollupBuffer(64);
  const { rollups } = source;
  return {
    ...source,
    estimate: (ids, minT, maxT, spent) => {
      let n = 0;
      for (const id of ids) {
        source.read(id, minT, maxT, samples);
        n += samples.length;
        spent(1);
      }
      return { rows: n, bytes: n * BYTES };
    },
    ...(rollups === undefined
      ? {}
      : {
          rollups: {
            ...rollups,
            estimate: (ids, tier, after, until) => {
              rows.length = 0;
              for (const id of ids) rollups.read(id, tier, after, until, 0, rows);
              return { rows: rows.length, bytes: rows.length * BYTES };
            },
          },
        }),
  };
}

function sources(partitions: number): MemorySource[] {
  const all = Array.from({ length: partitions }, makeMemorySource);
  const add = (name: string, i: number): void => {
    const labels = labelsFromObject({ __name__: name, job: `job-${i % 3}`, n: String(i) });
    const ts = Array.from({ length: 120 }, (_, k) => k * MINUTE);
    (all[partitionOf(labels, partitions)] as MemorySource).add(labels, ts, Float64Array.from(ts));
  };
  for (let i = 0; i < 30; i++) add("hits_total", i);
  for (let i = 0; i < 6; i++) add("size", i);
  return all;
}

const clients = (partitions: number): ShardClient[] => sources(partitions).map((s, p) => localShard(p, telling(s)));
const engineOver = (partitions: number, options: Partial<EngineOptions> = {}) =>
  makeEngine({ shards: clients(partitions), ...options });
const hour: Omit<RangeRequest, "query"> = { tenant: "default", start: 10 * MINUTE, end: HOUR, step: MINUTE };

async function costOf(engine: ReturnType<typeof makeEngine>, request: RangeRequest): Promise<QueryCost> {
  const cost = await engine.cost?.(request);
  if (cost === undefined) throw new Error("nobody can tell");
  return cost;
}

describe("what is told before is what is read then", () => {
  it.each([
    "hits_total",
    "hits_total offset 5m",
    "rate(hits_total[5m])",
    "sum by (job) (rate(hits_total[5m])) / on (job) group_left sum by (job) (size)",
    "hits_total @ 600 + size",
    "max_over_time(sum by (job) (hits_total)[10m:2m])",
    "avg_over_time(size[10m:2m] @ end()) or size",
    "topk(3, hits_total) * scalar(count(size))",
    "quantile_over_time(scalar(avg(size)), hits_total[3m])",
    "clamp_max(size, scalar(sum(hits_total)))",
    "absent(nope) or absent_over_time(size[7m])",
    "timestamp(size) - time()",
    'count_values("v", size)',
    "-size > 5",
    "rate(hits_total[5m] anchored)",
    "increase(hits_total[5m] smoothed)",
    "size smoothed offset 3m",
    "histogram_count(size)",
    "vector(1) + 2",
    'label_replace(size, "a", "$1", "job", "(.*)") and on (n) hits_total{n=~"1.*"}',
  ])("%s", async (query) => {
    const engine = engineOver(3);
    const cost = await costOf(engine, { ...hour, query });
    const { stats, matrix } = await engine.range({ ...hour, query, stats: "total" });
    expect(cost.samples).toBe(stats?.samples);
    expect(cost.bytes).toBe(cost.samples * BYTES);
    expect(cost.selectors.flatMap((s) => s.tiers).reduce((n, t) => n + t.rows, 0)).toBe(stats?.samples);
    const points = matrix.present.reduce((n, p) => n + (p === 0 ? 0 : 1), 0);
    expect(cost.points).toBeGreaterThanOrEqual(points);
    expect(cost).toMatchObject({ steps: 51, exceeds: [], partial: false, warnings: [] });
  });

  it("names each selector as it was written, its times, and what each shard has", async () => {
    const query = 'sum(rate(hits_total{job="job-1"}[5m] offset 1m)) + scalar(size{n="2"} @ 1200)';
    const { selectors } = await costOf(engineOver(3), { ...hour, query });
    expect(selectors.map((s) => [s.selector, s.steps, s.after, s.until, s.series])).toEqual([
      ['hits_total{job="job-1"}[5m] offset 1m', 51, 4 * MINUTE, 59 * MINUTE, 10],
      ['size{n="2"} @ 1200', 1, 15 * MINUTE, 20 * MINUTE, 1],
    ]);
    for (const s of selectors) {
      expect(s.shards.map((o) => o.partition)).toEqual([0, 1, 2]);
      expect(s.shards.reduce((n, o) => n + o.series, 0)).toBe(s.series);
      expect(s.shards.reduce((n, o) => n + o.samples, 0)).toBe(s.samples);
    }
  });

  it("of an instant query, of raw samples and of a subquery at the top", async () => {
    const engine = engineOver(2);
    for (const query of ["size[10m]", "sum(size)[10m:1m]", "count(size)"]) {
      const at = { ...hour, start: HOUR, end: HOUR, step: 0, query };
      const cost = await costOf(engine, at);
      const result = await engine.instant({ tenant: "default", time: HOUR, query, stats: "total" });
      expect(cost.samples).toBe(result.stats?.samples);
      expect(cost.steps).toBe(1);
      if (result.type === "matrix") expect(cost.points).toBe(result.ts.reduce((n, t) => n + t.length, 0));
    }
  });

  test("tiers: the same stretches, the same rows", async () => {
    const full = makeMemorySource();
    const ts = Array.from({ length: 12 * 60 }, (_, k) => k * MINUTE + 7);
    full.add(labelsFromObject({ __name__: "c_total" }), ts, Float64Array.from(ts));
    const complete = [{ after: 0, until: 8 * HOUR }];
    const source = makeTierSource(full, { rawAfter: 2 * HOUR, tiers: [{ tier: "1h", complete }] });
    const engine = makeEngine({ shards: [localShard(0, telling(source))] });
    for (const query of [
      "increase(c_total[2h])",
      "sum_over_time(c_total[1h])",
      "quantile_over_time(0.5, c_total[1h])",
    ]) {
      const request = { tenant: "default", query, start: 4 * HOUR, end: 10 * HOUR, step: HOUR };
      const cost = await costOf(engine, request);
      const { stats } = await engine.range({ ...request, stats: "total" });
      const order = (a: { tier: string }, b: { tier: string }) => a.tier.localeCompare(b.tier);
      expect([...(cost.selectors[0]?.tiers ?? [])].sort(order)).toEqual([...(stats?.tiers ?? [])].sort(order));
    }
  });
});

describe("limits that would be exceeded", () => {
  it("are named by their keys, with what would be wanted", async () => {
    const engine = engineOver(2, { maxSamples: 1000, maxSeries: 20, maxPoints: 40 });
    const cost = await costOf(engine, { ...hour, query: "hits_total" });
    expect(cost.exceeds).toEqual([
      { limit: "limits.max_query_series", most: 20, wanted: 30 },
      { limit: "limits.max_query_samples", most: 1000, wanted: Math.max(cost.samples, 30 * 51) },
      { limit: "limits.max_query_points", most: 40, wanted: 50 },
    ]);
    const refused = await engine.range({ ...hour, query: "hits_total", end: 40 * MINUTE }).catch((e) => e);
    expect(refused).toMatchObject({ type: "execution" });
  });

  it("count the series of all selectors, the same matchers once, and those of info()", async () => {
    const wanted = async (query: string) => {
      const { exceeds } = await costOf(engineOver(2, { maxSeries: 1 }), { ...hour, query });
      return exceeds.find((e) => e.limit === "limits.max_query_series")?.wanted;
    };
    expect(await wanted("hits_total + on (n) size")).toBe(36);
    expect(await wanted("sum(hits_total) / sum(hits_total offset 1m)")).toBe(30);
    const cost = await costOf(engineOver(2, {}), { ...hour, query: 'info(size, {__name__="hits_total"})' });
    expect(cost.selectors.map((s) => [s.selector, s.series])).toEqual([
      ["size", 6],
      ['{__name__="hits_total"}', 30],
    ]);
    expect(cost.series).toBe(36);
    expect(cost.selectors[1]?.samples).toBeGreaterThan(0);
    const implied = await costOf(engineOver(2, {}), { ...hour, query: "info(size)" });
    expect(implied.selectors.map((s) => [s.selector, s.series])).toEqual([
      ["info(size)", 0],
      ["size", 6],
    ]);
  });

  it("count the points of subqueries and of the answer, not only what is read", async () => {
    const engine = engineOver(1, { maxSamples: 5000 });
    const fine = { ...hour, step: 1000, query: "size" };
    expect((await costOf(engine, fine)).exceeds).toEqual([
      { limit: "limits.max_query_samples", most: 5000, wanted: 6 * 3001 },
    ]);
    const { exceeds } = await costOf(engine, { ...hour, query: "sum_over_time(sum(size)[2h:1s])" });
    expect(exceeds.map((e) => e.limit)).toEqual(["limits.max_query_samples"]);
  });
});

describe("the most points", () => {
  it.each([
    ["sum(hits_total)", 1],
    ["sum by (job) (hits_total)", 30],
    ["topk(4, hits_total)", 4],
    ["topk by (job) (4, hits_total)", 30],
    ["hits_total and on (n) size", 30],
    ["hits_total or size", 36],
    ["hits_total * on (n) size", 6],
    ["hits_total * on (job) group_left sum by (job) (size)", 30],
    ["absent(hits_total)", 1],
    ["time()", 1],
    ["sum(nope)", 0],
    ["2 * hits_total", 30],
  ])("%s: %i a step", async (query, rows) => {
    expect((await costOf(engineOver(2), { ...hour, query })).points).toBe(rows * 51);
  });
});

describe("errors", () => {
  it("are those of the query: parse errors with their place, types, times, what cannot be evaluated", async () => {
    const engine = engineOver(1);
    const ask = (query: string, more = {}) => costOf(engine, { ...hour, query, ...more }).catch((e) => e);
    expect(await ask("sum(")).toMatchObject({ type: "bad_data", message: expect.stringMatching(/^1:5: parse error/) });
    expect(await ask("size[5m]")).toMatchObject({ type: "bad_data", message: expect.stringMatching(/range vector/) });
    expect(await ask("size", { end: 0 })).toMatchObject({ type: "bad_data" });
    expect(await ask("size", { signal: AbortSignal.abort() })).toMatchObject({ type: "canceled" });
  });

  it("of a shard's limits and of its stop come back as the query's", async () => {
    const [source] = sources(1) as [MemorySource];
    const plan = {
      version: 1,
      tenant: "",
      estimate: true,
      grid: { start: HOUR, step: 1, steps: 1 },
      select: { matchers: [], offset: 0, lookback: HOUR, output: "value" },
      maps: [],
      limits: { maxSamples: 1, maxSeries: 1, timeoutMs: 60_000 },
    };
    const ask = (more: object, stopped = () => false) => runShardQuery(telling(source), { ...plan, ...more }, stopped);
    // Limits are told in front, where all shards are known.
    expect(ask({}).result).toMatchObject({ kind: "estimate", series: 36 });
    expect(ask({}, () => true).result).toMatchObject({ kind: "failure", type: "canceled" });
    const late = { limits: { ...plan.limits, timeoutMs: -1 } };
    expect(ask(late).result).toMatchObject({ kind: "failure", type: "timeout" });
    expect(ask({ version: 2 }).result).toMatchObject({ kind: "failure", type: "internal" });
  });

  it("a shard that does not answer makes the estimate partial; none is an error", async () => {
    const dead: ShardClient = { partition: 7, request: () => Promise.reject(new Error("worker exited")) };
    const [alive] = clients(1) as [ShardClient];
    const partly = await costOf(makeEngine({ shards: [alive, dead] }), { ...hour, query: "size" });
    expect(partly).toMatchObject({ series: 6, partial: true });
    expect(partly.warnings).toEqual(["shard 7 did not answer, the estimate is partial: worker exited"]);
    const silent: ShardClient = { partition: 8, request: () => new Promise(() => undefined) };
    const waited = makeEngine({ shards: [alive, silent], shardTimeoutMs: 1 });
    const late = await costOf(waited, { ...hour, query: "size + size" });
    expect(late).toMatchObject({ series: 12, partial: true, warnings: [expect.stringMatching(/shard 8 is late/)] });
    const none = costOf(makeEngine({ shards: [dead] }), { ...hour, query: "size" });
    await expect(none).rejects.toMatchObject({ type: "internal", message: "no shard answered: worker exited" });
  });
});
