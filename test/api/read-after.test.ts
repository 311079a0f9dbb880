import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { makeApiMetrics } from "../../src/api/metrics.ts";
import { scriptedShard, wholeServer } from "./routes/whole-server.ts";

const READS = [
  "query?query=1",
  "query_range?query=1&start=0&end=1&step=1",
  "query_exemplars?query=up",
  "series?match[]=up",
  "labels",
  "label/job/values",
  "search/metric_names",
];

test.each(READS)("%s runs when what was acknowledged can be queried, not before", async (call) => {
  const done = Promise.withResolvers<void>();
  let asked = 0;
  const shards = [scriptedShard(0, { series: { values: [], problems: [] }, reached: "reached" })];
  const visible = () => {
    asked++;
    return done.promise;
  };
  const app = wholeServer({ shards, visible });
  let answered = false;
  const answer = app.inject(`/api/v1/${call}`).then((response) => {
    answered = true;
    return response;
  });
  while (asked === 0) await new Promise(setImmediate);
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  expect(answered).toBe(false);
  done.resolve();
  await answer;
  expect(answered).toBe(true);
});

test("waits are counted, and none where there is nothing to wait for", async () => {
  let wait: Promise<unknown> | undefined;
  const shards = [scriptedShard(0, { labelNames: { values: [], problems: [] } })];
  const registry = new Registry();
  const app = wholeServer({ shards, visible: () => wait, registry, observe: makeApiMetrics(registry) });
  const waits = async () => {
    return Number(/^tocsin_query_visible_wait_seconds_count (\d+)$/m.exec(await registry.metrics())?.[1]);
  };
  await app.inject("/api/v1/labels");
  expect(await waits()).toBe(0);
  wait = Promise.resolve();
  await app.inject("/api/v1/labels");
  await app.inject("/api/v1/rules");
  expect(await waits()).toBe(1);
});

test("who brings a token waits for that alone, and what reads no samples for nothing", async () => {
  const refuse = () => {
    throw new Error("not asked for");
  };
  const app = wholeServer({
    shards: [scriptedShard(0, { labelNames: { values: [], problems: [] }, reached: "reached" })],
    visible: refuse,
  });
  const labels = await app.inject({ url: "/api/v1/labels", headers: { "x-tocsin-read-after": "0:1" } });
  expect(labels.json()).toEqual({ status: "success", data: [] });
  for (const call of ["rules", "alerts", "targets", "status/config", "features"]) {
    expect((await app.inject(`/api/v1/${call}`)).statusCode).toBe(200);
  }
});
