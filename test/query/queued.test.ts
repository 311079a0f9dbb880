import { expect, test } from "vitest";
import { labelsFromObject } from "../../src/model/labels.ts";
import type { ShardClient } from "../../src/model/shard.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { makeQueryQueue } from "../../src/query/queue.ts";
import { localShard, makeMemorySource } from "./promqltest/memory-source.ts";

const base = { tenant: "default", query: "up", time: 1000 };

/** A shard that answers when it is let. */
function heldShard() {
  const source = makeMemorySource();
  source.add(labelsFromObject({ __name__: "up" }), [1000], Float64Array.of(1));
  const inner = localShard(0, source);
  let asked = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const shard: ShardClient = {
    partition: 0,
    request: async (request, signal) => {
      asked++;
      await gate;
      return inner.request(request, signal);
    },
  };
  return { shard, asked: () => asked, open };
}

test("queries wait for their turn and tell how long; those of rules do not wait", async () => {
  const held = heldShard();
  const queue = makeQueryQueue({ maxRunning: 1, maxWaiting: 10 });
  let time = 0;
  const engine = makeEngine({ shards: [held.shard], queue, now: () => time });
  const first = engine.instant(base);
  await new Promise(setImmediate);
  const second = engine.instant({ ...base, stats: "total" });
  const rule = engine.instant({ ...base, urgent: true });
  await new Promise(setImmediate);
  expect({ asked: held.asked(), ...queue.stats() }).toEqual({ asked: 2, running: 1, waiting: 1 });
  time = 250;
  held.open();
  await Promise.all([first, rule]);
  const { stats } = await second;
  expect(stats?.queuedMs).toBe(250);
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("a query that is called off or too late while it waits, and one too many", async () => {
  const held = heldShard();
  const queue = makeQueryQueue({ maxRunning: 1, maxWaiting: 2 });
  const engine = makeEngine({ shards: [held.shard], queue });
  const first = engine.instant(base);
  await new Promise(setImmediate);
  const stop = new AbortController();
  const stopped = engine.instant({ ...base, signal: stop.signal });
  const late = engine.instant({ ...base, timeoutMs: 1 });
  await expect(engine.instant(base)).rejects.toMatchObject({ type: "unavailable" });
  stop.abort();
  await expect(stopped).rejects.toMatchObject({ type: "canceled" });
  await expect(late).rejects.toThrow("query timed out in query queue");
  held.open();
  await first;
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("a query's text is bounded", async () => {
  const engine = makeEngine({ shards: [], maxQueryBytes: 10 });
  await expect(engine.instant({ ...base, query: "up + up + up" })).rejects.toThrow(
    "the query has 12 bytes, over the limit of 10 (limits.max_query_length)",
  );
  await expect(engine.range({ ...base, query: "'äöüäöü'", start: 0, end: 1, step: 1 })).rejects.toThrow("14 bytes");
});
