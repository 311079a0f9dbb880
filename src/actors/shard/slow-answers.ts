/** Answers to what takes a shard its time: waiting, or work on disk. What is answered at once is in answer.ts. */
import type { ShardRequest, StoredBlock } from "../../model/shard.ts";
import { TIERS } from "../../storage/engine/block-set.ts";
import type { ShardStorage } from "../../storage/engine/shard-storage.ts";
import type { Keeper } from "./keeper.ts";
import type { ReachedWaiters } from "./reached.ts";

export interface SlowSources {
  readonly waiters: ReachedWaiters;
  /** Throws while the shard recovers. */
  readonly recovered: () => Keeper;
  /** Told when a deletion is over, also when it failed half-way. */
  readonly onDeleted: () => void;
}

/** The answer to such a request; undefined for any other. */
export function answerLater(from: SlowSources, request: ShardRequest): Promise<unknown> | undefined {
  const { waiters, recovered } = from;
  switch (request.kind) {
    case "reached":
      return waiters.wait(request);
    case "delete":
      return recovered()
        .delete(request)
        .then((series) => ({ series }))
        .finally(from.onDeleted);
    case "cleanTombstones":
      return recovered()
        .maintenance.cleanTombstones()
        .then((blocks) => ({ blocks }));
    case "snapshot":
      return recovered().copy(request.dir, request.skipHead);
    case "blocks":
      return Promise.resolve(storedBlocks(recovered().storage));
    default:
      return undefined;
  }
}

function storedBlocks({ blocks }: ShardStorage): StoredBlock[] {
  return TIERS.flatMap((tier) =>
    blocks.tiers[tier].map(({ block: { meta } }) => ({
      id: meta.id,
      tier,
      minT: meta.minT,
      maxT: meta.maxT,
      series: meta.series,
      samples: meta.samples,
      chunks: meta.chunks,
      bytes: meta.bytes,
      level: meta.level,
      sources: meta.sources,
      version: meta.version,
    })),
  );
}
