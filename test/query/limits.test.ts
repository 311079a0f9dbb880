import { describe, expect, test } from "vitest";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { makePatience } from "../../src/query/execute/gather.ts";
import type { EngineLimits } from "../../src/query/limits.ts";
import type { ShardPlan } from "../../src/query/plan/shard-plan.ts";
import { localShard, makeMemorySource } from "./promqltest/memory-source.ts";

const DAY = 86_400_000;
const base = { tenant: "default", time: 600_000 };

/** Shards with so many series each, which count what they read and remember what they were asked. */
function shardsWith(...series: number[]) {
  const reads: number[] = series.map(() => 0);
  const plans: ShardPlan[][] = series.map(() => []);
  const shards = series.map((n, partition): ShardClient => {
    const source = makeMemorySource();
    for (let i = 0; i < n; i++) {
      const labels = labelsFromObject({ __name__: "load", shard: String(partition), n: String(i) });
      source.add(labels, [590_000, 600_000], Float64Array.of(1, 2));
    }
    const counting: SeriesSource = {
      ...source,
      read: (...args) => {
        reads[partition] = (reads[partition] as number) + 1;
        source.read(...args);
      },
    };
    const inner = localShard(partition, counting);
    return {
      partition,
      request: (request, signal) => {
        plans[partition]?.push((request as unknown as { plan: ShardPlan }).plan);
        return inner.request(request, signal);
      },
    };
  });
  return { shards, reads, plans };
}

const engineWith = (limits: Partial<EngineLimits>, shards = shardsWith(20, 20).shards) =>
  makeEngine({ shards, ...limits });

describe("series of all shards together", () => {
  const over = (matched: number, limit: number) => ({
    type: "execution",
    message: `the selector matches ${matched} series, over the limit of ${limit} (limits.max_query_series): narrow the matchers`,
  });

  test("one shard alone has too many", async () => {
    const { shards, reads } = shardsWith(31, 0);
    const asked = engineWith({ maxSeries: 30 }, shards).instant({ ...base, query: "load" });
    await expect(asked).rejects.toMatchObject(over(31, 30));
    expect(reads).toEqual([0, 0]);
  });

  test("no shard alone has, all together have: nothing is read of those beyond their share", async () => {
    const { shards, reads } = shardsWith(20, 18);
    const asked = engineWith({ maxSeries: 30 }, shards).instant({ ...base, query: "load" });
    await expect(asked).rejects.toMatchObject(over(38, 30));
    expect(reads).toEqual([0, 0]);
  });

  test("unevenly spread ones are not too many, and only the large shard is asked again", async () => {
    const { shards, plans } = shardsWith(25, 5, 0);
    const answer = await engineWith({ maxSeries: 30 }, shards).instant({ ...base, query: "sum by (shard) (load)" });
    expect(answer).toMatchObject({ type: "vector", values: Float64Array.of(50, 10) });
    expect(plans.map((p) => p.length)).toEqual([2, 1, 1]);
    await expect(engineWith({ maxSeries: 29 }, shards).instant({ ...base, query: "load" })).rejects.toMatchObject(
      over(30, 29),
    );
  });

  test("a query within the shares asks once", async () => {
    const { shards, plans } = shardsWith(15, 15);
    await engineWith({ maxSeries: 30 }, shards).instant({ ...base, query: "load" });
    expect(plans.map((p) => p.length)).toEqual([1, 1]);
  });

  test("what the first answers counted is not counted twice", async () => {
    const { shards } = shardsWith(25, 5);
    const { stats } = await engineWith({ maxSeries: 30, maxSamples: 60 }, shards).instant({
      ...base,
      query: "count_over_time(load[10m])",
      stats: "total",
    });
    expect(stats).toMatchObject({ samples: 60, windowSamples: 60 });
  });
});

describe("series of all selectors of a query", () => {
  const together = (selectors: number, matched: number, limit: number) => ({
    type: "execution",
    message: `the query's ${selectors} selectors match ${matched} series together, over the limit of ${limit} (limits.max_query_series): narrow the matchers`,
  });
  const low = 'load{n=~"[0-9]"}';
  const high = 'load{n=~"1[0-9]"}';

  test.each([[1], [2]])(
    "none alone has too many, all together have: nothing is read beyond the shares (%i shards)",
    async (n) => {
      const { shards, reads } = shardsWith(...[20, 20].slice(0, n));
      const queries = [
        `sum(${low}) + sum(${high})`,
        `${low} or ${high}`,
        `max_over_time(sum(${low})[5m:1m]) / scalar(sum(${high}))`,
      ];
      for (const query of queries) {
        const asked = engineWith({ maxSeries: 20 * n - 1 }, shards).instant({ ...base, query });
        await expect(asked).rejects.toMatchObject(together(2, 20 * n, 20 * n - 1));
        expect(reads.every((r) => r === 0)).toBe(true);
        await expect(engineWith({ maxSeries: 20 * n }, shards).instant({ ...base, query })).resolves.toBeDefined();
        reads.fill(0);
      }
    },
  );

  test("a small selector that was read beforehand counts", async () => {
    const { shards, reads } = shardsWith(20, 20);
    const query = `sum(load{n="7"}) + sum(${low})`;
    const asked = engineWith({ maxSeries: 20 }, shards).instant({ ...base, query });
    await expect(asked).rejects.toMatchObject(together(2, 22, 20));
    expect(Math.max(...reads)).toBeLessThanOrEqual(1);
    await expect(engineWith({ maxSeries: 22 }, shards).instant({ ...base, query })).resolves.toBeDefined();
  });

  test("the same matchers count once, in any order and of any time", async () => {
    const { shards } = shardsWith(20, 20);
    const query =
      'sum(load{n!="x",shard=~"0|1"}) / sum(load{shard=~"0|1",n!="x"} offset 1s) + sum(rate(load{n!="x",shard=~"0|1"}[5m]))';
    await expect(engineWith({ maxSeries: 40 }, shards).instant({ ...base, query })).resolves.toBeDefined();
    await expect(engineWith({ maxSeries: 39 }, shards).instant({ ...base, query })).rejects.toThrow(
      /matches 40 series/,
    );
  });

  test("those that info() looks for count, whatever its second argument", async () => {
    const source = makeMemorySource();
    const add = (labels: Record<string, string>) => source.add(labelsFromObject(labels), [600_000], Float64Array.of(1));
    for (let i = 0; i < 10; i++) {
      add({ __name__: "up", job: "a", instance: String(i) });
      add({ __name__: "target_info", job: "a", instance: String(i), version: "1" });
      add({ __name__: "target_info", job: "other", instance: String(i), version: "1" });
    }
    const ask = (maxSeries: number, query: string) =>
      makeEngine({ shards: [localShard(0, source)], maxSeries }).instant({ ...base, query });
    for (const query of ["info(up)", 'info(up, {version=~".+"})']) {
      await expect(ask(19, query)).rejects.toMatchObject(together(2, 20, 19));
      await expect(ask(20, query)).resolves.toMatchObject({ type: "vector", warnings: [] });
    }
  });

  test("a range query counts as an instant one", async () => {
    const { shards, reads } = shardsWith(20);
    const range = { tenant: "default", query: `sum(${low}) + sum(${high})`, start: 590_000, end: 600_000, step: 1000 };
    await expect(engineWith({ maxSeries: 19 }, shards).range(range)).rejects.toMatchObject(together(2, 20, 19));
    expect(reads).toEqual([0]);
  });
});

describe("every limit is told with its value and its key", () => {
  const cases: [what: string, limits: Partial<EngineLimits>, query: string, error: RegExp][] = [
    ["samples", { maxSamples: 30 }, "count_over_time(load[1h])", /limit of 30, limits\.max_query_samples/],
    [
      "memory of a shard",
      { maxMemoryBytes: 500 },
      "load",
      /more than 500 bytes in memory \(limits\.max_query_memory\)/,
    ],
    [
      "memory in front",
      { maxMemoryBytes: 4000 },
      "load",
      /more than 4000 bytes in memory \(limits\.max_query_memory\)/,
    ],
    [
      "memory of samples",
      { maxMemoryBytes: 1500 },
      "load[10m]",
      /more than 1500 bytes in memory \(limits\.max_query_memory\)/,
    ],
    [
      "memory of labels put together",
      { maxMemoryBytes: 10_000_000 },
      `sum(${Array.from({ length: 40 }).reduce<string>((q) => `label_join(${q}, "n", "", "n", "n")`, "load")})`,
      /more than 10000000 bytes in memory \(limits\.max_query_memory\)/,
    ],
    [
      "memory of labels that are replaced",
      { maxMemoryBytes: 100_000 },
      `label_replace(load, "m", "${"$1".repeat(10_000)}", "n", "(.*)")`,
      /more than 100000 bytes in memory/,
    ],
    [
      "memory of values counted",
      { maxMemoryBytes: 20_000 },
      `count_values("${"v".repeat(30_000)}", load)`,
      /more than 20000 bytes in memory/,
    ],
    ["memory of a join's groups", { maxMemoryBytes: 20_000 }, "load + load", /more than 20000 bytes in memory/],
    [
      "memory of a join's labels",
      { maxMemoryBytes: 12_000 },
      "sum by (n) (load) * on (n) group_left () sum by (n) (load)",
      /more than 12000 bytes in memory/,
    ],
    ["memory of a set operator's keys", { maxMemoryBytes: 14_000 }, "load and load", /more than 14000 bytes in memory/],
    ["memory of a union's rows", { maxMemoryBytes: 20_000 }, "load or load", /more than 20000 bytes in memory/],
    ["memory of groups", { maxMemoryBytes: 300 }, "sum by (n) (load)", /limits\.max_query_memory/],
    [
      "depth",
      { maxDepth: 3 },
      "sum(abs(-load))",
      /^1:\d+: parse error: expression has more than 3 levels .*\(limits\.max_query_depth\)/,
    ],
    ["text", { maxQueryBytes: 10 }, "load + load", /has 11 bytes, over the limit of 10 \(limits\.max_query_length\)/],
    [
      "range",
      { maxTotalMs: DAY },
      "load + rate(load[2d])",
      /^1:13: the query reads 2d, over the limit of 1d \(limits\.max_total_query_length\)/,
    ],
    [
      "subquery",
      { maxTotalMs: DAY },
      "max_over_time(load[1d:1h])",
      /^1:15: the query reads 1d5m, over the limit of 1d/,
    ],
    [
      "regex",
      { maxRegexCost: 50 },
      'load + {a=~"[a-z]{60}"}',
      /^1:9: parse error: .* cost 60 steps, over the limit of 50 \(limits\.max_regex_cost\)/,
    ],
    ["regexes together", { maxRegexCost: 50 }, '{a=~"[a-z]{30}",b=~"\\\\d{30}"}', /cost 60 steps/],
    [
      "label_replace",
      { maxRegexCost: 50 },
      'label_replace(load, "a", "$1", "n", "(.{60})")',
      /^1:37: .*limits\.max_regex_cost/,
    ],
  ];
  test.each(cases)("%s", async (_, limits, query, error) => {
    await expect(engineWith(limits).instant({ ...base, query })).rejects.toThrow(error);
  });

  test("points, lookback and time of a range query", async () => {
    const range = { tenant: "default", query: "load", start: 0, end: 2 * DAY, step: 60_000 };
    await expect(engineWith({ maxPoints: 100 }).range(range)).rejects.toThrow(
      "exceeded maximum resolution of 100 points per timeseries. Try decreasing the query resolution (?step=XX) or raise limits.max_query_points",
    );
    await expect(engineWith({ maxTotalMs: DAY }).range(range)).rejects.toThrow(/reads 2d5m, over the limit of 1d/);
    await expect(engineWith({ maxTotalMs: DAY }).range({ ...range, query: "load @ 7" })).resolves.toBeDefined();
    const far = { ...base, query: "load", lookbackMs: 2 * DAY };
    await expect(engineWith({ maxLookbackMs: DAY }).instant(far)).rejects.toThrow(
      "lookback_delta is 2d, over the limit of 1d (limits.max_lookback_delta)",
    );
    await expect(engineWith({ maxLookbackMs: 2 * DAY }).instant(far)).resolves.toBeDefined();
  });

  test("what is within them is answered", async () => {
    const limits = { maxMemoryBytes: 20_000, maxDepth: 3, maxTotalMs: DAY, maxRegexCost: 50, maxSeries: 40 };
    const query = 'sum(load{n=~"[0-9]{1,3}",shard=~"0|1|2|3|4"}) + 1';
    await expect(engineWith(limits).instant({ ...base, query })).resolves.toMatchObject({
      values: Float64Array.of(81),
    });
  });
});

test("limits are the tenant's own, those of the moment", async () => {
  let maxSeries = 10;
  const { shards } = shardsWith(20);
  const engine = makeEngine({
    shards,
    maxSeries: 1000,
    limitsOf: (tenant) => (tenant === "small" ? { maxSeries } : {}),
  });
  const ask = (tenant: string) => engine.instant({ ...base, tenant, query: "load" });
  await expect(ask("small")).rejects.toThrow(/over the limit of 10 /);
  await expect(ask("default")).resolves.toMatchObject({ type: "vector" });
  maxSeries = 20;
  await expect(ask("small")).resolves.toMatchObject({ type: "vector" });
});

describe("a shard that never answers", () => {
  const deaf = (partition: number, asked: { times: number } = { times: 0 }): ShardClient => ({
    partition,
    request: () => {
      asked.times++;
      return new Promise(() => undefined);
    },
  });

  test("is left out, the answer says so, and it is not asked again for the same query", async () => {
    const asked = { times: 0 };
    const missed: string[] = [];
    const patience = makePatience((partition, why) => missed.push(`${partition} ${why.name}`));
    const { shards } = shardsWith(3);
    const engine = makeEngine({ shards: [...shards, deaf(1, asked)], shardTimeoutMs: 20, patience });
    const answer = await engine.instant({
      ...base,
      query: "sum(load) + quantile(1, max_over_time(sum(load)[1m:10s]))",
    });
    expect(answer).toMatchObject({ partial: true, values: Float64Array.of(12) });
    expect(answer.warnings).toEqual([
      "shard 1 did not answer, the result is partial: shard 1 is late: no answer after 20 ms",
    ]);
    expect(missed.every((m) => m === "1 ShardLate")).toBe(true);
    expect(asked.times).toBeLessThanOrEqual(2);
  });

  test("gets no more than its share of the query's time", async () => {
    const { shards } = shardsWith(3);
    const engine = makeEngine({ shards: [...shards, deaf(1)] });
    const answer = await engine.range({ ...base, query: "sum(load)", start: 0, end: 1, step: 1, timeoutMs: 400 });
    expect(answer.partial).toBe(true);
    expect(answer.warnings[0]).toMatch(/shard 1 is late: no answer after (300|29\d) ms/);
  });

  test("with no other shard it is a timeout", async () => {
    const engine = makeEngine({ shards: [deaf(0)], shardTimeoutMs: 5, timeoutMs: 40 });
    await expect(engine.instant({ ...base, query: "load" })).rejects.toMatchObject({
      type: "timeout",
      message: "query timed out in expression evaluation (after 40ms, limits.query_timeout)",
    });
    await expect(engine.instant({ ...base, query: "load", timeoutMs: 10 })).rejects.toThrow(
      "(after 10ms, the request's timeout)",
    );
  });
});
