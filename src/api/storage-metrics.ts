import type { Registry } from "prom-client";
import type { ShardStats, StorageStats } from "../model/shard.ts";
import { type Reading, readMetric } from "./read-metric.ts";

type Each = (rows: (s: ShardStats, partition: string) => readonly Reading[]) => () => Promise<Reading[]>;
type StorageNumber = { [K in keyof StorageStats]-?: StorageStats[K] extends number ? K : never }[keyof StorageStats];
type TierNumber = "blocks" | "bytes" | "samples";

const TIER_GAUGES: readonly (readonly [name: string, help: string, key: TierNumber])[] = [
  ["tocsin_storage_blocks", "Blocks on disk, by tier.", "blocks"],
  ["tocsin_storage_blocks_bytes", "Size of the blocks on disk, by tier.", "bytes"],
  ["tocsin_storage_blocks_samples", "Samples (of rollups: buckets) in blocks, by tier.", "samples"],
];

const NUMBERS: readonly (readonly [name: string, type: "gauge" | "counter", help: string, key: StorageNumber])[] = [
  ["tocsin_storage_cuts_total", "counter", "Times that the head was written to blocks.", "cuts"],
  ["tocsin_storage_cut_seconds_total", "counter", "Time that this took.", "cutSeconds"],
  ["tocsin_storage_cut_failures_total", "counter", "Times that it failed; the head kept the samples.", "cutFailures"],
  ["tocsin_head_series_removed_total", "counter", "Idle series that left the head.", "seriesRemoved"],
  ["tocsin_storage_compactions_total", "counter", "Merges of blocks.", "compactions"],
  ["tocsin_storage_rollups_total", "counter", "Stretches of time that were rolled up.", "rollups"],
  ["tocsin_storage_job_seconds_total", "counter", "Time of the compactor for merges and rollups.", "jobSeconds"],
  ["tocsin_storage_job_failures_total", "counter", "Merges and rollups that failed.", "jobFailures"],
  ["tocsin_storage_blocks_dropped_total", "counter", "Blocks removed beyond their retention.", "blocksDropped"],
  ["tocsin_head_snapshots_total", "counter", "Snapshots of the head that were written.", "snapshots"],
  ["tocsin_head_snapshot_seconds_total", "counter", "Time that this took.", "snapshotSeconds"],
  ["tocsin_head_snapshot_bytes", "gauge", "Size of the newest snapshot written since the start.", "snapshotBytes"],
  ["tocsin_head_snapshot_failures_total", "counter", "Snapshots that could not be written.", "snapshotFailures"],
  ["tocsin_wal_failures_total", "counter", "Writes and fsyncs of the write-ahead log that failed.", "walFailures"],
  ["tocsin_storage_disk_full", "gauge", "1 while the shard stores nothing for want of space.", "diskFull"],
  ["tocsin_storage_damages", "gauge", "Places of stored data that are known to be lost.", "damages"],
  ["tocsin_storage_damaged_reads_total", "counter", "Reads of queries that met damaged data.", "damagedReads"],
  ["tocsin_storage_cache_bytes", "gauge", "Memory of the cache of decoded parts of blocks.", "cacheBytes"],
  ["tocsin_storage_cache_hits_total", "counter", "Parts of blocks that were found in the cache.", "cacheHits"],
  ["tocsin_storage_cache_misses_total", "counter", "Parts of blocks that were read from disk.", "cacheMisses"],
];

/** Metrics of what the shards have on disk. */
export function registerStorageMetrics(registry: Registry, each: Each): void {
  for (const [name, help, key] of TIER_GAUGES) {
    const rows = each((s, partition) =>
      (s.storage?.tiers ?? []).map((t) => ({ labels: { partition, tier: t.tier }, value: t[key] })),
    );
    readMetric(registry, name, "gauge", help, rows);
  }
  for (const [name, type, help, key] of NUMBERS) {
    const rows = each((s, partition) =>
      s.storage === undefined ? [] : [{ labels: { partition }, value: s.storage[key] }],
    );
    readMetric(registry, name, type, help, rows);
  }
  readMetric(
    registry,
    "tocsin_storage_rolled_up_to_seconds",
    "gauge",
    "Time (Unix seconds) up to which the rollups hold every sample.",
    each((s, partition) => {
      const at = s.storage?.rolledUpTo;
      return at === undefined ? [] : [{ labels: { partition }, value: at / 1000 }];
    }),
  );
}
