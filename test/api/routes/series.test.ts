import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import type { ApiDeps } from "../../../src/api/deps.ts";
import { seriesRoutes } from "../../../src/api/routes/series.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { configOf } from "../../actors/collector/jobs.ts";

/** A shard that lists this whatever it is asked. */
const shard = (partition: number, values: readonly unknown[], problems: readonly string[]): ShardClient => ({
  partition,
  request: () => Promise.resolve({ values, problems } as never),
});

async function ask(
  url: string,
  shards: readonly ShardClient[],
  { maxQuerySeries = 1000, queryTimeoutMs = 60_000 } = {},
) {
  const app = Fastify();
  const limits = { ...configOf("").limits, maxQuerySeries, queryTimeoutMs };
  seriesRoutes(app, { shards, limitsOf: () => limits } as unknown as ApiDeps);
  const answer = await app.inject(url);
  return { status: answer.statusCode, partial: answer.headers["x-tocsin-partial"], body: answer.json() };
}

describe.each([
  ["/api/v1/series?match[]=up", ["__name__", "up"], { __name__: "up" }],
  ["/api/v1/labels", "job", "job"],
  ["/api/v1/label/job/values", "node", "node"],
])("%s", (url, listed, shown) => {
  it("says what is lost, each thing once, and that the answer is partial", async () => {
    const both = ["block raw/A is damaged", "block raw/B is missing"];
    const { partial, body } = await ask(url, [shard(0, [listed], both), shard(1, [listed], both.slice(0, 1))]);
    expect(partial).toBe("true");
    expect(body).toEqual({ status: "success", data: [shown], warnings: both });
  });

  it("says of much damage how much more there is", async () => {
    const many = Array.from({ length: 14 }, (_, i) => `block ${i + 10}`);
    const { body } = await ask(url, [shard(0, [listed], many)]);
    expect(body.warnings).toEqual([...many.slice(0, 10), "4 more warning annotations omitted"]);
  });

  it("is whole where nothing is lost, and partial where a shard is away", async () => {
    const whole = await ask(`${url}${url.includes("?") ? "&" : "?"}limit=1`, [shard(0, [listed], [])]);
    expect(whole).toEqual({ status: 200, partial: undefined, body: { status: "success", data: [shown] } });
    const away: ShardClient = { partition: 3, request: () => Promise.reject(new Error("down")) };
    const { partial, body } = await ask(url, [shard(0, [listed], []), away]);
    expect(partial).toBe("true");
    expect(body.warnings).toEqual(["partial answer: shard 3 did not answer: down"]);
  });

  it("does not wait for a shard that never answers", async () => {
    const deaf: ShardClient = { partition: 3, request: () => new Promise(() => undefined) };
    const late = await ask(url, [shard(0, [listed], []), deaf], { queryTimeoutMs: 100 });
    expect(late).toMatchObject({ status: 200, partial: "true", body: { data: [shown] } });
    expect(late.body.warnings).toEqual([
      "partial answer: shard 3 did not answer: shard 3 is late: no answer after 75 ms",
    ]);
    const none = await ask(url, [deaf], { queryTimeoutMs: 20 });
    expect(none.status).toBe(503);
    expect(none.body.error).toBe("query timed out in query execution (after 20ms, limits.query_timeout)");
  });

  it("refuses a regular expression that costs too much", async () => {
    const match = `${url}${url.includes("?") ? "&" : "?"}match[]=${encodeURIComponent(`{a=~"${"[a-z]{1000}".repeat(20)}"}`)}`;
    const { status, body } = await ask(match, [shard(0, [listed], [])]);
    expect(status).toBe(400);
    expect(body.error).toContain("over the limit of 10000 (limits.max_regex_cost)");
  });
});

describe("/api/v1/series", () => {
  const many = shard(
    0,
    Array.from({ length: 8 }, (_, i) => ["n", String(i)]),
    [],
  );
  const url = "/api/v1/series?match[]=up";

  it("refuses to list more series than a query may match, unless fewer are asked for", async () => {
    const over = await ask(url, [many], { maxQuerySeries: 7 });
    expect(over.status).toBe(422);
    expect(over.body.error).toMatch(/more than 7 series, the limit \(limits\.max_query_series\)/);
    expect((await ask(`${url}&limit=8`, [many], { maxQuerySeries: 7 })).status).toBe(422);
    const some = await ask(`${url}&limit=7`, [many], { maxQuerySeries: 7 });
    expect(some.body).toMatchObject({ status: "success", warnings: ["results truncated due to limit"] });
    expect((await ask(url, [many], { maxQuerySeries: 8 })).body.data).toHaveLength(8);
  });
});
