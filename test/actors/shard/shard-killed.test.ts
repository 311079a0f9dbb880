import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { withNatsServer } from "../../streams/nats/with-nats-server.ts";
import { consumed, newestSequence, runShard, withTempDir } from "./running-shard.ts";
import { expectAllInHead, expectOnceInWal, makeRandom, SERIES, startLoad } from "./shard-load.ts";

const FRAMES = 2_500;
const KILLS = 6;
const ROUNDS = Number(process.env.TOCSIN_ROUNDS ?? 1);
const SEEDS = Array.from({ length: ROUNDS }, (_, i) => Number(process.env.TOCSIN_SEED ?? 1) + i);

/**
 * Fault model: the shard's thread ends at any moment; nats-server is killed (SIGKILL) at any moment; both while frames are
 * published by a publisher that survives. The seed is in the test's name; TOCSIN_ROUNDS sets how many, TOCSIN_SEED the first.
 */
describe.each(SEEDS)("killed under load, seed %i", (seed) => {
  test("every acknowledged sample is in the head exactly once", { timeout: 300_000 }, () =>
    withNatsServer((nats) =>
      withTempDir(async (dir) => {
        const random = makeRandom(seed);
        const bus = await nats.bus({ partitions: 1 });
        const publisher = jetStreamPublisher(bus);
        const walDir = join(dir, "wal");
        const shard = runShard({ dir, busUrl: nats.url });
        const load = startLoad(publisher, FRAMES);
        for (let k = 0; k < KILLS; k++) {
          await load.reached(Math.floor(((k + random()) * FRAMES) / KILLS));
          for (let turns = Math.floor(random() * 20); turns > 0; turns--) await new Promise(setImmediate);
          const what = random();
          await Promise.all([
            what < 0.75 ? shard.kill() : undefined,
            what >= 0.5 ? nats.kill().then(() => nats.restart()) : undefined,
          ]);
        }
        await load.done;
        expect(load.acked.size).toBe(FRAMES);
        const lastSequence = await newestSequence(bus);
        expect(lastSequence).toBe(FRAMES);
        await consumed(shard, lastSequence);
        await shard.ready();
        expect(shard.deaths.length).toBeGreaterThan(0);
        await expectAllInHead(shard.client, FRAMES);
        const stats = await shard.client.request<"stats">({ kind: "stats" });
        expect(stats).toMatchObject({ ready: true, samplesParked: 0, messagesMissed: 0, headSeries: SERIES });
        await shard.stop();
        await expectOnceInWal(walDir, FRAMES);
      }),
    ),
  );
});
