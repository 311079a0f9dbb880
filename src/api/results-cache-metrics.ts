import type { Registry } from "prom-client";
import type { ResultsCacheStats } from "../query/results-cache/results-cache.ts";
import { readMetric } from "./read-metric.ts";

/** Metrics of the cache of range queries' results. */
export function registerResultsCacheMetrics(registry: Registry, stats: () => ResultsCacheStats): void {
  const one = (name: string, type: "counter" | "gauge", help: string, read: (s: ResultsCacheStats) => number) =>
    readMetric(registry, name, type, help, () => [{ labels: {}, value: read(stats()) }]);
  one(
    "tocsin_query_cache_hits_total",
    "counter",
    "Range queries of which a part was taken from the cache.",
    (s) => s.hits,
  );
  one(
    "tocsin_query_cache_misses_total",
    "counter",
    "Range queries that were evaluated as a whole and kept.",
    (s) => s.misses,
  );
  readMetric(
    registry,
    "tocsin_query_cache_bypassed_total",
    "counter",
    "Range queries of which nothing was kept, by reason: the request (nocache, stats, a single step), its expression, a shard that did not answer, the answer (warnings, infos, native histograms), its size.",
    () => Object.entries(stats().bypassed).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  one(
    "tocsin_query_cache_reused_points_total",
    "counter",
    "Points (series times steps) that were taken from the cache.",
    (s) => s.reusedPoints,
  );
  one("tocsin_query_cache_entries", "gauge", "Results in the cache.", (s) => s.entries);
  one("tocsin_query_cache_bytes", "gauge", "Memory that the results in the cache take.", (s) => s.bytes);
}
