import { compareLabels, type Labels, labelValue } from "../../model/labels.ts";
import { type Pace, sortedIndexes } from "../execute/pace.ts";
import { keepFloats, pickRows, type Vector } from "../execute/vector.ts";

/** sort and sort_desc of an instant query: rows by value, NaN last; native histograms are left out. */
export async function sortByValue(pace: Pace, given: Vector, descending: boolean): Promise<Vector> {
  const vector = await keepFloats(pace, given);
  const order = await sortedIndexes(pace, vector.labels.length, (a, b) => {
    const x = vector.values[a] as number;
    const y = vector.values[b] as number;
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    if (x === y) return a - b;
    return x < y === descending ? 1 : -1;
  });
  return pickRows(pace, vector, order);
}

/** sort_by_label and sort_by_label_desc: natural order of the named labels, then of the whole label set. */
export async function sortByLabel(
  pace: Pace,
  vector: Vector,
  names: readonly string[],
  descending: boolean,
): Promise<Vector> {
  const sign = descending ? -1 : 1;
  const order = await sortedIndexes(pace, vector.labels.length, (a, b) => {
    const x = vector.labels[a] as Labels;
    const y = vector.labels[b] as Labels;
    for (const name of names) {
      const c = compareNatural(labelValue(x, name), labelValue(y, name));
      if (c !== 0) return sign * c;
    }
    return sign * compareLabels(x, y);
  });
  return pickRows(pace, vector, order);
}

const CHUNKS = /\d+|\D+/g;

/** Runs of digits compare as numbers, everything else as text. */
export function compareNatural(a: string, b: string): number {
  if (a === b) return 0;
  const x = a.match(CHUNKS) ?? [];
  const y = b.match(CHUNKS) ?? [];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const p = x[i] as string;
    const q = y[i] as string;
    if (p === q) continue;
    if (isDigits(p) && isDigits(q)) {
      const d = Number(p) - Number(q);
      if (d !== 0) return d;
      continue;
    }
    return p < q ? -1 : 1;
  }
  return x.length - y.length || (a < b ? -1 : 1);
}

function isDigits(text: string): boolean {
  const c = text.charCodeAt(0);
  return c >= 48 && c <= 57;
}
