import Fastify from "fastify";
import { expect, it } from "vitest";
import type { ApiDeps } from "../../../src/api/deps.ts";
import { statusRoutes } from "../../../src/api/routes/status.ts";
import type { ShardClient } from "../../../src/model/shard.ts";

const shard = (partition: number, headSeries: number, damages: number | undefined): ShardClient => ({
  partition,
  request: () =>
    Promise.resolve({ partition, headSeries, ...(damages === undefined ? {} : { storage: { damages } }) } as never),
});

async function runtimeInfo(shards: readonly ShardClient[]) {
  const app = Fastify();
  statusRoutes(app, { shards, startTime: 0, now: () => 1_000 } as unknown as ApiDeps);
  return (await app.inject("/api/v1/status/runtimeinfo")).json().data;
}

it("runtimeinfo counts the damages of all shards that answer", async () => {
  const away: ShardClient = { partition: 3, request: () => Promise.reject(new Error("down")) };
  const info = await runtimeInfo([shard(0, 3, 2), shard(1, 4, undefined), shard(2, 5, 1), away]);
  expect(info).toMatchObject({ corruptionCount: 3, timeSeriesCount: 12 });
  expect((await runtimeInfo([shard(0, 3, 0)])).corruptionCount).toBe(0);
});
