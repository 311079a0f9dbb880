/** What changes or copies the data of all shards at once. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { ShardClient, ShardRequest, ShardResponses } from "../../model/shard.ts";

export interface StorageAdmin {
  /** Resolves when the samples are gone for every query and the removal is on disk. Rejects naming the shards that could not. */
  deleteSeries(tenant: string, sets: readonly (readonly Matcher[])[], minT: number, maxT: number): Promise<void>;
  cleanTombstones(): Promise<void>;
  /** Makes <data-dir>/snapshots/<name> and returns the name; there is nothing of that name when it rejects. */
  snapshot(skipHead: boolean): Promise<string>;
}

export interface StorageAdminOptions {
  readonly shards: readonly ShardClient[];
  /** Where the snapshots lie, beside `facts`. */
  readonly dataDir: string;
  readonly disk: Disk;
  /** Unix ms. */
  readonly now: () => number;
}

/** The file that describes a data dir: a snapshot has a copy, so that a server can be started on it. */
const FACTS = "tocsin.json";

export function makeStorageAdmin(options: StorageAdminOptions): StorageAdmin {
  const { shards, disk, dataDir } = options;
  return {
    deleteSeries: async (tenant, sets, minT, maxT) => {
      await askEvery(shards, () => ({ kind: "delete", tenant, sets, minT, maxT }));
    },
    cleanTombstones: async () => {
      await askEvery(shards, () => ({ kind: "cleanTombstones" }));
    },
    snapshot: async (skipHead) => {
      const folder = join(dataDir, "snapshots");
      const name = `${stamp(options.now())}-${randomBytes(8).toString("hex")}`;
      const temporary = join(folder, `.${name}.tmp`);
      await disk.makeDir(join(temporary, "shards"));
      try {
        const dirOf = (shard: ShardClient) => join(temporary, "shards", String(shard.partition));
        await askEvery(shards, (shard) => ({ kind: "snapshot", dir: dirOf(shard), skipHead }));
        await disk.link(join(dataDir, FACTS), join(temporary, FACTS));
        await disk.syncDir(join(temporary, "shards"));
        await disk.syncDir(temporary);
        await disk.rename(temporary, join(folder, name));
        await disk.syncDir(folder);
        return name;
      } catch (error) {
        await disk.removeDir(temporary).catch(() => undefined);
        throw error;
      }
    },
  };
}

/** Asks all shards side by side and waits for all, so that nothing is still at work when it rejects. */
async function askEvery<K extends ShardRequest["kind"]>(
  shards: readonly ShardClient[],
  request: (shard: ShardClient) => Extract<ShardRequest, { kind: K }>,
): Promise<ShardResponses[K][]> {
  const settled = await Promise.allSettled(shards.map((shard) => shard.request<K>(request(shard))));
  const failed = settled.flatMap((s, i) => {
    if (s.status === "fulfilled") return [];
    const reason = s.reason instanceof Error ? s.reason.message : String(s.reason);
    return [`shard ${shards[i]?.partition}: ${reason}`];
  });
  if (failed.length > 0) throw new Error(failed.join("; "));
  return settled.flatMap((s) => (s.status === "fulfilled" ? [s.value] : []));
}

/** 20261122T051500Z */
function stamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}
