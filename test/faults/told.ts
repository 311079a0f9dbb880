/** What a shard of the lab tells at /metrics. */
import { Registry } from "prom-client";
import { storageStats } from "../../src/actors/shard/storage-stats.ts";
import { registerStorageMetrics } from "../../src/api/storage-metrics.ts";
import type { ShardStats } from "../../src/model/shard.ts";
import type { Lab } from "./lab.ts";

/** The storage metrics that have no label but the partition, by name. */
export async function metricsOf({ keeper }: Lab): Promise<Readonly<Record<string, number>>> {
  const registry = new Registry();
  const stats = { storage: storageStats(keeper) } as ShardStats;
  registerStorageMetrics(registry, (rows) => async () => [...rows(stats, "0")]);
  const rows = (await registry.metrics()).matchAll(/^(\w+)\{partition="0"\} (\S+)$/gm);
  return Object.fromEntries([...rows].map(([, name, value]) => [name as string, Number(value)]));
}

export const errors = ({ lines }: Lab): string => lines.filter((line) => line.startsWith("error")).join("\n");
