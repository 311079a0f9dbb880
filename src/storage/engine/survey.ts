/** Looking at a shard's folder from outside, while no shard runs on it. */
import { join } from "node:path";
import { type Disk, type DiskFile, ifThere } from "../../lib/disk.ts";
import type { Tier } from "../../model/rollup.ts";
import { type Block, closeBlock, openBlock } from "../block/block.ts";
import { makeBlockCache } from "../block/cache.ts";
import { listBlocks } from "../block/list-blocks.ts";
import { problemOf, verifyBlock } from "../block/verify.ts";
import { snapshotName } from "../snapshot/format.ts";
import { loadSnapshot } from "../snapshot/load.ts";
import { headDir, quarantineDir, walDir } from "../snapshot/recovery.ts";
import { SnapshotError } from "../snapshot/snapshot-error.ts";
import { listSnapshots, removeLeftovers } from "../snapshot/write.ts";
import { segmentName, segmentNumber } from "../wal/format.ts";
import { scanSegment } from "../wal/scan.ts";
import { isMediaError, makeSegmentBuffers } from "../wal/segment-reader.ts";
import { metaOf, TIERS } from "./block-set.ts";
import { hoursLost, unmadeRows } from "./lost-data.ts";
import { stretchRemoved, wholeFrom } from "./rollup-progress.ts";
import { EMPTY_STATE, endOf, type KnownBlock, readState, STATE_FILE, writeState } from "./storage-state.ts";

export interface Damaged {
  readonly path: string;
  readonly offset: number;
  readonly problem: string;
}

export interface SurveyedBlock {
  readonly tier: Tier;
  readonly id: string;
  /** Unix ms. */
  readonly minT: number;
  readonly maxT: number;
  readonly level: number;
  readonly series: number;
  readonly samples: number;
  readonly bytes: number;
  readonly tombstones: number;
  /** False: the shard does not count it, a job had made it or was done with it when the shard ended. The next start sees to it. */
  readonly inUse: boolean;
}

export interface ShardSurvey {
  readonly dir: string;
  readonly blocks: readonly SurveyedBlock[];
  readonly unreadable: readonly Damaged[];
  readonly snapshots: readonly { readonly generation: number; readonly bytes: number }[];
  readonly segments: readonly { readonly number: number; readonly bytes: number }[];
}

/** A fresh state for a snapshot to be loaded into, and the paths that no snapshot has. */
export type EmptyState = () => { readonly state: object; readonly skip: ReadonlySet<string> };

const BLOCKS = "blocks";

/** What there is, by its descriptions alone. Rejects with DiskError. */
export async function surveyShard(disk: Disk, dir: string): Promise<ShardSurvey> {
  const blocks: SurveyedBlock[] = [];
  const unreadable: Damaged[] = [];
  const { state, known } = await readStateOf(disk, dir);
  const named = new Set(state.blocks.map((b) => b.id));
  for (const { tier, id, path } of await blockDirs(disk, dir)) {
    try {
      const block = await openBlock(disk, path, makeBlockCache(0));
      blocks.push(surveyed(tier, block, !known || named.has(id)));
      await closeBlock(block);
    } catch (error) {
      const found = problemOf(error);
      if (found === undefined) throw error;
      unreadable.push({ path: found.file, offset: found.offset, problem: found.problem });
    }
  }
  const snapshots: { generation: number; bytes: number }[] = [];
  for (const generation of await generations(disk, dir)) {
    const bytes = await sizeOf(disk, join(headDir(dir), snapshotName(generation)), unreadable);
    if (bytes !== undefined) snapshots.push({ generation, bytes });
  }
  const segments: { number: number; bytes: number }[] = [];
  for (const number of await segmentNumbers(disk, dir)) {
    const bytes = await sizeOf(disk, join(walDir(dir), segmentName(number)), unreadable);
    if (bytes !== undefined) segments.push({ number, bytes });
  }
  return { dir, blocks, unreadable, snapshots, segments };
}

function surveyed(tier: Tier, { meta, tombstones }: Block, inUse: boolean): SurveyedBlock {
  const { id, minT, maxT, level, series, samples, bytes } = meta;
  return { tier, id, minT, maxT, level, series, samples, bytes, tombstones: tombstones.list.length, inUse };
}

/**
 * Reads everything and checks every checksum; what cannot be read is a problem as well. `files` is the number of blocks, snapshots and log segments that were looked at.
 * What looks like an unfinished write at the end of the log is in `notes`: the next start cuts it off. Rejects with DiskError.
 */
export async function verifyShard(
  disk: Disk,
  dir: string,
  empty: EmptyState,
): Promise<{ problems: Damaged[]; notes: Damaged[]; files: number }> {
  const problems: Damaged[] = [];
  const notes: Damaged[] = [];
  let files = 0;
  const blocks = await blockDirs(disk, dir);
  for (const { path } of blocks) {
    files++;
    for (const p of await verifyBlock(disk, path))
      problems.push({ path: p.file, offset: p.offset, problem: p.problem });
  }
  const { state, problem } = await readStateOf(disk, dir);
  if (problem !== undefined) problems.push({ path: join(dir, BLOCKS), offset: 0, problem });
  const present = new Set(blocks.map((b) => b.id));
  for (const { tier, id } of state.blocks) {
    if (!present.has(id))
      problems.push({ path: join(dir, BLOCKS, tier, id), offset: 0, problem: "the block is missing" });
  }
  for (const generation of await generations(disk, dir)) {
    files++;
    const found = await snapshotProblem(disk, dir, generation, empty);
    if (found !== undefined) problems.push(found);
  }
  const numbers = await segmentNumbers(disk, dir);
  for (const [i, number] of numbers.entries()) {
    files++;
    problems.push(...(await segmentProblems(disk, dir, number, i === numbers.length - 1, notes)));
  }
  return { problems, notes, files };
}

async function snapshotProblem(
  disk: Disk,
  dir: string,
  generation: number,
  empty: EmptyState,
): Promise<Damaged | undefined> {
  const { state, skip } = empty();
  try {
    await loadSnapshot(disk, headDir(dir), generation, state, skip);
    return undefined;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    // The message begins with the path.
    const path = join(headDir(dir), snapshotName(generation));
    return { path, offset: 0, problem: error.message.replace(`${path}: `, "") };
  }
}

async function segmentProblems(
  disk: Disk,
  dir: string,
  number: number,
  last: boolean,
  notes: Damaged[],
): Promise<Damaged[]> {
  const path = join(walDir(dir), segmentName(number));
  const problems: Damaged[] = [];
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (!isMediaError(error)) throw error;
    return [{ path, offset: 0, problem: error.message }];
  }
  try {
    const handlers = {
      onRecord: () => undefined,
      onDamage: (region: { offset: number; problem: string }) =>
        void problems.push({ path, offset: region.offset, problem: region.problem }),
    };
    const end = await scanSegment(file, number, last, makeSegmentBuffers(), handlers);
    if (end.verdict === "salvage" && problems.length === 0) {
      problems.push({ path, offset: end.offset, problem: end.problem });
    }
    if ((end.verdict === "truncate" || end.verdict === "remake") && end.size > end.offset) {
      const what = `the last write is incomplete or damaged (${end.problem}), ${end.size - end.offset} bytes`;
      notes.push({ path, offset: end.offset, problem: what });
    }
  } finally {
    await file.close();
  }
  return problems;
}

/**
 * Moves broken blocks and snapshots to the shard's quarantine folder and forgets that they ought to be there; removes what
 * unfinished writes left. Damage in the log is for the shard's start to salvage. Returns what was done, in words.
 */
export async function repairShard(disk: Disk, dir: string, empty: EmptyState): Promise<string[]> {
  const done: string[] = [];
  const aside = async (path: string, name: string, why: string): Promise<void> => {
    await disk.makeDir(quarantineDir(dir));
    const to = join(quarantineDir(dir), name);
    await disk.rename(path, to);
    await disk.syncDir(quarantineDir(dir));
    done.push(`moved ${path} to ${to}: ${why}`);
  };
  for (const { tier, id, path } of await blockDirs(disk, dir)) {
    const [first, ...more] = await verifyBlock(disk, path);
    if (first === undefined) continue;
    await aside(path, `${tier}-${id}`, `${first.problem}${more.length > 0 ? ` (and ${more.length} more)` : ""}`);
    await disk.syncDir(join(dir, BLOCKS, tier));
  }
  for (const tier of TIERS) {
    const folder = join(dir, BLOCKS, tier);
    for (const name of (await listBlocks(disk, folder)).leftovers) {
      await disk.removeDir(join(folder, name));
      done.push(`removed ${join(folder, name)}, left by an unfinished write`);
    }
  }
  done.push(...(await forgetMissing(disk, dir)));
  for (const generation of await generations(disk, dir)) {
    const found = await snapshotProblem(disk, dir, generation, empty);
    if (found !== undefined) await aside(found.path, snapshotName(generation), found.problem);
  }
  const left = (await ifThere(removeLeftovers(disk, headDir(dir)))) ?? 0;
  if (left > 0) done.push(`removed ${left} unfinished snapshots from ${headDir(dir)}`);
  return done;
}

async function forgetMissing(disk: Disk, dir: string): Promise<string[]> {
  const { state, problem } = await readStateOf(disk, dir);
  if (problem !== undefined) {
    // The next start takes what blocks there are and writes it anew.
    await disk.remove(join(dir, BLOCKS, STATE_FILE));
    await disk.syncDir(join(dir, BLOCKS));
    return [`removed the state file: ${problem}`];
  }
  const present = new Set<string>();
  for (const { tier, id, path } of await blockDirs(disk, dir)) {
    present.add(id);
    // What it was merged from is in it; rollups are made of blocks that stay.
    const meta = await metaOf(disk, path);
    if (tier === "raw" || meta?.level !== 1) for (const source of meta?.sources ?? []) present.add(source);
  }
  const missing = state.blocks.filter((b) => !present.has(b.id));
  const settled = state.losses.filter((l) => !Number.isFinite(l.minT) || !Number.isFinite(l.maxT));
  if (missing.length === 0 && settled.length === 0) return [];
  // Rows whose raw samples are kept are made anew.
  const from = wholeFrom(state.progress);
  const again = missing.filter((b) => b.tier !== "raw" && b.minT >= from);
  const lost = missing
    .filter((b) => !again.includes(b))
    .map(({ tier, id, minT, maxT }) => ({ what: `block ${tier}/${id} was lost`, tier, minT, maxT: endOf(tier, maxT) }));
  const known = [...state.losses.filter((l) => !settled.includes(l)), ...lost];
  const losses = [...known, ...again.flatMap((b) => unmadeRows(hoursLost(known), b))];
  const blocks = state.blocks.filter((b) => !missing.includes(b));
  const progress = again.reduce(
    (p, { tier, minT, maxT }) => stretchRemoved(p, minT + 1, endOf(tier, maxT), from),
    state.progress,
  );
  await writeState(disk, join(dir, BLOCKS), { ...state, progress, blocks, losses });
  const then = (b: KnownBlock): string =>
    again.includes(b) ? "it is made anew" : "queries go on to name what was lost";
  return [
    ...missing.map((b) => `block ${b.tier}/${b.id} is no longer missed; ${then(b)}`),
    ...settled.map((l) => `no longer warned of: ${l.what}`),
  ];
}

/** One that the disk has lost is as one that is damaged. */
async function readStateOf(disk: Disk, dir: string): ReturnType<typeof readState> {
  try {
    return await readState(disk, join(dir, BLOCKS));
  } catch (error) {
    if (!isMediaError(error)) throw error;
    return { state: EMPTY_STATE, known: false, problem: error.message };
  }
}

async function blockDirs(disk: Disk, dir: string): Promise<{ tier: Tier; id: string; path: string }[]> {
  const found: { tier: Tier; id: string; path: string }[] = [];
  for (const tier of TIERS) {
    const folder = join(dir, BLOCKS, tier);
    const { blocks } = await listBlocks(disk, folder);
    for (const id of blocks) found.push({ tier, id, path: join(folder, id) });
  }
  return found;
}

/** None where the folder is not there: a copy of blocks has neither log nor snapshots. */
const generations = async (disk: Disk, dir: string): Promise<number[]> =>
  (await ifThere(listSnapshots(disk, headDir(dir)))) ?? [];

async function segmentNumbers(disk: Disk, dir: string): Promise<number[]> {
  const names = (await ifThere(disk.list(walDir(dir)))) ?? [];
  return names.flatMap((name) => segmentNumber(name) ?? []);
}

async function sizeOf(disk: Disk, path: string, unreadable: Damaged[]): Promise<number | undefined> {
  try {
    const file = await disk.open(path, "read");
    return await file.size().finally(() => file.close());
  } catch (error) {
    if (!isMediaError(error)) throw error;
    unreadable.push({ path, offset: 0, problem: error.message });
    return undefined;
  }
}
