/** A copy of a shard's data in another folder: blocks by hard links where the file system can, the head as a block. */
import { join } from "node:path";
import { type Disk, DiskError } from "../../lib/disk.ts";
import type { Tier } from "../../model/rollup.ts";
import { type Block, closeBlock, openBlock } from "../block/block.ts";
import { makeBlockCache } from "../block/cache.ts";
import { mergeBlocks } from "../block/merge-blocks.ts";
import { seriesInLabelOrder } from "../head/label-order.ts";
import { CHUNK_RANGE } from "../head/open-chunk.ts";
import type { Pause } from "../head/sliced-sort.ts";
import { idOfMerge, TIERS } from "./block-set.ts";
import { writeWholeHead } from "./cut-head.ts";
import type { ShardStorage } from "./shard-storage.ts";
import { writeState } from "./storage-state.ts";

/** Blocks that were not compacted yet are written anew together with the head up to this size: a copy of few, small files. */
const SMALL_BYTES = 256 << 20;

/**
 * Copies everything that is stored now to `to` (made here), durable when it resolves. The blocks must not change meanwhile; the
 * head may, and what comes to it meanwhile may be in the copy or not.
 */
export async function copyStorage(
  storage: ShardStorage,
  to: string,
  skipHead: boolean,
  pause: Pause,
): Promise<{ blocks: number; bytes: number }> {
  const { blocks, options } = storage;
  const { disk } = options;
  const recent = blocks.tiers.raw.filter(({ block }) => block.meta.level === 1).map((b) => b.block);
  const rewrite = !skipHead && recent.reduce((sum, b) => sum + b.meta.bytes, 0) <= SMALL_BYTES;
  const copied: { tier: Tier; id: string; minT: number; maxT: number; bytes: number }[] = [];
  for (const tier of TIERS) {
    const folder = join(to, tier);
    await disk.makeDir(folder);
    for (const { block } of blocks.tiers[tier]) {
      if (tier === "raw" && rewrite && recent.includes(block)) continue;
      await copyBlock(disk, block, join(folder, block.meta.id));
      copied.push({ ...block.meta, tier });
    }
    await disk.syncDir(folder);
  }
  if (!skipHead) {
    const meta = await writeRecent(storage, join(to, "raw"), rewrite ? recent : [], pause);
    if (meta !== undefined) copied.push({ ...meta, tier: "raw" });
  }
  await writeState(disk, to, {
    ...storage.state,
    blocks: copied.map(({ tier, id, minT, maxT }) => ({ tier, id, minT, maxT })),
  });
  await disk.syncDir(to);
  return { blocks: copied.length, bytes: copied.reduce((sum, b) => sum + b.bytes, 0) };
}

async function copyBlock(disk: Disk, block: Block, to: string): Promise<void> {
  await disk.makeDir(to);
  for (const name of await disk.list(block.dir)) await linkOrCopy(disk, join(block.dir, name), join(to, name));
  await disk.syncDir(to);
}

const PIECE = 4 << 20;

async function linkOrCopy(disk: Disk, from: string, to: string): Promise<void> {
  try {
    await disk.link(from, to);
    return;
  } catch (error) {
    // Another file system, or one without links.
    if (!(error instanceof DiskError) || !["EXDEV", "EPERM", "ENOTSUP", "EMLINK"].includes(error.code)) throw error;
  }
  const source = await disk.open(from, "read");
  try {
    const target = await disk.open(to, "create");
    try {
      const piece = new Uint8Array(PIECE);
      for (let at = 0; ; ) {
        const n = await source.read(piece, at);
        if (n === 0) break;
        await target.write(piece.subarray(0, n), at);
        at += n;
      }
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** The head, and with it the blocks that were cut from it lately, as one block. */
async function writeRecent(storage: ShardStorage, tierDir: string, recent: readonly Block[], pause: Pause) {
  const { disk, head, now } = storage.options;
  if (!Number.isFinite(head.minT) && recent.length === 0) return undefined;
  const times = [...recent.flatMap((b) => [b.meta.rangeStart, b.meta.rangeEnd - 1]), head.minT, head.maxT];
  const finite = times.filter(Number.isFinite);
  const start = Math.floor(Math.min(...finite) / CHUNK_RANGE) * CHUNK_RANGE;
  const end = (Math.floor(Math.max(...finite) / CHUNK_RANGE) + 1) * CHUNK_RANGE;
  const order = await seriesInLabelOrder(head, pause);
  const fromHead = await writeWholeHead(disk, tierDir, head, order, { start, end }, now(), pause);
  const ids = [...recent.map((b) => b.meta.id), ...(fromHead === undefined ? [] : [fromHead])];
  if (fromHead === undefined && recent.length === 0) return undefined;
  const headBlock =
    fromHead === undefined ? undefined : await openBlock(disk, join(tierDir, fromHead), makeBlockCache(1 << 20));
  try {
    if (headBlock !== undefined && recent.length === 0) return headBlock.meta;
    const all = headBlock === undefined ? recent : [...recent, headBlock];
    const options = {
      id: idOfMerge(ids, Math.random),
      tier: "raw" as const,
      level: 2,
      // Those it is made of are not in the copy.
      sources: [],
      effort: "small" as const,
      rangeStart: start,
      rangeEnd: end,
      pause,
    };
    return await mergeBlocks(disk, tierDir, all, options);
  } finally {
    if (headBlock !== undefined) {
      await closeBlock(headBlock);
      if (recent.length > 0) await disk.removeDir(join(tierDir, headBlock.meta.id));
    }
  }
}
