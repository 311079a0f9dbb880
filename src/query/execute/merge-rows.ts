import type { Labels } from "../../model/labels.ts";
import type { ShardRows } from "../plan/shard-plan.ts";
import { due, overEach, type Pace, ROW_WORK, turn } from "./pace.ts";
import type { Vector } from "./vector.ts";

/** Merges the shards' rows, each sorted by labels already; of equal labels the earlier answer's come first. */
export async function mergeRows(pace: Pace, answers: readonly ShardRows[], steps: number): Promise<Vector> {
  const { texts, ids } = await numberTexts(pace, answers);
  const ends = answers.map((a) => a.labels.ends);
  const total = ends.reduce((sum, e) => sum + e.length, 0);
  const labels: Labels[] = new Array(total);
  const dropName = new Uint8Array(total);
  const values = new Float64Array(total * steps);
  const present = new Uint8Array(total * steps);
  const next = new Int32Array(answers.length);
  const at = new Int32Array(answers.length);
  for (let row = 0; row < total; row++) {
    let best = -1;
    for (let i = 0; i < answers.length; i++) {
      if ((next[i] as number) >= (ends[i] as Uint32Array).length) continue;
      if (best < 0 || comesFirst(texts, ids, ends, next, at, i, best)) best = i;
    }
    const answer = answers[best] as ShardRows;
    const r = next[best] as number;
    const end = answer.labels.ends[r] as number;
    labels[row] = labelsAt(texts, ids[best] as Uint32Array, at[best] as number, end);
    next[best] = r + 1;
    at[best] = end;
    dropName[row] = answer.dropName[r] as number;
    values.set(answer.values.subarray(r * steps, (r + 1) * steps), row * steps);
    present.set(answer.present.subarray(r * steps, (r + 1) * steps), row * steps);
    if (due(pace, (steps >> 2) + ROW_WORK)) await turn(pace);
  }
  return { steps, labels, dropName, values, present };
}

/** The texts of all answers, each once, and the answers' label sets by their numbers: equal texts have equal numbers. */
async function numberTexts(
  pace: Pace,
  answers: readonly ShardRows[],
): Promise<{ texts: string[]; ids: Uint32Array[] }> {
  const texts: string[] = [];
  const byText = new Map<string, number>();
  const ids: Uint32Array[] = [];
  for (const { labels } of answers) {
    const numbers = new Uint32Array(labels.strings.length);
    await overEach(pace, numbers.length, ROW_WORK >> 2, (i) => {
      const text = labels.strings[i] as string;
      let number = byText.get(text);
      if (number === undefined) {
        number = texts.length;
        texts.push(text);
        byText.set(text, number);
      }
      numbers[i] = number;
    });
    ids.push(translated(labels.ids, numbers));
  }
  return { texts, ids };
}

function translated(ids: Uint32Array, numbers: Uint32Array): Uint32Array {
  const out = new Uint32Array(ids.length);
  for (let i = 0; i < ids.length; i++) out[i] = numbers[ids[i] as number] as number;
  return out;
}

/** Whether the next row of answer `a` comes before that of answer `b`: as `compareLabels`. */
function comesFirst(
  texts: readonly string[],
  ids: readonly Uint32Array[],
  ends: readonly Uint32Array[],
  next: Int32Array,
  at: Int32Array,
  a: number,
  b: number,
): boolean {
  const idsA = ids[a] as Uint32Array;
  const idsB = ids[b] as Uint32Array;
  const atA = at[a] as number;
  const atB = at[b] as number;
  const lengthA = ((ends[a] as Uint32Array)[next[a] as number] as number) - atA;
  const lengthB = ((ends[b] as Uint32Array)[next[b] as number] as number) - atB;
  const both = Math.min(lengthA, lengthB);
  for (let i = 0; i < both; i++) {
    const x = idsA[atA + i] as number;
    const y = idsB[atB + i] as number;
    if (x !== y) return (texts[x] as string) < (texts[y] as string);
  }
  return lengthA < lengthB;
}

function labelsAt(texts: readonly string[], ids: Uint32Array, from: number, to: number): Labels {
  const set: string[] = new Array(to - from);
  for (let i = from; i < to; i++) set[i - from] = texts[ids[i] as number] as string;
  return set;
}
