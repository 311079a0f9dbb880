import { type Labels, labelsKey } from "../../model/labels.ts";
import { hold } from "./memory.ts";
import type { QueryContext } from "./query-context.ts";

/** Rows of the result, found by their labels. */
export interface Output {
  readonly ctx: QueryContext;
  readonly steps: number;
  readonly labels: Labels[];
  readonly byKey: Map<string, number>;
  values: Float64Array;
  present: Uint8Array;
}

export function outputRow(out: Output, labels: Labels): number {
  const key = labelsKey(labels);
  const known = out.byKey.get(key);
  if (known !== undefined) return known;
  hold(out.ctx, out.steps);
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
