/**
 * Work on blocks that is done beside the shard, in a thread of its own: blocks are immutable, so a job needs nothing but their
 * folders. A job writes new blocks to their folder; which of them count, and which old ones go, is the shard's decision
 * after it. Plain data, so that a job can travel.
 */
import type { RollupTier, Tier } from "../../model/rollup.ts";
import type { Stretch } from "../../model/series-source.ts";
import type { SeriesRetention } from "./retention-rules.ts";

export type StorageJob = MergeJob | RollupJob;

/** One block out of several of a tier: overlaps merged, tombstones applied, series beyond their retention left out. */
export interface MergeJob {
  readonly kind: "merge";
  /** Folder of the shard's blocks; the tiers lie in it. */
  readonly blocksDir: string;
  readonly tier: Tier;
  /** The oldest first: of two samples with one time the later block's stays. */
  readonly ids: readonly string[];
  /** The aligned range of the result, Unix ms, end excluded. */
  readonly start: number;
  readonly end: number;
  readonly retention: {
    readonly rules: readonly SeriesRetention[];
    readonly ageMs: number;
    readonly now: number;
    /** Samples behind this are kept in any case: their rollups do not exist yet. */
    readonly rolledUpTo: number;
  };
}

/** The rows of both tiers for the buckets in (after, until], out of raw blocks. */
export interface RollupJob {
  readonly kind: "rollup";
  readonly blocksDir: string;
  /** All raw blocks that have samples in the stretch, the oldest first. */
  readonly ids: readonly string[];
  readonly after: number;
  readonly until: number;
  /** Blocks of rows that there are of the stretch, the oldest first. */
  readonly rows?: Readonly<Record<RollupTier, readonly string[]>>;
  /** Within the stretch, where raw samples are gone: rows stay, and get the samples of these blocks alone. */
  readonly amend?: readonly Amended[];
  /** Time for the ids of the new blocks, which win over all with an earlier one; Unix ms. */
  readonly madeAt: number;
}

/** Whole hours of one rollup window, ascending and disjoint. */
export interface Amended extends Stretch {
  /** Raw blocks whose samples are not in the rows yet. */
  readonly ids: readonly string[];
}

export interface JobResult {
  /** Ids of the blocks that were made; none when no series was left. */
  readonly made: readonly { readonly tier: Tier | RollupTier; readonly id: string }[];
  readonly samplesRead: number;
  readonly seconds: number;
}

/** The job was called off. */
export class JobCancelled extends Error {
  constructor() {
    super("called off");
    this.name = "JobCancelled";
  }
}

/** The job could not be done. */
export class JobFailed extends Error {
  /** Id of the block that is damaged, when that is the reason. */
  readonly block: string | undefined;
  constructor(message: string, block: string | undefined) {
    super(message);
    this.name = "JobFailed";
    this.block = block;
  }
}
