import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeShardHost } from "../../../src/actors/shard/shard-host.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { makePatience } from "../../../src/query/execute/gather.ts";
import type { ShardPlan } from "../../../src/query/plan/shard-plan.ts";
import { type JetStreamPublisher, jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { startNatsServer, type TestNats } from "../../streams/nats/with-nats-server.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";
import { loadFrame, SERIES, T0 } from "./shard-load.ts";

let nats: TestNats;
let publisher: JetStreamPublisher;
beforeAll(async () => {
  nats = await startNatsServer();
  publisher = jetStreamPublisher(await nats.bus({ partitions: 2 }));
}, 90_000);
afterAll(() => nats.stop());

const FRAMES = 50;
/** What a query may still use after it was called off, ms of CPU. */
const MOST_MS = 100;

/** Minutes of work, and next to no memory. */
const heavy: ShardPlan = {
  version: 1,
  tenant: "default",
  grid: { start: T0, step: 1, steps: 1_000_000 },
  select: { matchers: [{ name: "__name__", op: "=", value: "load" }], offset: 0, lookback: 300_000, output: "value" },
  range: { func: "quantile_over_time", range: 300_000, params: [0.9] },
  maps: [],
  aggregate: { op: "sum", grouping: [], without: false },
  limits: { maxSamples: 1e9, maxSeries: 1e6, timeoutMs: 1e9 },
};

const query = { tenant: "default", query: "count(load)", time: T0 + FRAMES * 1000 };

async function cpuOf(thread: Worker): Promise<number> {
  const { user, system } = await thread.cpuUsage();
  return (user + system) / 1000;
}

test("a busy shard is left out of an answer, and stops at once when its work is called off", () =>
  withTempDir(async (dir) => {
    let thread: Worker | undefined;
    const busy = runShard({ partition: 0, dir, busUrl: nats.url, onThread: (t) => (thread = t) });
    for (let n = 0; n < FRAMES; n++) await publisher.publish(0, loadFrame(n, n === 0), `busy-${n}`);
    await consumed(busy, FRAMES);
    const idle = {
      ...busy.client,
      partition: 1,
      request: () =>
        Promise.resolve({
          kind: "partials",
          labels: { strings: [], ids: new Uint32Array(0), ends: new Uint32Array(0) },
          dropName: new Uint8Array(0),
          count: new Float64Array(0),
          columns: [],
          samples: 0,
          tiers: [],
          notes: [],
        } as never),
    };
    const missed: string[] = [];
    const engine = makeEngine({
      shards: [busy.client, idle],
      patience: makePatience((partition, why) => missed.push(`${partition} ${why.name}`)),
      shardTimeoutMs: 300,
    });
    expect(await engine.instant(query)).toMatchObject({ partial: false, values: Float64Array.of(SERIES) });

    for (const how of ["the client is gone", "the time is up"]) {
      const stop = how === "the time is up" ? AbortSignal.timeout(2_000) : new AbortController();
      const signal = stop instanceof AbortController ? stop.signal : stop;
      const work = busy.client.request<"query">({ kind: "query", tenant: "default", plan: heavy }, signal);
      work.catch(() => undefined);
      const partial = await engine.instant(query);
      expect(partial).toMatchObject({ partial: true });
      expect(partial.warnings).toEqual([
        "shard 0 did not answer, the result is partial: shard 0 is late: no answer after 300 ms",
      ]);
      if (stop instanceof AbortController) stop.abort(new Error("gone"));
      await expect(work).rejects.toThrow();
      const before = await cpuOf(thread as Worker);
      // It is answered when the thread has let go of what it did.
      await busy.client.request<"stats">({ kind: "stats" });
      expect((await cpuOf(thread as Worker)) - before).toBeLessThan(MOST_MS);
      expect(await engine.instant(query)).toMatchObject({ partial: false, values: Float64Array.of(SERIES) });
    }
    expect(missed).toEqual(["0 ShardLate", "0 ShardLate"]);
    await busy.stop();
  }));

test("an engine's query that runs out of time uses no more of a shard", () =>
  withTempDir(async (dir) => {
    let thread: Worker | undefined;
    const shard = runShard({ partition: 1, dir, busUrl: nats.url, onThread: (t) => (thread = t) });
    for (let n = 0; n < FRAMES; n++) await publisher.publish(1, loadFrame(n, n === 0), `late-${n}`);
    await consumed(shard, FRAMES);
    const engine = makeEngine({ shards: [shard.client], maxPoints: 1e7, maxSamples: 1e9 });
    const range = {
      tenant: "default",
      query: "sum(quantile_over_time(0.9, load[5m]))",
      start: T0,
      end: T0 + 1e6,
      step: 1,
    };
    await expect(engine.range({ ...range, timeoutMs: 500 })).rejects.toMatchObject({ type: "timeout" });
    const before = await cpuOf(thread as Worker);
    await shard.client.request<"stats">({ kind: "stats" });
    expect((await cpuOf(thread as Worker)) - before).toBeLessThan(MOST_MS);
    await shard.stop();
  }));

test("a shard that is down is left out at once", async () => {
  const down = makeShardHost({
    partition: 0,
    dir: "/nowhere",
    busUrl: "nats://127.0.0.1:1",
    outOfOrderWindowMs: 0,
    say: () => {},
  });
  const engine = makeEngine({ shards: [down.client] });
  await expect(engine.instant(query)).rejects.toThrow("no shard answered: shard 0 is down: not started");
});
