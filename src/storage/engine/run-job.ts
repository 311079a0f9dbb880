/** Carries out a job on blocks. The blocks that it makes are durable when it resolves; nothing else has changed on disk. */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import type { Labels } from "../../model/labels.ts";
import { type Block, closeBlock, openBlock } from "../block/block.ts";
import { type BlockCache, makeBlockCache } from "../block/cache.ts";
import { mergeBlocks } from "../block/merge-blocks.ts";
import { idOfMerge } from "./block-set.ts";
import { JobCancelled, type JobResult, type MergeJob, type StorageJob } from "./jobs.ts";
import { retentionRules } from "./retention-rules.ts";
import { rollUpBlocks } from "./roll-up-blocks.ts";

/** A job reads each part of a block about once: a small cache holds what neighbours share. */
const CACHE_BYTES = 32 << 20;

/**
 * @param cancelled asked now and then; true ends the job early
 * @throws JobCancelled, BlockError for a damaged block, DiskError
 */
export async function runJob(disk: Disk, job: StorageJob, cancelled: () => boolean): Promise<JobResult> {
  const start = performance.now();
  const tier = job.kind === "merge" ? job.tier : "raw";
  const cache = makeBlockCache(CACHE_BYTES);
  const blocks = await openAll(disk, join(job.blocksDir, tier), job.ids, cache);
  const rows: Block[] = [];
  try {
    if (job.kind === "rollup" && job.rows !== undefined) {
      rows.push(...(await openAll(disk, join(job.blocksDir, "1m"), job.rows["1m"], cache)));
      rows.push(...(await openAll(disk, join(job.blocksDir, "1h"), job.rows["1h"], cache)));
    }
    const check = () => {
      if (cancelled()) throw new JobCancelled();
    };
    const made =
      job.kind === "merge" ? await merge(disk, job, blocks, check) : await rollUpBlocks(disk, job, blocks, rows, check);
    const samplesRead = blocks.reduce((sum, b) => sum + b.meta.samples, 0);
    return { made, samplesRead, seconds: (performance.now() - start) / 1000 };
  } finally {
    for (const block of [...blocks, ...rows]) await closeBlock(block);
  }
}

async function openAll(disk: Disk, dir: string, ids: readonly string[], cache: BlockCache): Promise<Block[]> {
  const blocks: Block[] = [];
  try {
    for (const id of ids) blocks.push(await openBlock(disk, join(dir, id), cache));
    return blocks;
  } catch (error) {
    for (const block of blocks) await closeBlock(block);
    throw error;
  }
}

async function merge(
  disk: Disk,
  job: MergeJob,
  blocks: readonly Block[],
  check: () => void,
): Promise<JobResult["made"]> {
  const { rules, ageMs, now, rolledUpTo } = job.retention;
  const retention = retentionRules(rules, job.tier, ageMs);
  const options = {
    id: idOfMerge(job.ids, Math.random),
    tier: job.tier,
    level: 1 + Math.max(...blocks.map((b) => b.meta.level)),
    sources: job.ids,
    effort: "small" as const,
    rangeStart: job.start,
    rangeEnd: job.end,
  };
  const tierDir = join(job.blocksDir, job.tier);
  const keep = (tenant: string, labels: Labels): number => {
    check();
    return Math.min(retention.keepFrom(tenant, labels, now), rolledUpTo);
  };
  const meta = await mergeBlocks(disk, tierDir, blocks, options, { keep }).catch(async (error: unknown) => {
    // It may be there already when its folder could not be synced.
    await disk.removeDir(join(tierDir, options.id)).catch(() => undefined);
    throw error;
  });
  return meta === undefined ? [] : [{ tier: job.tier, id: meta.id }];
}
