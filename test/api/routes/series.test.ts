import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import type { ApiDeps } from "../../../src/api/deps.ts";
import { seriesRoutes } from "../../../src/api/routes/series.ts";
import type { ShardClient } from "../../../src/model/shard.ts";

/** A shard that lists this whatever it is asked. */
const shard = (partition: number, values: readonly unknown[], problems: readonly string[]): ShardClient => ({
  partition,
  request: () => Promise.resolve({ values, problems } as never),
});

async function ask(url: string, shards: readonly ShardClient[]) {
  const app = Fastify();
  seriesRoutes(app, { shards } as unknown as ApiDeps);
  const answer = await app.inject(url);
  return { partial: answer.headers["x-tocsin-partial"], body: answer.json() };
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
    expect(whole).toEqual({ partial: undefined, body: { status: "success", data: [shown] } });
    const away: ShardClient = { partition: 3, request: () => Promise.reject(new Error("down")) };
    const { partial, body } = await ask(url, [shard(0, [listed], []), away]);
    expect(partial).toBe("true");
    expect(body.warnings).toEqual(["partial answer: shard 3 did not answer: down"]);
  });
});
