/** What a query would take, asked of the shards before it runs: its selectors are looked up, no sample is read. */
import {
  type ExceededLimit,
  type QueryCost,
  QueryError,
  type SelectorCost,
  type ShardCost,
  type TierUse,
} from "../model/query.ts";
import type { ShardClient } from "../model/shard.ts";
import { type SelectorPlan, selectorPlans } from "./cost-plans.ts";
import { mostRows } from "./cost-points.ts";
import { subqueryGrid } from "./execute/evaluate-subquery.ts";
import { gather } from "./execute/gather.ts";
import { selectorKey } from "./execute/matched-series.ts";
import { checkAlive, stopError } from "./execute/pace.ts";
import type { QueryContext } from "./execute/query-context.ts";
import { joinUses } from "./execute/series-reader.ts";
import type { Expr, VectorSelector } from "./parse/ast.ts";
import type { Grid } from "./plan/grid.ts";
import type { ShardEstimate, ShardFailure, ShardPlan } from "./plan/shard-plan.ts";
import { unwrap } from "./plan/step-invariant.ts";
import { windowSpan } from "./plan/tier.ts";

/**
 * @param expr the query's tree as it would be evaluated
 * @param text the query
 * @param maxPoints limits.max_query_points
 * @param isRange range queries alone are held against it
 */
export async function estimateCost(
  ctx: QueryContext,
  expr: Expr,
  text: string,
  grid: Grid,
  { maxPoints, isRange }: { readonly maxPoints: number; readonly isRange: boolean },
): Promise<QueryCost> {
  const bytesOfText = Buffer.from(text);
  const plans = selectorPlans(ctx, expr, grid);
  const selectors = await Promise.all(
    plans.map((plan) => costOf(ctx, plan, bytesOfText.toString("utf8", plan.pos.start, plan.pos.end))),
  );
  const total = (of: (cost: ShardCost) => number): number => selectors.reduce((sum, s) => sum + of(s), 0);
  const seriesBy = new Map<VectorSelector | undefined, number>(
    plans.map((p, i) => [p.selector, selectors[i]?.series ?? 0]),
  );
  // As the query counts them: the same matchers once, whatever the times.
  const together = new Map<string, number>();
  plans.forEach(({ body }, i) => {
    const key = selectorKey(body.select.matchers);
    together.set(key, Math.max(together.get(key) ?? 0, selectors[i]?.series ?? 0));
  });
  const matched = [...together.values()].reduce((sum, series) => sum + series, 0);
  const points = pointsOf(ctx, expr, grid, (s) => seriesBy.get(s) ?? 0, selectors);
  const samples = total((s) => s.samples);
  const { maxSamples, maxSeries } = ctx.limits;
  // What a query holds at a time counts as what it reads does; a subquery has one row at least.
  const held = Math.max(samples, points, ...plans.map((p) => p.body.grid.steps));
  const exceeds: ExceededLimit[] = [
    { limit: "limits.max_query_series", most: maxSeries, wanted: matched },
    { limit: "limits.max_query_samples", most: maxSamples, wanted: held },
    { limit: "limits.max_query_points", most: maxPoints, wanted: isRange ? grid.steps - 1 : 0 },
  ];
  return {
    selectors,
    series: total((s) => s.series),
    samples,
    bytes: total((s) => s.bytes),
    steps: grid.steps,
    points,
    exceeds: exceeds.filter(({ most, wanted }) => wanted > most),
    warnings: [...ctx.missing].map(([partition, reason]) => {
      return `shard ${partition} did not answer, the estimate is partial: ${reason}`;
    }),
    partial: ctx.missing.size > 0,
  };
}

function pointsOf(
  ctx: QueryContext,
  expr: Expr,
  grid: Grid,
  seriesOf: (selector: VectorSelector) => number,
  selectors: readonly SelectorCost[],
): number {
  const top = unwrap(expr);
  // A range selector at the top is answered as it is.
  if (top.kind === "matrixSelector") return selectors[0]?.samples ?? 0;
  if (top.kind === "subquery") return mostRows(top, seriesOf) * subqueryGrid(ctx, top, grid).steps;
  return mostRows(top, seriesOf) * grid.steps;
}

async function costOf(ctx: QueryContext, { body }: SelectorPlan, selector: string): Promise<SelectorCost> {
  const { grid, select, range } = body;
  const span = windowSpan(grid, range?.range ?? select.lookback, select.offset, select.at);
  const shards = await askShards(ctx, body);
  return {
    selector,
    after: span.firstStart,
    until: span.lastEnd,
    steps: grid.steps,
    series: shards.reduce((sum, s) => sum + s.series, 0),
    samples: shards.reduce((sum, s) => sum + s.samples, 0),
    bytes: shards.reduce((sum, s) => sum + s.bytes, 0),
    tiers: wholeRows(joinUses(shards.flatMap((s) => s.tiers))),
    shards,
  };
}

/** What a shard may take of the time that is left, so that the others' answers still arrive in time. */
const SHARE = 0.75;

/** One entry a shard that has answered, in the order of the partitions; the others are noted in `ctx.missing`. */
async function askShards(
  ctx: QueryContext,
  body: SelectorPlan["body"],
): Promise<(ShardCost & { readonly partition: number })[]> {
  checkAlive(ctx);
  const plan: ShardPlan = {
    ...body,
    estimate: true,
    version: 1,
    tenant: ctx.tenant,
    limits: { ...ctx.limits, timeoutMs: Math.max(0, ctx.deadline - ctx.now()) },
  };
  const shards = ctx.shards.filter((s) => !ctx.missing.has(s.partition));
  const ask = (shard: ShardClient, signal: AbortSignal): Promise<unknown> => {
    return shard.request({ kind: "query", tenant: ctx.tenant, plan }, signal);
  };
  const outcomes = await gather(shards, ask, {
    signal: ctx.signal,
    waitMs: Math.min(SHARE * plan.limits.timeoutMs, ctx.shardTimeoutMs || Number.POSITIVE_INFINITY),
    patience: ctx.patience,
    isFatal: ({ error }) => error instanceof QueryError,
  });
  if (ctx.signal.aborted) throw stopError(ctx);
  const out: (ShardCost & { readonly partition: number })[] = [];
  outcomes.forEach(({ error, value }, i) => {
    const { partition } = shards[i] as ShardClient;
    if (error !== undefined) {
      if (error instanceof QueryError) throw error;
      ctx.missing.set(partition, error.message);
      ctx.patience?.missed(partition, error);
      return;
    }
    const answer = value as ShardEstimate | ShardFailure;
    if (answer.kind === "failure") throw new QueryError(answer.type, answer.message);
    const tiers = wholeRows(answer.tiers);
    const samples = tiers.reduce((sum, t) => sum + t.rows, 0);
    out.push({ partition, series: answer.series, samples, bytes: answer.bytes, tiers });
  });
  if (out.length === 0 && ctx.shards.length > 0) {
    throw new QueryError("internal", `no shard answered: ${[...ctx.missing.values()].join("; ")}`);
  }
  return out;
}

/** Shares of chunks are told as whole samples. */
function wholeRows(tiers: readonly TierUse[]): TierUse[] {
  return tiers.map((t) => ({ ...t, rows: Math.round(t.rows) }));
}
