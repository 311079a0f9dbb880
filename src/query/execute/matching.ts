import { type Labels, labelsOnly, labelValue, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { arithmetic, compare, isComparison } from "../functions/binary-op.ts";
import type { Pos, VectorMatching } from "../parse/ast.ts";
import { formatMetric } from "./format-metric.ts";
import { isTrim } from "./histogram-operator.ts";
import { type HistogramPairs, makeHistogramPairs, pairAt, tellPairs, writePair } from "./histogram-operator-pairs.ts";
import { isTooMany, SET_BYTES } from "./memory.ts";
import { holdWork, keyedBytes, makeOutput, type Output, outputRow, releaseRows, releaseWork } from "./output-rows.ts";
import { due, overEach, overRows, ROW_WORK, SLICE, turn } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import { METADATA_LABELS, PRESENT_FLOAT, type Vector } from "./vector.ts";

/**
 * Binary operators between two vectors. Rows are joined once by their matching labels; each match group is then worked
 * through step by step over the columns. Which samples meet may differ from step to step, so duplicates are errors only at
 * a step where they are present, and not at steps where one of the vectors is empty as a whole (unless values are filled).
 */

/** Rows of both sides that share the values of the matching labels. */
interface MatchGroup {
  readonly many: number[];
  readonly one: number[];
  readonly labels: Labels;
}

/** The labels that a row is matched by. */
export function matchingLabels(labels: Labels, matching: VectorMatching, names: ReadonlySet<string>): Labels {
  if (matching.on) return labelsOnly(labels, names);
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    if (name !== "__name__" && !names.has(name)) out.push(name, labels[i + 1] as string);
  }
  return out;
}

async function joinRows({ ctx, many, one, matching, out }: Work): Promise<MatchGroup[]> {
  const names = new Set(matching.labels);
  const groups = new Map<string, MatchGroup>();
  const add = (labels: Labels, side: "many" | "one", row: number): void => {
    const match = matchingLabels(labels, matching, names);
    const key = match.join("\u0000");
    let group = groups.get(key);
    if (group === undefined) {
      group = { many: [], one: [], labels: match };
      groups.set(key, group);
      holdWork(out, keyedBytes(key) + 2 * SET_BYTES + 8 * match.length);
    }
    group[side].push(row);
    holdWork(out, 8);
  };
  await overEach(ctx, many.labels.length, 2 * ROW_WORK, (r) => add(many.labels[r] as Labels, "many", r));
  await overEach(ctx, one.labels.length, 2 * ROW_WORK, (r) => add(one.labels[r] as Labels, "one", r));
  return [...groups.values()];
}

/** 1 at the steps where the vector has any sample. */
async function stepsWithSamples(ctx: QueryContext, v: Vector): Promise<Uint8Array> {
  const out = new Uint8Array(v.steps);
  await overRows(ctx, v.labels.length, v.steps, (r, from, to) => markPresent(v, r, from, to, out));
  return out;
}

/** Sets `at` to 1 where the row has a sample, among the steps [from, to). */
export function markPresent(v: Vector, row: number, from: number, to: number, at: Uint8Array): void {
  for (let s = from; s < to; s++) if (v.present[row * v.steps + s] !== 0) at[s] = 1;
}

/**
 * `lhs op rhs` for all operators but those on sets. `pos` is for annotations. Throws `QueryError` ("execution") when the matching is ambiguous,
 * for the first step at which it is.
 */
export async function matchVectors(
  ctx: QueryContext,
  op: string,
  lhs: Vector,
  rhs: Vector,
  matching: VectorMatching,
  returnBool: boolean,
  pos: Pos,
): Promise<Vector> {
  try {
    return await matchSteps(ctx, op, lhs, rhs, matching, returnBool, pos);
  } catch (error) {
    if (!(error instanceof QueryError) || error.type !== "execution" || isTooMany(error)) throw error;
    // Groups are worked through one after the other, so the first error met need not be that of the first step.
    for (let s = 0; lhs.steps > 1 && s < lhs.steps; s++) {
      const { labels } = await matchSteps(ctx, op, atStep(lhs, s), atStep(rhs, s), matching, returnBool, pos);
      releaseRows(ctx, { labels, steps: 1 });
      if (due(ctx, lhs.labels.length + rhs.labels.length)) await turn(ctx);
    }
    throw error;
  }
}

/** One step of a vector as a vector of its own. */
function atStep(v: Vector, s: number): Vector {
  const { steps } = v;
  return {
    ...v,
    steps: 1,
    values: Float64Array.from(v.labels, (_, r) => v.values[r * steps + s] as number),
    present: Uint8Array.from(v.labels, (_, r) => v.present[r * steps + s] as number),
  };
}

async function matchSteps(
  ctx: QueryContext,
  op: string,
  lhs: Vector,
  rhs: Vector,
  matching: VectorMatching,
  returnBool: boolean,
  pos: Pos,
): Promise<Vector> {
  const { steps } = lhs;
  const swapped = matching.card === "one-to-many";
  const many = swapped ? rhs : lhs;
  const one = swapped ? lhs : rhs;
  // As Prometheus has it, fill_left is for the "many" side and fill_right for the "one" side with group_right as well.
  const { fillLeft: fillMany, fillRight: fillOne } = matching;
  const out = makeOutput(ctx, steps);
  const live = await stepsWithSamples(ctx, many);
  const oneLive = await stepsWithSamples(ctx, one);
  const fills = fillMany !== undefined || fillOne !== undefined;
  for (let s = 0; s < steps; s++) {
    if (fills) live[s] = (live[s] as number) | (oneLive[s] as number);
    else live[s] = (live[s] as number) & (oneLive[s] as number);
  }
  const owner = new Int32Array(steps);
  const pairs = makeHistogramPairs(op, many, one, swapped, ctx.histograms, returnBool);
  const work: Work = { ctx, op, many, one, matching, returnBool, swapped, fillMany, fillOne, live, owner, pairs, out };
  try {
    await joinAll(work);
  } catch (error) {
    releaseRows(ctx, out);
    throw error;
  } finally {
    releaseWork(out);
  }
  if (pairs !== undefined) tellPairs(pairs, ctx.notes, pos);
  const rows = out.labels.length;
  return {
    steps,
    labels: out.labels,
    dropName: new Uint8Array(rows).fill(returnBool ? 1 : 0),
    values: out.values.subarray(0, rows * steps),
    present: out.present.subarray(0, rows * steps),
  };
}

async function joinAll(work: Work): Promise<void> {
  const { one, fillMany, fillOne } = work;
  const groups = await joinRows(work);
  // Duplicates on the "one" side are found before anything is joined.
  if (one.steps === 1) for (const group of groups) await findOwners(work, group);
  for (const group of groups) {
    if (group.one.length === 0 && fillOne === undefined) continue;
    if (group.many.length === 0 && fillMany === undefined) {
      await findOwners(work, group);
      continue;
    }
    await joinGroup(work, group);
  }
}

interface Work {
  readonly ctx: QueryContext;
  readonly op: string;
  readonly many: Vector;
  readonly one: Vector;
  readonly matching: VectorMatching;
  readonly returnBool: boolean;
  readonly swapped: boolean;
  readonly fillMany: number | undefined;
  readonly fillOne: number | undefined;
  readonly live: Uint8Array;
  readonly owner: Int32Array;
  /** Where histograms may be met. */
  readonly pairs: HistogramPairs | undefined;
  readonly out: Output;
}

/** The row of the "one" side that is present at each step, -1 where none is. */
async function findOwners(work: Work, group: MatchGroup): Promise<void> {
  const { ctx, owner, one, live, swapped } = work;
  const { steps } = one;
  owner.fill(-1);
  await overRows(ctx, group.one.length, steps, (i, from, to) => {
    const r = group.one[i] as number;
    for (let s = from; s < to; s++) {
      if (one.present[r * steps + s] === 0) continue;
      const other = owner[s] as number;
      if (other >= 0 && live[s] !== 0) {
        const both = [formatMetric(one.labels[other] as Labels), formatMetric(one.labels[r] as Labels)].sort();
        const side = swapped ? "left" : "right";
        const match = formatMetric(group.labels);
        throw new QueryError(
          "execution",
          `found duplicate series for the match group ${match} on the ${side} hand-side of the operation: [${both.join(", ")}];many-to-many matching not allowed: matching labels must be unique on one side`,
        );
      }
      owner[s] = r;
    }
  });
}

async function joinGroup(work: Work, group: MatchGroup): Promise<void> {
  const { ctx, many, matching, fillMany } = work;
  const { steps } = many;
  await findOwners(work, group);
  // Steps at which the group has had a match, for the one-to-one check and for filling the "many" side.
  const matched = new Uint8Array(steps);
  // Results that several rows of a group write to must not meet: the steps at which each has been written.
  const written = matching.card !== "one-to-one" && group.many.length > 1 ? new Map<number, Uint8Array>() : undefined;
  // `owner` is the group's until it is done: nothing else works on this operator while it waits for its turn.
  for (const m of group.many) {
    for (let from = 0; from < steps; from += SLICE) {
      const to = Math.min(steps, from + SLICE);
      joinRow(work, group, m, matched, written, from, to);
      if (due(ctx, 4 * (to - from) + ROW_WORK)) await turn(ctx);
    }
  }
  if (written !== undefined) releaseWork(work.out, written.size * steps);
  if (fillMany === undefined) return;
  await overRows(ctx, 1, steps, (_, from, to) => fillRows(work, group, fillMany, matched, from, to));
}

/** One row of the "many" side with its partners at the steps [from, to). */
function joinRow(
  work: Work,
  group: MatchGroup,
  m: number,
  matched: Uint8Array,
  written: Map<number, Uint8Array> | undefined,
  from: number,
  to: number,
): void {
  const { many, one, matching, live, owner, fillOne, pairs, out } = work;
  const { steps } = many;
  const oneToOne = matching.card === "one-to-one";
  let row = -1;
  let rowOwner = -2;
  let rowWritten: Uint8Array | undefined;
  for (let s = from; s < to; s++) {
    const cell = m * steps + s;
    if (many.present[cell] === 0 || live[s] === 0) continue;
    const o = owner[s] as number;
    if (o < 0 && fillOne === undefined) continue;
    const other = o < 0 ? (fillOne as number) : one;
    const result = pairs === undefined ? undefined : pairAt(pairs, many, cell, other, o * steps + s, s, m);
    // What has no result is not matched either: duplicates are not found, and the "one" side may still be filled.
    if (result?.kind === "none") continue;
    if (oneToOne && matched[s] !== 0) {
      throw new QueryError(
        "execution",
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
      );
    }
    matched[s] = 1;
    if (o !== rowOwner) {
      rowOwner = o;
      const oneLabels = o < 0 ? group.labels : (one.labels[o] as Labels);
      row = outputRow(out, resultLabels(work, many.labels[m] as Labels, oneLabels));
      if (written !== undefined) rowWritten = writtenSteps(out, written, row);
    }
    if (rowWritten !== undefined) {
      if (rowWritten[s] !== 0) {
        throw new QueryError("execution", "multiple matches for labels: grouping labels must ensure unique matches");
      }
      rowWritten[s] = 1;
    }
    if (result !== undefined) {
      writePair(pairs as HistogramPairs, out, row, s, result, many, cell, other, o * steps + s);
      continue;
    }
    const b = o < 0 ? (fillOne as number) : (one.values[o * steps + s] as number);
    writeResult(work, row, s, many.values[cell] as number, b);
  }
}

function writtenSteps(out: Output, written: Map<number, Uint8Array>, row: number): Uint8Array {
  let at = written.get(row);
  if (at === undefined) {
    holdWork(out, out.steps);
    at = new Uint8Array(out.steps);
    written.set(row, at);
  }
  return at;
}

/** The value for missing rows of the "many" side where the "one" side has found no partner. */
function fillRows(
  work: Work,
  group: MatchGroup,
  fillMany: number,
  matched: Uint8Array,
  from: number,
  to: number,
): void {
  const { many, one, owner, pairs, out } = work;
  const { steps } = one;
  let row = -1;
  let rowOwner = -2;
  for (let s = from; s < to; s++) {
    const o = owner[s] as number;
    if (o < 0 || matched[s] !== 0) continue;
    const cell = o * steps + s;
    const order = many.labels.length + o;
    const result = pairs === undefined ? undefined : pairAt(pairs, fillMany, 0, one, cell, s, order);
    if (result?.kind === "none") continue;
    if (o !== rowOwner) {
      rowOwner = o;
      row = outputRow(out, resultLabels(work, group.labels, one.labels[o] as Labels));
    }
    if (result !== undefined) writePair(pairs as HistogramPairs, out, row, s, result, fillMany, 0, one, cell);
    else writeResult(work, row, s, fillMany, one.values[cell] as number);
  }
}

function writeResult(work: Work, row: number, s: number, fromMany: number, fromOne: number): void {
  const { op, swapped, returnBool, out } = work;
  const a = swapped ? fromOne : fromMany;
  const b = swapped ? fromMany : fromOne;
  let v: number;
  if (!isComparison(op)) v = arithmetic(op, a, b);
  else if (returnBool) v = compare(op, a, b) ? 1 : 0;
  else if (compare(op, a, b)) v = a;
  else return;
  const cell = row * out.steps + s;
  out.values[cell] = v;
  out.present[cell] = PRESENT_FLOAT;
}

/** Labels of a result: those of the "many" side, less what the operator or the matching removes, plus `group_x (labels)`. */
function resultLabels(work: Work, many: Labels, one: Labels): Labels {
  const { matching, op } = work;
  const names = new Set(matching.labels);
  const dropMetadata = !isComparison(op) && !isTrim(op);
  let out: Labels = many.filter((_, i) => {
    const name = many[i - (i % 2)] as string;
    if (dropMetadata && METADATA_LABELS.has(name)) return false;
    return matching.card !== "one-to-one" || names.has(name) === matching.on;
  });
  for (const name of matching.include) out = withLabel(out, name, labelValue(one, name));
  return out;
}
