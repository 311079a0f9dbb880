/** What is lost of a shard's blocks: which ought to be there, the hours without raw samples, the rows that cannot be made anew. */
import type { Tier } from "../../model/rollup.ts";
import type { Stretch } from "../../model/series-source.ts";
import { type BlockSet, type MissingData, TIERS } from "./block-set.ts";
import type { TierAges } from "./retention-rules.ts";
import { hoursOf } from "./rollup-progress.ts";
import { endOf, type KnownBlock, type NamedLoss, type StorageState } from "./storage-state.ts";

/** Blocks that there ought to be and that are not open. A merge may have replaced them before a crash. */
export function lostBlocks(blocks: BlockSet, state: StorageState): KnownBlock[] {
  const there = new Set<string>();
  for (const tier of TIERS) {
    for (const { block } of blocks.tiers[tier]) {
      there.add(block.meta.id);
      // Rollups are made of blocks that stay.
      if (tier === "raw" || block.meta.level > 1) for (const id of block.meta.sources) there.add(id);
    }
  }
  return state.blocks.filter((b) => !there.has(b.id));
}

/** The hours of which raw samples are lost, as far as their times are known. */
export function hoursLost(missing: readonly MissingData[]): Stretch[] {
  return hoursOf(missing.filter((m) => m.tier === "raw" && Number.isFinite(m.maxT - m.minT)));
}

/** Rows of a lost block for which there are no raw samples either. */
export function unmadeRows(gaps: readonly Stretch[], { tier, id, minT, maxT }: KnownBlock): NamedLoss[] {
  return gaps
    .map((g) => ({ minT: Math.max(g.after + 1, minT), maxT: Math.min(g.until, endOf(tier, maxT)) }))
    .filter((span) => span.minT <= span.maxT)
    .map((span) => ({ what: `block ${tier}/${id} is lost, and raw samples to make it of as well`, tier, ...span }));
}

/** Whether a loss lies in times that its tier keeps. `dataTime` is what ages are counted from. */
export function isKept({ tier, maxT }: NamedLoss, rawAfter: number, ages: TierAges, dataTime: number): boolean {
  const which: Tier = tier ?? "raw";
  if (which === "raw") return maxT > rawAfter;
  return ages[which] === 0 || maxT > dataTime - ages[which];
}
