import type { Histogram } from "../../model/histogram.ts";
import { labelValue, METRIC_NAME } from "../../model/labels.ts";
import {
  type Buckets,
  bucketFraction,
  bucketQuantile,
  isComplete,
  makeMonotonic,
} from "../functions/histogram-buckets.ts";
import { fractionLeavesOutNaN, fractionOfHistogram } from "../histogram/fraction.ts";
import { quantileNote, quantileOfHistogram } from "../histogram/quantile.ts";
import { histogramAverage, histogramDeviation, histogramVariance } from "../histogram/spread.ts";
import type { Call, Expr, Pos } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import { argumentPos, unwrap } from "../plan/step-invariant.ts";
import {
  fractionWithoutNaN,
  inform,
  informForced,
  invalidQuantile,
  quantileIsNaN,
  quantileIsSkewed,
  warn,
} from "./annotations.ts";
import { bucketWork, groupHistograms, type HistogramGroup, readHistograms } from "./histogram-function-groups.ts";
import { replaced } from "./memory.ts";
import { due, overEach, ROW_WORK, turn } from "./pace.ts";
import { inOrder, type QueryContext } from "./query-context.ts";
import { compactRows, PRESENT_FLOAT, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/** The functions that read histograms, classic and native ones; notes are placed where Prometheus places them. */

/** One value of a native histogram; floats have none. */
const OF_HISTOGRAM: Readonly<Record<string, (h: Histogram) => number>> = {
  histogram_count: (h) => h.count,
  histogram_sum: (h) => h.sum,
  histogram_avg: histogramAverage,
  histogram_stddev: histogramDeviation,
  histogram_stdvar: histogramVariance,
};

export function isOfHistogram(func: string): boolean {
  return func in OF_HISTOGRAM;
}

/** histogram_count and the others of one value, in place. */
export async function valuesOfHistograms(ctx: QueryContext, func: string, vector: Vector): Promise<Vector> {
  const read = OF_HISTOGRAM[func] as (h: Histogram) => number;
  const { steps, values, present, labels } = vector;
  for (let r = 0; r < labels.length; r++) {
    if (due(ctx, ROW_WORK)) await turn(ctx);
    let lastPlace = -1;
    let value = 0;
    for (let i = r * steps; i < (r + 1) * steps; i++) {
      if (due(ctx, 1)) await turn(ctx);
      if (present[i] !== PRESENT_HISTOGRAM) {
        present[i] = 0;
        continue;
      }
      const place = values[i] as number;
      if (place !== lastPlace) {
        const h = ctx.histograms[place] as Histogram;
        if (due(ctx, bucketWork(h))) await turn(ctx);
        value = read(h);
        lastPlace = place;
      }
      values[i] = value;
      present[i] = PRESENT_FLOAT;
    }
  }
  vector.dropName.fill(1);
  return compactRows(ctx, vector);
}

/** histogram_quantile(q, vector). */
export async function evaluateQuantile(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const [q, v] = await inOrder([
    ctx.evaluator.scalar(ctx, unwrap(call.args[0] as Expr), grid),
    ctx.evaluator.vector(ctx, unwrap(call.args[1] as Expr), grid),
  ]);
  await checkQuantiles(ctx, q, argumentPos(call, 0));
  const [result] = (await quantilesOf(ctx, v, [q], grid, argumentPos(call, 1))) as [Vector];
  return replaced(ctx, [v, result], await compactRows(ctx, result));
}

/** Warns of quantiles that are none. */
export async function checkQuantiles(ctx: QueryContext, q: Float64Array, pos: Pos): Promise<void> {
  let last = 0;
  await overEach(ctx, q.length, 2, (s) => {
    const v = q[s] as number;
    if ((v >= 0 && v <= 1) || Object.is(v, last)) return;
    last = v;
    warn(ctx.notes, invalidQuantile(v), pos);
  });
}

/**
 * The quantiles of all histograms of a vector, which stays as it is: one vector for each column of `quantiles` (one value a
 * step), all with the same rows, some of which may have no sample. `pos`: the place of the vector, for notes.
 */
export async function quantilesOf(
  ctx: QueryContext,
  vector: Vector,
  quantiles: readonly Float64Array[],
  grid: Grid,
  pos: Pos,
): Promise<Vector[]> {
  const { notes } = ctx;
  const raised = { minBucket: 0, maxBucket: 0, maxDiff: 0 };
  const classic = (b: Buckets, s: number, group: HistogramGroup, out: Float64Array): void => {
    const complete = isComplete(b);
    let monotonic = false;
    for (let c = 0; c < quantiles.length; c++) {
      const q = (quantiles[c] as Float64Array)[s] as number;
      if (!(q >= 0 && q <= 1) || !complete) {
        out[c] = outOfRange(q);
        continue;
      }
      if (!monotonic && makeMonotonic(b, raised)) {
        const t = grid.start + s * grid.step;
        informForced(notes, metricOf(group), pos, { ...raised, minT: t, maxT: t, samples: 1 });
      }
      monotonic = true;
      out[c] = bucketQuantile(q, b);
    }
  };
  const native = (h: Histogram, s: number, group: HistogramGroup, out: Float64Array): void => {
    for (let c = 0; c < quantiles.length; c++) {
      const q = (quantiles[c] as Float64Array)[s] as number;
      out[c] = quantileOfHistogram(q, h);
      const note = quantileNote(q, h);
      if (note === "none") continue;
      inform(notes, (note === "skewed" ? quantileIsSkewed : quantileIsNaN)(metricOf(group)), pos);
    }
  };
  const groups = await groupHistograms(ctx, vector, pos);
  return readHistograms(ctx, vector, groups, quantiles.length, { params: quantiles, classic, native }, pos);
}

/** Of a quantile outside [0, 1], and of buckets of which nothing can be said. */
function outOfRange(q: number): number {
  if (q < 0) return Number.NEGATIVE_INFINITY;
  return q > 1 ? Number.POSITIVE_INFINITY : Number.NaN;
}

/** histogram_fraction(lower, upper, vector). */
export async function evaluateFraction(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const [lower, upper, v] = await inOrder([
    ctx.evaluator.scalar(ctx, unwrap(call.args[0] as Expr), grid),
    ctx.evaluator.scalar(ctx, unwrap(call.args[1] as Expr), grid),
    ctx.evaluator.vector(ctx, unwrap(call.args[2] as Expr), grid),
  ]);
  const pos = argumentPos(call, 2);
  const classic = (b: Buckets, s: number, _: HistogramGroup, out: Float64Array): void => {
    out[0] = isComplete(b) ? bucketFraction(lower[s] as number, upper[s] as number, b) : Number.NaN;
  };
  const native = (h: Histogram, s: number, group: HistogramGroup, out: Float64Array): void => {
    const from = lower[s] as number;
    const to = upper[s] as number;
    out[0] = fractionOfHistogram(from, to, h);
    if (fractionLeavesOutNaN(from, to, h)) inform(ctx.notes, fractionWithoutNaN(metricOf(group)), pos);
  };
  const groups = await groupHistograms(ctx, v, pos);
  const reader = { params: [lower, upper], classic, native };
  const [result] = (await readHistograms(ctx, v, groups, 1, reader, pos)) as [Vector];
  return replaced(ctx, [v, result], await compactRows(ctx, result));
}

function metricOf({ labels }: HistogramGroup): string {
  return labelValue(labels, METRIC_NAME);
}
