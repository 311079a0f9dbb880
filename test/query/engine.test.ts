import { describe, expect, test } from "vitest";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { Engine, InstantResult } from "../../src/model/query.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { type EngineOptions, makeEngine } from "../../src/query/engine.ts";
import { localShard, type MemorySource, makeMemorySource, partitionOf } from "./promqltest/memory-source.ts";

const MINUTE = 60_000;

/** 40 counters over an hour, spread over the shards. */
function sources(partitions: number): MemorySource[] {
  const all = Array.from({ length: partitions }, makeMemorySource);
  for (let i = 0; i < 40; i++) {
    const labels = labelsFromObject({ __name__: "hits_total", job: `job-${i % 3}`, n: String(i) });
    const ts = Array.from({ length: 60 }, (_, k) => k * MINUTE);
    const values = Float64Array.from(ts, (_, k) => (k * (i + 0.1)) / 3);
    (all[partitionOf(labels, partitions)] as MemorySource).add(labels, ts, values);
  }
  return all;
}

function engineOver(partitions: number, options: Partial<EngineOptions> = {}): Engine {
  const shards = sources(partitions).map((s, p) => localShard(p, s));
  return makeEngine({ shards, ...options });
}

const dead = (partition: number): ShardClient => ({
  partition,
  request: () => Promise.reject(new Error("worker exited")),
});
const silent = (partition: number): ShardClient => ({ partition, request: () => new Promise(() => undefined) });

const base = { tenant: "default" };
const hour = { start: 0, end: 60 * MINUTE, step: MINUTE };

function vectorOf(result: InstantResult): Extract<InstantResult, { type: "vector" }> {
  if (result.type !== "vector") throw new Error(`a ${result.type}`);
  return result;
}

describe("results", () => {
  const queries = [
    "hits_total",
    "sum by (job) (rate(hits_total[5m]))",
    "avg(hits_total)",
    "topk(3, hits_total)",
    "quantile(0.5, rate(hits_total[10m]))",
    "stddev(hits_total)",
    "max_over_time(sum by (job) (hits_total)[10m:2m])",
    "hits_total / on (job) group_left sum by (job) (hits_total)",
  ];
  for (const query of queries) {
    test(`${query}: the same over one shard and over five`, async () => {
      const one = await engineOver(1).range({ ...base, ...hour, query });
      const five = await engineOver(5).range({ ...base, ...hour, query });
      expect(five.matrix.labels).toEqual(one.matrix.labels);
      expect(five.matrix.present).toEqual(one.matrix.present);
      five.matrix.values.forEach((v, i) => {
        const w = one.matrix.values[i] as number;
        if (Number.isNaN(w)) expect(v).toBeNaN();
        else expect(Math.abs(v - w)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(w)));
      });
    });

    test(`${query}: identical bits every time`, async () => {
      const engine = engineOver(4);
      const first = await engine.range({ ...base, ...hour, query });
      for (let i = 0; i < 3; i++) expect(await engine.range({ ...base, ...hour, query })).toEqual(first);
    });
  }

  test("rows of a range are sorted by labels, scalars become a row without labels", async () => {
    const { matrix } = await engineOver(3).range({ ...base, ...hour, query: "time()" });
    expect(matrix.labels).toEqual([[]]);
    expect(matrix.values[2]).toBe(120);
    const rows = (await engineOver(3).range({ ...base, ...hour, query: "hits_total" })).matrix.labels;
    expect(rows.map((l) => l.join())).toEqual(rows.map((l) => l.join()).sort());
  });

  test("raw samples of a range selector, the left bound excluded", async () => {
    const result = await engineOver(2).instant({ ...base, query: 'hits_total{n="3"}[2m]', time: 10 * MINUTE });
    if (result.type !== "matrix") throw new Error(result.type);
    expect(result.labels).toHaveLength(1);
    expect([...(result.ts[0] as Float64Array)]).toEqual([9 * MINUTE, 10 * MINUTE]);
  });

  test("a subquery at the top", async () => {
    const result = await engineOver(2).instant({ ...base, query: "count(hits_total)[3m:1m]", time: 10 * MINUTE });
    if (result.type !== "matrix") throw new Error(result.type);
    expect([...(result.ts[0] as Float64Array)]).toEqual([8 * MINUTE, 9 * MINUTE, 10 * MINUTE]);
    expect([...(result.values[0] as Float64Array)]).toEqual([40, 40, 40]);
  });

  test("a counter without a counter's name is noted, once, with its place", async () => {
    const source = makeMemorySource();
    source.add(labelsFromObject({ __name__: "speed" }), [0, MINUTE], Float64Array.of(1, 2));
    const engine = makeEngine({ shards: [localShard(0, source), localShard(1, source)] });
    const { infos } = await engine.instant({ ...base, query: "sum(rate(speed[5m]))", time: MINUTE });
    expect(infos).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "speed" (1:10)',
    ]);
  });
});

describe("shards that do not answer", () => {
  test("one of two: a partial result that says so", async () => {
    const [alive] = sources(2) as [MemorySource];
    const engine = makeEngine({ shards: [localShard(0, alive), dead(1)] });
    const result = vectorOf(await engine.instant({ ...base, query: "count(hits_total)", time: MINUTE }));
    expect(result.partial).toBe(true);
    expect(result.warnings).toEqual(["shard 1 did not answer, the result is partial: worker exited"]);
    expect(result.values[0]).toBeGreaterThan(0);
    expect(result.values[0]).toBeLessThan(40);
  });

  test("all of them: an error", async () => {
    const engine = makeEngine({ shards: [dead(0), dead(1)] });
    await expect(engine.instant({ ...base, query: "up", time: 0 })).rejects.toMatchObject({
      type: "internal",
      message: "no shard answered: worker exited; worker exited",
    });
  });

  test("what needs no shard works without them", async () => {
    const result = await makeEngine({ shards: [dead(0)] }).instant({ ...base, query: "1 + 2", time: 0 });
    expect(result).toMatchObject({ type: "scalar", value: 3, partial: false });
  });
});

describe("limits", () => {
  const failing = (engine: Engine, query: string) => engine.range({ ...base, ...hour, query });

  test("samples", async () => {
    await expect(failing(engineOver(2, { maxSamples: 1000 }), "rate(hits_total[5m])")).rejects.toMatchObject({
      type: "execution",
      message: expect.stringContaining("limits.max_query_samples"),
    });
    await expect(failing(engineOver(2, { maxSamples: 10_000 }), "rate(hits_total[5m])")).resolves.toBeDefined();
  });

  test("series", async () => {
    await expect(failing(engineOver(1, { maxSeries: 39 }), "hits_total")).rejects.toMatchObject({
      type: "execution",
      message: expect.stringContaining("40 series"),
    });
  });

  test("points", async () => {
    await expect(engineOver(1).range({ ...base, start: 0, end: 11_001, step: 1, query: "1" })).rejects.toMatchObject({
      type: "bad_data",
      message: expect.stringContaining("exceeded maximum resolution of 11,000 points per timeseries"),
    });
  });

  test("time: a shard that stays silent does not hold the query", async () => {
    const engine = makeEngine({ shards: [silent(0)], timeoutMs: 20 });
    await expect(engine.instant({ ...base, query: "up", time: 0 })).rejects.toMatchObject({ type: "timeout" });
  });

  test("time as the shard sees it", async () => {
    const options = { now: () => 0, timeoutMs: 0 };
    await expect(failing(engineOver(1, options), "hits_total")).rejects.toMatchObject({ type: "timeout" });
  });

  test("the client is gone", async () => {
    const engine = makeEngine({ shards: [silent(0)] });
    const client = new AbortController();
    const answer = engine.instant({ ...base, query: "up", time: 0, signal: client.signal });
    client.abort();
    await expect(answer).rejects.toMatchObject({ type: "canceled" });
    const gone = engine.instant({ ...base, query: "up", time: 0, signal: client.signal });
    await expect(gone).rejects.toMatchObject({ type: "canceled" });
  });
});

describe("what is refused", () => {
  test("a range query of a range vector", async () => {
    await expect(engineOver(1).range({ ...base, ...hour, query: "hits_total[5m]" })).rejects.toMatchObject({
      type: "bad_data",
      message: 'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    });
  });

  test("bad syntax, with its place", async () => {
    await expect(engineOver(1).instant({ ...base, query: "sum(", time: 0 })).rejects.toMatchObject({
      type: "bad_data",
      message: expect.stringMatching(/^1:5: parse error: /),
    });
  });

  test("a plan of another version", async () => {
    const shard = localShard(0, makeMemorySource());
    const answer = await shard.request({ kind: "query", tenant: "default", plan: { version: 2 } });
    expect(answer).toMatchObject({ kind: "failure", message: expect.stringContaining("version 2") });
  });
});
