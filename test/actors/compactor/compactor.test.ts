import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compactor, makeCompactor } from "../../../src/actors/compactor/compactor.actor.ts";
import { realDisk } from "../../../src/lib/disk.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { closeBlock, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { makeBlockWriter } from "../../../src/storage/block/writer.ts";
import { JobCancelled, JobFailed, type MergeJob } from "../../../src/storage/engine/jobs.ts";
import { withTempDir } from "../shard/running-shard.ts";

const H = 3600_000;

/** A block with one series of one sample. */
async function makeBlock(dir: string, time: number, value: number): Promise<string> {
  const options = { tier: "raw", level: 1, sources: [], effort: "fast", rangeStart: 0, rangeEnd: 2 * H } as const;
  const writer = await makeBlockWriter(realDisk, join(dir, "raw"), options);
  const samples = makeSampleBuffer(1);
  samples.ts[0] = time;
  samples.values[0] = value;
  samples.length = 1;
  await writer.addRaw("t", labelsFromObject({ __name__: "m" }), { lo: 1, hi: 2, check: 3 }, samples);
  const meta = await writer.finish();
  if (meta === undefined) throw new Error("no block");
  return meta.id;
}

const mergeOf = (blocksDir: string, ids: readonly string[]): MergeJob => ({
  kind: "merge",
  blocksDir,
  tier: "raw",
  ids,
  start: 0,
  end: 2 * H,
  retention: { rules: [], ageMs: 0, now: 0, rolledUpTo: 0 },
});

const never = new AbortController().signal;

describe("the compactor", () => {
  let compactor: Compactor;
  let running: Fiber.Fiber<unknown, unknown>;
  const start = () => Effect.runFork(Effect.scoped(compactor.child.run));
  beforeAll(() => {
    compactor = makeCompactor();
    running = start();
  });
  afterAll(() => Effect.runPromise(Fiber.interrupt(running)));

  test("merges in its thread, one job after the other", () =>
    withTempDir(async (dir) => {
      const ids = [await makeBlock(dir, 1000, 1), await makeBlock(dir, 2000, 2)];
      const [first, second] = await Promise.all([
        compactor.run(mergeOf(dir, ids), never),
        compactor.run(mergeOf(dir, ids), never),
      ]);
      expect(first.made).toHaveLength(1);
      expect(second.made).toHaveLength(1);
      const block = await openBlock(realDisk, join(dir, "raw", first.made[0]!.id), makeBlockCache(1 << 20));
      const out = makeSampleBuffer(4);
      const source = blockSource(block);
      source.read(source.select("t", [], 0, H)[0]!, 0, H, out);
      expect([...out.values.subarray(0, out.length)]).toEqual([1, 2]);
      await closeBlock(block);
    }));

  test("a job that fails says why, and which block it was", () =>
    withTempDir(async (dir) => {
      const id = await makeBlock(dir, 1000, 1);
      const meta = join(dir, "raw", id, "meta.json");
      const file = await realDisk.open(meta, "write");
      await file.write(new TextEncoder().encode("x"), 0);
      await file.close();
      const error = await compactor.run(mergeOf(dir, [id]), never).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(JobFailed);
      expect(error).toMatchObject({ block: id, message: expect.stringContaining("meta.json") });
    }));

  test("a job that is called off leaves nothing", () =>
    withTempDir(async (dir) => {
      const ids = [await makeBlock(dir, 1000, 1), await makeBlock(dir, 2000, 2)];
      const control = new AbortController();
      const before = compactor.run(mergeOf(dir, ids), never);
      const job = compactor.run(mergeOf(dir, ids), control.signal);
      control.abort();
      await expect(job).rejects.toBeInstanceOf(JobCancelled);
      const { made } = await before;
      expect((await realDisk.list(join(dir, "raw"))).sort()).toEqual([...ids, made[0]!.id].sort());
    }));

  test("a job whose thread dies is rejected, and the next incarnation does the next one", () =>
    withTempDir(async (dir) => {
      const ids = [await makeBlock(dir, 1000, 1), await makeBlock(dir, 2000, 2)];
      const job = compactor.run(mergeOf(dir, ids), never);
      const rejected = expect(job).rejects.toThrow("the compactor died at it");
      await Effect.runPromise(Fiber.interrupt(running));
      await rejected;
      running = start();
      expect((await compactor.run(mergeOf(dir, ids), never)).made).toHaveLength(1);
    }));
});
