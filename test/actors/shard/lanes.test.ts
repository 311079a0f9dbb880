import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Lane, type LaneBounds, openLanes } from "../../../src/actors/shard/lanes.ts";
import { realDisk } from "../../../src/lib/disk.ts";
import type { ShardClient, ShardStats } from "../../../src/model/shard.ts";
import { openWal } from "../../../src/storage/wal/open.ts";
import { makeSequenceSet } from "../../../src/storage/wal/sequence-set.ts";
import { walClose } from "../../../src/storage/wal/wal.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { withNatsServer } from "../../streams/nats/with-nats-server.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";
import { expectAllInHead, expectOnceInWal, loadFrame, makeRandom, startLoad } from "./shard-load.ts";

/** A frame of the load has 1 kB: more than 16 of them are a backlog, and 4 are read as fresh. */
const BOUNDS: LaneBounds = { maxBehindBytes: 16 << 10, maxBehindMs: 10_000 };

const statsOf = (client: ShardClient): Promise<ShardStats> => client.request<"stats">({ kind: "stats" });

/** TOCSIN_ROUNDS sets how many times the shards are killed all over again. */
const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 1);
const SEEDS = Array.from({ length: ROUNDS }, (_, i) => Number(process.env.TOCSIN_SEED ?? 1) + i);

/** The order in which the shard took the messages. */
async function orderInWal(walDir: string): Promise<{ sequence: number; kind: string }[]> {
  const order: { sequence: number; kind: string }[] = [];
  const replay = (sequence: number, _: Uint8Array, kind: string) => order.push({ sequence, kind });
  const { wal } = await openWal(walDir, realDisk, { replay });
  await walClose(wal);
  return order;
}

describe.each(SEEDS)("a backlog that is read while the shard is killed again and again, seed %i", (seed) => {
  test("the newest is there first, and in the end everything is, once", { timeout: 300_000 }, () =>
    withNatsServer((nats) =>
      withTempDir(async (dir) => {
        const random = makeRandom(seed);
        const publisher = jetStreamPublisher(await nats.bus({ partitions: 1 }));
        const walDir = join(dir, "wal");
        const before = 100;
        const behind = 3_000;
        const shard = runShard({ dir, busUrl: nats.url, lanes: BOUNDS });
        for (let n = 0; n < before; n++) await publisher.publish(0, loadFrame(n, n === 0), `load-${n}`);
        await consumed(shard, before);
        await shard.stop();
        for (let n = before; n < behind; n += 50) {
          await Promise.all(
            Array.from({ length: 50 }, (_, i) => publisher.publish(0, loadFrame(n + i, false), `load-${n + i}`)),
          );
        }

        const again = runShard({ dir, busUrl: nats.url, lanes: BOUNDS });
        let frames = behind;
        for (let kill = 0; kill < 8; kill++) {
          await again.until((s) => s.phase === "catching-up" || s.phase === "ready");
          // New samples come all the time.
          await publisher.publish(0, loadFrame(frames, false), `load-${frames}`);
          frames++;
          for (let turns = Math.floor(random() * 60); turns > 0; turns--) await new Promise(setImmediate);
          await again.kill();
          await again.until((s) => s.starts >= kill + 2);
        }
        await consumed(again, frames);
        await again.ready();
        expect(again.lines.join("\n")).toMatch(/the newest messages are read first/);
        await expectAllInHead(again.client, frames);
        expect(await statsOf(again.client)).toMatchObject({
          messagesMissed: 0,
          streamLag: 0,
          backlogLag: 0,
          lagSeconds: 0,
          consumedSequence: frames,
        });
        await again.stop();
        await expectOnceInWal(walDir, frames);
        const order = (await orderInWal(walDir)).slice(before);
        expect(order[0]).toMatchObject({ kind: "frame" });
        expect(order[0]?.sequence).toBeGreaterThan(behind - 20);
        expect(order.filter((o) => o.kind === "backlog").map((o) => o.sequence)).toContain(before + 1);
      }),
    ),
  );
});

test("while the backlog is read, what is new does not wait for it", { timeout: 300_000 }, () =>
  withNatsServer(async (nats) => {
    const bus = await nats.bus({ partitions: 1 });
    const publisher = jetStreamPublisher(bus);
    const before = Date.now();
    const count = 2_000;
    const payload = new Uint8Array(10_000);
    for (let n = 0; n < count; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => publisher.publish(0, payload, `m-${n + i}`)));
    }
    const taken = makeSequenceSet(0);
    const order: { lane: Lane; sequence: number }[] = [];
    const arrivals: { at: number; sequence: number }[] = [];
    let publishing = Promise.resolve();
    const progress: boolean[] = [];
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const lanes = await openLanes({
      bus,
      partition: 0,
      stream: await streamIdentity(bus, 0),
      taken,
      bounds: { maxBehindBytes: 1 << 20, maxBehindMs: 10_000 },
      say: () => {},
      take: (lane, sequence) => {
        taken.add(sequence);
        order.push({ lane, sequence });
      },
      skip: () => {
        throw new Error("nothing is missing");
      },
      held: () => undefined,
      room: async () => {
        // Now and then something new comes, and the reader hears of it before it goes on.
        if (order.length % 400 === 0 && order.length < count) {
          // What is missing is known by when it was stored.
          const times = lanes.backlogTimes();
          expect(times?.from).toBeGreaterThanOrEqual(before - 1_000);
          expect(times?.to).toBeLessThanOrEqual(Date.now());
          expect(lanes.stats().backlogLag).toBeGreaterThan(0);
          const message = publisher.publish(0, payload, `new-${order.length}`);
          publishing = message.then(() => {});
          arrivals.push({ at: order.length, sequence: count + arrivals.length + 1 });
          await message;
          // The server sends it when it gets to it: what the reader promises begins when the message is here.
          const arrived = () => lanes.stats().lag > lanes.stats().backlogLag;
          while (!arrived()) await new Promise(setImmediate);
        }
      },
      onProgress: (caughtUp, backlog) => {
        progress.push(caughtUp);
        if (!backlog && taken.contiguousEnd() >= count + 4) finish();
      },
      now: Date.now,
    });
    const running = lanes.run();
    await Promise.race([finished, running]);
    expect(order.slice(0, 20).every((o) => o.lane === "fresh")).toBe(true);
    expect(arrivals).toHaveLength(4);
    for (const { at, sequence } of arrivals) {
      const when = order.findIndex((o) => o.sequence === sequence);
      // A batch of the backlog (512 KiB, 53 of these messages) is in hand, and no other is taken before it.
      expect(when - at).toBeLessThanOrEqual(53);
    }
    // It has caught up with the newest long before the backlog is read.
    expect(progress.findIndex((p) => p)).toBeLessThan(progress.length / 2);
    expect(lanes.stats()).toEqual({ lag: 0, backlogLag: 0, oldestUnreadAt: undefined });
    expect(lanes.backlogTimes()).toBeUndefined();
    await publishing;
    await lanes.close();
    await running;
  }),
);

test("a shard that falls behind while it runs begins anew at the end", { timeout: 300_000 }, () =>
  withNatsServer((nats) =>
    withTempDir(async (dir) => {
      const publisher = jetStreamPublisher(await nats.bus({ partitions: 1 }));
      const walDir = join(dir, "wal");
      // Behind by next to nothing is enough.
      const shard = runShard({ dir, busUrl: nats.url, lanes: { maxBehindBytes: 2 << 10, maxBehindMs: 0 } });
      await shard.ready();
      const frames = 4_000;
      const load = startLoad(publisher, frames);
      await load.done;
      await consumed(shard, frames);
      await expectAllInHead(shard.client, frames);
      expect(shard.host.status().phase).toBe("ready");
      expect(await statsOf(shard.client)).toMatchObject({ streamLag: 0, backlogLag: 0, messagesMissed: 0 });
      expect(shard.deaths).toEqual([]);
      await shard.stop();
      await expectOnceInWal(walDir, frames);
    }),
  ),
);

test("what the stream forgets of a backlog is named once, and the rest is read", { timeout: 300_000 }, () =>
  withNatsServer((nats) =>
    withTempDir(async (dir) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      for (let n = 0; n < 60; n++) await publisher.publish(0, loadFrame(n, true), `load-${n}`);
      await bus.jsm.streams.deleteMessage("SAMPLES_0", 10);
      await bus.jsm.streams.deleteMessage("SAMPLES_0", 11);
      const options = { dir, busUrl: nats.url, lanes: { maxBehindBytes: 8 << 10, maxBehindMs: 10_000 } };
      const shard = runShard(options);
      await shard.ready();
      await consumed(shard, 60);
      const stats = await statsOf(shard.client);
      expect(stats).toMatchObject({ messagesMissed: 2, samplesAppended: 58 * 40 });
      const errors = shard.lines.filter((l) => l.startsWith("error"));
      expect(errors).toMatchObject([
        expect.stringMatching(/2 messages .* were deleted before they were read \(10 to 11\)/),
      ]);
      await shard.stop();
      const again = runShard(options);
      await again.ready();
      expect(again.lines.filter((l) => l.startsWith("error"))).toEqual([]);
      await again.stop();
    }),
  ),
);

test("what the stream has forgotten is on disk as read also when nothing comes after it", { timeout: 300_000 }, () =>
  withNatsServer((nats) =>
    withTempDir(async (dir) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      for (let n = 0; n < 10; n++) await publisher.publish(0, loadFrame(n, true), `load-${n}`);
      const options = { dir, busUrl: nats.url };
      const shard = runShard(options);
      await consumed(shard, 10);
      await shard.stop();
      for (let n = 10; n < 20; n++) await publisher.publish(0, loadFrame(n, true), `load-${n}`);
      await bus.jsm.streams.purge("SAMPLES_0");
      const again = runShard(options);
      await consumed(again, 20);
      expect(await statsOf(again.client)).toMatchObject({ messagesMissed: 10, streamLag: 0 });
      expect(again.lines.filter((l) => l.startsWith("error"))).toMatchObject([
        expect.stringMatching(/10 messages .* were deleted before they were read \(11 to 20\)/),
      ]);
      await again.stop();
    }),
  ),
);

test(
  "a shard whose stream has lost its last message is ready, and goes on with the next one",
  { timeout: 300_000 },
  () =>
    withNatsServer((nats) =>
      withTempDir(async (dir) => {
        const bus = await nats.bus({ partitions: 1 });
        const publisher = jetStreamPublisher(bus);
        for (let n = 0; n < 3; n++) await publisher.publish(0, loadFrame(n, true), `load-${n}`);
        await bus.jsm.streams.deleteMessage("SAMPLES_0", 2);
        await bus.jsm.streams.deleteMessage("SAMPLES_0", 3);
        const shard = runShard({ dir, busUrl: nats.url });
        await shard.ready();
        await publisher.publish(0, loadFrame(3, true), "load-3");
        await consumed(shard, 4);
        expect(await statsOf(shard.client)).toMatchObject({ messagesMissed: 2, samplesAppended: 2 * 40 });
        await shard.stop();
      }),
    ),
);
