import type { Histogram } from "../../model/histogram.ts";
import type { Pos } from "../parse/ast.ts";
import type { RowMap } from "../plan/shard-plan.ts";
import { inform } from "./annotations.ts";
import { incompatibleTypes, negateHistogram, withFloat } from "./histogram-operator.ts";
import { addHistogram } from "./histogram-pool.ts";
import type { Notebook } from "./notebook.ts";
import type { QueryContext } from "./query-context.ts";
import { PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/**
 * Elementwise operations on the native histograms of a row, before the same operation works on its floats. Those that they
 * have no result for become absent. In a row, cells of one histogram share the result as well.
 */

/** An operation on each sample by itself; what else there is to a plan's `RowMap` does not matter here. */
export type SampleOperation =
  | { readonly kind: "function"; readonly func: string }
  | { readonly kind: "binary"; readonly op: string; readonly scalarOnLeft: boolean };

/** In a shard: the row's cells are [base, base + steps), and of the histograms from the first of theirs on all are theirs. */
export function mapHistograms(
  map: RowMap,
  mapIndex: number,
  params: readonly Float64Array[],
  pool: Histogram[],
  values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
  book: Notebook,
): void {
  let first = pool.length;
  for (let i = base; i < base + steps; i++) {
    if (present[i] === PRESENT_HISTOGRAM) first = Math.min(first, values[i] as number);
  }
  if (first === pool.length) return;
  const made: Histogram[] = [];
  const none = mapCells(map, params, 0, pool, made, first, values, present, base, steps);
  // The answer carries the results, not what they have been made of.
  pool.length = first;
  for (const h of made) pool.push(h);
  if (none && map.kind === "binary") {
    const { severity, text } = noteOf(map.op, map.scalarOnLeft);
    book.say(severity, text, mapIndex);
  }
}

/**
 * In front: the steps [from, to) of row r, with one value of every parameter for each step of the vector. The histograms given
 * stay in the query's pool, other cells may have them. Throws `QueryError` ("execution") when there are too many.
 */
export function mapHistogramsInFront(
  ctx: QueryContext,
  map: SampleOperation,
  params: readonly Float64Array[],
  { values, present, steps }: Vector,
  r: number,
  from: number,
  to: number,
  pos: Pos,
): void {
  const { histograms } = ctx;
  if (histograms.length === 0) return;
  const made: Histogram[] = [];
  const first = histograms.length;
  const none = mapCells(map, params, from, histograms, made, first, values, present, r * steps + from, to - from);
  for (const h of made) addHistogram(ctx, h);
  if (none && map.kind === "binary") inform(ctx.notes, noteOf(map.op, map.scalarOnLeft).text, pos);
}

function noteOf(op: string, scalarOnLeft: boolean): ReturnType<typeof incompatibleTypes> {
  return scalarOnLeft ? incompatibleTypes("float", op, "histogram") : incompatibleTypes("histogram", op, "float");
}

/** Appends results to `made`, the first of which gets the place `first`. Whether there was none for some histogram. */
function mapCells(
  map: SampleOperation,
  params: readonly Float64Array[],
  paramsFrom: number,
  pool: readonly Histogram[],
  made: Histogram[],
  first: number,
  values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
): boolean {
  const scalars = map.kind === "binary" ? params[0] : undefined;
  let none = false;
  let lastPlace = -1;
  let lastScalar = 0;
  for (let s = 0; s < steps; s++) {
    const cell = base + s;
    if (present[cell] !== PRESENT_HISTOGRAM) continue;
    const place = values[cell] as number;
    const scalar = scalars === undefined ? 0 : (scalars[paramsFrom + s] as number);
    if (place !== lastPlace || !Object.is(scalar, lastScalar)) {
      const result = mapped(map, pool[place] as Histogram, scalar);
      if (result === undefined) {
        none = true;
        present[cell] = 0;
        continue;
      }
      made.push(result);
      lastPlace = place;
      lastScalar = scalar;
    }
    values[cell] = first + made.length - 1;
  }
  return none;
}

function mapped(map: SampleOperation, h: Histogram, scalar: number): Histogram | undefined {
  if (map.kind === "binary") return withFloat(map.op, h, scalar, map.scalarOnLeft);
  return map.func === "neg" ? negateHistogram(h) : undefined;
}
