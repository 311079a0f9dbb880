import { compareLabels, type Labels, labelsKey, labelsWithout, METRIC_NAME } from "../../model/labels.ts";
import { due, overEach, overRows, type Pace, ROW_WORK, sortedIndexes, turn } from "./pace.ts";

/**
 * An instant vector over all steps of a grid: row-major columns, row r at step s is cell `r * steps + s`.
 *
 * Invariants:
 * - a cell's value means something only where `present` is not 0; of a cell that is `PRESENT_HISTOGRAM` it is the place of a
 *   native histogram in the query's pool (`QueryContext.histograms`; in a shard in the answer's), which is never changed
 *   once it is there, so that cells can share one;
 * - `dropName` is 1 where the metric name is to be removed from the result. The name stays in `labels` until then, so that
 *   later operations can still use it (Prometheus calls this delayed name removal);
 * - no two rows have equal labels.
 */
export interface Vector {
  readonly steps: number;
  readonly labels: Labels[];
  readonly dropName: Uint8Array;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export const PRESENT_FLOAT = 1;
export const PRESENT_HISTOGRAM = 2;

/** Labels that describe the metric as it was exposed and go when an operation changes it. */
export const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, "__type__", "__unit__"]);

export const SAME_LABELSET = "vector cannot contain metrics with the same labelset";

export function emptyVector(steps: number): Vector {
  return { steps, labels: [], dropName: new Uint8Array(0), values: new Float64Array(0), present: new Uint8Array(0) };
}

export function makeVector(steps: number, labels: Labels[]): Vector {
  const cells = steps * labels.length;
  return {
    steps,
    labels,
    dropName: new Uint8Array(labels.length),
    values: new Float64Array(cells),
    present: new Uint8Array(cells),
  };
}

/** One value a step, without labels. */
export function vectorOfScalar(values: Float64Array): Vector {
  return {
    steps: values.length,
    labels: [[]],
    dropName: new Uint8Array(1),
    values: values.slice(),
    present: new Uint8Array(values.length).fill(PRESENT_FLOAT),
  };
}

/** The vector with the rows in the given order; rows not named are left out. */
export async function pickRows(pace: Pace, vector: Vector, rows: ArrayLike<number>): Promise<Vector> {
  const { steps } = vector;
  const out = makeVector(steps, new Array(rows.length));
  await overRows(pace, rows.length, steps, (i, from, to) => {
    const r = rows[i] as number;
    out.labels[i] = vector.labels[r] as Labels;
    out.dropName[i] = vector.dropName[r] as number;
    out.values.set(vector.values.subarray(r * steps + from, r * steps + to), i * steps + from);
    out.present.set(vector.present.subarray(r * steps + from, r * steps + to), i * steps + from);
  });
  return out;
}

/** Without the rows that have no sample at any step. */
export async function compactRows(pace: Pace, vector: Vector): Promise<Vector> {
  const { steps, present } = vector;
  const keep: number[] = [];
  await overRows(pace, vector.labels.length, steps, (r, from, to) => {
    if (keep[keep.length - 1] === r) return;
    for (let i = r * steps + from; i < r * steps + to; i++) {
      if (present[i] === 0) continue;
      keep.push(r);
      return;
    }
  });
  return keep.length === vector.labels.length ? vector : pickRows(pace, vector, keep);
}

/** Without the native histograms, in place. */
export async function keepFloats(pace: Pace, vector: Vector): Promise<Vector> {
  const { steps, present } = vector;
  let met = false;
  await overRows(pace, vector.labels.length, steps, (r, from, to) => {
    for (let i = r * steps + from; i < r * steps + to; i++) {
      if (present[i] !== PRESENT_HISTOGRAM) continue;
      present[i] = 0;
      met = true;
    }
  });
  return met ? compactRows(pace, vector) : vector;
}

/** Rows in the order of their labels. */
export async function sortByLabels(pace: Pace, vector: Vector): Promise<Vector> {
  const { labels } = vector;
  if (await areAscending(pace, labels)) return vector;
  const byLabels = (a: number, b: number): number => compareLabels(labels[a] as Labels, labels[b] as Labels);
  return pickRows(pace, vector, await sortedIndexes(pace, labels.length, byLabels));
}

/** Whether each row's labels come after those of the row before: no two rows are equal then. */
async function areAscending(pace: Pace, labels: readonly Labels[]): Promise<boolean> {
  for (let i = 1; i < labels.length; i++) {
    if (compareLabels(labels[i - 1] as Labels, labels[i] as Labels) >= 0) return false;
    if (due(pace, ROW_WORK >> 2)) await turn(pace);
  }
  return true;
}

/** The same rows at every one of `steps` steps, from a vector of one step. */
export async function broadcast(pace: Pace, vector: Vector, steps: number): Promise<Vector> {
  if (steps === 1) return vector;
  const out = makeVector(steps, vector.labels);
  out.dropName.set(vector.dropName);
  await overRows(pace, vector.labels.length, steps, (r, from, to) => {
    if (vector.present[r] === 0) return;
    out.values.fill(vector.values[r] as number, r * steps + from, r * steps + to);
    out.present.fill(vector.present[r] as number, r * steps + from, r * steps + to);
  });
  return out;
}

/**
 * Joins rows that have got equal labels (after a label was changed or dropped) where they do not overlap in time.
 * Returns undefined when two of them have a sample at the same step.
 */
export async function mergeEqualRows(pace: Pace, vector: Vector): Promise<Vector | undefined> {
  const { labels, steps } = vector;
  // So they mostly are, and looking at neighbours takes less than a key for each row.
  if (await areAscending(pace, labels)) return vector;
  const target = new Int32Array(labels.length);
  const byKey = new Map<string, number>();
  let merged = 0;
  await overEach(pace, labels.length, ROW_WORK, (r) => {
    const key = labelsKey(labels[r] as Labels);
    const first = byKey.get(key);
    if (first === undefined) byKey.set(key, r);
    else merged++;
    target[r] = first ?? r;
  });
  if (merged === 0) return vector;
  const keep: number[] = [];
  let meet = false;
  await overRows(pace, labels.length, steps, (r, from, to) => {
    const t = target[r] as number;
    if (t === r) {
      if (from === 0) keep.push(r);
      return;
    }
    for (let s = from; s < to && !meet; s++) {
      const kind = vector.present[r * steps + s] as number;
      if (kind === 0) continue;
      const cell = t * steps + s;
      if (vector.present[cell] !== 0) meet = true;
      vector.present[cell] = kind;
      vector.values[cell] = vector.values[r * steps + s] as number;
    }
  });
  return meet ? undefined : pickRows(pace, vector, keep);
}

/** Removes the names that are marked for removal. Rows may have equal labels afterwards: see `mergeEqualRows`. */
export async function removeDroppedNames(pace: Pace, vector: Vector): Promise<Vector> {
  const { labels, dropName } = vector;
  let dropped = false;
  const out = labels.slice();
  await overEach(pace, labels.length, ROW_WORK, (r) => {
    if (dropName[r] === 0) return;
    dropped = true;
    out[r] = labelsWithout(labels[r] as Labels, METADATA_LABELS);
  });
  return dropped ? { ...vector, labels: out, dropName: new Uint8Array(out.length) } : vector;
}
