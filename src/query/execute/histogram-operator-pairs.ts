import type { Histogram } from "../../model/histogram.ts";
import type { Pos } from "../parse/ast.ts";
import { type Annotations, inform, warn } from "./annotations.ts";
import { isTrim, type OperatorNote, operateOnPair, type PairResult } from "./histogram-operator.ts";
import { addHistogram } from "./histogram-pool.ts";
import type { Output } from "./output-rows.ts";
import { PRESENT_FLOAT, PRESENT_HISTOGRAM, type Vector } from "./vector.ts";

/** Pairs of samples of two vectors where one of them, or the operator, is not for floats. */

/** Of every step the note on the pair that comes last, in the order of the "many" side's rows: the one that Prometheus tells. */
interface LastNotes {
  readonly order: Int32Array;
  readonly notes: (OperatorNote | undefined)[];
}

export interface HistogramPairs {
  readonly op: string;
  /** The "one" side is the one written on the left. */
  readonly swapped: boolean;
  /** Where the vectors' cells have their histograms. */
  readonly pool: readonly Histogram[];
  readonly returnBool: boolean;
  readonly steps: number;
  last: LastNotes | undefined;
}

/** Undefined when the operator meets only floats, and is for them. */
export function makeHistogramPairs(
  op: string,
  many: Vector,
  one: Vector,
  swapped: boolean,
  pool: readonly Histogram[],
  returnBool: boolean,
): HistogramPairs | undefined {
  const holds = ({ present }: Vector): boolean => pool.length > 0 && present.includes(PRESENT_HISTOGRAM);
  if (!isTrim(op) && !holds(many) && !holds(one)) return undefined;
  return { op, swapped, pool, returnBool, steps: many.steps, last: undefined };
}

/**
 * The result for a pair of samples, each a cell of a vector or a value that fills in for one; undefined when it is a pair of
 * floats like any other. `order`: the place of the pair among those of step s.
 */
export function pairAt(
  pairs: HistogramPairs,
  many: Vector | number,
  cellOfMany: number,
  one: Vector | number,
  cellOfOne: number,
  s: number,
  order: number,
): PairResult | undefined {
  const { op, swapped } = pairs;
  const x = sampleOf(pairs, many, cellOfMany);
  const y = sampleOf(pairs, one, cellOfOne);
  if (typeof x === "number" && typeof y === "number" && !isTrim(op)) return undefined;
  const result = swapped ? operateOnPair(op, y, x) : operateOnPair(op, x, y);
  if (result.kind !== "compared" && result.note !== undefined) noteAt(pairs, result.note, s, order);
  return result;
}

function sampleOf({ pool }: HistogramPairs, side: Vector | number, cell: number): Histogram | number {
  if (typeof side === "number") return side;
  const value = side.values[cell] as number;
  return side.present[cell] === PRESENT_HISTOGRAM ? (pool[value] as Histogram) : value;
}

function noteAt(pairs: HistogramPairs, note: OperatorNote, s: number, order: number): void {
  pairs.last ??= { order: new Int32Array(pairs.steps).fill(-1), notes: new Array(pairs.steps) };
  if (order < (pairs.last.order[s] as number)) return;
  pairs.last.order[s] = order;
  pairs.last.notes[s] = note;
}

/** Writes a result that there is. Throws `QueryError` ("execution") when there are too many histograms. */
export function writePair(
  pairs: HistogramPairs,
  out: Output,
  row: number,
  s: number,
  result: Exclude<PairResult, { kind: "none" }>,
  many: Vector | number,
  cellOfMany: number,
  one: Vector | number,
  cellOfOne: number,
): void {
  const cell = row * out.steps + s;
  if (result.kind === "histogram") {
    out.values[cell] = addHistogram(out.ctx, result.histogram);
    out.present[cell] = PRESENT_HISTOGRAM;
  } else if (pairs.returnBool) {
    out.values[cell] = result.holds ? 1 : 0;
    out.present[cell] = PRESENT_FLOAT;
  } else if (result.holds) {
    // What is compared are two histograms, of which the left one stays.
    const [left, at] = pairs.swapped ? [one, cellOfOne] : [many, cellOfMany];
    out.values[cell] = (left as Vector).values[at] as number;
    out.present[cell] = PRESENT_HISTOGRAM;
  }
}

/** Tells the notes. */
export function tellPairs({ last }: HistogramPairs, annotations: Annotations, pos: Pos): void {
  if (last === undefined) return;
  for (const text of textsOf(last, "warning")) warn(annotations, text, pos);
  for (const text of textsOf(last, "info")) inform(annotations, text, pos);
}

function textsOf({ notes }: LastNotes, severity: OperatorNote["severity"]): Set<string> {
  const texts = new Set<string>();
  for (const note of notes) if (note?.severity === severity) texts.add(note.text);
  return texts;
}
