import { QueryError } from "../model/query.ts";
import type { ShardRequest, ShardResponses } from "../model/shard.ts";
import { gather } from "../query/execute/gather.ts";
import { timeoutError } from "../query/limits.ts";
import type { ApiDeps } from "./deps.ts";

/** What a shard may take of the request's time, so that the others' answers still arrive in time. */
const SHARE = 0.75;

/**
 * Asks every shard; one that does not answer, or not in time, makes the result partial, which a warning says. Throws QueryError
 * when a shard refuses, when the client is gone, and when no shard at all has answered in the tenant's limits.query_timeout.
 */
export async function askAll<K extends ShardRequest["kind"]>(
  deps: ApiDeps,
  ask: Extract<ShardRequest, { kind: K }> & { readonly tenant: string },
  client: AbortSignal,
): Promise<{ answers: ShardResponses[K][]; warnings: string[] }> {
  const { queryTimeoutMs, queryShardTimeoutMs } = deps.limitsOf(ask.tenant);
  const tooLate = new AbortController();
  const timer = setTimeout(
    () => tooLate.abort(timeoutError("query execution", queryTimeoutMs, false)),
    Math.min(queryTimeoutMs, 2 ** 31 - 1),
  );
  const signal = AbortSignal.any([client, tooLate.signal]);
  const outcomes = await gather(deps.shards, (shard, off) => shard.request<K>(ask, off), {
    signal,
    waitMs: Math.min(SHARE * queryTimeoutMs, queryShardTimeoutMs || Number.POSITIVE_INFINITY),
    patience: deps.patience,
    isFatal: ({ error }) => error instanceof QueryError,
  }).finally(() => clearTimeout(timer));
  if (signal.aborted) {
    const { reason } = signal;
    throw reason instanceof QueryError ? reason : new QueryError("canceled", "the request was canceled");
  }
  const answers: ShardResponses[K][] = [];
  const warnings: string[] = [];
  const refusal = outcomes.find(({ error }) => error instanceof QueryError);
  if (refusal !== undefined) throw refusal.error;
  outcomes.forEach(({ error, value }, i) => {
    if (error === undefined) {
      answers.push(value);
      return;
    }
    const { partition } = deps.shards[i]!;
    deps.patience?.missed(partition, error);
    warnings.push(`partial answer: shard ${partition} did not answer: ${error.message}`);
  });
  return { answers, warnings };
}
