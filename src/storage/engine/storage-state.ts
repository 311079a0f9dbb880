/**
 * The small file beside a shard's blocks that says which there ought to be and how far the rollups are. It is written after the
 * blocks that it names, and before blocks that it no longer names are removed: what it names and is not there was destroyed.
 */
import { join } from "node:path";
import { crc32c } from "../../lib/crc32c.ts";
import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import { TIER_MS, type Tier } from "../../model/rollup.ts";
import { NO_PROGRESS, type RollupProgress } from "./rollup-progress.ts";

/** Times are Unix ms. */
export interface KnownBlock {
  readonly tier: Tier;
  readonly id: string;
  readonly minT: number;
  readonly maxT: number;
}

export interface StorageState {
  readonly progress: RollupProgress;
  /** Those that count, and lost ones as long as queries are to hear of them. */
  readonly blocks: readonly KnownBlock[];
  /** Ids of blocks that a job found damaged. */
  readonly setAside: readonly string[];
  /** Blocks that were written under retention rules, and the rules' key. */
  readonly thinned: Readonly<Record<string, string>>;
  /** What else is lost for good, as queries about these times are to hear of it. */
  readonly losses: readonly NamedLoss[];
}

/** Times are Unix ms; infinite where nothing is known. */
export interface NamedLoss {
  readonly what: string;
  readonly minT: number;
  readonly maxT: number;
  /** Of a block that is lost. */
  readonly tier?: Tier;
}

/** The last time that a block has something of; a bucket is known by its start. */
export const endOf = (tier: Tier, maxT: number): number => (tier === "raw" ? maxT : maxT + TIER_MS[tier]);

export const STATE_FILE = "state.json";
const VERSION = 1;
/** Of a shard without the file. */
export const EMPTY_STATE: StorageState = {
  progress: NO_PROGRESS,
  blocks: [],
  setAside: [],
  thinned: {},
  losses: [],
};

/**
 * `problem` says why an existing file is not used; the state is then as if there were none. `known` is false in both cases. Rejects
 * with DiskError.
 */
export async function readState(
  disk: Disk,
  dir: string,
): Promise<{ state: StorageState; known: boolean; problem?: string }> {
  const path = join(dir, STATE_FILE);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return { state: EMPTY_STATE, known: false };
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf("\n");
  const body = text.slice(0, end);
  if (end < 0 || text.slice(end + 1).trim() !== checksum(body)) {
    return { state: EMPTY_STATE, known: false, problem: `${path}: the checksum does not match` };
  }
  const read = JSON.parse(body) as { version: number; cutUpTo: number | null } & StorageState;
  if (read.version !== VERSION)
    return { state: EMPTY_STATE, known: false, problem: `${path}: version ${read.version} is not known` };
  // JSON has no infinity.
  const progress = {
    ...read.progress,
    fresh: read.progress.fresh ?? [],
    cutUpTo: read.cutUpTo ?? Number.NEGATIVE_INFINITY,
  };
  const { blocks, setAside, thinned } = read;
  // Files of before have none.
  const losses = (read.losses ?? []).map(({ minT, maxT, ...rest }) => ({
    ...rest,
    minT: minT ?? Number.NEGATIVE_INFINITY,
    maxT: maxT ?? Number.POSITIVE_INFINITY,
  }));
  return { state: { progress, blocks, setAside, thinned, losses }, known: true };
}

/** Durable when it resolves. Rejects with DiskError; the old file is there then. */
export async function writeState(disk: Disk, dir: string, state: StorageState): Promise<void> {
  const { cutUpTo } = state.progress;
  const body = JSON.stringify({ version: VERSION, cutUpTo: Number.isFinite(cutUpTo) ? cutUpTo : null, ...state });
  await replaceFile(disk, join(dir, STATE_FILE), new TextEncoder().encode(`${body}\n${checksum(body)}\n`));
}

function checksum(body: string): string {
  return crc32c(new TextEncoder().encode(body)).toString(16).padStart(8, "0");
}
