import { compareLabels, type Labels, labelsKey } from "../../model/labels.ts";
import { QueryError, type TierUse } from "../../model/query.ts";
import type { Tier } from "../../model/rollup.ts";
import type { Pos } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import type { PartialOp, ShardAnswer, ShardPartials, ShardPlan, ShardRaw, ShardRows } from "../plan/shard-plan.ts";
import { addNote } from "./annotations.ts";
import { finishHistograms, mergeHistograms } from "./histogram-aggregate.ts";
import { addHistogram } from "./histogram-pool.ts";
import { hold, tooManySamples } from "./memory.ts";
import { mergeRows } from "./merge-rows.ts";
import { checkAlive, overEach, overRows, ROW_WORK, sortedIndexes, stopError } from "./pace.ts";
import { unpackLabels } from "./packed-labels.ts";
import { addGroup, finishPartial, makePartial, mergeGroup } from "./partial-aggregate.ts";
import type { QueryContext } from "./query-context.ts";
import { compactRows, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/** A plan without what is the same for the whole query. */
export type PlanBody = Omit<ShardPlan, "version" | "tenant" | "limits">;

/** Places in the query: of the selector or range, of each of the maps, and of what is aggregated (default: the last of these). */
export interface PlanPlaces {
  readonly pos: Pos;
  readonly mapPos?: readonly Pos[];
  readonly aggregated?: Pos;
}

/**
 * Sends a plan to every shard. The answers come in the order of the partitions, whatever the order of arrival, so that
 * results do not depend on timing. A shard that does not answer is noted in `ctx.missing`; when none answers the query fails.
 */
async function askShards<K extends ShardAnswer["kind"]>(
  ctx: QueryContext,
  body: PlanBody,
  kind: K,
  { pos, mapPos = [] }: PlanPlaces,
): Promise<Extract<ShardAnswer, { kind: K }>[]> {
  checkAlive(ctx);
  const plan: ShardPlan = {
    ...body,
    ...(ctx.windowSamples === undefined ? {} : { countWindows: true }),
    ...(ctx.trace === undefined ? {} : { trace: true }),
    version: 1,
    tenant: ctx.tenant,
    limits: { ...ctx.limits, timeoutMs: Math.max(0, ctx.deadline - ctx.now()) },
  };
  const traced = ctx.trace?.sends(plan, pos);
  const asked = ctx.shards.map(async (shard) => {
    const request = shard.request({ kind: "query", tenant: ctx.tenant, plan }, ctx.signal);
    return traced === undefined ? request : traced.awaited(shard.partition, request);
  });
  const settled = await Promise.allSettled(asked);
  if (ctx.signal.aborted) throw stopError(ctx);
  const answers: Extract<ShardAnswer, { kind: K }>[] = [];
  settled.forEach((outcome, i) => {
    const { partition } = ctx.shards[i] as (typeof ctx.shards)[number];
    if (outcome.status === "rejected") {
      if (outcome.reason instanceof QueryError) throw outcome.reason;
      ctx.missing.set(partition, outcome.reason instanceof Error ? outcome.reason.message : String(outcome.reason));
      return;
    }
    const answer = outcome.value as ShardAnswer;
    if (answer.kind === "failure") throw new QueryError(answer.type, answer.message);
    if (answer.kind !== kind) throw new QueryError("internal", `shard ${partition} answered ${answer.kind}`);
    ctx.samples += answer.samples;
    for (const use of answer.tiers) addUse(ctx.tiers, use);
    if (answer.windowSamples !== undefined) addWindowSamples(ctx, body.grid, answer.windowSamples);
    for (const note of answer.notes) {
      const at = note.kind === "said" && note.map !== undefined ? mapPos[note.map] : undefined;
      addNote(ctx.notes, note, at ?? pos);
    }
    answers.push(answer as Extract<ShardAnswer, { kind: K }>);
  });
  if (answers.length === 0 && ctx.shards.length > 0) {
    throw new QueryError("internal", `no shard answered: ${[...ctx.missing.values()].join("; ")}`);
  }
  if (ctx.samples > ctx.limits.maxSamples) throw tooManySamples(ctx.limits.maxSamples);
  traced?.complete(answers);
  return answers;
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

/** The rows of all shards in the order of their labels. */
export async function fetchRows(ctx: QueryContext, body: PlanBody, places: PlanPlaces): Promise<Vector> {
  const answers = await askShards(ctx, body, "rows", places);
  const { steps } = body.grid;
  for (const answer of answers) {
    hold(ctx, answer.dropName.length * steps);
    takeHistograms(ctx, answer);
  }
  if (answers.length === 1) {
    const { labels, dropName, values, present } = answers[0] as ShardRows;
    const unpacked = await unpackLabels(ctx, labels);
    ctx.trace?.merged(answers);
    return { steps, labels: unpacked, dropName, values, present };
  }
  const merged = await mergeRows(ctx, answers, steps);
  ctx.trace?.merged(answers);
  return merged;
}

/** Takes the histograms of an answer into the query's pool. */
function takeHistograms(ctx: QueryContext, { histograms, values, present }: ShardRows): void {
  if (histograms.length === 0) return;
  const before = ctx.histograms.length;
  for (const h of histograms) addHistogram(ctx, h);
  if (before === 0) return;
  for (let i = 0; i < present.length; i++) {
    if (present[i] === PRESENT_HISTOGRAM) values[i] = (values[i] as number) + before;
  }
}

/** The shards' partial aggregates put together. */
export async function fetchAggregate(
  ctx: QueryContext,
  body: PlanBody,
  op: PartialOp,
  places: PlanPlaces,
): Promise<Vector> {
  const answers: readonly ShardPartials[] = await askShards(ctx, body, "partials", places);
  const merged = makePartial(op, body.grid.steps);
  const byKey = new Map<string, number>();
  const groupOf = (labels: Labels): number => {
    const key = labelsKey(labels);
    let group = byKey.get(key);
    if (group === undefined) {
      hold(ctx, body.grid.steps);
      group = addGroup(merged, labels);
      byKey.set(key, group);
    }
    return group;
  };
  for (const answer of answers) {
    const sets = await unpackLabels(ctx, answer.labels);
    const groups = new Int32Array(sets.length);
    await overRows(ctx, sets.length, body.grid.steps, (theirs, from, to) => {
      if (from === 0) groups[theirs] = groupOf(sets[theirs] as Labels);
      mergeGroup(merged, groups[theirs] as number, answer, theirs, from, to);
    });
    if (answer.histograms !== undefined) await mergeHistograms(ctx, merged, answer.histograms, groups);
  }
  const result = await finishPartial(ctx, merged);
  await finishHistograms(ctx, merged, result, places.aggregated ?? places.mapPos?.at(-1) ?? places.pos);
  const compact = await compactRows(ctx, result);
  ctx.trace?.merged(answers);
  return compact;
}

/** Samples of a range selector, one entry a series, in the order of their labels. */
export interface RawSeries {
  readonly labels: Labels;
  readonly ts: Float64Array;
  /** Native histograms as model/sample.ts has them: offsets in `histograms`. */
  readonly values: Float64Array;
  readonly histograms: Uint8Array;
}

export async function fetchRaw(ctx: QueryContext, body: PlanBody, pos: Pos): Promise<RawSeries[]> {
  const answers: readonly ShardRaw[] = await askShards(ctx, { ...body, raw: true }, "raw", { pos });
  const out: RawSeries[] = [];
  for (const answer of answers) {
    let at = 0;
    const sets = await unpackLabels(ctx, answer.labels);
    await overEach(ctx, sets.length, ROW_WORK, (i) => {
      const end = answer.ends[i] as number;
      const labels = sets[i] as Labels;
      const ts = answer.ts.subarray(at, end);
      out.push({ labels, ts, values: answer.values.subarray(at, end), histograms: answer.histograms });
      at = end;
    });
  }
  const labelsAt = (i: number): Labels => (out[i] as RawSeries).labels;
  const order = await sortedIndexes(ctx, out.length, (a, b) => compareLabels(labelsAt(a), labelsAt(b)));
  const ordered = Array.from(order, (i) => out[i] as RawSeries);
  ctx.trace?.merged(answers);
  return ordered;
}
