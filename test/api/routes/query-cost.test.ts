import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import type { ApiDeps } from "../../../src/api/deps.ts";
import { queryCostRoutes } from "../../../src/api/routes/query-cost.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { CostRequest } from "../../../src/model/query.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { localShard, makeMemorySource } from "../../query/promqltest/memory-source.ts";

const NOW = 600_000;

/** Two shards, one of which is away when asked for; what the engine is asked is kept. */
function server(away = false) {
  const source = makeMemorySource();
  const ts = Array.from({ length: 10 }, (_, i) => i * 60_000);
  source.add(labelsFromObject({ __name__: "up", job: "a" }), ts, Float64Array.from(ts));
  const told = { ...source, estimate: (ids: Uint32Array) => ({ rows: 5 * ids.length, bytes: 40 * ids.length }) };
  const gone = { partition: 1, request: () => Promise.reject(new Error("down")) };
  const engine = makeEngine({ shards: [localShard(0, told), away ? gone : localShard(1, makeMemorySource())] });
  const asked: CostRequest[] = [];
  const cost = (request: CostRequest) => {
    asked.push(request);
    return engine.cost?.(request) ?? Promise.reject(new Error("none"));
  };
  const app = Fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  queryCostRoutes(app, { engine: { ...engine, cost }, now: () => NOW } as unknown as ApiDeps);
  return { app, asked };
}

const empty = { shard: 1, series: 0, samples: 0, bytes: 0 };

describe("/api/v1/query_cost", () => {
  it("of a range query: what each selector would read, and where", async () => {
    const { app } = server();
    const answer = await app.inject("/api/v1/query_cost?query=sum(rate(up[2m]))&start=300&end=600&step=60");
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      status: "success",
      data: {
        ...{ series: 1, samples: 5, bytes: 40, steps: 6, points: 6, exceeds: [] },
        selectors: [
          {
            selector: "up[2m]",
            from: 180,
            to: 600,
            steps: 6,
            ...{ series: 1, samples: 5, bytes: 40 },
            tiers: [{ tier: "raw", from: 180, to: 600, rows: 5, rounded: false }],
            shards: [{ shard: 0, series: 1, samples: 5, bytes: 40 }, empty],
          },
        ],
      },
    });
  });

  it("of an instant query where no range is given; as a form too; for the tenant, with its timeout and lookback", async () => {
    const { app, asked } = server();
    const answer = await app.inject({
      method: "POST",
      url: "/api/v1/query_cost",
      headers: { "content-type": "application/x-www-form-urlencoded", "x-scope-orgid": "team" },
      payload: "query=up&timeout=2s&lookback_delta=1m",
    });
    expect(answer.json().data).toMatchObject({ steps: 1, selectors: [{ from: 540, to: 600 }] });
    await app.inject("/api/v1/query_cost?query=up&time=120");
    const times = asked.map(({ start, end, step }) => ({ start, end, step }));
    expect(times).toEqual([
      { start: NOW, end: NOW, step: 0 },
      { start: 120_000, end: 120_000, step: 0 },
    ]);
    expect(asked[0]).toMatchObject({ tenant: "team", timeoutMs: 2000, lookbackMs: 60_000 });
  });

  it("answers mistakes as the query does", async () => {
    const { app } = server();
    const ask = async (params: string) => {
      const answer = await app.inject(`/api/v1/query_cost?${params}`);
      return [answer.statusCode, answer.json().errorType, answer.json().error];
    };
    expect(await ask("query=up%7B")).toEqual([
      400,
      "bad_data",
      'invalid parameter "query": 1:4: parse error: unexpected end of input inside braces',
    ]);
    expect(await ask("query=up&start=1")).toEqual([400, "bad_data", expect.stringMatching(/^invalid parameter "end"/)]);
    expect(await ask("query=up&start=1&end=0&step=1")).toEqual([
      400,
      "bad_data",
      expect.stringMatching(/end timestamp/),
    ]);
    expect(await ask("query=up&timeout=0")).toEqual([503, "timeout", expect.any(String)]);
  });

  it("says when a shard is away", async () => {
    const { app } = server(true);
    const answer = await app.inject("/api/v1/query_cost?query=up");
    expect(answer.headers["x-tocsin-partial"]).toBe("true");
    expect(answer.json()).toMatchObject({
      data: { series: 1 },
      warnings: ["shard 1 did not answer, the estimate is partial: down"],
    });
  });
});
