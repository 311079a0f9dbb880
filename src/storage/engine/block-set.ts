/**
 * The blocks of a shard, open, by tier. Which of them count is decided here, in one step between two queries.
 *
 * Invariants:
 * - the blocks of a tier are in order of their ids, the ones that win last: an id says how new the newest data of a block is,
 *   also of a merged one (`idOfMerge`);
 * - a block that a crash kept from being taken into use, or from being removed, is not taken into use by the next start: what
 *   was deleted meanwhile is still in it;
 * - a block that cannot be opened stays where it is, is named in every answer that would have needed it, and the rest serves.
 */
import { join } from "node:path";
import { type Disk, readWhole } from "../../lib/disk.ts";
import type { Tier } from "../../model/rollup.ts";
import { type Block, closeBlock, openBlock } from "../block/block.ts";
import { BlockError } from "../block/block-error.ts";
import { blockIdTime, isBlockId, makeBlockId, TEMPORARY } from "../block/block-id.ts";
import type { BlockCache } from "../block/cache.ts";
import { META_FILE } from "../block/layout.ts";
import { type BlockMeta, decodeMeta } from "../block/meta.ts";
import { isMediaError } from "../wal/segment-reader.ts";
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
  /** Of a block. */
  readonly tier?: Tier;
  /** Whether it has come back since; asked whenever it would be told. */
  readonly mended?: () => boolean;
}

export interface BlockSet {
  readonly disk: Disk;
  /** The tiers lie in it. */
  readonly dir: string;
  readonly cache: BlockCache;
  readonly tiers: Record<Tier, OpenBlock[]>;
  readonly damaged: (MissingData & { readonly tier: Tier; readonly id: string })[];
  /** Ids of open blocks that are known to be damaged. */
  readonly setAside: Set<string>;
  /** Replaced, and to be removed from the disk when that is recorded. */
  readonly doomed: { readonly tier: Tier; readonly block: Block }[];
  /** Hears of damage that a query met. */
  readonly onDamage: OnDamage;
}

/**
 * Opens the blocks below a folder; makes the folder. Removes what writers left behind and what merges replaced. `named` are the ids
 * that count, undefined when that is not known. Rejects with DiskError.
 */
export async function openBlockSet(
  disk: Disk,
  dir: string,
  cache: BlockCache,
  onDamage: OnDamage,
  named: ReadonlySet<string> | undefined,
): Promise<BlockSet> {
  const set: BlockSet = {
    disk,
    dir,
    cache,
    tiers: { raw: [], "1m": [], "1h": [] },
    damaged: [],
    setAside: new Set(),
    doomed: [],
    onDamage,
  };
  for (const tier of TIERS) await disk.makeDir(join(dir, tier));
  if (named !== undefined) await clearUnnamed(disk, dir, named);
  for (const tier of TIERS) {
    const folder = join(dir, tier);
    for (const name of await disk.list(folder)) {
      if (name.startsWith(TEMPORARY)) await disk.removeDir(join(folder, name));
      else if (isBlockId(name)) await openInto(set, tier, name);
    }
    const replaced = set.tiers[tier].flatMap((b) => b.block.meta.sources);
    await removeBlocks(set, tier, replaced);
  }
  return set;
}

/**
 * Blocks that do not count: one that was replaced, or that was made of blocks which are there, is removed. One whose sources
 * ought to be there and are not is used in their place. Any other goes to the folder `quarantine`: its samples are in head
 * and log, or in blocks that were made since.
 */
async function clearUnnamed(disk: Disk, dir: string, named: ReadonlySet<string>): Promise<void> {
  const unnamed: { tier: Tier; id: string; sources: readonly string[] | undefined }[] = [];
  const there = new Set<string>();
  const replaced = new Set<string>();
  for (const tier of TIERS) {
    for (const id of (await disk.list(join(dir, tier))).filter(isBlockId)) {
      const meta = await metaOf(disk, join(dir, tier, id));
      if (!named.has(id)) unnamed.push({ tier, id, sources: meta?.sources });
      else {
        there.add(id);
        if (meta?.tier === "raw" || meta?.level !== 1) for (const source of meta?.sources ?? []) replaced.add(source);
      }
    }
  }
  for (const { tier, id, sources } of unnamed) {
    const isMade = sources !== undefined && sources.length > 0;
    const isNeedless = isMade && sources.every((source) => there.has(source) || replaced.has(source));
    const isAllThatIsLeft = isMade && sources.every((source) => named.has(source) && !there.has(source));
    if (replaced.has(id) || isNeedless) await removeBlock(disk, join(dir, tier), id);
    else if (!isAllThatIsLeft) await setApart(disk, dir, tier, id);
  }
}

async function setApart(disk: Disk, dir: string, tier: Tier, id: string): Promise<void> {
  const quarantine = join(dir, "..", "quarantine");
  await disk.makeDir(quarantine);
  await disk.rename(join(dir, tier, id), join(quarantine, `${tier}-${id}`));
  await disk.syncDir(quarantine);
  await disk.syncDir(join(dir, tier));
}

async function openInto(set: BlockSet, tier: Tier, id: string): Promise<void> {
  const folder = join(set.dir, tier, id);
  try {
    const block = await openBlock(set.disk, folder, set.cache);
    set.tiers[tier].push({ block, part: blockPart(block, set.onDamage) });
  } catch (error) {
    // One bad sector is no reason to serve nothing at all; errors that say nothing of the medium end the start.
    if (!(error instanceof BlockError) && !isMediaError(error)) throw error;
    const span = await spanOf(set.disk, folder);
    set.damaged.push({ tier, id, what: `block ${tier}/${id} cannot be opened (${error.message})`, ...span });
  }
}

/** What a damaged block's description still says of its times. */
async function spanOf(disk: Disk, dir: string): Promise<{ minT: number; maxT: number }> {
  const meta = await metaOf(disk, dir);
  return { minT: meta?.minT ?? Number.NEGATIVE_INFINITY, maxT: meta?.maxT ?? Number.POSITIVE_INFINITY };
}

export async function metaOf(disk: Disk, dir: string): Promise<BlockMeta | undefined> {
  const bytes = await readWhole(disk, join(dir, META_FILE)).catch(() => undefined);
  const meta = bytes === undefined ? "" : decodeMeta(bytes);
  return typeof meta === "string" ? undefined : meta;
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
  for (const { block } of set.tiers[tier]) if (replaced.includes(block.meta.id)) set.doomed.push({ tier, block });
  set.tiers[tier] = blocks.sort((a, b) => (a.block.meta.id < b.block.meta.id ? -1 : 1));
  // Whether a record that failed is on disk nobody knows: until one has succeeded, the old blocks may be needed.
  await record();
  for (let next = set.doomed.pop(); next !== undefined; next = set.doomed.pop()) {
    await closeBlock(next.block);
    await removeBlock(set.disk, join(set.dir, next.tier), next.block.meta.id);
  }
}

/** Removes blocks from the set and the disk; ids that are not there are nothing to it. */
async function removeBlocks(set: BlockSet, tier: Tier, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await exchangeBlocks(set, tier, [], ids);
}

async function removeBlock(disk: Disk, folder: string, id: string): Promise<void> {
  // Renamed first: a removal that a crash cuts short must not leave half a block.
  const doomed = join(folder, TEMPORARY + id);
  await disk.rename(join(folder, id), doomed);
  await disk.syncDir(folder);
  await disk.removeDir(doomed);
}

export async function closeBlockSet(set: BlockSet): Promise<void> {
  for (const tier of TIERS) for (const { block } of set.tiers[tier]) await closeBlock(block);
  for (const { block } of set.doomed) await closeBlock(block);
}

/** An id for the merge of blocks: as new as the newest of them, so that a block that came meanwhile still wins over it. */
export function idOfMerge(ids: readonly string[], random: () => number): string {
  return makeBlockId(Math.max(...ids.map(blockIdTime)), random);
}

/** Bytes of a tier's blocks. */
export function tierBytes(set: BlockSet, tier: Tier): number {
  return set.tiers[tier].reduce((sum, b) => sum + b.block.meta.bytes, 0);
}
