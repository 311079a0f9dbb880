import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { withNatsServer } from "../../streams/nats/with-nats-server.ts";
import { frameOf, testSeries } from "./frames.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";

const a = testSeries("a");
const frame = (n: number) => frameOf(n === 1 ? [a] : [], [[a, n * 1_000, n]]);
const problems = (lines: readonly string[]) => lines.filter((l) => l.startsWith("error"));

test(
  "a stream that is deleted and made anew is a new epoch: what was read stays, what is new is read, once",
  { timeout: 300_000 },
  () =>
    withNatsServer((nats) =>
      withTempDir(async (dir) => {
        const bus = await nats.bus({ partitions: 1 });
        const publisher = jetStreamPublisher(bus);
        const options = { dir, busUrl: nats.url };
        let shard = runShard(options);
        for (const n of [1, 2, 3]) await publisher.publish(0, frame(n), `old-${n}`);
        await consumed(shard, 3);

        // While it runs.
        await bus.jsm.streams.delete("SAMPLES_0");
        await nats.bus({ partitions: 1 });
        for (const n of [4, 5]) await publisher.publish(0, frame(n), `new-${n}`);
        await shard.until((s) => s.detail.includes("messages") || s.phase === "ready");
        const appended = async (count: number) => {
          while ((await shard.client.request<"stats">({ kind: "stats" })).samplesAppended < count) {
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        };
        await appended(5);
        expect(problems(shard.lines)).toMatchObject([expect.stringContaining("was deleted and made anew")]);
        expect(shard.deaths).toEqual([]);
        // A metric, what a person asks for, and the answers about that time have it.
        const { storage } = await shard.client.request<"stats">({ kind: "stats" });
        const said = "an unknown number of messages after message 3 are lost";
        expect(storage).toMatchObject({ damages: 1, lost: [expect.stringContaining(said)] });
        const all = { kind: "labelNames", tenant: "default", sets: [] } as const;
        const about = (minT: number, maxT: number) =>
          shard.client.request<"labelNames">({ ...all, minT, maxT }).then(({ problems }) => problems);
        expect(await about(3_000, Date.now())).toMatchObject([expect.stringContaining(said)]);
        expect(await about(-9e9, -8e9)).toEqual([]);
        await shard.stop();

        // While it does not run.
        await bus.jsm.streams.delete("SAMPLES_0");
        await nats.bus({ partitions: 1 });
        for (const n of [6, 7]) await publisher.publish(0, frame(n), `newer-${n}`);
        shard = runShard(options);
        await shard.ready();
        await appended(2);
        const twice = [3, 2].map((n) => expect.stringContaining(`messages after message ${n} are lost`));
        expect(problems(shard.lines)).toMatchObject(twice);
        await shard.stop();

        // Everything is in the WAL, over three epochs.
        shard = runShard(options);
        await shard.ready();
        // What was lost stays named.
        expect(problems(shard.lines)).toMatchObject(twice);
        expect(shard.lines.join("\n")).toContain("read 7 frames of the WAL");
        const stats = await shard.client.request<"stats">({ kind: "stats" });
        expect(stats.storage?.lost).toMatchObject(twice);
        expect(stats).toMatchObject({ headSeries: 1, headMinTime: 1_000, headMaxTime: 7_000, consumedSequence: 2 });
        await shard.stop();
      }),
    ),
);

test("a WAL that is gone while its stream was purged is a gap: said and counted", { timeout: 300_000 }, () =>
  withNatsServer((nats) =>
    withTempDir(async (dir) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      const walDir = join(dir, "wal");
      let shard = runShard({ dir, busUrl: nats.url });
      for (const n of [1, 2, 3, 4]) await publisher.publish(0, frame(n), `m-${n}`);
      await consumed(shard, 4);
      await shard.stop();
      await bus.jsm.streams.purge("SAMPLES_0", { seq: 3 });
      await rm(walDir, { recursive: true });

      shard = runShard({ dir, busUrl: nats.url });
      await consumed(shard, 4);
      const stats = await shard.client.request<"stats">({ kind: "stats" });
      // Frames 3 and 4 are there, but frame 1 had the labels.
      expect(stats).toMatchObject({ messagesMissed: 2, consumedSequence: 4, samplesParked: 2 });
      expect(problems(shard.lines)).toMatchObject([
        expect.stringContaining(
          "the WAL is empty, but stream SAMPLES_0 begins at message 3: the 2 messages before it are lost",
        ),
      ]);
      await shard.stop();

      // Messages that go while it does not run are a gap too.
      for (const n of [5, 6, 7]) await publisher.publish(0, frame(n), `m-${n}`);
      await bus.jsm.streams.purge("SAMPLES_0", { seq: 7 });
      shard = runShard({ dir, busUrl: nats.url });
      await consumed(shard, 7);
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({
        messagesMissed: 2,
        consumedSequence: 7,
      });
      expect(problems(shard.lines)).toMatchObject([
        expect.stringContaining("2 messages of stream SAMPLES_0 were deleted before they were read (5 to 6)"),
      ]);
      expect((await streamIdentity(bus, 0)).lastSequence).toBe(7);
      await shard.stop();
    }),
  ),
);
