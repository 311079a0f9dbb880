import type { Histogram } from "../../model/histogram.ts";
import type { TierUse } from "../../model/query.ts";
import type { Tier } from "../../model/rollup.ts";
import type { ShardClient } from "../../model/shard.ts";
import type { Expr, VectorSelector } from "../parse/ast.ts";
import type { QueryTimes } from "../plan/duration-expr.ts";
import type { Grid } from "../plan/grid.ts";
import type { Annotations } from "./annotations.ts";
import type { Patience } from "./gather.ts";
import type { MatchedSeries } from "./matched-series.ts";
import type { Held } from "./memory.ts";
import type { Pace } from "./pace.ts";
import type { QueryTrace } from "./trace.ts";
import type { Vector } from "./vector.ts";

/** Everything that one query carries along. */
export interface QueryContext extends Pace, Held {
  readonly tenant: string;
  readonly shards: readonly ShardClient[];
  readonly notes: Annotations;
  readonly times: QueryTimes;
  readonly lookback: number;
  /** The selectors of the query that are read without the buckets of native histograms. */
  readonly statsOnly: Set<VectorSelector>;
  readonly matched: MatchedSeries;
  readonly subqueryStep: number;
  /** How long the query waited for its turn, ms. */
  readonly queuedMs: number;
  /** When the evaluation began, on the clock `now`. */
  readonly started: number;
  readonly limits: QueryLimits;
  /** How long shards are waited for; without it as long as the query's own time allows. */
  readonly patience?: Patience;
  /** After how many ms a shard that has not answered is left out; 0: after three quarters of the time that is left. */
  readonly shardTimeoutMs?: number;
  /** Why shards did not answer, by partition. They are not asked again. */
  readonly missing: Map<number, string>;
  /** The native histograms of all vectors, each once: cells tell their places in it. */
  readonly histograms: Histogram[];
  /** Samples read in the shards so far. */
  samples: number;
  /** The same by tier. */
  readonly tiers: Map<Tier, TierUse>;
  /** Samples in the selectors' windows, counted where statistics are asked for. */
  readonly windowSamples?: { total: number; readonly perStep: Float64Array };
  /** Where the time goes, where that is asked for. */
  readonly trace?: QueryTrace;
  /** The evaluator (execute/evaluate.ts), for the operators below it to evaluate their arguments with. */
  readonly evaluator: Evaluator;
}

export interface Evaluator {
  /** An instant vector over the grid; the caller's to change. */
  vector(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Vector>;
  /** One value a step. */
  scalar(ctx: QueryContext, expr: Expr, grid: Grid): Promise<Float64Array>;
}

export interface QueryLimits {
  readonly maxSamples: number;
  readonly maxSeries: number;
  readonly maxMemoryBytes?: number;
}

/**
 * Waits for all of them; when several fail, the error is that of the first in the list, as if they had been evaluated one
 * after the other.
 */
export async function inOrder<const T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(work);
  for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
  return Promise.all(work) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}
