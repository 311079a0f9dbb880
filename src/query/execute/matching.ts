import { type Labels, labelsOnly, labelValue, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { arithmetic, compare, isComparison } from "../functions/binary-op.ts";
import type { VectorMatching } from "../parse/ast.ts";
import { formatMetric } from "./format-metric.ts";
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

function joinRows(many: Vector, one: Vector, matching: VectorMatching): MatchGroup[] {
  const names = new Set(matching.labels);
  const groups = new Map<string, MatchGroup>();
  const add = (labels: Labels, side: "many" | "one", row: number): void => {
    const match = matchingLabels(labels, matching, names);
    const key = match.join("\u0000");
    let group = groups.get(key);
    if (group === undefined) {
      group = { many: [], one: [], labels: match };
      groups.set(key, group);
    }
    group[side].push(row);
  };
  for (let r = 0; r < many.labels.length; r++) add(many.labels[r] as Labels, "many", r);
  for (let r = 0; r < one.labels.length; r++) add(one.labels[r] as Labels, "one", r);
  return [...groups.values()];
}

/** 1 at the steps where the vector has any sample. */
function stepsWithSamples(v: Vector): Uint8Array {
  const out = new Uint8Array(v.steps);
  for (let i = 0, s = 0; i < v.present.length; i++) {
    if (v.present[i] !== 0) out[s] = 1;
    if (++s === v.steps) s = 0;
  }
  return out;
}

/** Rows of the result, found by their labels. */
interface Output {
  readonly steps: number;
  readonly labels: Labels[];
  readonly byKey: Map<string, number>;
  values: Float64Array;
  present: Uint8Array;
}

function outputRow(out: Output, labels: Labels): number {
  const key = labels.join("\u0000");
  const known = out.byKey.get(key);
  if (known !== undefined) return known;
  const row = out.labels.length;
  out.labels.push(labels);
  out.byKey.set(key, row);
  if (out.values.length < (row + 1) * out.steps) {
    const size = Math.max(8, 2 * row) * out.steps;
    const values = new Float64Array(size);
    values.set(out.values);
    const present = new Uint8Array(size);
    present.set(out.present);
    out.values = values;
    out.present = present;
  }
  return row;
}

/**
 * `lhs op rhs` for arithmetic and comparison operators. Throws `QueryError` ("execution") when the matching is ambiguous,
 * for the first step at which it is.
 */
export function matchVectors(
  op: string,
  lhs: Vector,
  rhs: Vector,
  matching: VectorMatching,
  returnBool: boolean,
): Vector {
  try {
    return matchSteps(op, lhs, rhs, matching, returnBool);
  } catch (error) {
    // Groups are worked through one after the other, so the first error met need not be that of the first step.
    for (let s = 0; lhs.steps > 1 && s < lhs.steps; s++) {
      matchSteps(op, atStep(lhs, s), atStep(rhs, s), matching, returnBool);
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

function matchSteps(op: string, lhs: Vector, rhs: Vector, matching: VectorMatching, returnBool: boolean): Vector {
  const { steps } = lhs;
  const swapped = matching.card === "one-to-many";
  const many = swapped ? rhs : lhs;
  const one = swapped ? lhs : rhs;
  // As Prometheus has it, fill_left is for the "many" side and fill_right for the "one" side with group_right as well.
  const { fillLeft: fillMany, fillRight: fillOne } = matching;
  const out: Output = {
    steps,
    labels: [],
    byKey: new Map(),
    values: new Float64Array(0),
    present: new Uint8Array(0),
  };
  const live = stepsWithSamples(many);
  const oneLive = stepsWithSamples(one);
  const fills = fillMany !== undefined || fillOne !== undefined;
  for (let s = 0; s < steps; s++) {
    if (fills) live[s] = (live[s] as number) | (oneLive[s] as number);
    else live[s] = (live[s] as number) & (oneLive[s] as number);
  }
  const owner = new Int32Array(steps);
  const work: Work = { op, many, one, matching, returnBool, swapped, fillMany, fillOne, live, owner, out };
  const groups = joinRows(many, one, matching);
  // Duplicates on the "one" side are found before anything is joined.
  if (steps === 1) for (const group of groups) findOwners(work, group);
  for (const group of groups) {
    if (group.one.length === 0 && fillOne === undefined) continue;
    if (group.many.length === 0 && fillMany === undefined) {
      findOwners(work, group);
      continue;
    }
    joinGroup(work, group);
  }
  const rows = out.labels.length;
  return {
    steps,
    labels: out.labels,
    dropName: new Uint8Array(rows).fill(returnBool ? 1 : 0),
    values: out.values.subarray(0, rows * steps),
    present: out.present.subarray(0, rows * steps),
  };
}

interface Work {
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
  readonly out: Output;
}

/** The row of the "one" side that is present at each step, -1 where none is. */
function findOwners(work: Work, group: MatchGroup): void {
  const { owner, one, live, swapped } = work;
  const { steps } = one;
  owner.fill(-1);
  for (const r of group.one) {
    for (let s = 0; s < steps; s++) {
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
  }
}

function joinGroup(work: Work, group: MatchGroup): void {
  const { many, one, matching, live, owner, fillMany, fillOne, out } = work;
  const { steps } = many;
  findOwners(work, group);
  // Steps at which the group has had a match, for the one-to-one check and for filling the "many" side.
  const matched = new Uint8Array(steps);
  const oneToOne = matching.card === "one-to-one";
  const seen = oneToOne ? undefined : new Set<string>();
  for (const m of group.many) {
    let row = -1;
    let rowOwner = -2;
    for (let s = 0; s < steps; s++) {
      const cell = m * steps + s;
      if (many.present[cell] === 0 || live[s] === 0) continue;
      const o = owner[s] as number;
      if (o < 0 && fillOne === undefined) continue;
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
      }
      if (seen !== undefined && group.many.length > 1) {
        const key = `${row} ${s}`;
        if (seen.has(key)) {
          throw new QueryError("execution", "multiple matches for labels: grouping labels must ensure unique matches");
        }
        seen.add(key);
      }
      const b = o < 0 ? (fillOne as number) : (one.values[o * steps + s] as number);
      writeResult(work, row, s, many.values[cell] as number, b);
    }
  }
  if (fillMany === undefined) return;
  let row = -1;
  let rowOwner = -2;
  for (let s = 0; s < steps; s++) {
    const o = owner[s] as number;
    if (o < 0 || matched[s] !== 0) continue;
    if (o !== rowOwner) {
      rowOwner = o;
      row = outputRow(out, resultLabels(work, group.labels, one.labels[o] as Labels));
    }
    writeResult(work, row, s, fillMany, one.values[o * steps + s] as number);
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
  const dropMetadata = !isComparison(op);
  let out: Labels = many.filter((_, i) => {
    const name = many[i - (i % 2)] as string;
    if (dropMetadata && METADATA_LABELS.has(name)) return false;
    return matching.card !== "one-to-one" || names.has(name) === matching.on;
  });
  for (const name of matching.include) out = withLabel(out, name, labelValue(one, name));
  return out;
}

/** `and`, `or` and `unless`. */
export function setOperation(op: "and" | "or" | "unless", lhs: Vector, rhs: Vector, matching: VectorMatching): Vector {
  const { steps } = lhs;
  const names = new Set(matching.labels);
  const keyOf = (labels: Labels): string => matchingLabels(labels, matching, names).join("\u0000");
  // Steps at which a side has a sample with the match group's labels.
  const presence = (v: Vector): Map<string, Uint8Array> => {
    const out = new Map<string, Uint8Array>();
    for (let r = 0; r < v.labels.length; r++) {
      const key = keyOf(v.labels[r] as Labels);
      let at = out.get(key);
      if (at === undefined) {
        at = new Uint8Array(steps);
        out.set(key, at);
      }
      for (let s = 0; s < steps; s++) if (v.present[r * steps + s] !== 0) at[s] = 1;
    }
    return out;
  };
  if (op === "or") return union(lhs, rhs, presence(lhs), keyOf);
  const right = presence(rhs);
  for (let r = 0; r < lhs.labels.length; r++) {
    const at = right.get(keyOf(lhs.labels[r] as Labels));
    for (let s = 0; s < steps; s++) {
      const found = at !== undefined && at[s] !== 0;
      if (found !== (op === "and")) lhs.present[r * steps + s] = 0;
    }
  }
  return lhs;
}

function union(lhs: Vector, rhs: Vector, left: Map<string, Uint8Array>, keyOf: (labels: Labels) => string): Vector {
  const { steps } = lhs;
  const out: Output = {
    steps,
    labels: [],
    byKey: new Map(),
    values: new Float64Array(0),
    present: new Uint8Array(0),
  };
  const drop: number[] = [];
  const copy = (v: Vector, r: number, hidden: Uint8Array | undefined): void => {
    let row = -1;
    for (let s = 0; s < steps; s++) {
      const kind = v.present[r * steps + s] as number;
      if (kind === 0 || (hidden !== undefined && hidden[s] !== 0)) continue;
      if (row < 0) {
        row = outputRow(out, v.labels[r] as Labels);
        drop[row] ??= v.dropName[r] as number;
      }
      out.values[row * steps + s] = v.values[r * steps + s] as number;
      out.present[row * steps + s] = kind;
    }
  };
  for (let r = 0; r < lhs.labels.length; r++) copy(lhs, r, undefined);
  for (let r = 0; r < rhs.labels.length; r++) copy(rhs, r, left.get(keyOf(rhs.labels[r] as Labels)));
  const rows = out.labels.length;
  return {
    steps,
    labels: out.labels,
    dropName: Uint8Array.from(drop),
    values: out.values.subarray(0, rows * steps),
    present: out.present.subarray(0, rows * steps),
  };
}
