import type { Labels } from "../../model/labels.ts";
import type { PartialOp, ShardPartials } from "../plan/shard-plan.ts";
import type { HistogramCells } from "./histogram-aggregate-cells.ts";
import { overRows, type Pace } from "./pace.ts";
import { PRESENT_FLOAT, type Vector } from "./vector.ts";

/**
 * Aggregates that can be built from parts: each group has one cell a step (`group * steps + step`) in a few columns.
 * Used inside the shards over their rows, in front over the rows of other operators, and to merge the shards' answers.
 *
 * Columns by operation (`count` is always there: the number of samples, 0 = no result):
 * - count, group: none;
 * - sum: sum, compensation (Neumaier);
 * - avg: sum, compensation, scaled (1: the cell's sum is kept times 2^-64, because it left the float range);
 * - min, max: the extreme (NaN only while nothing else came);
 * - stddev, stdvar: mean, compensation, sum of squared distances to the mean, compensation.
 *
 * Native histograms, where there are any, are beside the columns: see histogram-aggregate.ts.
 */
export interface Partial {
  readonly op: PartialOp;
  readonly steps: number;
  groups: number;
  readonly labels: Labels[];
  dropName: Uint8Array;
  count: Float64Array;
  columns: Float64Array[];
  /** Undefined until there is one. */
  histograms: HistogramCells | undefined;
}

const COLUMNS: Readonly<Record<PartialOp, number>> = {
  count: 0,
  group: 0,
  sum: 2,
  avg: 3,
  min: 1,
  max: 1,
  stddev: 4,
  stdvar: 4,
};

const SCALE = 2 ** -64;

export function makePartial(op: PartialOp, steps: number, capacity = 8): Partial {
  const columns: Float64Array[] = [];
  for (let i = 0; i < COLUMNS[op]; i++) columns.push(new Float64Array(capacity * steps));
  return {
    op,
    steps,
    groups: 0,
    labels: [],
    dropName: new Uint8Array(capacity),
    count: new Float64Array(capacity * steps),
    columns,
    histograms: undefined,
  };
}

/** Adds an empty group and returns its number. */
export function addGroup(p: Partial, labels: Labels): number {
  const group = p.groups++;
  p.labels.push(labels);
  if (group >= p.dropName.length) {
    const capacity = 2 * p.dropName.length;
    const grow = (old: Float64Array): Float64Array => {
      const grown = new Float64Array(capacity * p.steps);
      grown.set(old);
      return grown;
    };
    p.count = grow(p.count);
    p.columns = p.columns.map(grow);
    const drop = new Uint8Array(capacity);
    drop.set(p.dropName);
    p.dropName = drop;
  }
  return group;
}

/**
 * Adds one row (from `rowBase` in values/present), or its steps [from, to), to a group. Histograms must have been taken out of
 * it, unless the operation is count or group.
 */
export function addRow(
  p: Partial,
  group: number,
  dropName: number,
  values: Float64Array,
  present: Uint8Array,
  rowBase: number,
  from = 0,
  to = p.steps,
): void {
  const { count, columns } = p;
  const g = group * p.steps + from;
  const base = rowBase + from;
  const steps = to - from;
  if (dropName !== 0) p.dropName[group] = 1;
  switch (p.op) {
    case "count":
    case "group":
      for (let s = 0; s < steps; s++) if (present[base + s] !== 0) count[g + s] = (count[g + s] as number) + 1;
      return;
    case "sum":
      addSum(count, columns[0] as Float64Array, columns[1] as Float64Array, g, steps, values, present, base);
      return;
    case "avg":
      addAvg(count, columns, g, steps, values, present, base);
      return;
    case "min":
    case "max":
      addExtreme(count, columns[0] as Float64Array, p.op === "max", g, steps, values, present, base);
      return;
    default:
      addVariance(count, columns, g, steps, values, present, base);
      return;
  }
}

function addSum(
  count: Float64Array,
  sums: Float64Array,
  comps: Float64Array,
  g: number,
  steps: number,
  values: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  for (let s = 0; s < steps; s++) {
    if (present[base + s] === 0) continue;
    const cell = g + s;
    count[cell] = (count[cell] as number) + 1;
    const v = values[base + s] as number;
    const sum = sums[cell] as number;
    const t = sum + v;
    if (t - t !== 0) comps[cell] = 0;
    else comps[cell] = (comps[cell] as number) + (Math.abs(sum) >= Math.abs(v) ? sum - t + v : v - t + sum);
    sums[cell] = t;
  }
}

function addAvg(
  count: Float64Array,
  columns: readonly Float64Array[],
  g: number,
  steps: number,
  values: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const [sums, comps, scaled] = columns as [Float64Array, Float64Array, Float64Array];
  for (let s = 0; s < steps; s++) {
    if (present[base + s] === 0) continue;
    const cell = g + s;
    count[cell] = (count[cell] as number) + 1;
    addToMean(sums, comps, scaled, cell, values[base + s] as number, 0, 0);
  }
}

/** Adds `v + c` (kept times 2^-64 when `isScaled`) to an avg cell; scales the cell when the plain sum would overflow. */
function addToMean(
  sums: Float64Array,
  comps: Float64Array,
  scaled: Float64Array,
  cell: number,
  value: number,
  compensation: number,
  isScaled: number,
): void {
  let v = value;
  let c = compensation;
  let sum = sums[cell] as number;
  let comp = comps[cell] as number;
  if (scaled[cell] === 0 && (isScaled !== 0 || (sum - sum === 0 && v - v === 0 && !Number.isFinite(sum + v)))) {
    sum *= SCALE;
    comp *= SCALE;
    scaled[cell] = 1;
  }
  if (scaled[cell] !== 0 && isScaled === 0) {
    v *= SCALE;
    c *= SCALE;
  }
  const t = sum + v;
  if (t - t !== 0) comp = 0;
  else comp += c + (Math.abs(sum) >= Math.abs(v) ? sum - t + v : v - t + sum);
  sums[cell] = t;
  comps[cell] = comp;
}

function addExtreme(
  count: Float64Array,
  extremes: Float64Array,
  max: boolean,
  g: number,
  steps: number,
  values: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  for (let s = 0; s < steps; s++) {
    if (present[base + s] === 0) continue;
    const cell = g + s;
    const v = values[base + s] as number;
    const best = extremes[cell] as number;
    if (count[cell] === 0 || (max ? v > best : v < best) || Number.isNaN(best)) extremes[cell] = v;
    count[cell] = (count[cell] as number) + 1;
  }
}

function addVariance(
  count: Float64Array,
  columns: readonly Float64Array[],
  g: number,
  steps: number,
  values: Float64Array,
  present: Uint8Array,
  base: number,
): void {
  const [means, meanC, squares, squareC] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  for (let s = 0; s < steps; s++) {
    if (present[base + s] === 0) continue;
    const cell = g + s;
    const n = (count[cell] as number) + 1;
    count[cell] = n;
    const v = values[base + s] as number;
    const delta = v - ((means[cell] as number) + (meanC[cell] as number));
    compensatedAdd(means, meanC, cell, delta / n);
    compensatedAdd(squares, squareC, cell, delta * (v - ((means[cell] as number) + (meanC[cell] as number))));
  }
}

function compensatedAdd(sums: Float64Array, comps: Float64Array, cell: number, v: number): void {
  const sum = sums[cell] as number;
  const t = sum + v;
  if (t - t !== 0) comps[cell] = 0;
  else comps[cell] = (comps[cell] as number) + (Math.abs(sum) >= Math.abs(v) ? sum - t + v : v - t + sum);
  sums[cell] = t;
}

/**
 * Adds the group `theirs` of a shard's answer, or its steps [from, to), to the group `group`. Order of the answers is the
 * caller's: fixed by partition.
 */
export function mergeGroup(
  p: Partial,
  group: number,
  other: ShardPartials,
  theirs: number,
  from = 0,
  to = p.steps,
): void {
  const { steps, count, columns } = p;
  if (other.dropName[theirs] !== 0) p.dropName[group] = 1;
  const g = group * steps;
  const f = theirs * steps;
  const oc = other.columns;
  for (let s = from; s < to; s++) {
    const m = other.count[f + s] as number;
    if (m === 0) continue;
    const cell = g + s;
    const n = count[cell] as number;
    count[cell] = n + m;
    switch (p.op) {
      case "count":
      case "group":
        break;
      case "sum": {
        const [sums, comps] = columns as [Float64Array, Float64Array];
        compensatedAdd(sums, comps, cell, oc[0]?.[f + s] as number);
        if (Number.isFinite(sums[cell])) comps[cell] = (comps[cell] as number) + (oc[1]?.[f + s] as number);
        break;
      }
      case "avg": {
        const [sums, comps, scaled] = columns as [Float64Array, Float64Array, Float64Array];
        const c = oc[1]?.[f + s] as number;
        addToMean(sums, comps, scaled, cell, oc[0]?.[f + s] as number, c, oc[2]?.[f + s] as number);
        break;
      }
      case "min":
      case "max": {
        const extremes = columns[0] as Float64Array;
        const v = oc[0]?.[f + s] as number;
        const best = extremes[cell] as number;
        if (n === 0 || (p.op === "max" ? v > best : v < best) || Number.isNaN(best)) extremes[cell] = v;
        break;
      }
      default: {
        const [means, meanC, squares, squareC] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
        const mean = (oc[0]?.[f + s] as number) + (oc[1]?.[f + s] as number);
        const square = (oc[2]?.[f + s] as number) + (oc[3]?.[f + s] as number);
        const delta = mean - ((means[cell] as number) + (meanC[cell] as number));
        compensatedAdd(means, meanC, cell, (delta * m) / (n + m));
        compensatedAdd(squares, squareC, cell, square);
        if (n > 0) compensatedAdd(squares, squareC, cell, (delta * delta * n * m) / (n + m));
      }
    }
  }
}

/** The aggregation's result: one row a group. */
export async function finishPartial(pace: Pace, p: Partial): Promise<Vector> {
  const { steps, groups } = p;
  const values = new Float64Array(groups * steps);
  const present = new Uint8Array(groups * steps);
  await overRows(pace, groups, steps, (g, from, to) => {
    finishCells(p, values, present, g * steps + from, g * steps + to);
  });
  return { steps, labels: p.labels, dropName: p.dropName.slice(0, groups), values, present };
}

function finishCells(p: Partial, values: Float64Array, present: Uint8Array, from: number, to: number): void {
  const { count, columns } = p;
  const [a, b, c, d] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
  for (let i = from; i < to; i++) {
    const n = count[i] as number;
    if (n === 0) continue;
    present[i] = PRESENT_FLOAT;
    switch (p.op) {
      case "count":
        values[i] = n;
        break;
      case "group":
        values[i] = 1;
        break;
      case "sum":
        values[i] = Number.isFinite(a[i]) ? (a[i] as number) + (b[i] as number) : (a[i] as number);
        break;
      case "avg":
        values[i] = (a[i] as number) / n + (b[i] as number) / n;
        if (c[i] !== 0) values[i] = (values[i] as number) / SCALE;
        break;
      case "min":
      case "max":
        values[i] = a[i] as number;
        break;
      default: {
        const variance = ((c[i] as number) + (d[i] as number)) / n;
        values[i] = p.op === "stddev" ? Math.sqrt(variance) : variance;
      }
    }
  }
}
