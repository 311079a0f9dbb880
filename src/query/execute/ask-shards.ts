import { QueryError, type TierUse } from "../../model/query.ts";
import type { Tier } from "../../model/rollup.ts";
import type { ShardClient } from "../../model/shard.ts";
import type { Pos } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import type { PlanLimits, ShardAnswer, ShardFailure, ShardPlan } from "../plan/shard-plan.ts";
import { addNote } from "./annotations.ts";
import { type Gathered, gather } from "./gather.ts";
import { checkAll, noteMatched, selectorKey, shareOf } from "./matched-series.ts";
import { answerBytes, holdBytes, tooManySamples, tooManySeries } from "./memory.ts";
import { checkAlive, stopError } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";

/** A plan without what is the same for the whole query. */
export type PlanBody = Omit<ShardPlan, "version" | "tenant" | "limits">;

/** Places in the query: of the selector or range, of each of the maps, and of what is aggregated (default: the last of these). */
export interface PlanPlaces {
  readonly pos: Pos;
  readonly mapPos?: readonly Pos[];
  readonly aggregated?: Pos;
}

type AnswerOf<K extends ShardAnswer["kind"]> = Extract<ShardAnswer, { kind: K }>;
type Useful = "rows" | "partials" | "raw";

/** What a shard may take of the time that is left, so that the others' answers still arrive in time. */
const SHARE = 0.75;

/**
 * Sends a plan to every shard. The answers come in the order of the partitions, whatever the order of arrival, so that
 * results do not depend on timing. A shard that does not answer, or not soon enough, is noted in `ctx.missing` and not asked
 * again for this query; when none answers the query fails.
 */
export async function askShards<K extends Useful>(
  ctx: QueryContext,
  body: PlanBody,
  kind: K,
  { pos, mapPos = [] }: PlanPlaces,
): Promise<AnswerOf<K>[]> {
  checkAlive(ctx);
  const shards = ctx.shards.filter((s) => !ctx.missing.has(s.partition));
  const { maxSeries } = ctx.limits;
  const key = selectorKey(body.select.matchers);
  const plan = planOf(ctx, body, { seriesShare: shareOf(ctx.matched, key, maxSeries, ctx.shards.length) });
  const traced = ctx.trace?.sends(plan, pos);
  const asking = (what: ShardPlan) => (shard: ShardClient, signal: AbortSignal) => {
    const request = shard.request({ kind: "query", tenant: ctx.tenant, plan: what }, signal);
    return traced === undefined ? request : traced.awaited(shard.partition, request);
  };
  const first = await askInTime(ctx, shards, plan.limits.timeoutMs, asking(plan));
  const outcomes = await withinLimit(ctx, key, shards, first, (many) => {
    const whole = planOf(ctx, body);
    return askInTime(ctx, many, whole.limits.timeoutMs, asking(whole));
  });
  const answers: AnswerOf<K>[] = [];
  outcomes.forEach((outcome, i) => {
    const { partition } = shards[i] as ShardClient;
    if (outcome.error !== undefined) {
      ctx.missing.set(partition, outcome.error.message);
      ctx.patience?.missed(partition, outcome.error);
      return;
    }
    const answer = outcome.value;
    if (answer.kind !== kind) throw new QueryError("internal", `shard ${partition} answered ${answer.kind}`);
    const useful = answer as Extract<ShardAnswer, { kind: Useful }>;
    ctx.samples += useful.samples;
    holdBytes(ctx, answerBytes(useful));
    for (const use of useful.tiers) addUse(ctx.tiers, use);
    if (useful.windowSamples !== undefined) addWindowSamples(ctx, body.grid, useful.windowSamples);
    for (const note of useful.notes) {
      const at = note.kind === "said" && note.map !== undefined ? mapPos[note.map] : undefined;
      addNote(ctx.notes, note, at ?? pos);
    }
    answers.push(answer as AnswerOf<K>);
  });
  if (answers.length === 0 && ctx.shards.length > 0) {
    throw new QueryError("internal", `no shard answered: ${[...ctx.missing.values()].join("; ")}`);
  }
  if (ctx.samples > ctx.limits.maxSamples) throw tooManySamples(ctx.limits.maxSamples);
  traced?.complete(answers);
  return answers;
}

function planOf(ctx: QueryContext, body: PlanBody, limits: Partial<PlanLimits> = {}): ShardPlan {
  return {
    ...body,
    ...(ctx.windowSamples === undefined ? {} : { countWindows: true }),
    ...(ctx.trace === undefined ? {} : { trace: true }),
    version: 1,
    tenant: ctx.tenant,
    limits: { ...ctx.limits, ...limits, timeoutMs: Math.max(0, ctx.deadline - ctx.now()) },
  };
}

/** Waits for the shards as long as the query can. Throws the error of one that cannot carry the plan out. */
async function askInTime(
  ctx: QueryContext,
  shards: readonly ShardClient[],
  leftMs: number,
  ask: (shard: ShardClient, signal: AbortSignal) => Promise<unknown>,
): Promise<Gathered<ShardAnswer>[]> {
  const outcomes = (await gather(shards, ask, {
    signal: ctx.signal,
    waitMs: Math.min(SHARE * leftMs, ctx.shardTimeoutMs || Number.POSITIVE_INFINITY),
    patience: ctx.patience,
    isFatal: (outcome) => fatal(outcome as Gathered<ShardAnswer>) !== undefined,
  })) as Gathered<ShardAnswer>[];
  if (ctx.signal.aborted) throw stopError(ctx);
  for (const outcome of outcomes) {
    const error = fatal(outcome);
    if (error?.type === "timeout") throw ctx.timeoutError?.() ?? error;
    if (error !== undefined) throw error;
  }
  return outcomes;
}

/** What ends the query whatever the other shards say. */
function fatal({ error, value }: Gathered<ShardAnswer>): QueryError | undefined {
  if (error !== undefined) return error instanceof QueryError ? error : undefined;
  const { kind, type, message } = value as ShardFailure;
  return kind === "failure" ? new QueryError(type, message) : undefined;
}

/**
 * Asks the shards how many series selectors match, on their indexes alone, and notes it in `ctx.matched`. A shard that does not
 * answer counts nothing: what it has is not read either.
 */
export async function countSeries(ctx: QueryContext, bodies: readonly PlanBody[]): Promise<void> {
  const shards = ctx.shards.filter((s) => !ctx.missing.has(s.partition));
  const { maxSeries } = ctx.limits;
  await Promise.all(
    bodies.map(async (body) => {
      const plan = planOf(ctx, body, { seriesShare: -1 });
      const outcomes = await askInTime(ctx, shards, plan.limits.timeoutMs, (shard, signal) =>
        shard.request({ kind: "query", tenant: ctx.tenant, plan }, signal),
      );
      noteMatched(ctx.matched, selectorKey(body.select.matchers), matchedIn(outcomes), maxSeries);
    }),
  );
}

function matchedIn(outcomes: readonly Gathered<ShardAnswer>[]): number {
  let matched = 0;
  for (const { value } of outcomes) if (value !== undefined && "matched" in value) matched += value.matched ?? 0;
  return matched;
}

/**
 * Holds the series of all shards together against the limit, and those of the query's other selectors, before those are read of
 * shards that have more than their share. Such shards are asked again; others have answered already.
 */
async function withinLimit(
  ctx: QueryContext,
  key: string,
  shards: readonly ShardClient[],
  first: readonly Gathered<ShardAnswer>[],
  again: (shards: readonly ShardClient[]) => Promise<Gathered<ShardAnswer>[]>,
): Promise<readonly Gathered<ShardAnswer>[]> {
  const { maxSeries } = ctx.limits;
  const many = shards.filter((_, i) => first[i]?.value?.kind === "count");
  const matched = matchedIn(first);
  if (matched > maxSeries) throw tooManySeries(matched, maxSeries);
  noteMatched(ctx.matched, key, matched, maxSeries);
  if (many.length === 0) return first;
  await checkAll(ctx.matched, maxSeries);
  const second = await again(many);
  const outcomes = [...first];
  shards.forEach((shard, i) => {
    const at = many.indexOf(shard);
    if (at >= 0) outcomes[i] = second[at] as Gathered<ShardAnswer>;
  });
  return outcomes;
}

/** Adds what a shard has read to what others have. */
function addUse(uses: Map<Tier, TierUse>, { tier, after, until, rows, rounded }: TierUse): void {
  const u = uses.get(tier);
  uses.set(tier, {
    tier,
    after: Math.min(after, u?.after ?? after),
    until: Math.max(until, u?.until ?? until),
    rows: rows + (u?.rows ?? 0),
    rounded: rounded || u?.rounded === true,
  });
}

/** Of a grid that is not the query's own (subqueries, what is the same at every step), only the total is told. */
function addWindowSamples(ctx: QueryContext, grid: Grid, counts: Float64Array): void {
  const own = ctx.windowSamples;
  if (own === undefined) return;
  const same = grid.start === ctx.times.start && grid.steps === own.perStep.length;
  for (let s = 0; s < counts.length; s++) {
    own.total += counts[s] as number;
    if (same) own.perStep[s] = (own.perStep[s] as number) + (counts[s] as number);
  }
}
