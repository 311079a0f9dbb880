import type { Labels } from "../../model/labels.ts";
import type { PackedLabels } from "../plan/shard-plan.ts";
import { overEach, type Pace, ROW_WORK } from "./pace.ts";

/** What looking a string up counts for. */
const PACK_WORK = 16;

/** Label sets with each string once: smaller on the way to another thread, and shared strings on arrival. */
export function packLabels(sets: readonly Labels[], spent?: (work: number) => void): PackedLabels {
  const strings: string[] = [];
  const byText = new Map<string, number>();
  let total = 0;
  for (const set of sets) total += set.length;
  const ids = new Uint32Array(total);
  const ends = new Uint32Array(sets.length);
  let at = 0;
  for (let i = 0; i < sets.length; i++) {
    const set = sets[i] as Labels;
    for (let k = 0; k < set.length; k++) {
      const text = set[k] as string;
      let id = byText.get(text);
      if (id === undefined) {
        id = strings.length;
        strings.push(text);
        byText.set(text, id);
      }
      ids[at++] = id;
    }
    ends[i] = at;
    spent?.(PACK_WORK * set.length);
  }
  return { strings, ids, ends };
}

export async function unpackLabels(pace: Pace, packed: PackedLabels): Promise<Labels[]> {
  const { strings, ids, ends } = packed;
  const out: Labels[] = new Array(ends.length);
  let at = 0;
  await overEach(pace, ends.length, ROW_WORK, (i) => {
    const end = ends[i] as number;
    const set: string[] = new Array(end - at);
    for (let k = 0; at < end; k++, at++) set[k] = strings[ids[at] as number] as string;
    out[i] = set;
  });
  return out;
}
