import { basename } from "node:path";
import type { StorageStats } from "../../model/shard.ts";
import { TIERS } from "../../storage/engine/block-set.ts";
import { nameMissing } from "../../storage/engine/name-missing.ts";
import { missingData } from "../../storage/engine/shard-storage.ts";
import type { Keeper } from "./keeper.ts";

/** What a shard tells of its blocks, snapshots and upkeep; `lost` names in words what `damages` counts. */
export function storageStats({ wal, storage, maintenance, counts }: Keeper, isFull = false): StorageStats {
  const missing = missingData(storage);
  const { blocks, state } = storage;
  return {
    tiers: TIERS.map((tier) => {
      const metas = blocks.tiers[tier].map((b) => b.block.meta);
      return {
        tier,
        blocks: metas.length,
        bytes: metas.reduce((sum, m) => sum + m.bytes, 0),
        samples: metas.reduce((sum, m) => sum + m.samples, 0),
        minTime: Math.min(...metas.map((m) => m.minT)),
        maxTime: Math.max(...metas.map((m) => m.maxT)),
      };
    }),
    rolledUpTo: state.progress.doneUpTo,
    ...storage.counts,
    ...maintenance.counts,
    ...counts,
    walFailures: wal.stats.failures,
    diskFull: isFull ? 1 : 0,
    damages: missing.length,
    lost: missing.map((m) => nameMissing(m, basename(storage.options.dir))),
    cacheBytes: blocks.cache.bytes,
    cacheHits: blocks.cache.hits,
    cacheMisses: blocks.cache.misses,
  };
}
