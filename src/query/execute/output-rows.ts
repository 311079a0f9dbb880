import { type Labels, labelsKey } from "../../model/labels.ts";
import { hold, holdBytes, releaseBytes, SET_BYTES } from "./memory.ts";
import type { QueryContext } from "./query-context.ts";

/** Rows of the result, found by their labels. */
export interface Output {
  readonly ctx: QueryContext;
  readonly steps: number;
  readonly labels: Labels[];
  readonly byKey: Map<string, number>;
  values: Float64Array;
  present: Uint8Array;
  /** Bytes that are held for what goes with the operator: keys, groups of rows, marks at steps. */
  workBytes: number;
}

export function makeOutput(ctx: QueryContext, steps: number): Output {
  return {
    ctx,
    steps,
    labels: [],
    byKey: new Map(),
    values: new Float64Array(0),
    present: new Uint8Array(0),
    workBytes: 0,
  };
}

/** Counts bytes that are held while the operator works. Throws `QueryError` ("execution") when that is too much. */
export function holdWork(out: Output, bytes: number): void {
  out.workBytes += bytes;
  holdBytes(out.ctx, bytes);
}

export function releaseWork(out: Output, bytes: number = out.workBytes): void {
  out.workBytes -= bytes;
  releaseBytes(out.ctx, bytes);
}

/** Rows that `outputRow` made are not needed any more: their points and their labels. */
export function releaseRows(
  ctx: QueryContext,
  { labels, steps }: { readonly labels: readonly Labels[]; readonly steps: number },
): void {
  ctx.points = Math.max(0, ctx.points - labels.length * steps);
  releaseBytes(
    ctx,
    labels.reduce((sum, set) => sum + setBytes(set), 0),
  );
}

/** The texts are those of the operands. */
function setBytes(labels: Labels): number {
  return SET_BYTES + 8 * labels.length;
}

/** What a set of rows that have the key in common takes, the key included. */
export function keyedBytes(key: string): number {
  return 2 * SET_BYTES + key.length;
}

/** The row with the labels, a new one where there is none. Throws `QueryError` ("execution") when there are too many. */
export function outputRow(out: Output, labels: Labels): number {
  const key = labelsKey(labels);
  const known = out.byKey.get(key);
  if (known !== undefined) return known;
  hold(out.ctx, out.steps);
  holdBytes(out.ctx, setBytes(labels));
  holdWork(out, keyedBytes(key));
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
