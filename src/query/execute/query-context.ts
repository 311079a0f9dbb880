import { QueryError } from "../../model/query.ts";
import type { ShardClient } from "../../model/shard.ts";
import type { Expr } from "../parse/ast.ts";
import type { QueryTimes } from "../plan/duration-expr.ts";
import type { Grid } from "../plan/grid.ts";
import type { Annotations } from "./annotations.ts";
import type { Vector } from "./vector.ts";

/** Everything that one query carries along. */
export interface QueryContext {
  readonly tenant: string;
  readonly shards: readonly ShardClient[];
  readonly notes: Annotations;
  readonly times: QueryTimes;
  readonly lookback: number;
  readonly subqueryStep: number;
  readonly limits: QueryLimits;
  /** Aborted when the client is gone or the time is up; `stop` says which. */
  readonly signal: AbortSignal;
  readonly deadline: number;
  readonly now: () => number;
  /** Why shards did not answer, by partition. */
  readonly missing: Map<number, string>;
  samples: number;
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
}

/** Throws when the query shall not go on. */
export function checkAlive(ctx: QueryContext): void {
  if (ctx.signal.aborted) throw stopError(ctx);
  if (ctx.now() > ctx.deadline) throw new QueryError("timeout", "query timed out in expression evaluation");
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

export function stopError(ctx: QueryContext): QueryError {
  return ctx.signal.reason instanceof QueryError
    ? ctx.signal.reason
    : new QueryError("canceled", "query was canceled in expression evaluation");
}
