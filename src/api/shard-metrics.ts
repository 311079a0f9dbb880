import type { Registry } from "prom-client";
import { type ShardClient, type ShardStats, WAL_FSYNC_BUCKETS } from "../model/shard.ts";
import { histogram, type Reading, readMetric } from "./read-metric.ts";
import { registerStorageMetrics } from "./storage-metrics.ts";

type ShardNumber = { [K in keyof ShardStats]-?: ShardStats[K] extends number ? K : never }[keyof ShardStats];

const GAUGES: readonly (readonly [name: string, help: string, key: ShardNumber])[] = [
  ["tocsin_head_series", "Series in the head.", "headSeries"],
  ["tocsin_head_chunks", "Chunks in the head.", "headChunks"],
  ["tocsin_head_bytes", "Memory of the head's tables, chunks and index.", "headBytes"],
  ["tocsin_stream_lag_messages", "Messages of the partition's stream that the shard has not consumed.", "streamLag"],
  [
    "tocsin_stream_consumed_sequence",
    "Stream sequence up to which everything is in the WAL on disk.",
    "consumedSequence",
  ],
  ["tocsin_shard_parked_samples", "Samples that wait for the labels of their series.", "samplesParked"],
  ["tocsin_wal_size_bytes", "Size of the write-ahead log.", "walBytes"],
];

/** A shard that takes longer to answer than this is shown as down: /metrics must stay quick when a shard is busy. */
const ANSWER_WITHIN_MS = 2_000;
/** The metrics of one scrape share one round of questions to the shards. */
const SHARE_MS = 250;

/** Metrics that are read from the shards, one row a partition. */
export function registerShardMetrics(registry: Registry, shards: readonly ShardClient[]): void {
  let asked = Number.NEGATIVE_INFINITY;
  let round: Promise<(ShardStats | undefined)[]> = Promise.resolve([]);
  const stats = () => {
    if (performance.now() - asked > SHARE_MS) {
      asked = performance.now();
      round = Promise.all(
        shards.map((s) =>
          s.request<"stats">({ kind: "stats" }, AbortSignal.timeout(ANSWER_WITHIN_MS)).catch(() => undefined),
        ),
      );
    }
    return round;
  };
  const each = (rows: (s: ShardStats, partition: string) => readonly Reading[]) => async () =>
    (await stats()).flatMap((s) => (s === undefined ? [] : rows(s, String(s.partition))));

  registerStorageMetrics(registry, each);
  readMetric(registry, "tocsin_shard_up", "gauge", "1 when the shard answers.", async () =>
    (await stats()).map((s, i) => ({
      labels: { partition: String(shards[i]?.partition) },
      value: s === undefined ? 0 : 1,
    })),
  );
  readMetric(
    registry,
    "tocsin_shard_ready",
    "gauge",
    "1 when the shard has replayed its WAL and caught up once.",
    each((s, partition) => [{ labels: { partition }, value: s.ready ? 1 : 0 }]),
  );
  for (const [name, help, key] of GAUGES) {
    readMetric(
      registry,
      name,
      "gauge",
      help,
      each((s, partition) => [{ labels: { partition }, value: s[key] }]),
    );
  }
  readMetric(
    registry,
    "tocsin_stream_backlog_messages",
    "gauge",
    "Of the messages that were not consumed: older ones, which are read behind the newest.",
    each((s, partition) => [{ labels: { partition }, value: s.backlogLag ?? 0 }]),
  );
  readMetric(
    registry,
    "tocsin_stream_lag_seconds",
    "gauge",
    "Age of the oldest message that was not consumed, 0 when all are; absent while it is not known.",
    each((s, partition) => (s.lagSeconds === undefined ? [] : [{ labels: { partition }, value: s.lagSeconds }])),
  );
  readMetric(
    registry,
    "tocsin_shard_samples_appended_total",
    "counter",
    "Samples stored by the shard since it started.",
    each((s, partition) => [{ labels: { partition }, value: s.samplesAppended }]),
  );
  readMetric(
    registry,
    "tocsin_shard_messages_missed_total",
    "counter",
    "Messages that were gone from the stream before the shard had read them: lost.",
    each((s, partition) => [{ labels: { partition }, value: s.messagesMissed ?? 0 }]),
  );
  readMetric(
    registry,
    "tocsin_shard_samples_rejected_total",
    "counter",
    "Samples that the shard did not store, or that a later one of the same time has overwritten, by reason.",
    each((s, partition) =>
      Object.entries(s.samplesRejected).map(([reason, value]) => ({ labels: { partition, reason }, value })),
    ),
  );
  readMetric(
    registry,
    "tocsin_shard_samples_too_old_total",
    "counter",
    "Of the samples that the shard did not store: acknowledged ones beyond the out-of-order window of their series.",
    each((s, partition) =>
      (s.tooOldByTenant ?? []).map(([tenant, value]) => ({ labels: { partition, tenant }, value })),
    ),
  );
  readMetric(
    registry,
    "tocsin_wal_fsync_duration_seconds",
    "histogram",
    "Latency of the write-ahead log's fsyncs.",
    each((s, partition) =>
      histogram({ partition }, WAL_FSYNC_BUCKETS, s.walFsyncBuckets, s.walFsyncCount, s.walFsyncSeconds),
    ),
  );
}
