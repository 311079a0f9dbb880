import type { Histogram } from "../../model/histogram.ts";
import { labelValue, METRIC_NAME } from "../../model/labels.ts";
import { BOUNDS_RECONCILED, INCOMPATIBLE } from "../histogram/add.ts";
import { addToTotal, type HistogramTotal, makeTotal, mergeTotal, resetCollision, totalOf } from "../histogram/total.ts";
import type { Pos } from "../parse/ast.ts";
import type { CellTotal, PartialHistograms, PartialOp } from "../plan/shard-plan.ts";
import { inform, warn } from "./annotations.ts";
import { eachHistogram, type HistogramCells, histogramWork } from "./histogram-aggregate-cells.ts";
import {
  mixedSamples,
  mixedSchemas,
  noteIgnored,
  reconciledBounds,
  resetsCollide,
} from "./histogram-aggregate-notes.ts";
import { addHistogram, histogramPoints } from "./histogram-pool.ts";
import { hold } from "./memory.ts";
import { due, turn } from "./pace.ts";
import type { Partial } from "./partial-aggregate.ts";
import type { QueryContext } from "./query-context.ts";
import { PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/**
 * Native histograms in aggregates that can be built from parts. sum and avg have a total in each cell that got any; a cell that
 * got floats too has no result. The others but count and group leave histograms out. They are taken out of a row before
 * `addRow` gets it, so that rows of floats go the way that they always went.
 *
 * What is said of a cell is known when all parts are together, and does not depend on their order: of floats among histograms
 * only that, of two kinds of buckets only that. (Prometheus says what it has met up to there, in the order of its storage.)
 */

function cellsOf(p: Partial): HistogramCells {
  p.histograms ??= { ignored: false, totals: new Map(), points: 0, held: 0 };
  return p.histograms;
}

/** Whether the operation takes a histogram for a sample like any other. */
function countsOnly(op: PartialOp): boolean {
  return op === "count" || op === "group";
}

function hasTotals(op: PartialOp): boolean {
  return op === "sum" || op === "avg";
}

/**
 * Takes the histograms of a row of all steps into the group; their cells are absent afterwards, but for count and group, which
 * count them with the floats.
 * @param metric name of the row's metric
 * @param spent called with the work done; may throw
 */
export function takeHistograms(
  p: Partial,
  group: number,
  values: Float64Array,
  present: Uint8Array,
  rowBase: number,
  pool: readonly Histogram[],
  metric: () => string,
  spent: (work: number) => void,
): void {
  if (countsOnly(p.op)) return;
  for (let s = 0; s < p.steps; s++) {
    if (present[rowBase + s] !== PRESENT_HISTOGRAM) continue;
    present[rowBase + s] = 0;
    const h = pool[values[rowBase + s] as number] as Histogram;
    takeOne(p, group * p.steps + s, h, metric);
    spent(histogramWork(h));
  }
}

/** The same for all rows of a vector in front; `of` has the rows' groups. */
export async function takeVectorHistograms(
  ctx: QueryContext,
  p: Partial,
  vector: Vector,
  of: Int32Array,
): Promise<void> {
  if (countsOnly(p.op)) return;
  const { steps, labels, present } = vector;
  await eachHistogram(ctx, vector, (h, row, step) => {
    present[row * steps + step] = 0;
    takeOne(p, (of[row] as number) * steps + step, h, () => labelValue(labels[row] ?? [], METRIC_NAME));
    holdMore(ctx, cellsOf(p));
  });
}

function takeOne(p: Partial, cell: number, h: Histogram, metric: () => string): void {
  const cells = cellsOf(p);
  if (!hasTotals(p.op)) {
    cells.ignored = true;
    return;
  }
  let at = cells.totals.get(cell);
  if (at === undefined) {
    at = { total: makeTotal(p.op === "avg"), metric: metric() };
    cells.totals.set(cell, at);
  }
  const { total } = at;
  if (isIncompatible(total)) return;
  const before = pointsOf(total);
  if (p.count[cell] === 0) {
    addToTotal(total, h);
    if (isIncompatible(total)) {
      at.metric = metric();
      forget(total);
    }
  } else forget(total);
  cells.points += pointsOf(total) - before;
}

function isIncompatible({ flags }: HistogramTotal): boolean {
  return (flags & INCOMPATIBLE) !== 0;
}

/** There is no result, so nothing has to be kept. */
function forget(total: HistogramTotal): void {
  total.value = undefined;
  total.lost = undefined;
}

function pointsOf({ value }: HistogramTotal): number {
  return value === undefined ? 0 : histogramPoints(value);
}

function holdMore(ctx: QueryContext, cells: HistogramCells): void {
  const more = cells.points - cells.held;
  if (more <= 0) return;
  hold(ctx, more);
  cells.held += more;
}

/** What a shard answers of the histograms; `order` has the groups in the order of the answer. Undefined when there were none. */
export function packHistograms(p: Partial, order: readonly number[]): PartialHistograms | undefined {
  const cells = p.histograms;
  if (cells === undefined) return undefined;
  const placeOf = new Int32Array(order.length);
  order.forEach((group, place) => {
    placeOf[group] = place;
  });
  const places = new Uint32Array(cells.totals.size);
  const totals: CellTotal[] = [];
  for (const [cell, total] of cells.totals) {
    const step = cell % p.steps;
    places[totals.length] = (placeOf[(cell - step) / p.steps] as number) * p.steps + step;
    totals.push(total);
  }
  return { ignored: cells.ignored, cells: places, totals };
}

/** Adds the histograms of a shard's answer, which are used up; `groups` has the group of each of the answer's. */
export async function mergeHistograms(
  ctx: QueryContext,
  p: Partial,
  other: PartialHistograms,
  groups: Int32Array,
): Promise<void> {
  const cells = cellsOf(p);
  if (other.ignored) cells.ignored = true;
  for (let i = 0; i < other.cells.length; i++) {
    const place = other.cells[i] as number;
    const step = place % p.steps;
    const cell = (groups[(place - step) / p.steps] as number) * p.steps + step;
    const theirs = other.totals[i] as CellTotal;
    const ours = cells.totals.get(cell);
    if (due(ctx, theirs.total.value === undefined ? 1 : 2 * histogramWork(theirs.total.value))) await turn(ctx);
    if (ours === undefined) {
      cells.points += pointsOf(theirs.total);
      cells.totals.set(cell, theirs);
    } else mergeCell(cells, ours, theirs);
    holdMore(ctx, cells);
  }
}

function mergeCell(cells: HistogramCells, ours: CellTotal, theirs: CellTotal): void {
  const { total } = ours;
  if (isIncompatible(total)) return;
  const before = pointsOf(total);
  mergeTotal(total, theirs.total);
  if (isIncompatible(total)) {
    ours.metric = theirs.metric;
    forget(total);
  }
  cells.points += pointsOf(total) - before;
}

/**
 * Puts the histograms into the aggregation's result and says what is to be said of them. Uses the totals up.
 * @param pos of the aggregation's argument
 */
export async function finishHistograms(ctx: QueryContext, p: Partial, result: Vector, pos: Pos): Promise<void> {
  const cells = p.histograms;
  if (cells === undefined) return;
  const { notes } = ctx;
  const { values, present } = result;
  if (cells.ignored) noteIgnored(notes, p.op, pos);
  // From here on they are held as histograms of the pool.
  ctx.points = Math.max(0, ctx.points - cells.held);
  cells.held = 0;
  for (const [cell, { total, metric }] of cells.totals) {
    if (due(ctx, total.value === undefined ? 1 : 2 * histogramWork(total.value))) await turn(ctx);
    if (p.count[cell] !== 0) {
      warn(notes, mixedSamples(), pos);
      present[cell] = 0;
      continue;
    }
    if (isIncompatible(total)) {
      warn(notes, mixedSchemas(metric), pos);
      continue;
    }
    if ((total.flags & BOUNDS_RECONCILED) !== 0) inform(notes, reconciledBounds(), pos);
    if (resetCollision(total)) warn(notes, resetsCollide(), pos);
    const h = totalOf(total);
    if (h === undefined) continue;
    values[cell] = addHistogram(ctx, h);
    present[cell] = PRESENT_HISTOGRAM;
  }
}
