import { formatFloatG } from "../../lib/float-format.ts";
import { type Labels, labelsKey, labelValue, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { badBucketLabel, forcedMonotonicity, inform, warn } from "../execute/annotations.ts";
import { due, overEach, ROW_WORK, turn } from "../execute/pace.ts";
import type { QueryContext } from "../execute/query-context.ts";
import { compactRows, makeVector, PRESENT_FLOAT, type Vector } from "../execute/vector.ts";
import type { Pos } from "../parse/ast.ts";

/**
 * Classic histograms: rows that differ in `le` only are the cumulative buckets of one histogram. Which buckets there are
 * may differ from step to step.
 */
interface Histogram {
  /** Labels without `le`. */
  readonly labels: Labels;
  dropName: number;
  /** Rows by upper bound, ascending. */
  readonly rows: number[];
  readonly bounds: number[];
}

const NUMBER = /^[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** strconv.ParseFloat as far as bucket labels go; undefined for what is no number. */
export function parseBound(text: string): number | undefined {
  if (NUMBER.test(text)) return Number(text);
  const m = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (m === null) return undefined;
  if (m[2]?.toLowerCase() === "nan") return Number.NaN;
  return m[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

async function groupBuckets(ctx: QueryContext, vector: Vector, pos: Pos): Promise<Histogram[]> {
  const byKey = new Map<string, Histogram>();
  await overEach(ctx, vector.labels.length, 4 * ROW_WORK, (r) => {
    const labels = vector.labels[r] as Labels;
    const le = labelValue(labels, "le");
    const bound = parseBound(le);
    if (bound === undefined) {
      warn(ctx.notes, badBucketLabel(le, labelValue(labels, METRIC_NAME)), pos);
      return;
    }
    const rest = withLabel(labels, "le", "");
    const key = labelsKey(rest);
    let histogram = byKey.get(key);
    if (histogram === undefined) {
      histogram = { labels: rest, dropName: 1, rows: [], bounds: [] };
      byKey.set(key, histogram);
    }
    let at = histogram.rows.length;
    while (at > 0 && (histogram.bounds[at - 1] as number) > bound) at--;
    histogram.rows.splice(at, 0, r);
    histogram.bounds.splice(at, 0, bound);
  });
  return [...byKey.values()];
}

/** The buckets of one step, bounds ascending and distinct. */
interface Buckets {
  n: number;
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
}

function makeBuckets(histograms: readonly Histogram[]): Buckets {
  const size = histograms.reduce((max, h) => Math.max(max, h.rows.length), 0);
  return { n: 0, bounds: new Float64Array(size), counts: new Float64Array(size) };
}

function gather(vector: Vector, h: Histogram, s: number, out: Buckets): void {
  out.n = 0;
  for (let i = 0; i < h.rows.length; i++) {
    const cell = (h.rows[i] as number) * vector.steps + s;
    if (vector.present[cell] === 0) continue;
    const bound = h.bounds[i] as number;
    const count = vector.values[cell] as number;
    if (out.n > 0 && out.bounds[out.n - 1] === bound) {
      // Different spellings of one bound.
      out.counts[out.n - 1] = (out.counts[out.n - 1] as number) + count;
    } else {
      out.bounds[out.n] = bound;
      out.counts[out.n++] = count;
    }
  }
}

/** Relative difference of counts that is taken for lost precision, not for data. */
const SMALL_DELTA = 1e-12;

/** Makes counts ascend; true when real data had to be changed for that. */
function makeMonotonic(b: Buckets): boolean {
  let forced = false;
  let previous = b.counts[0] as number;
  for (let i = 1; i < b.n; i++) {
    const count = b.counts[i] as number;
    if (count === previous) continue;
    const small = Math.abs(count - previous) / (Math.abs(count) + Math.abs(previous)) < SMALL_DELTA;
    if (small) b.counts[i] = previous;
    else if (count < previous) {
      b.counts[i] = previous;
      forced = true;
    } else previous = count;
  }
  return forced;
}

/** The q-quantile by linear interpolation in the bucket that holds it. NaN without a +Inf bucket or observations. */
function bucketQuantile(q: number, b: Buckets): number {
  const last = b.n - 1;
  if (b.n < 2) return Number.NaN;
  const observations = b.counts[last] as number;
  if (observations === 0 || Number.isNaN(observations)) return Number.NaN;
  let rank = q * observations;
  let i = 0;
  while (i < last && !((b.counts[i] as number) >= rank)) i++;
  if (i === last) return b.bounds[last - 1] as number;
  const upper = b.bounds[i] as number;
  if (i === 0 && upper <= 0) return upper;
  let lower = 0;
  let count = b.counts[i] as number;
  if (i > 0) {
    lower = b.bounds[i - 1] as number;
    count -= b.counts[i - 1] as number;
    rank -= b.counts[i - 1] as number;
  }
  return lower + (upper - lower) * (rank / count);
}

/** The share of observations between two values, by linear interpolation; none within a bucket of infinite width. */
function bucketFraction(lower: number, upper: number, b: Buckets): number {
  const count = b.counts[b.n - 1] as number;
  if (count === 0 || Number.isNaN(count) || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, b) - rankOf(lower, b)) / count;
}

/** Observations below a value. */
function rankOf(value: number, b: Buckets): number {
  let rank = 0;
  for (let i = 0; i < b.n; i++) {
    const upper = b.bounds[i] as number;
    const lower = i > 0 ? (b.bounds[i - 1] as number) : upper > 0 ? 0 : Number.NEGATIVE_INFINITY;
    if (lower >= value) return rank;
    const count = b.counts[i] as number;
    if (upper > value) {
      if (lower === Number.NEGATIVE_INFINITY) return count;
      return rank + (count - rank) * ((value - lower) / (upper - lower));
    }
    rank = count;
  }
  return rank;
}

/** One value a histogram and step. `q`: quantiles, one a step. */
export async function histogramQuantile(ctx: QueryContext, vector: Vector, q: Float64Array, pos: Pos): Promise<Vector> {
  const { notes } = ctx;
  const histograms = await groupBuckets(ctx, vector, pos);
  return evaluateHistograms(ctx, vector, histograms, (b, s, h) => {
    const quantile = q[s] as number;
    if (Number.isNaN(quantile)) return Number.NaN;
    if (quantile < 0) return Number.NEGATIVE_INFINITY;
    if (quantile > 1) return Number.POSITIVE_INFINITY;
    if (b.bounds[b.n - 1] !== Number.POSITIVE_INFINITY) return Number.NaN;
    if (makeMonotonic(b)) inform(notes, forcedMonotonicity(labelValue(h.labels, METRIC_NAME)), pos);
    return bucketQuantile(quantile, b);
  });
}

export async function histogramFraction(
  ctx: QueryContext,
  vector: Vector,
  lower: Float64Array,
  upper: Float64Array,
  pos: Pos,
): Promise<Vector> {
  const histograms = await groupBuckets(ctx, vector, pos);
  return evaluateHistograms(ctx, vector, histograms, (b, s) => {
    if (b.bounds[b.n - 1] !== Number.POSITIVE_INFINITY) return Number.NaN;
    return bucketFraction(lower[s] as number, upper[s] as number, b);
  });
}

async function evaluateHistograms(
  ctx: QueryContext,
  vector: Vector,
  histograms: readonly Histogram[],
  value: (b: Buckets, step: number, h: Histogram) => number,
): Promise<Vector> {
  const { steps } = vector;
  const out = makeVector(
    steps,
    histograms.map((h) => h.labels),
  );
  out.dropName.fill(1);
  const buckets = makeBuckets(histograms);
  for (let g = 0; g < histograms.length; g++) {
    const h = histograms[g] as Histogram;
    for (let s = 0; s < steps; s++) {
      if (due(ctx, 4 * h.rows.length)) await turn(ctx);
      gather(vector, h, s, buckets);
      if (buckets.n === 0) continue;
      out.values[g * steps + s] = value(buckets, s, h);
      out.present[g * steps + s] = PRESENT_FLOAT;
    }
  }
  return compactRows(ctx, out);
}

/** A quantile as OpenMetrics writes it in a label: always with a point or exponent. */
export function formatQuantileLabel(q: number): string {
  const text = formatFloatG(q);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
