import type { Engine } from "../model/query.ts";
import { QueryError } from "../model/query.ts";
import type { ShardClient } from "../model/shard.ts";

export interface EngineOptions {
  readonly shards: readonly ShardClient[];
  /** Samples that one query may read over all shards. */
  readonly maxSamples?: number;
  /** Series that one selector may match in one shard. */
  readonly maxSeries?: number;
  /** Points a series (the API's limit of 11,000 is checked there too, with its own message). */
  readonly maxPoints?: number;
  readonly timeoutMs?: number;
  readonly lookbackMs?: number;
  /** Step of subqueries that name none (Prometheus: the evaluation interval). */
  readonly defaultSubqueryStepMs?: number;
  /** Unix ms; used for timeouts only. */
  readonly now?: () => number;
}

/** The query front end over the given shards. */
export function makeEngine(options: EngineOptions): Engine {
  void options;
  return {
    instant: () => Promise.reject(new QueryError("internal", "not built yet")),
    range: () => Promise.reject(new QueryError("internal", "not built yet")),
  };
}
