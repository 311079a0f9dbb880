/**
 * How long shards take until they are ready again after a kill: each with 500,000 series of 7 labels and 30 samples, as many
 * shards as asked for at a time, each in a thread. First from the log alone, then with a snapshot of the head (taken after 20 of
 * the 30 rounds) and the log since. Prints wall and CPU seconds of each part.
 *
 * Run: node_modules/.bin/node bench/storage/snapshot-recovery.ts [shards] [series] [rounds] [folder]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { applyFrame, makeShardCore } from "../../src/actors/shard/shard.core.ts";
import { realDisk } from "../../src/lib/disk.ts";
import { createHead, headStats } from "../../src/storage/head/head.ts";
import { makeCheckpoints } from "../../src/storage/snapshot/checkpoints.ts";
import { headWalk } from "../../src/storage/snapshot/head-parts.ts";
import { recoverShard } from "../../src/storage/snapshot/recovery.ts";
import { walAppend, walClose, walSync } from "../../src/storage/wal/wal.ts";
import {
  addDefinition,
  addSample,
  clearFrame,
  encodeFrame,
  makeFrameBuilder,
} from "../../src/streams/codec/frame-encode.ts";
import { seriesHash } from "../../src/streams/codec/series-hash.ts";
import { labelsOf } from "../lib/numbered-series.ts";

const FRAME = 4000;

interface Job {
  readonly dir: string;
  readonly task: "write" | "recover" | "snapshot";
  readonly series: number;
  readonly rounds: number;
  readonly snapshotAfter: number;
}

function newCore() {
  const head = createHead({ outOfOrderWindowMs: 3600_000 });
  return { head, core: makeShardCore(head, 1_000_000) };
}

const cpu = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
};

async function open(dir: string) {
  const { head, core } = newCore();
  const skip = headWalk(head).skip;
  const [start, used] = [performance.now(), cpu()];
  const recovered = await recoverShard({
    ...{ disk: realDisk, dir, state: { head }, skip },
    replay: (_, frame) => applyFrame(core, frame),
  });
  const seconds = (performance.now() - start) / 1000;
  return { head, core, recovered, seconds, cpuSeconds: cpu() - used };
}

async function write({ dir, series, rounds, snapshotAfter }: Job): Promise<object> {
  const { head, core, recovered } = await open(dir);
  const { wal } = recovered.opened;
  const known = Array.from({ length: series }, (_, n) => seriesHash("default", labelsOf(n)));
  const builder = makeFrameBuilder(FRAME);
  let seq = 0;
  let took = 0;
  let bytes = 0;
  for (let r = 0; r < rounds; r++) {
    for (let from = 0; from < series; from += FRAME) {
      clearFrame(builder);
      for (let n = from; n < Math.min(series, from + FRAME); n++) {
        const hash = known[n] as { lo: number; hi: number };
        if (r === 0) addDefinition(builder, hash, "default", labelsOf(n));
        // A third never changes, a third counts, the rest are decimals.
        const value = n % 3 === 0 ? n : n % 3 === 1 ? n + r * (n % 100) : Math.round(Math.sin(n + r) * 1e4) / 100;
        addSample(builder, hash, 1.7e12 + r * 10_000 + (n % 10_000), value);
      }
      const frame = encodeFrame(builder);
      walAppend(wal, ++seq, frame);
      if (snapshotAfter > 0) applyFrame(core, frame);
    }
    await walSync(wal);
    if (r + 1 === snapshotAfter) {
      const checkpoints = makeCheckpoints({ disk: realDisk, dir, wal, recovered });
      const start = performance.now();
      const { released, durable } = checkpoints.take({ head }, headWalk(head));
      await released;
      took = (performance.now() - start) / 1000;
      bytes = (await durable).bytes;
    }
  }
  await walClose(wal);
  return { walBytes: wal.stats.bytes, snapshotBytes: bytes, pausedSeconds: took };
}

async function recover({ dir }: Job): Promise<object> {
  const { head, recovered, seconds, cpuSeconds } = await open(dir);
  const { series, appended, bytes } = headStats(head);
  await walClose(recovered.opened.wal);
  return { seconds, cpuSeconds, series, appended, bytes, snapshot: recovered.snapshot?.bytes ?? 0 };
}

function runWorkers(jobs: readonly Job[]): Promise<Record<string, number>[]> {
  return Promise.all(
    jobs.map(
      (job) =>
        new Promise<Record<string, number>>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: job });
          worker.on("message", resolve);
          worker.on("error", reject);
        }),
    ),
  );
}

if (isMainThread) {
  const shards = Number(process.argv[2] ?? 2);
  const series = Number(process.argv[3] ?? 500_000);
  const rounds = Number(process.argv[4] ?? 30);
  const root = mkdtempSync(join(process.argv[5] ?? tmpdir(), "tocsin-bench-recovery-"));
  const show = (what: string, results: readonly Record<string, number>[]): void => {
    for (const result of results) {
      const parts = Object.entries(result).map(([name, v]) => `${name} ${v < 1000 ? v.toFixed(2) : Math.round(v)}`);
      console.log(`${what.padEnd(22)} ${parts.join(", ")}`);
    }
  };
  try {
    for (const snapshotAfter of [0, Math.round((rounds * 2) / 3)]) {
      const name = snapshotAfter === 0 ? "log alone" : `snapshot after ${snapshotAfter}`;
      const jobs = Array.from({ length: shards }, (_, p): Job => {
        const dir = join(root, `${snapshotAfter}-${p}`);
        return { dir, task: "write", series, rounds, snapshotAfter };
      });
      show(`${name}: written`, await runWorkers(jobs));
      const start = performance.now();
      show(`${name}: ready`, await runWorkers(jobs.map((job): Job => ({ ...job, task: "recover" }))));
      console.log(
        `${name}: all ready after ${((performance.now() - start) / 1000).toFixed(2)} s, start of threads included`,
      );
    }
  } finally {
    rmSync(root, { recursive: true });
  }
} else {
  const job = workerData as Job;
  parentPort?.postMessage(await (job.task === "write" ? write(job) : recover(job)));
}
