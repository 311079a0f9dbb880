import { type Histogram, RESET_GAUGE, RESET_UNKNOWN } from "../../model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../model/histogram-code.ts";
import { type Labels, labelValue, METRIC_NAME } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { makeSampleBuffer, reserveSamples, type SampleBuffer, writeHistogramRef } from "../../model/sample.ts";
import type { Call, Expr, Pos, SubqueryExpr } from "../parse/ast.ts";
import { rangeArguments } from "../plan/fragment.ts";
import type { Grid } from "../plan/grid.ts";
import { gridEnd } from "../plan/grid.ts";
import type { RangeFunction } from "../plan/shard-plan.ts";
import { argumentPos } from "../plan/step-invariant.ts";
import { addNote, inform, warn } from "./annotations.ts";
import { histogramPoints } from "./histogram-pool.ts";
import { evaluateHistogramSlice, histogramSliceEnd } from "./histogram-range.ts";
import { type HistogramSeries, holdsHistogram, makeHistogramSeries } from "./histogram-range-series.ts";
import { checkSteps, hold, release } from "./memory.ts";
import type { Notebook } from "./notebook.ts";
import { due, overRows, type Pace, ROW_WORK, turn } from "./pace.ts";
import { atOf } from "./plan-fragment.ts";
import { inOrder, type QueryContext } from "./query-context.ts";
import { evaluateSlice, type PreparedRange, prepareRange, rangeKeepsName, sliceEnd } from "./range-function.ts";
import { canNote, noteRange, type RangeNotes } from "./range-notes.ts";
import { compactRows, emptyVector, makeVector, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";
import { emptyWindows, locateWindows, placeWindows, type Windows } from "./windows.ts";

/** A subquery's rows over its own grid, which covers the windows of all outer steps, and those windows. */
export interface SubqueryRows {
  readonly rows: Vector;
  readonly grid: Grid;
  readonly windows: Windows;
}

/** The points that any outer step needs of a subquery: multiples of its step. */
export function subqueryGrid(ctx: QueryContext, expr: SubqueryExpr, outer: Grid): Grid {
  const { range, offset } = expr;
  const at = atOf(ctx, expr.at);
  const step = expr.step === 0 ? ctx.subqueryStep : expr.step;
  const after = (at ?? outer.start) - offset - range;
  const end = (at ?? gridEnd(outer)) - offset;
  const start = (Math.floor(after / step) + 1) * step;
  return { start, step, steps: start > end ? 0 : Math.floor((end - start) / step) + 1 };
}

/** Evaluates the inner expression once over all points that any outer step needs. */
export async function evaluateSubquery(ctx: QueryContext, expr: SubqueryExpr, outer: Grid): Promise<SubqueryRows> {
  const { range, offset } = expr;
  const at = atOf(ctx, expr.at);
  const grid = subqueryGrid(ctx, expr, outer);
  checkSteps(ctx, grid.steps);
  const windows = emptyWindows(outer.steps);
  await overRows(ctx, 1, outer.steps, (_, from, to) => placeWindows(windows, outer, range, offset, at, from, to));
  if (grid.steps === 0) return { rows: emptyVector(0), grid, windows };
  return { rows: await ctx.evaluator.vector(ctx, expr.expr, grid), grid, windows };
}

/**
 * Copies a row's samples into a buffer, as if they were a series of their own. `keepHints`: what histograms say of a counter reset
 * before them stays; it is about samples that the row may lack, or have more than once.
 */
export async function rowSamples(
  ctx: Pace & { readonly histograms: readonly Histogram[] },
  rows: Vector,
  row: number,
  grid: Grid,
  out: SampleBuffer,
  keepHints = true,
): Promise<void> {
  const { steps } = grid;
  reserveSamples(out, steps);
  out.length = 0;
  if (out.histograms !== undefined) out.histograms.length = 0;
  const pool = ctx.histograms;
  await overRows(ctx, 1, steps, (_, from, to) => copySamples(rows, row, grid, from, to, pool, out, keepHints));
}

function copySamples(
  rows: Vector,
  row: number,
  grid: Grid,
  from: number,
  to: number,
  pool: readonly Histogram[],
  out: SampleBuffer,
  keepHints: boolean,
): void {
  const { ts, values } = out;
  let n = out.length;
  let encoded = -1;
  let ref = 0;
  for (let s = from; s < to; s++) {
    const cell = row * grid.steps + s;
    const kind = rows.present[cell];
    if (kind === 0) continue;
    ts[n] = grid.start + s * grid.step;
    const v = rows.values[cell] as number;
    if (kind === PRESENT_HISTOGRAM) {
      out.histograms ??= makeHistogramBytes();
      // The cells of a selector share the newest sample.
      if (v !== encoded) {
        const h = pool[v] as Histogram;
        const hinted = !keepHints && h.resetHint !== RESET_GAUGE;
        ref = encodeHistogram(hinted ? { ...h, resetHint: RESET_UNKNOWN } : h, out.histograms);
      }
      encoded = v;
      writeHistogramRef(out.words, n++, ref);
    } else values[n++] = v;
  }
  out.length = n;
}

/** About what a slice of windows costs: what it spans, or all of each window if it need be gone through. */
function sliceWork(w: Windows, from: number, to: number): number {
  const last = to - 1;
  const span = (w.hi[last] as number) - (w.lo[from] as number);
  const window = (w.hi[last] as number) - (w.lo[last] as number);
  return Math.max(span, (to - from) * window) + ROW_WORK;
}

/** A slice of a row that has native histograms; those that it makes go to the query's pool and are held against the limit. */
function evaluateInFront(
  ctx: QueryContext,
  prepared: PreparedRange,
  series: HistogramSeries,
  w: Windows,
  from: number,
  to: number,
  out: Vector,
  base: number,
  book: Notebook,
): void {
  const before = ctx.histograms.length;
  evaluateHistogramSlice(prepared, series, w, from, to, ctx.histograms, out.values, out.present, base, book);
  let points = 0;
  for (let i = before; i < ctx.histograms.length; i++) points += histogramPoints(ctx.histograms[i] as Histogram);
  hold(ctx, points);
}

/** Prometheus replaces a subquery by its samples, which have no place in the text: notes on them point at its start. */
const SUBQUERY_POS: Pos = { start: 0, end: 0 };

/** A range function over a subquery (over a range selector it runs in the shards). */
export async function evaluateRangeCall(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const { range, scalars } = rangeArguments(call);
  if (range.kind !== "subquery") throw new QueryError("internal", `no range vector: ${range.kind}`);
  const [{ rows, grid: inner, windows }, ...params] = await inOrder([
    evaluateSubquery(ctx, range, grid),
    ...scalars.map((s: Expr) => ctx.evaluator.scalar(ctx, s, grid)),
  ]);
  const func = call.func as RangeFunction;
  const prepared = prepareRange({ func, range: range.range, params }, grid.steps);
  hold(ctx, rows.labels.length * grid.steps);
  const out = makeVector(grid.steps, rows.labels);
  const buffer = makeSampleBuffer(inner.steps);
  const keepsName = rangeKeepsName(func);
  const notes: RangeNotes = new Map();
  const pos = func === "quantile_over_time" ? argumentPos(call, 0) : SUBQUERY_POS;
  let metric = "";
  const book: Notebook = {
    say: (severity, text) => (severity === "warning" ? warn : inform)(ctx.notes, text, pos),
    metric: () => metric,
  };
  for (let r = 0; r < rows.labels.length; r++) {
    await rowSamples(ctx, rows, r, inner, buffer, false);
    await overRows(ctx, 1, grid.steps, (_, from, to) => locateWindows(windows, buffer.ts, buffer.length, from, to));
    const base = r * grid.steps;
    metric = labelValue(rows.labels[r] as Labels, METRIC_NAME);
    const histograms = holdsHistogram(buffer) ? makeHistogramSeries(buffer) : undefined;
    for (let from = 0; from < grid.steps; ) {
      let to: number;
      if (histograms === undefined) {
        to = sliceEnd(prepared, buffer, windows, from);
        evaluateSlice(prepared, buffer, windows, from, to, out.values, out.present, base);
      } else {
        to = histogramSliceEnd(histograms, windows, from);
        evaluateInFront(ctx, prepared, histograms, windows, from, to, out, base, book);
      }
      if (due(ctx, sliceWork(windows, from, to))) await turn(ctx);
      from = to;
    }
    if (canNote(func)) {
      const series = histograms === undefined ? buffer : undefined;
      noteRange(notes, prepared, series, windows, out.present, base, metric);
    }
    out.dropName[r] = keepsName ? (rows.dropName[r] as number) : 1;
  }
  for (const note of notes.values()) addNote(ctx.notes, note, pos);
  release(ctx, rows);
  return compactRows(ctx, out);
}
