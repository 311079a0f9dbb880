import { formatFloat, formatFloatG } from "../../lib/float-format.ts";
import { goQuote, isValidUtf8 } from "../../lib/go-quote.ts";
import { type Labels, labelsKey, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { AggregateExpr, Pos } from "../parse/ast.ts";
import type { PartialOp } from "../plan/shard-plan.ts";
import { unwrap } from "../plan/step-invariant.ts";
import { type Annotations, invalidQuantile, invalidRatio, warn } from "./annotations.ts";
import { groupLabels, groupMembers, groupRows } from "./grouping.ts";
import { finishHistograms, takeVectorHistograms } from "./histogram-aggregate.ts";
import { dropHistograms, histogramTexts } from "./histogram-aggregate-cells.ts";
import { noteIgnored } from "./histogram-aggregate-notes.ts";
import { hold, holdBytes, SET_BYTES } from "./memory.ts";
import { due, overEach, overRows, type Pace, sortedIndexes, turn } from "./pace.ts";
import { addGroup, addRow, finishPartial, makePartial } from "./partial-aggregate.ts";
import { quantileOf } from "./quantile.ts";
import type { QueryContext } from "./query-context.ts";
import {
  compactRows,
  makeVector,
  PRESENT_FLOAT,
  PRESENT_HISTOGRAM,
  pickRows,
  sortByLabels,
  type Vector,
} from "./vector.ts";

/** Aggregations over rows that are in the front end already. */

const PARTIAL_OPS: ReadonlySet<string> = new Set(["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"]);

export function isPartialOp(op: string): op is PartialOp {
  return PARTIAL_OPS.has(op);
}

export async function aggregatePartial(
  ctx: QueryContext,
  vector: Vector,
  expr: AggregateExpr,
  op: PartialOp,
): Promise<Vector> {
  const { groups, of } = await groupRows(ctx, vector, expr);
  const partial = makePartial(op, vector.steps, Math.max(1, groups.length));
  for (const labels of groups) addGroup(partial, labels);
  await takeVectorHistograms(ctx, partial, vector, of);
  await overRows(ctx, of.length, vector.steps, (r, from, to) => {
    const drop = vector.dropName[r] as number;
    addRow(partial, of[r] as number, drop, vector.values, vector.present, r * vector.steps, from, to);
  });
  const result = await finishPartial(ctx, partial);
  await finishHistograms(ctx, partial, result, expr.expr.pos);
  return compactRows(ctx, result);
}

/**
 * topk and bottomk, k of each step, histograms left out; limitk: the first k. Samples that are not among them become absent.
 * Of equal values, and by limitk, those of the first rows in the order of labels are picked: which other rows there are at other steps
 * makes no difference.
 */
export async function keepK(
  ctx: QueryContext,
  rows: Vector,
  param: Float64Array,
  expr: AggregateExpr,
): Promise<Vector> {
  const vector = await sortByLabels(ctx, rows);
  const { steps } = vector;
  await overRows(ctx, 1, steps, (_, from, to) => checkK(param, from, to));
  const members = await groupMembers(ctx, vector, expr);
  if (expr.op === "limitk") {
    for (const rows of members.rows) {
      for (let s = 0; s < steps; s++) {
        keepFirst(vector, rows, s, Math.trunc(param[s] as number));
        if (due(ctx, rows.length + 1)) await turn(ctx);
      }
    }
    return compactRows(ctx, vector);
  }
  if (await dropHistograms(ctx, vector, (s) => (param[s] as number) >= 1)) noteIgnored(ctx.notes, expr.op, expr.pos);
  const heap = new Int32Array(vector.labels.length);
  const sign = expr.op === "bottomk" ? -1 : 1;
  const order: number[] = [];
  for (const rows of members.rows) {
    for (let s = 0; s < steps; s++) {
      const k = Math.trunc(param[s] as number);
      let size = 0;
      for (let from = 0; from < rows.length; from += SELECT_AT_ONCE) {
        const to = Math.min(rows.length, from + SELECT_AT_ONCE);
        size = selectBest(vector, rows, from, to, s, k, sign, heap, size);
        if (due(ctx, 4 * (to - from))) await turn(ctx);
      }
      if (steps === 1) await addBest(ctx, vector, heap.subarray(0, size), sign, order);
      else keepOnly(vector, rows, s, heap, size);
    }
  }
  return steps === 1 ? pickRows(ctx, vector, order) : compactRows(ctx, vector);
}

/** Rows that a heap is filled with between two looks at the clock. */
const SELECT_AT_ONCE = 4096;

function checkK(param: Float64Array, from: number, to: number): void {
  for (let s = from; s < to; s++) {
    const k = param[s] as number;
    if (Number.isNaN(k)) throw new QueryError("execution", "Parameter value is NaN");
    if (k >= 2 ** 63) throw new QueryError("execution", `Scalar value ${formatFloatG(k)} overflows int64`);
    if (k <= -(2 ** 63)) throw new QueryError("execution", `Scalar value ${formatFloatG(k)} underflows int64`);
  }
}

/** Appends the chosen rows of the only step, the best first. */
async function addBest(
  pace: Pace,
  { values }: Vector,
  chosen: Int32Array,
  sign: number,
  order: number[],
): Promise<void> {
  const rankAt = (i: number): number => rank(values[chosen[i] as number] as number, sign);
  const byRank = (a: number, b: number): number =>
    rankAt(b) - rankAt(a) || (chosen[a] as number) - (chosen[b] as number);
  for (const i of await sortedIndexes(pace, chosen.length, byRank)) order.push(chosen[i] as number);
}

/** Marks a float while those around it are removed. */
const KEPT = 3;

/** Removes the samples of a step that are not among the first `size` rows of the heap. */
function keepOnly(
  { steps, present }: Vector,
  rows: readonly number[],
  s: number,
  heap: Int32Array,
  size: number,
): void {
  for (let i = 0; i < size; i++) present[(heap[i] as number) * steps + s] = KEPT;
  for (const r of rows) present[r * steps + s] = present[r * steps + s] === KEPT ? PRESENT_FLOAT : 0;
}

/** A number to compare by: NaN below everything. */
function rank(v: number, sign: number): number {
  if (Number.isNaN(v)) return Number.NEGATIVE_INFINITY;
  const r = sign * v;
  if (r === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
  return r === Number.NEGATIVE_INFINITY ? -Number.MAX_VALUE : r;
}

function keepFirst(vector: Vector, rows: readonly number[], s: number, k: number): void {
  let kept = 0;
  for (const r of rows) {
    const cell = r * vector.steps + s;
    if (vector.present[cell] === 0) continue;
    if (kept < k) kept++;
    else vector.present[cell] = 0;
  }
}

/**
 * Puts the k best rows of a step into `heap` (a binary heap, the worst on top), which has `filled` of the rows before
 * `from` already, and returns how many there are then. Looks at rows[from..to).
 */
function selectBest(
  vector: Vector,
  rows: readonly number[],
  from: number,
  to: number,
  s: number,
  k: number,
  sign: number,
  heap: Int32Array,
  filled: number,
): number {
  const { steps, values, present } = vector;
  // a is worse than b: lower value, NaN worst; of equal ones the later row.
  const worse = (a: number, b: number): boolean => {
    const x = values[a * steps + s] as number;
    const y = values[b * steps + s] as number;
    if (Number.isNaN(x)) return !Number.isNaN(y) || a > b;
    if (Number.isNaN(y)) return false;
    return x === y ? a > b : sign * x < sign * y;
  };
  let size = filled;
  for (let at = from; at < to; at++) {
    const r = rows[at] as number;
    if (present[r * steps + s] === 0) continue;
    if (size < k) {
      let i = size++;
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (!worse(r, heap[parent] as number)) break;
        heap[i] = heap[parent] as number;
        i = parent;
      }
      heap[i] = r;
    } else if (k > 0 && worse(heap[0] as number, r)) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= size) break;
        if (child + 1 < size && worse(heap[child + 1] as number, heap[child] as number)) child++;
        if (!worse(heap[child] as number, r)) break;
        heap[i] = heap[child] as number;
        i = child;
      }
      heap[i] = r;
    }
  }
  return size;
}

/** limit_ratio: a share of the series chosen by hash; ratio r and r - 1 choose complements. */
export async function limitRatio(
  ctx: QueryContext,
  vector: Vector,
  param: Float64Array,
  expr: AggregateExpr,
): Promise<Vector> {
  const { steps, present } = vector;
  const ratios = param.slice();
  let last = 0;
  await overEach(ctx, steps, 2, (s) => {
    const ratio = ratios[s] as number;
    if (Number.isNaN(ratio)) throw new QueryError("execution", "Ratio value is NaN");
    if (ratio >= -1 && ratio <= 1) return;
    const cap = ratio > 1 ? 1 : -1;
    if (expr.param !== undefined && ratio !== last) warn(ctx.notes, invalidRatio(ratio, cap), expr.param.pos);
    last = ratio;
    ratios[s] = cap;
  });
  await overRows(ctx, vector.labels.length, steps, (r, from, to) => {
    const share = hashShare(labelsKey(vector.labels[r] as Labels));
    for (let s = from; s < to; s++) {
      const ratio = ratios[s] as number;
      const keep = ratio >= 0 ? share < ratio : share >= 1 + ratio;
      if (!keep) present[r * steps + s] = 0;
    }
  });
  return compactRows(ctx, vector);
}

/** A number in [0, 1) that depends on the text alone, evenly spread. */
function hashShare(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** One warning each of NaN, the highest above 1 and the lowest below 0, whether or not there is anything to aggregate. */
function warnOfQuantiles(param: Float64Array, notes: Annotations, pos: Pos): void {
  const { max, min, nan } = extremes(param);
  if (nan) warn(notes, invalidQuantile(Number.NaN), pos);
  if (max > 1) warn(notes, invalidQuantile(max), pos);
  if (min < 0) warn(notes, invalidQuantile(min), pos);
}

function extremes(param: Float64Array): { max: number; min: number; nan: boolean } {
  const out = { max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY, nan: false };
  for (const p of param) {
    if (Number.isNaN(p)) out.nan = true;
    if (p > out.max) out.max = p;
    if (p < out.min) out.min = p;
  }
  return out;
}

export async function quantileAggregate(
  ctx: QueryContext,
  vector: Vector,
  param: Float64Array,
  expr: AggregateExpr,
): Promise<Vector> {
  const { steps } = vector;
  const { groups, rows: members } = await groupMembers(ctx, vector, expr);
  if (expr.param !== undefined) warnOfQuantiles(param, ctx.notes, unwrap(expr.param).pos);
  if (await dropHistograms(ctx, vector)) noteIgnored(ctx.notes, "quantile", expr.expr.pos);
  const out = makeVector(steps, groups);
  const most = members.reduce((max, rows) => Math.max(max, rows.length), 0);
  const columns = Array.from({ length: STEPS_AT_ONCE }, () => new Float64Array(most));
  const filled = new Int32Array(STEPS_AT_ONCE);
  for (let g = 0; g < groups.length; g++) {
    const rows = members[g] as number[];
    for (const r of rows) if (vector.dropName[r] !== 0) out.dropName[g] = 1;
    for (let s = 0; s < steps; s += STEPS_AT_ONCE) {
      const end = Math.min(steps, s + STEPS_AT_ONCE);
      filled.fill(0);
      for (let from = 0; from < rows.length; from += SELECT_AT_ONCE) {
        const to = Math.min(rows.length, from + SELECT_AT_ONCE);
        fillColumns(vector, rows, from, to, s, end, columns, filled);
        if (due(ctx, 2 * (to - from) * (end - s))) await turn(ctx);
      }
      for (let i = s; i < end; i++) {
        const n = filled[i - s] as number;
        if (due(ctx, 4 * n + 1)) await turn(ctx);
        if (n === 0) continue;
        out.values[g * steps + i] = quantileOf(param[i] as number, columns[i - s] as Float64Array, n);
        out.present[g * steps + i] = PRESENT_FLOAT;
      }
    }
  }
  return compactRows(ctx, out);
}

/** Steps whose samples are gathered together: what lies side by side in a row's memory is read at once. */
const STEPS_AT_ONCE = 16;

/** Appends the samples of rows[from..to) at the steps [s, end) to a column each, of which `filled` are there already. */
function fillColumns(
  { steps, values, present }: Vector,
  rows: readonly number[],
  from: number,
  to: number,
  s: number,
  end: number,
  columns: readonly Float64Array[],
  filled: Int32Array,
): void {
  for (let at = from; at < to; at++) {
    const base = (rows[at] as number) * steps;
    for (let i = s; i < end; i++) {
      if (present[base + i] === 0) continue;
      const n = filled[i - s] as number;
      (columns[i - s] as Float64Array)[n] = values[base + i] as number;
      filled[i - s] = n + 1;
    }
  }
}

/** count_values: one group for each value that occurs, with the value as a label. */
export async function countValues(
  ctx: QueryContext,
  vector: Vector,
  label: string,
  expr: AggregateExpr,
): Promise<Vector> {
  if (label === "" || !isValidUtf8(label)) throw new QueryError("execution", `invalid label name ${goQuote(label)}`);
  const { steps } = vector;
  const names = new Set(expr.grouping);
  if (!expr.without) names.add(label);
  const partial = makePartial("count", steps);
  const byKey = new Map<string, number>();
  const texts = await histogramTexts(ctx, vector);
  // By histogram in words, or by number; negative zero is a value of its own, which a Map's keys do not tell from zero.
  let byValue = new Map<number | string, number>();
  await overRows(ctx, vector.labels.length, steps, (r, from, to) => {
    if (from === 0) byValue = new Map();
    for (let s = from; s < to; s++) {
      const kind = vector.present[r * steps + s];
      if (kind === 0) continue;
      const v = vector.values[r * steps + s] as number;
      const text = kind === PRESENT_HISTOGRAM ? texts.get(v) : undefined;
      const value = text ?? (Object.is(v, -0) ? "-0" : v);
      let g = byValue.get(value);
      if (g === undefined) {
        const labels = groupLabels(
          withLabel(vector.labels[r] as Labels, label, text ?? formatFloat(v)),
          names,
          expr.without,
        );
        const key = labelsKey(labels);
        g = byKey.get(key);
        if (g === undefined) {
          hold(ctx, steps);
          holdBytes(ctx, SET_BYTES + 12 * labels.length + key.length);
          g = addGroup(partial, labels);
          byKey.set(key, g);
        }
        byValue.set(value, g);
      }
      partial.count[g * steps + s] = (partial.count[g * steps + s] as number) + 1;
    }
  });
  return finishPartial(ctx, partial);
}
