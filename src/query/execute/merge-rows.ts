import { compareLabels, type Labels } from "../../model/labels.ts";
import type { ShardRows } from "../plan/shard-plan.ts";
import { due, type Pace, ROW_WORK, turn } from "./pace.ts";
import { unpackLabels } from "./packed-labels.ts";
import type { Vector } from "./vector.ts";

/** Merges the shards' rows, each sorted by labels already. */
export async function mergeRows(pace: Pace, answers: readonly ShardRows[], steps: number): Promise<Vector> {
  const sets: Labels[][] = [];
  for (const a of answers) sets.push(await unpackLabels(pace, a.labels));
  const total = sets.reduce((sum, s) => sum + s.length, 0);
  const labels: Labels[] = new Array(total);
  const dropName = new Uint8Array(total);
  const values = new Float64Array(total * steps);
  const present = new Uint8Array(total * steps);
  const next = new Int32Array(sets.length);
  for (let row = 0; row < total; row++) {
    let best = -1;
    for (let i = 0; i < sets.length; i++) {
      const candidate = sets[i]?.[next[i] as number];
      if (candidate === undefined) continue;
      if (best < 0 || compareLabels(candidate, sets[best]?.[next[best] as number] as Labels) < 0) best = i;
    }
    const answer = answers[best] as ShardRows;
    const r = next[best] as number;
    next[best] = r + 1;
    labels[row] = sets[best]?.[r] as Labels;
    dropName[row] = answer.dropName[r] as number;
    values.set(answer.values.subarray(r * steps, (r + 1) * steps), row * steps);
    present.set(answer.present.subarray(r * steps, (r + 1) * steps), row * steps);
    if (due(pace, (steps >> 2) + ROW_WORK * sets.length)) await turn(pace);
  }
  return { steps, labels, dropName, values, present };
}
