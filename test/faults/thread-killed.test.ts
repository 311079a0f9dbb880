/**
 * A shard's thread and nats-server killed at random moments under load, while the shard cuts, checkpoints, merges and rolls up all
 * the time and reads in two lanes. TOCSIN_KILLS sets how many kills, TOCSIN_SEED the seed.
 */
import { expect, test } from "vitest";
import { KEEP_ALL } from "../../src/actors/shard/storage-settings.ts";
import { realDisk } from "../../src/lib/disk.ts";
import { labelValue } from "../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { jetStreamPublisher } from "../../src/streams/nats/publisher.ts";
import { frameOf, type Row, testSeries } from "../actors/shard/frames.ts";
import { consumed, newestSequence, runShard, withTempDir } from "../actors/shard/running-shard.ts";
import { until } from "../e2e/tocsin.ts";
import { seededRandom } from "../lib/sim-disk.ts";
import { withNatsServer } from "../streams/nats/with-nats-server.ts";
import { HOUR, MINUTE, runHere, T0 } from "./lab.ts";

const KILLS = Number(process.env.TOCSIN_KILLS ?? 3);
const SEED = Number(process.env.TOCSIN_SEED ?? 1);
const SERIES = 30;
/** A frame is a minute: some days of data between two kills. */
const FRAMES = 600 * KILLS;
const series = Array.from({ length: SERIES }, (_, s) => testSeries(["__name__", "load", "series", String(s)]));

function frame(n: number): Uint8Array {
  const rows = series.map((s, i): Row => [s, T0 + n * MINUTE, n * SERIES + i]);
  return frameOf(n % 50 === 0 ? series : [], rows);
}

test(
  `every acknowledged sample is there once, seed ${SEED}, ${KILLS} kills`,
  { timeout: 120_000 + KILLS * 20_000 },
  () =>
    withNatsServer((nats) =>
      withTempDir(async (dir) => {
        const random = seededRandom(SEED);
        const bus = await nats.bus({ partitions: 1 });
        const publisher = jetStreamPublisher(bus);
        const jobs = new Set<Promise<unknown>>();
        const shard = runShard({
          dir,
          busUrl: nats.url,
          storage: { ...KEEP_ALL, maxBlockRangeMs: 24 * HOUR, everyMs: 20 },
          lanes: { maxBehindBytes: 100_000, maxBehindMs: 0 },
          maxParkedSamples: FRAMES * SERIES,
          runJob: (job, signal) => {
            const running = runHere(realDisk, job, signal);
            jobs.add(running.catch(() => undefined));
            return running;
          },
        });
        let acknowledged = 0;
        let waiting: { count: number; resolve: () => void } | undefined;
        let next = 0;
        const sender = async (): Promise<void> => {
          while (next < FRAMES) {
            const n = next++;
            await publisher.publish(0, frame(n), `frame-${n}`);
            if (++acknowledged >= (waiting?.count ?? Number.POSITIVE_INFINITY)) waiting?.resolve();
          }
        };
        const done = Promise.all(Array.from({ length: 16 }, sender));
        for (let k = 0; k < KILLS; k++) {
          const count = Math.floor(((k + random()) * FRAMES) / KILLS);
          await new Promise<void>((resolve) => {
            waiting = { count, resolve };
            if (acknowledged >= count) resolve();
          });
          for (let turns = Math.floor(random() * 50); turns > 0; turns--) await new Promise(setImmediate);
          const what = k === 0 ? 0 : random();
          await Promise.all([
            what < 0.75 ? shard.kill() : undefined,
            what >= 0.5 ? nats.kill().then(() => nats.restart()) : undefined,
          ]);
        }
        await done;
        expect(acknowledged).toBe(FRAMES);
        const lastSequence = await newestSequence(bus);
        await consumed(shard, lastSequence);
        await shard.ready();
        expect(shard.deaths.length).toBeGreaterThan(0);
        const engine = makeEngine({ shards: [shard.client] });
        const end = T0 + FRAMES * MINUTE;
        const all = await engine.instant({ tenant: DEFAULT_TENANT, query: `load[${FRAMES}m]`, time: end - MINUTE });
        if (all.type !== "matrix") throw new Error(`a ${all.type}`);
        expect(all.warnings).toEqual([]);
        expect(all.labels).toHaveLength(SERIES);
        all.labels.forEach((labels, r) => {
          const s = Number(labelValue(labels, "series"));
          expect(all.ts[r]).toHaveLength(FRAMES);
          const values = all.values[r] as ArrayLike<number>;
          for (let n = 0; n < FRAMES; n++) {
            if (values[n] !== n * SERIES + s) throw new Error(`series ${s}, minute ${n}: ${values[n]}`);
          }
        });
        // Late samples of a backlog wait in the head until a later window begins: one does. Then the upkeep goes on; when it has come
        // to rollups, whole hours are answered from them.
        await publisher.publish(0, frame(FRAMES + 180), "the next window");
        const rolledUp = async () => {
          const { storage } = await shard.client.request<"stats">({ kind: "stats" });
          return (storage?.tiers.find((t) => t.tier === "1h")?.blocks ?? 0) > 0;
        };
        // A job that failed is tried again after a minute.
        await until(rolledUp, "there are rollups", 90_000).catch(async (error) => {
          const stats = await shard.client.request<"stats">({ kind: "stats" });
          throw new Error(`${JSON.stringify(stats)}\n${shard.lines.join("\n")}`, { cause: error });
        });
        const hours = Math.floor(FRAMES / 60) - 1;
        const counts = await engine.range({
          tenant: DEFAULT_TENANT,
          query: "count_over_time(load[1h])",
          start: T0 + HOUR,
          end: T0 + hours * HOUR,
          step: HOUR,
        });
        expect([...counts.matrix.values].filter((v) => v !== 60)).toEqual([]);
        publisher.close();
        await shard.stop();
        // One that was called off may still be writing.
        await Promise.all(jobs);
      }),
    ),
);
