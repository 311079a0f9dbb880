import type { Histogram } from "../../model/histogram.ts";
import { type Labels, labelsKey, labelValue, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { type Buckets, gatherBuckets, makeBuckets, parseBound } from "../functions/histogram-buckets.ts";
import type { Pos } from "../parse/ast.ts";
import { badBucketLabel, mixedClassicNative, warn } from "./annotations.ts";
import { hold } from "./memory.ts";
import { due, overEach, overRows, ROW_WORK, turn } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { makeVector, PRESENT_FLOAT, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/** The histograms of a vector that are called the same: the rows of classic buckets, by upper bound, and a row of native ones. */
export interface HistogramGroup {
  /** Those of the native row; of classic rows without `le`. */
  readonly labels: Labels;
  readonly rows: number[];
  readonly bounds: number[];
  /** -1: none. */
  native: number;
}

/** Sorts the rows into groups. Rows with floats whose `le` is no number are told of and left out. */
export async function groupHistograms(ctx: QueryContext, vector: Vector, pos: Pos): Promise<HistogramGroup[]> {
  const kinds = await kindsOfRows(ctx, vector);
  const byKey = new Map<string, HistogramGroup>();
  const groupOf = (labels: Labels): HistogramGroup => {
    const key = labelsKey(labels);
    let group = byKey.get(key);
    if (group === undefined) {
      group = { labels, rows: [], bounds: [], native: -1 };
      byKey.set(key, group);
    }
    return group;
  };
  await overEach(ctx, vector.labels.length, 4 * ROW_WORK, (r) => {
    const labels = vector.labels[r] as Labels;
    const kind = kinds[r] as number;
    if ((kind & PRESENT_HISTOGRAM) !== 0) groupOf(labels).native = r;
    if ((kind & PRESENT_FLOAT) === 0) return;
    const le = labelValue(labels, "le");
    const bound = parseBound(le);
    if (bound === undefined) {
      warn(ctx.notes, badBucketLabel(le, labelValue(labels, METRIC_NAME)), pos);
      return;
    }
    const { rows, bounds } = groupOf(withLabel(labels, "le", ""));
    let at = rows.length;
    while (at > 0 && (bounds[at - 1] as number) > bound) at--;
    rows.splice(at, 0, r);
    bounds.splice(at, 0, bound);
  });
  return [...byKey.values()];
}

/** Which kinds of samples each row has: PRESENT_FLOAT and PRESENT_HISTOGRAM as bits. */
async function kindsOfRows(ctx: QueryContext, { labels, steps, present }: Vector): Promise<Uint8Array> {
  const kinds = new Uint8Array(labels.length);
  if (ctx.histograms.length === 0) return kinds.fill(PRESENT_FLOAT);
  await overRows(ctx, labels.length, steps, (r, from, to) => {
    let kind = kinds[r] as number;
    for (let i = r * steps + from; i < r * steps + to; i++) kind |= present[i] as number;
    kinds[r] = kind;
  });
  return kinds;
}

/** What a function makes of the histograms: one value for each of its columns (a function of several quantiles has several). */
export interface HistogramReader {
  /** One value a step each. */
  readonly params: readonly Float64Array[];
  /** Writes a value a column to `out`. The buckets are the reader's to change. */
  classic(b: Buckets, step: number, group: HistogramGroup, out: Float64Array): void;
  native(h: Histogram, step: number, group: HistogramGroup, out: Float64Array): void;
}

/**
 * A vector a column with one row a group. Where a group has classic buckets and a native histogram at the same step there is
 * no result, which is told of at `pos`. The vectors count as held.
 */
export async function readHistograms(
  ctx: QueryContext,
  vector: Vector,
  groups: readonly HistogramGroup[],
  columns: number,
  reader: HistogramReader,
  pos: Pos,
): Promise<Vector[]> {
  const { steps, values, present } = vector;
  const labels = groups.map((g) => g.labels);
  hold(ctx, columns * groups.length * steps);
  const out = Array.from({ length: columns }, () => makeVector(steps, labels.slice()));
  for (const v of out) v.dropName.fill(1);
  const buckets = makeBuckets(groups.reduce((max, g) => Math.max(max, g.rows.length), 0));
  const results = new Float64Array(columns);
  for (let g = 0; g < groups.length; g++) {
    const group = groups[g] as HistogramGroup;
    // Steps that see the same histogram share its result; -1: none yet.
    let lastPlace = -1;
    for (let s = 0; s < steps; s++) {
      if (due(ctx, 4 * (group.rows.length + 1))) await turn(ctx);
      gatherBuckets(vector, group.rows, group.bounds, s, buckets);
      const cell = group.native * steps + s;
      if (group.native >= 0 && present[cell] === PRESENT_HISTOGRAM) {
        if (buckets.n > 0) {
          warn(ctx.notes, mixedClassicNative(labelValue(group.labels, METRIC_NAME)), pos);
          lastPlace = -1;
          continue;
        }
        const place = values[cell] as number;
        if (place !== lastPlace || !isSteady(reader.params, s)) {
          const h = ctx.histograms[place] as Histogram;
          if (due(ctx, columns * bucketWork(h))) await turn(ctx);
          reader.native(h, s, group, results);
        }
        lastPlace = place;
      } else {
        lastPlace = -1;
        if (buckets.n === 0) continue;
        reader.classic(buckets, s, group, results);
      }
      for (let c = 0; c < columns; c++) {
        const v = out[c] as Vector;
        v.values[g * steps + s] = results[c] as number;
        v.present[g * steps + s] = PRESENT_FLOAT;
      }
    }
  }
  return out;
}

/** Whether all parameters are what they were a step before. */
function isSteady(params: readonly Float64Array[], s: number): boolean {
  for (const p of params) if (!Object.is(p[s], p[s - 1])) return false;
  return true;
}

/** Work that it is to go through a histogram's buckets, in units of `due`. */
export function bucketWork(h: Histogram): number {
  return 8 * (h.positive.length + h.negative.length + 1);
}
