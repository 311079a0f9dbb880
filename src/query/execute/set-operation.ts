import type { Labels } from "../../model/labels.ts";
import type { VectorMatching } from "../parse/ast.ts";
import { markPresent, matchingLabels } from "./matching.ts";
import { holdWork, keyedBytes, makeOutput, type Output, outputRow, releaseWork } from "./output-rows.ts";
import { overRows } from "./pace.ts";
import type { QueryContext } from "./query-context.ts";
import type { Vector } from "./vector.ts";

/** `and`, `or` and `unless`. */
export async function setOperation(
  ctx: QueryContext,
  op: "and" | "or" | "unless",
  lhs: Vector,
  rhs: Vector,
  matching: VectorMatching,
): Promise<Vector> {
  const { steps } = lhs;
  const names = new Set(matching.labels);
  const out = makeOutput(ctx, steps);
  const keyOf = (labels: Labels): string => matchingLabels(labels, matching, names).join("\u0000");
  // Steps at which a side has a sample with the match group's labels.
  const presence = async (v: Vector): Promise<Map<string, Uint8Array>> => {
    const found = new Map<string, Uint8Array>();
    await overRows(ctx, v.labels.length, steps, (r, from, to) => {
      const key = keyOf(v.labels[r] as Labels);
      let at = found.get(key);
      if (at === undefined) {
        holdWork(out, keyedBytes(key) + steps);
        at = new Uint8Array(steps);
        found.set(key, at);
      }
      markPresent(v, r, from, to, at);
    });
    return found;
  };
  if (op === "or") return union(out, lhs, rhs, await presence(lhs), keyOf);
  const right = await presence(rhs);
  await overRows(ctx, lhs.labels.length, steps, (r, from, to) => {
    const at = right.get(keyOf(lhs.labels[r] as Labels));
    for (let s = from; s < to; s++) {
      const found = at !== undefined && at[s] !== 0;
      if (found !== (op === "and")) lhs.present[r * steps + s] = 0;
    }
  });
  releaseWork(out);
  return lhs;
}

async function union(
  out: Output,
  lhs: Vector,
  rhs: Vector,
  left: Map<string, Uint8Array>,
  keyOf: (labels: Labels) => string,
): Promise<Vector> {
  const { ctx, steps } = out;
  const drop: number[] = [];
  let row = -1;
  const copy = (v: Vector, r: number, hidden: Uint8Array | undefined, from: number, to: number): void => {
    if (from === 0) row = -1;
    for (let s = from; s < to; s++) {
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
  await overRows(ctx, lhs.labels.length, steps, (r, from, to) => copy(lhs, r, undefined, from, to));
  await overRows(ctx, rhs.labels.length, steps, (r, from, to) => {
    copy(rhs, r, left.get(keyOf(rhs.labels[r] as Labels)), from, to);
  });
  releaseWork(out);
  const rows = out.labels.length;
  return {
    steps,
    labels: out.labels,
    dropName: Uint8Array.from(drop),
    values: out.values.subarray(0, rows * steps),
    present: out.present.subarray(0, rows * steps),
  };
}
