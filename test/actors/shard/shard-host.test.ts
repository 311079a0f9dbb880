import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as References from "effect/References";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { makeShardHost, makeShards, type ShardHost, type ShardStatus } from "../../../src/actors/shard/shard-host.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { onLabelsRequest } from "../../../src/streams/nats/labels-request.ts";
import { type JetStreamPublisher, jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { startNatsServer, type TestNats } from "../../streams/nats/with-nats-server.ts";
import { frameOf, testSeries } from "./frames.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";
import { expectAllInHead, loadFrame, SERIES } from "./shard-load.ts";

let nats: TestNats;
let bus: Bus;
let publisher: JetStreamPublisher;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await nats.bus({ partitions: 8 });
  publisher = jetStreamPublisher(bus);
}, 90_000);
afterAll(() => nats.stop());

const everything = { tenant: DEFAULT_TENANT, sets: [], minT: -Infinity, maxT: Infinity };

describe("a shard and its host", { timeout: 300_000 }, () => {
  test("is ready only when all that the stream held at start is in the head, and stops cleanly", () =>
    withTempDir(async (dir) => {
      const frames = 200;
      for (let n = 0; n < frames; n++) await publisher.publish(0, loadFrame(n, n === 0), `ready-${n}`);
      const options = { partition: 0, dir, busUrl: nats.url };
      for (const start of [1, 2]) {
        const phases: string[] = [];
        const shard = runShard(options);
        shard.host.onStatus((s) => phases.push(s.phase));
        await shard.ready();
        await expectAllInHead(shard.client, frames);
        const stats = await shard.client.request<"stats">({ kind: "stats" });
        expect(stats).toMatchObject({ ready: true, headSeries: SERIES, streamLag: 0, messagesMissed: 0 });
        // What was replayed is not counted again.
        expect(stats.samplesAppended).toBe(start === 1 ? frames * SERIES : 0);
        expect(phases).toEqual(["replaying", "replaying", "connecting", "catching-up", "ready"].slice(-phases.length));
        await shard.stop();
        expect(shard.deaths).toEqual([]);
        expect(shard.lines.filter((l) => !l.startsWith("info") && !l.startsWith("debug"))).toEqual([]);
        expect(shard.host.status()).toMatchObject({ phase: "down", starts: 1 });
      }
    }));

  test("answers about series, and a bad pattern is the caller's error", () =>
    withTempDir(async (dir) => {
      const shard = runShard({ partition: 1, dir, busUrl: nats.url });
      const a = testSeries("a");
      const b = testSeries(["__name__", "down", "zone", "z"]);
      await publisher.publish(
        1,
        frameOf(
          [a, b],
          [
            [a, 1_000, 1],
            [b, 1_000, 1],
          ],
        ),
        "series-1",
      );
      await consumed(shard, 1);
      const { client } = shard;
      const ups = [[{ name: "__name__", op: "=" as const, value: "up" }]];
      const series = async (what: object) => {
        const request = { kind: "series", ...everything, limit: 0, ...what } as const;
        const { values, problems } = await client.request<"series">(request);
        expect(problems).toEqual([]);
        return values;
      };
      expect(await series({})).toHaveLength(2);
      expect(await series({ limit: 1 })).toHaveLength(1);
      expect(await series({ sets: [...ups, []] })).toHaveLength(2);
      expect(await series({ sets: ups })).toEqual([a.labels]);
      expect(await series({ tenant: "other" })).toEqual([]);
      expect(await client.request<"labelNames">({ kind: "labelNames", ...everything })).toEqual({
        values: ["__name__", "instance", "zone"],
        problems: [],
      });
      expect(await client.request<"labelValues">({ kind: "labelValues", name: "__name__", ...everything })).toEqual({
        values: ["down", "up"],
        problems: [],
      });
      const bad = [[{ name: "zone", op: "=~" as const, value: "(" }]];
      await expect(
        client.request<"series">({ kind: "series", ...everything, sets: bad, limit: 0 }),
      ).rejects.toMatchObject({
        name: "QueryError",
        type: "bad_data",
      });
      await shard.stop();
    }));

  test("rejects requests while it is down, and those that wait when it dies; the next incarnation answers", () =>
    withTempDir(async (dir) => {
      const options = {
        partition: 2,
        dir,
        busUrl: nats.url,
        outOfOrderWindowMs: 1_000,
        say: () => {},
      };
      const asleep = makeShardHost(options);
      await expect(asleep.client.request<"stats">({ kind: "stats" })).rejects.toThrow("shard 2 is down: not started");

      const shard = runShard(options);
      await shard.ready();
      const waiting = Array.from({ length: 5 }, () => shard.client.request<"stats">({ kind: "stats" }));
      const outcomes = Promise.allSettled(waiting);
      await shard.kill();
      for (const outcome of await outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ _tag: "ShardDown" });
      }
      await shard.until((s) => s.starts === 2 && s.phase === "ready");
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({ partition: 2 });
      expect(shard.deaths).toMatchObject([{ child: "shard-2", action: "restart" }]);
      await shard.stop();
      await expect(shard.client.request<"stats">({ kind: "stats" })).rejects.toThrow("shard 2 is down: stopped");
    }));

  test("bounds the requests that wait, and gives up a cancelled one at once", () =>
    withTempDir(async (dir) => {
      const shard = runShard({ partition: 3, dir, busUrl: nats.url, maxInFlight: 2 });
      await shard.ready();
      const ask = (signal?: AbortSignal) => shard.client.request<"stats">({ kind: "stats" }, signal);
      const [first, second] = [ask(), ask()];
      await expect(ask()).rejects.toMatchObject({ _tag: "ShardBusy", message: "shard 3 is busy: 2 requests wait" });
      await Promise.all([first, second]);
      await expect(ask(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
      // A cancelled request keeps its slot only until the thread has let go of it.
      for (let i = 0; i < 20; i++) {
        const controller = new AbortController();
        const asked = ask(controller.signal);
        controller.abort(new Error(`gone ${i}`));
        await expect(asked).rejects.toThrow(`gone ${i}`);
        await ask();
      }
      await shard.stop();
    }));

  test("asks for labels that it does not know, and stores the samples when they come", () =>
    withTempDir(async (dir) => {
      const a = testSeries("a");
      const b = testSeries("b");
      const asked = new Promise<number[]>((resolve) => {
        const off = onLabelsRequest(bus, (partition, wanted) => {
          if (partition !== 4) return;
          off();
          resolve([...wanted.unknown]);
        });
      });
      await bus.nc.flush();
      const shard = runShard({ partition: 4, dir, busUrl: nats.url });
      await publisher.publish(
        4,
        frameOf(
          [a],
          [
            [a, 1_000, 1],
            [b, 1_000, 2],
          ],
        ),
        "labels-1",
      );
      expect(await asked).toEqual([b.hash.lo, b.hash.hi]);
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({ samplesParked: 1, headSeries: 1 });
      // The parked sample survives a restart, since its frame is in the WAL.
      await shard.kill();
      await shard.until((s) => s.starts === 2 && s.phase === "ready");
      await publisher.publish(4, frameOf([b], []), "labels-2");
      await consumed(shard, 2);
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({
        samplesParked: 0,
        headSeries: 2,
        samplesAppended: 1,
      });
      await shard.stop();
    }));

  test("leaves out a message that is no frame, says so, and goes on, also after a restart", () =>
    withTempDir(async (dir) => {
      const a = testSeries("a");
      const shard = runShard({ partition: 5, dir, busUrl: nats.url });
      await publisher.publish(5, new TextEncoder().encode("not a frame"), "bad-1");
      await publisher.publish(5, frameOf([a], [[a, 1_000, 1]]), "bad-2");
      await consumed(shard, 2);
      const said = () => shard.lines.filter((l) => l.includes("message 1 cannot be read and is left out: bad frame"));
      expect(said()).toHaveLength(1);
      const stats = await shard.client.request<"stats">({ kind: "stats" });
      expect(stats).toMatchObject({ samplesAppended: 1, samplesRejected: { bad_frame: 1 } });
      await shard.kill();
      await shard.until((s) => s.starts === 2 && s.phase === "ready");
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({ headSeries: 1 });
      expect(said()).toHaveLength(2);
      await shard.stop();
    }));

  test("a shard that keeps dying leaves its sibling working", () =>
    withTempDir(async (dir) => {
      const deaths: DeathNotice[] = [];
      const options = { busUrl: nats.url, outOfOrderWindowMs: 1_000, say: () => {} };
      const broken = join(dir, "broken");
      await writeFile(broken, "a file where the WAL's folder should be");
      const shards = makeShards(
        [
          { ...options, partition: 6, dir: join(dir, "good") },
          { ...options, partition: 7, dir: broken },
        ],
        (notice) => deaths.push(notice),
      );
      expect(shards.ready()).toEqual({ ready: false, reason: "shard 6: not started; shard 7: not started" });
      const tree = Effect.provideService(Effect.scoped(shards.child.run), References.MinimumLogLevel, "None");
      const fiber = Effect.runFork(tree);
      const [good, bad] = shards.hosts as [ShardHost, ShardHost];
      await until(good, (s) => s.phase === "ready");
      await until(bad, (s) => s.starts === 3);
      expect(deaths).toMatchObject([
        { supervisor: "shards", child: "shard-7", action: "restart" },
        { child: "shard-7", action: "restart" },
      ]);
      expect(deaths[0]?.reason).toContain(broken);
      expect(await good.client.request<"stats">({ kind: "stats" })).toMatchObject({ partition: 6, ready: true });
      await expect(bad.client.request<"stats">({ kind: "stats" })).rejects.toThrow(/^shard 7 is down: /);
      expect(good.status().starts).toBe(1);
      expect(shards.ready().reason).toMatch(/^shard 7: /);
      await Effect.runPromise(Fiber.interrupt(fiber));
      expect(good.status().phase).toBe("down");
    }));
});

/** Resolves when the host's status, now or later, satisfies the condition. */
function until(host: ShardHost, condition: (status: ShardStatus) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = (status: ShardStatus) => {
      if (!condition(status)) return;
      off();
      resolve();
    };
    const off = host.onStatus(check);
    check(host.status());
  });
}
