import { compareLabels, type Labels, labelsKey } from "../../model/labels.ts";
import type { Pos } from "../parse/ast.ts";
import type { PartialOp, ShardPartials, ShardRaw, ShardRows } from "../plan/shard-plan.ts";
import { askShards, type PlanBody, type PlanPlaces } from "./ask-shards.ts";
import { finishHistograms, mergeHistograms } from "./histogram-aggregate.ts";
import { addHistogram } from "./histogram-pool.ts";
import { hold } from "./memory.ts";
import { mergeRows } from "./merge-rows.ts";
import { overEach, overRows, ROW_WORK, sortedIndexes } from "./pace.ts";
import { unpackLabels } from "./packed-labels.ts";
import { addGroup, finishPartial, makePartial, mergeGroup } from "./partial-aggregate.ts";
import type { QueryContext } from "./query-context.ts";
import { compactRows, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

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
