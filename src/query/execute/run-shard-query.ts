import { watched } from "../../lib/work-at-hand.ts";
import type { Histogram } from "../../model/histogram.ts";
import { copyHistogram, histogramBytes, makeHistogramBytes } from "../../model/histogram-code.ts";
import { compareLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import {
  type HistogramBytes,
  histogramRef,
  isHistogramAt,
  type SampleBuffer,
  writeHistogramRef,
} from "../../model/sample.ts";
import type { Coverage, SeriesSource } from "../../model/series-source.ts";
import { estimatePlan } from "../cost-shard.ts";
import type { Counted, ShardAnswer, ShardPartials, ShardPlan, ShardRaw, ShardRows } from "../plan/shard-plan.ts";
import { needOf } from "../plan/tier.ts";
import { groupLabels } from "./grouping.ts";
import { packHistograms, takeHistograms } from "./histogram-aggregate.ts";
import { histogramPoints } from "./histogram-pool.ts";
import { POINT_BYTES, SET_BYTES, tooManySamples, tooManySeries, tooMuchMemory } from "./memory.ts";
import { packLabels } from "./packed-labels.ts";
import { addGroup, addRow, makePartial, type Partial } from "./partial-aggregate.ts";
import { makeRowEvaluator, type RowEvaluator } from "./row-evaluator.ts";
import { type ShardTracer, traceShard } from "./trace-shard.ts";

/** Work (samples read, cells written) between two looks at the clock and at `stopped`: a millisecond at most. */
const CHECK_EVERY = 65_536;
/** What a series costs besides its samples. */
const SERIES_WORK = 1024;

/**
 * Runs the shard's part of a query: selection, range functions, elementwise operations, partial aggregation.
 * Synchronous; `stopped` is asked every few series (a cancelled request, a shard that shuts down).
 * Query errors (limits, timeout) come back as an answer of kind "failure", so that they survive any transport; anything
 * thrown is a fault of the shard. `transfer` lists the buffers of the answer that may be moved instead of copied.
 */
export function runShardQuery(
  source: SeriesSource,
  plan: unknown,
  stopped: () => boolean = never,
): { result: unknown; transfer: ArrayBuffer[] } {
  if ((plan as ShardPlan).estimate === true) {
    return { result: estimatePlan(source, plan as ShardPlan, stopped), transfer: [] };
  }
  const tracer = (plan as ShardPlan).trace === true ? traceShard(source) : undefined;
  const ran = run(tracer?.source ?? source, plan as ShardPlan, stopped, tracer);
  const answer =
    tracer === undefined || ran.kind === "failure" || ran.kind === "count" ? ran : { ...ran, trace: tracer.end() };
  return { result: answer, transfer: buffersOf(answer) };
}

function never(): boolean {
  return false;
}

function run(source: SeriesSource, plan: ShardPlan, stopped: () => boolean, tracer?: ShardTracer): ShardAnswer {
  if (plan.version !== 1) {
    return {
      kind: "failure",
      type: "internal",
      message: `query plan version ${plan.version} is not known to this shard`,
    };
  }
  const deadline = performance.now() + plan.limits.timeoutMs;
  const watch: Watch = { stopped, deadline, samples: 0, points: 0, bytes: 0, work: CHECK_EVERY, plan, tracer };
  try {
    return watched(
      () => look(watch),
      () => evaluate(source, watch),
    );
  } catch (error) {
    if (error instanceof QueryError) return { kind: "failure", type: error.type, message: error.message };
    throw error;
  }
}

function evaluate(source: SeriesSource, watch: Watch): ShardAnswer {
  const { plan } = watch;
  const { maxSamples, maxSeries, seriesShare = maxSeries } = plan.limits;
  if (plan.grid.steps > maxSamples) throw tooManySamples(maxSamples);
  const rows = makeRowEvaluator(plan, coveragesOf(source), (work) => checkWork(watch, work));
  const { minT, maxT } = rows.bounds;
  const ids = source.select(plan.tenant, plan.select.matchers, minT, maxT);
  const matched = ids.length;
  // On the index alone: no sample has been read yet.
  if (matched > maxSeries) throw tooManySeries(matched, maxSeries);
  if (matched > seriesShare) return { kind: "count", matched };
  look(watch);
  ids.sort();
  if (plan.raw === true) return { ...rawSamples(source, ids, rows, watch), matched };
  const answer = plan.aggregate === undefined ? evaluateRows : evaluateGroups;
  return { ...answer(source, ids, rows, watch), matched };
}

/** Of series by the numbers of `coverageOf`. */
function coveragesOf({ rollups }: SeriesSource): readonly Coverage[] {
  return rollups === undefined ? [] : (rollups.coverages?.() ?? [rollups.coverage()]);
}

interface Watch {
  readonly stopped: () => boolean;
  readonly deadline: number;
  readonly plan: ShardPlan;
  readonly tracer: ShardTracer | undefined;
  samples: number;
  /** That the answer's histograms count for. */
  points: number;
  /** Of labels and raw samples that are held for the answer. */
  bytes: number;
  /** Since the last look at the clock. */
  work: number;
}

/** Counts work and looks at the clock and at `stopped` when there has been enough of it. */
function checkWork(watch: Watch, work: number): void {
  watch.work += work;
  if (watch.work < CHECK_EVERY) return;
  look(watch);
}

/** Throws when the work is to end. */
function look(watch: Watch): void {
  watch.work = 0;
  if (watch.stopped()) throw new QueryError("canceled", "query was canceled in query execution");
  if (performance.now() > watch.deadline) throw new QueryError("timeout", "query timed out in query execution");
}

/** Reads one series and keeps to the limits; false when there is nothing of it. */
function readSeries(source: SeriesSource, id: number, rows: RowEvaluator, watch: Watch): boolean {
  checkWork(watch, rows.steps + SERIES_WORK);
  const read = rows.load(source, id);
  watch.samples += read;
  if (watch.samples > watch.plan.limits.maxSamples) throw tooManySamples(watch.plan.limits.maxSamples);
  // One window may have them all: reading them and computing with them are two stretches of work.
  checkWork(watch, read);
  return read > 0;
}

/** What was read, and what is to be said of it. */
function told(source: SeriesSource, rows: RowEvaluator, watch: Watch): Counted {
  const tiers = rows.use();
  const { windowSamples, notes } = rows;
  const samplesNeeded = needOf(watch.plan) === "samples";
  for (const { tier, rounded } of tiers) {
    if (rounded && tier !== "raw") notes.set(`rounded ${tier}`, { kind: samplesNeeded ? "points" : "rounded", tier });
  }
  const { minT, maxT } = rows.bounds;
  const missing = (source.problems?.(minT, maxT) ?? []).map((text) => ({ kind: "missingData", text }) as const);
  const counted = { samples: watch.samples, tiers, notes: [...notes.values(), ...missing] };
  return windowSamples === undefined ? counted : { ...counted, windowSamples };
}

function evaluateRows(source: SeriesSource, ids: Uint32Array, rows: RowEvaluator, watch: Watch): ShardRows {
  const { steps } = rows;
  const labels: Labels[] = [];
  const most = Math.floor(watch.plan.limits.maxSamples / Math.max(1, steps));
  let capacity = Math.min(Math.max(1, ids.length), 256, Math.max(1, most));
  let values = new Float64Array(capacity * steps);
  let present = new Uint8Array(capacity * steps);
  const histograms: Histogram[] = [];
  let counted = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if (!readSeries(source, id, rows, watch)) continue;
    if (labels.length === capacity) {
      checkPoints((capacity + 1) * steps, watch);
      capacity = Math.min(2 * capacity, ids.length, most);
      values = grown(values, new Float64Array(capacity * steps));
      present = grown(present, new Uint8Array(capacity * steps));
    }
    const base = labels.length * steps;
    const any = rows.evaluate(values, present, base, histograms);
    for (; counted < histograms.length; counted++) watch.points += histogramPoints(histograms[counted] as Histogram);
    checkPoints(labels.length * steps + watch.points, watch);
    if (!any) continue;
    const set = source.labels(id);
    labels.push(set);
    watch.bytes += SET_BYTES + 12 * set.length;
  }
  watch.tracer?.packs();
  // Rows go out in the order of their labels: the front end merges the shards' answers without sorting again.
  const order = Uint32Array.from(labels.keys());
  if (labels.length > 1) order.sort(byLabels(labels, watch));
  const outValues = new Float64Array(labels.length * steps);
  const outPresent = new Uint8Array(labels.length * steps);
  for (let i = 0; i < order.length; i++) {
    const r = order[i] as number;
    outValues.set(values.subarray(r * steps, (r + 1) * steps), i * steps);
    outPresent.set(present.subarray(r * steps, (r + 1) * steps), i * steps);
    checkWork(watch, steps);
  }
  values = outValues;
  present = outPresent;
  return {
    kind: "rows",
    labels: packLabels(
      Array.from(order, (r) => labels[r] as Labels),
      (work) => checkWork(watch, work),
    ),
    dropName: new Uint8Array(labels.length).fill(rows.dropsName ? 1 : 0),
    values,
    present,
    histograms,
    ...told(source, rows, watch),
  };
}

function grown<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Points of the answer count like samples: a query may ask for more of them than it reads. */
function checkPoints(points: number, { plan, bytes }: Watch): void {
  const { maxSamples, maxMemoryBytes = Number.POSITIVE_INFINITY } = plan.limits;
  if (points > maxSamples) throw tooManySamples(maxSamples);
  if (points * POINT_BYTES + bytes > maxMemoryBytes) throw tooMuchMemory(maxMemoryBytes);
}

/** What comparing two rows' labels counts for. */
const COMPARE_WORK = 64;

/** Orders rows by their labels; a sort of very many ends when the work is to end. */
function byLabels(labels: readonly Labels[], watch: Watch): (a: number, b: number) => number {
  return (a, b) => {
    checkWork(watch, COMPARE_WORK);
    return compareLabels(labels[a] as Labels, labels[b] as Labels);
  };
}

function evaluateGroups(source: SeriesSource, ids: Uint32Array, rows: RowEvaluator, watch: Watch): ShardPartials {
  const { steps } = rows;
  const { op, grouping, without } = watch.plan.aggregate as NonNullable<ShardPlan["aggregate"]>;
  const partial = makePartial(op, steps);
  const groupOf = makeGrouper(source, grouping, without, partial);
  const drop = rows.dropsName ? 1 : 0;
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  const histograms: Histogram[] = [];
  const spent = (work: number): void => checkWork(watch, work);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if (!readSeries(source, id, rows, watch)) continue;
    present.fill(0);
    histograms.length = 0;
    const any = rows.evaluate(values, present, 0, histograms);
    if (!any) continue;
    const group = groupOf(id);
    let ofRow = 0;
    if (histograms.length > 0) {
      for (const h of histograms) ofRow += histogramPoints(h);
      const metric = (): string => labelValue(source.labels(id), METRIC_NAME);
      takeHistograms(partial, group, values, present, 0, histograms, metric, spent);
    }
    addRow(partial, group, drop, values, present, 0);
    checkPoints(partial.groups * steps + (partial.histograms?.points ?? 0) + ofRow, watch);
  }
  watch.tracer?.packs();
  const order = partial.labels.map((_, g) => g);
  order.sort(byLabels(partial.labels, watch));
  const found = packHistograms(partial, order);
  const reorder = (column: Float64Array): Float64Array => {
    const out = new Float64Array(order.length * steps);
    order.forEach((g, i) => {
      out.set(column.subarray(g * steps, (g + 1) * steps), i * steps);
      checkWork(watch, steps);
    });
    return out;
  };
  return {
    kind: "partials",
    labels: packLabels(
      order.map((g) => partial.labels[g] as Labels),
      spent,
    ),
    dropName: Uint8Array.from(order, (g) => partial.dropName[g] as number),
    count: reorder(partial.count),
    columns: partial.columns.map(reorder),
    ...(found === undefined ? {} : { histograms: found }),
    ...told(source, rows, watch),
  };
}

/**
 * Finds (or makes) the group of a series. `by` compares symbol numbers, so no string is built but for a new group;
 * `without` needs the labels.
 */
function makeGrouper(
  source: SeriesSource,
  grouping: readonly string[],
  without: boolean,
  partial: Partial,
): (id: number) => number {
  const names = new Set(grouping);
  const byKey = new Map<string | number, number>();
  const find = (key: string | number, id: number): number => {
    let group = byKey.get(key);
    if (group === undefined) {
      group = addGroup(partial, groupLabels(source.labels(id), names, without));
      byKey.set(key, group);
    }
    return group;
  };
  if (without) return (id) => find(labelsKey(groupLabels(source.labels(id), names, true)), id);
  const symbols = [...names].map((n) => source.symbol(n)).filter((s) => s >= 0);
  if (symbols.length === 0) return (id) => find(0, id);
  const only = symbols[0] as number;
  if (symbols.length === 1) return (id) => find(source.valueSymbol(id, only), id);
  return (id) => {
    let key = "";
    for (const s of symbols) key += `${source.valueSymbol(id, s)},`;
    return find(key, id);
  };
}

function rawSamples(source: SeriesSource, ids: Uint32Array, rows: RowEvaluator, watch: Watch): ShardRaw {
  const found: { labels: Labels; ts: Float64Array; values: Float64Array }[] = [];
  const histograms = makeHistogramBytes();
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    readSeries(source, id, rows, watch);
    const samples = rows.rangeSamples();
    const { ts, values, length } = samples;
    if (length === 0) continue;
    moveHistograms(samples, histograms);
    const labels = source.labels(id);
    watch.bytes += 16 * length + SET_BYTES + 12 * labels.length;
    checkPoints(0, watch);
    found.push({ labels, ts: ts.slice(0, length), values: values.slice(0, length) });
  }
  watch.tracer?.packs();
  found.sort((a, b) => {
    checkWork(watch, COMPARE_WORK);
    return compareLabels(a.labels, b.labels);
  });
  const ends = new Uint32Array(found.length);
  let total = 0;
  found.forEach((f, i) => {
    total += f.ts.length;
    ends[i] = total;
  });
  const ts = new Float64Array(total);
  const values = new Float64Array(total);
  found.forEach((f, i) => {
    const at = i === 0 ? 0 : (ends[i - 1] as number);
    ts.set(f.ts, at);
    values.set(f.values, at);
    checkWork(watch, f.ts.length);
  });
  return {
    kind: "raw",
    labels: packLabels(
      found.map((f) => f.labels),
      (work) => checkWork(watch, work),
    ),
    ends,
    ts,
    values,
    histograms: histogramBytes(histograms).slice(),
    ...told(source, rows, watch),
  };
}

/** Copies the histograms of samples behind those that are in `to`; the samples refer to these then. */
function moveHistograms({ words, length, histograms }: SampleBuffer, to: HistogramBytes): void {
  if (histograms === undefined || histograms.length === 0) return;
  for (let i = 0; i < length; i++) {
    if (!isHistogramAt(words, i)) continue;
    writeHistogramRef(words, i, copyHistogram(histograms.bytes, histogramRef(words, i), to));
  }
}

/** From this size on a buffer is moved to another thread: a small one is copied in less time than it takes to move it. */
const MOVE_FROM = 1024;

function buffersOf(answer: ShardAnswer): ArrayBuffer[] {
  const own = (...arrays: (Float64Array | Uint8Array | Uint32Array)[]): ArrayBuffer[] =>
    arrays.map((a) => a.buffer as ArrayBuffer).filter((buffer) => buffer.byteLength >= MOVE_FROM);
  switch (answer.kind) {
    case "rows":
      return own(answer.values, answer.present, answer.dropName, answer.labels.ids, answer.labels.ends);
    case "partials":
      return [
        ...own(answer.count, ...answer.columns, answer.dropName, answer.labels.ids, answer.labels.ends),
        ...(answer.histograms === undefined ? [] : own(answer.histograms.cells)),
      ];
    case "raw":
      return own(answer.ts, answer.values, answer.histograms, answer.ends, answer.labels.ids, answer.labels.ends);
    default:
      return [];
  }
}
