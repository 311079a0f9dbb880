import { compareLabels, type Labels, labelsKey, labelsWithout, METRIC_NAME } from "../../model/labels.ts";

/**
 * An instant vector over all steps of a grid: row-major columns, row r at step s is cell `r * steps + s`.
 *
 * Invariants:
 * - a cell's value means something only where `present` is not 0; `PRESENT_FLOAT` is the only kind of sample so far (a
 *   histogram cell will be another number, its value an index into a histogram column);
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
export function pickRows(vector: Vector, rows: ArrayLike<number>): Vector {
  const { steps } = vector;
  const out = makeVector(steps, new Array(rows.length));
  for (let i = 0; i < rows.length; i++) {
    const r = rows[i] as number;
    out.labels[i] = vector.labels[r] as Labels;
    out.dropName[i] = vector.dropName[r] as number;
    out.values.set(vector.values.subarray(r * steps, (r + 1) * steps), i * steps);
    out.present.set(vector.present.subarray(r * steps, (r + 1) * steps), i * steps);
  }
  return out;
}

/** Without the rows that have no sample at any step. */
export function compactRows(vector: Vector): Vector {
  const keep: number[] = [];
  for (let r = 0; r < vector.labels.length; r++) if (rowHasSample(vector, r)) keep.push(r);
  return keep.length === vector.labels.length ? vector : pickRows(vector, keep);
}

export function rowHasSample(vector: Vector, row: number): boolean {
  const end = (row + 1) * vector.steps;
  for (let i = row * vector.steps; i < end; i++) if (vector.present[i] !== 0) return true;
  return false;
}

/** Rows in the order of their labels. */
export function sortByLabels(vector: Vector): Vector {
  const { labels } = vector;
  let sorted = true;
  for (let i = 1; i < labels.length && sorted; i++) {
    sorted = compareLabels(labels[i - 1] as Labels, labels[i] as Labels) <= 0;
  }
  if (sorted) return vector;
  const order = labels.map((_, i) => i);
  order.sort((a, b) => compareLabels(labels[a] as Labels, labels[b] as Labels));
  return pickRows(vector, order);
}

/** The same rows at every one of `steps` steps, from a vector of one step. */
export function broadcast(vector: Vector, steps: number): Vector {
  if (steps === 1) return vector;
  const out = makeVector(steps, vector.labels);
  out.dropName.set(vector.dropName);
  for (let r = 0; r < vector.labels.length; r++) {
    if (vector.present[r] === 0) continue;
    out.values.fill(vector.values[r] as number, r * steps, (r + 1) * steps);
    out.present.fill(vector.present[r] as number, r * steps, (r + 1) * steps);
  }
  return out;
}

/**
 * Joins rows that have got equal labels (after a label was changed or dropped) where they do not overlap in time.
 * Returns undefined when two of them have a sample at the same step.
 */
export function mergeEqualRows(vector: Vector): Vector | undefined {
  const { labels, steps } = vector;
  const target = new Int32Array(labels.length);
  const byKey = new Map<string, number>();
  let merged = 0;
  for (let r = 0; r < labels.length; r++) {
    const key = labelsKey(labels[r] as Labels);
    const first = byKey.get(key);
    if (first === undefined) byKey.set(key, r);
    else merged++;
    target[r] = first ?? r;
  }
  if (merged === 0) return vector;
  const keep: number[] = [];
  for (let r = 0; r < labels.length; r++) {
    const t = target[r] as number;
    if (t === r) {
      keep.push(r);
      continue;
    }
    for (let s = 0; s < steps; s++) {
      const kind = vector.present[r * steps + s] as number;
      if (kind === 0) continue;
      const cell = t * steps + s;
      if (vector.present[cell] !== 0) return undefined;
      vector.present[cell] = kind;
      vector.values[cell] = vector.values[r * steps + s] as number;
    }
  }
  return pickRows(vector, keep);
}

/** Removes the names that are marked for removal. Rows may have equal labels afterwards: see `mergeEqualRows`. */
export function removeDroppedNames(vector: Vector): Vector {
  const { labels, dropName } = vector;
  let dropped = false;
  const out = labels.map((l, r) => {
    if (dropName[r] === 0) return l;
    dropped = true;
    return labelsWithout(l, METADATA_LABELS);
  });
  return dropped ? { ...vector, labels: out, dropName: new Uint8Array(out.length) } : vector;
}
