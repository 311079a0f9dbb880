/**
 * The blocks of a shard, open, by tier. Which of them count is decided here, in one step between two queries.
 *
 * Invariants:
 * - the blocks of a tier are in order of their ids, the ones that win last: an id says how new the newest data of a block is,
 *   also of a merged one (`idOfMerge`);
 * - a merge names its sources; where a crash came before these were removed, the next start does it;
 * - a block that cannot be opened stays where it is, is named in every answer that would have needed it, and the rest serves.
 */
import { join } from "node:path";
import { type Disk, readWhole } from "../../lib/disk.ts";
import type { Tier } from "../../model/rollup.ts";
import { type Block, closeBlock, openBlock } from "../block/block.ts";
import { BlockError } from "../block/block-error.ts";
import { blockIdTime, isBlockId, makeBlockId, TEMPORARY } from "../block/block-id.ts";
import type { BlockCache } from "../block/cache.ts";
import { decodeMeta } from "../block/meta.ts";
import type { SourcePart } from "./merged-source.ts";
import { blockPart, type OnDamage } from "./part-source.ts";

export const TIERS: readonly Tier[] = ["raw", "1m", "1h"];

export interface OpenBlock {
  readonly block: Block;
  readonly part: SourcePart;
}

/** Data that cannot be read. Times are Unix ms; infinite where nothing is known. */
export interface MissingData {
  readonly what: string;
  readonly minT: number;
  readonly maxT: number;
}

export interface BlockSet {
  readonly disk: Disk;
  /** The tiers lie in it. */
  readonly dir: string;
  readonly cache: BlockCache;
  readonly tiers: Record<Tier, OpenBlock[]>;
  readonly damaged: MissingData[];
  /** Ids of open blocks that are known to be damaged. */
  readonly setAside: Set<string>;
  /** Hears of damage that a query met. */
  readonly onDamage: OnDamage;
}

/** Opens all blocks below a folder; makes the folder. Removes what writers left behind and what merges replaced. Rejects with DiskError. */
export async function openBlockSet(disk: Disk, dir: string, cache: BlockCache, onDamage: OnDamage): Promise<BlockSet> {
  const set: BlockSet = {
    disk,
    dir,
    cache,
    tiers: { raw: [], "1m": [], "1h": [] },
    damaged: [],
    setAside: new Set(),
    onDamage,
  };
  for (const tier of TIERS) {
    const folder = join(dir, tier);
    await disk.makeDir(folder);
    for (const name of await disk.list(folder)) {
      if (name.startsWith(TEMPORARY)) await disk.removeDir(join(folder, name));
      else if (isBlockId(name)) await openInto(set, tier, name);
    }
    const replaced = set.tiers[tier].flatMap((b) => b.block.meta.sources);
    await removeBlocks(set, tier, replaced);
  }
  return set;
}

async function openInto(set: BlockSet, tier: Tier, id: string): Promise<void> {
  const folder = join(set.dir, tier, id);
  try {
    const block = await openBlock(set.disk, folder, set.cache);
    set.tiers[tier].push({ block, part: blockPart(block, set.onDamage) });
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    const span = await spanOf(set.disk, folder);
    set.damaged.push({ what: `block ${tier}/${id} cannot be opened (${error.message})`, ...span });
  }
}

/** What a damaged block's description still says of its times. */
async function spanOf(disk: Disk, dir: string): Promise<{ minT: number; maxT: number }> {
  const bytes = await readWhole(disk, join(dir, "meta.json")).catch(() => undefined);
  const meta = bytes === undefined ? "" : decodeMeta(bytes);
  if (typeof meta === "string") return { minT: Number.NEGATIVE_INFINITY, maxT: Number.POSITIVE_INFINITY };
  return { minT: meta.minT, maxT: meta.maxT };
}

/**
 * Takes blocks that were written into the set, and the ones they replace out of it, at once; then, when `record` has resolved,
 * removes these from the disk.
 */
export async function exchangeBlocks(
  set: BlockSet,
  tier: Tier,
  made: readonly string[],
  replaced: readonly string[],
  record: () => Promise<void> = async () => undefined,
): Promise<void> {
  const opened: OpenBlock[] = [];
  for (const id of made) {
    const block = await openBlock(set.disk, join(set.dir, tier, id), set.cache);
    opened.push({ block, part: blockPart(block, set.onDamage) });
  }
  const blocks = [...set.tiers[tier].filter((b) => !replaced.includes(b.block.meta.id)), ...opened];
  const gone = set.tiers[tier].filter((b) => replaced.includes(b.block.meta.id));
  set.tiers[tier] = blocks.sort((a, b) => (a.block.meta.id < b.block.meta.id ? -1 : 1));
  await record();
  for (const { block } of gone) await destroy(set, tier, block);
}

/** Removes blocks from the set and the disk; ids that are not there are nothing to it. */
async function removeBlocks(set: BlockSet, tier: Tier, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await exchangeBlocks(set, tier, [], ids);
}

async function destroy(set: BlockSet, tier: Tier, block: Block): Promise<void> {
  await closeBlock(block);
  const folder = join(set.dir, tier);
  // Renamed first: a removal that a crash cuts short must not leave half a block.
  const doomed = join(folder, TEMPORARY + block.meta.id);
  await set.disk.rename(block.dir, doomed);
  await set.disk.syncDir(folder);
  await set.disk.removeDir(doomed);
}

export async function closeBlockSet(set: BlockSet): Promise<void> {
  for (const tier of TIERS) for (const { block } of set.tiers[tier]) await closeBlock(block);
}

/** An id for the merge of blocks: as new as the newest of them, so that a block that came meanwhile still wins over it. */
export function idOfMerge(ids: readonly string[], random: () => number): string {
  return makeBlockId(Math.max(...ids.map(blockIdTime)), random);
}

/** Bytes of a tier's blocks. */
export function tierBytes(set: BlockSet, tier: Tier): number {
  return set.tiers[tier].reduce((sum, b) => sum + b.block.meta.bytes, 0);
}
