import type { Histogram } from "../../model/histogram.ts";
import { showHistogram } from "../histogram/show.ts";
import type { CellTotal } from "../plan/shard-plan.ts";
import { due, SLICE, turn } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/** Native histograms of a partial aggregate. */
export interface HistogramCells {
  /** Some were left out. */
  ignored: boolean;
  /** By cell (`group * steps + step`). */
  readonly totals: Map<number, CellTotal>;
  /** What the totals count for in the limits. */
  points: number;
  /** Of these, what the query in front holds. */
  held: number;
}

/** Work of copying or adding a histogram, in the unit of `due`. */
export function histogramWork({ positive, negative, customBounds }: Histogram): number {
  return 64 + 8 * (positive.length + negative.length + customBounds.length);
}

/** Calls `use` with every native histogram of a vector in front, row by row. Costs nothing where the query has none. */
export async function eachHistogram(
  ctx: QueryContext,
  { steps, labels, values, present }: Vector,
  use: (h: Histogram, row: number, step: number) => void,
): Promise<void> {
  if (ctx.histograms.length === 0) return;
  const cells = labels.length * steps;
  for (let from = 0; from < cells; from += SLICE) {
    const to = Math.min(cells, from + SLICE);
    for (let cell = from; cell < to; cell++) {
      if (present[cell] !== PRESENT_HISTOGRAM) continue;
      const h = ctx.histograms[values[cell] as number] as Histogram;
      const step = cell % steps;
      use(h, (cell - step) / steps, step);
      if (due(ctx, histogramWork(h))) await turn(ctx);
    }
    if (due(ctx, (to - from) >> 2)) await turn(ctx);
  }
}

/** Makes the cells with histograms absent; whether there were any at a step that `counts`. */
export async function dropHistograms(
  ctx: QueryContext,
  vector: Vector,
  counts: (step: number) => boolean = () => true,
): Promise<boolean> {
  const { steps, present } = vector;
  let any = false;
  await eachHistogram(ctx, vector, (_, row, step) => {
    present[row * steps + step] = 0;
    if (!any) any = counts(step);
  });
  return any;
}

/** The histograms of a vector in words, by their places in the query's pool. */
export async function histogramTexts(ctx: QueryContext, vector: Vector): Promise<ReadonlyMap<number, string>> {
  const { steps, values } = vector;
  const texts = new Map<number, string>();
  await eachHistogram(ctx, vector, (h, row, step) => {
    const place = values[row * steps + step] as number;
    if (!texts.has(place)) texts.set(place, showHistogram(h));
  });
  return texts;
}
