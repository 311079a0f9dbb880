import type { Logger as Log } from "pino";
import { type Config, type LimitsConfig, limitsOf } from "../model/config.ts";
import type { Engine } from "../model/query.ts";
import type { ShardClient } from "../model/shard.ts";
import { makeEngine } from "../query/engine.ts";
import { makePatience, type Patience } from "../query/execute/gather.ts";
import type { EngineLimits } from "../query/limits.ts";
import { makeQueryQueue, type QueryQueue } from "../query/queue.ts";
import { makeResultsCache, type ResultsCache } from "../query/results-cache/results-cache.ts";

/** The engine and what it shares with the API. */
export interface EngineParts {
  readonly engine: Engine;
  readonly queue: Pick<QueryQueue, "stats">;
  readonly results: ResultsCache;
  readonly patience: Patience;
  /** How often each partition was left out of an answer. */
  readonly missed: ReadonlyMap<number, number>;
}

/** How often a log line may tell of the same partition. */
const TELL_EVERY_MS = 10_000;

/** Makes the engine; its limits are those of the configuration in force when a query comes. */
export function wireEngine(shards: readonly ShardClient[], config: () => Config, log: Log): EngineParts {
  const missed = new Map<number, number>(shards.map((s) => [s.partition, 0]));
  const told = new Map<number, number>();
  const patience = makePatience((partition, why) => {
    missed.set(partition, (missed.get(partition) ?? 0) + 1);
    const now = performance.now();
    if (now - (told.get(partition) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    told.set(partition, now);
    log.warn({ shard: partition }, `an answer to a query is partial: ${why.message}`);
  });
  const queue = makeQueryQueue(() => {
    const { limits } = config();
    return { maxRunning: limits.maxConcurrentQueries, maxWaiting: limits.maxQueuedQueries };
  });
  const results = makeResultsCache(() => config().limits.queryCacheBytes);
  const engine = makeEngine({
    shards,
    patience,
    queue,
    limitsOf: (tenant) => engineLimits(limitsOf(config(), tenant)),
    results,
    defaultSubqueryStepMs: config().global.evaluationIntervalMs,
  });
  return { engine, queue, results, patience, missed };
}

function engineLimits(limits: LimitsConfig): EngineLimits {
  return {
    maxSamples: limits.maxQuerySamples,
    maxSeries: limits.maxQuerySeries,
    maxMemoryBytes: limits.maxQueryMemoryBytes,
    maxPoints: limits.maxQueryPoints,
    maxQueryBytes: limits.maxQueryBytes,
    maxDepth: limits.maxQueryDepth,
    maxTotalMs: limits.maxTotalQueryMs,
    maxLookbackMs: limits.maxLookbackDeltaMs,
    maxRegexCost: limits.maxRegexCost,
    maxTenantQueries: limits.maxTenantQueries,
    timeoutMs: limits.queryTimeoutMs,
    shardTimeoutMs: limits.queryShardTimeoutMs,
    lookbackMs: limits.queryLookbackMs,
  };
}
