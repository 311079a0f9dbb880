import { type Effort, type NumberPlan, planNumbers } from "./numbers.ts";
import { MAX_DEPTH } from "./page-layout.ts";
import { MAX_WHOLE } from "./scale.ts";
import { classOf } from "./tokens.ts";

/**
 * Columns that follow from earlier ones of the page: bytes that are pages times 4096, free + used = total, a minimum that mostly is
 * the first value. What is left after taking a multiple of one or two earlier columns' whole numbers away is coded instead.
 */
export interface Term {
  /** The column taken from. */
  readonly column: number;
  /** num * ((y[i] - y[0]) / den) is taken away; den divides. */
  readonly num: number;
  readonly den: number;
}

/** A column that later ones may be derived from. */
export interface Earlier {
  column: number;
  rows: number;
  depth: number;
  unit: number;
  whole: Float64Array;
  /** Its numbers are not all alike or on a line, so that they may tell something about others'. */
  moves: boolean;
  readonly byStep: KnownContexts;
  readonly byLevel: KnownContexts;
}

/** Contexts that the column gives to others (contexts.ts). */
export interface KnownContexts {
  made: boolean;
  readonly cuts: Float64Array;
  contexts: Uint8Array;
}

function noContexts(): KnownContexts {
  return { made: false, cuts: new Float64Array(3), contexts: new Uint8Array(0) };
}

export interface EarlierColumns {
  readonly list: Earlier[];
  /** How many of the list are in use; the rest are spare. */
  length: number;
  readonly byShape: Map<number, number[]>;
}

export function makeEarlier(): EarlierColumns {
  return { list: [], length: 0, byShape: new Map() };
}

export function clearEarlier(e: EarlierColumns): void {
  e.length = 0;
  e.byShape.clear();
}

/** Keeps whole[0, n) of a column whose own plan (not a derived one) is given; `depth` is how deep it is derived itself. */
export function keepEarlier(
  e: EarlierColumns,
  column: number,
  whole: Float64Array,
  own: NumberPlan,
  depth: number,
): void {
  const n = own.rows;
  let entry = e.list[e.length];
  if (entry === undefined) {
    entry = {
      column,
      rows: n,
      depth,
      unit: own.unit,
      whole: new Float64Array(Math.max(n, 512)),
      moves: own.hasBody,
      byStep: noContexts(),
      byLevel: noContexts(),
    };
    e.list.push(entry);
  } else {
    if (entry.whole.length < n) entry.whole = new Float64Array(n);
    entry.column = column;
    entry.rows = n;
    entry.depth = depth;
    entry.unit = own.unit;
    entry.moves = own.hasBody;
    entry.byStep.made = false;
    entry.byLevel.made = false;
  }
  for (let i = 0; i < n; i++) entry.whole[i] = whole[i] as number;
  if (own.hasBody) {
    const alike = e.byShape.get(own.shape);
    if (alike === undefined) e.byShape.set(own.shape, [e.length]);
    else if (alike.length < 4) alike.push(e.length);
  }
  e.length++;
}

export interface Derived {
  readonly terms: readonly Term[];
  readonly depth: number;
}

/** Columns back to look at for what is not an exact multiple, and rows to look at there. */
const WINDOW = 32;
const WIDE_WINDOW = 128;
const PROBES = 24;
/** A column that takes less is left alone. */
const LEAST_BITS = 400;

let rest = new Float64Array(4096);
const probes = new Int32Array(PROBES);
const ownSteps = new Float64Array(PROBES);
const steps = Array.from({ length: WIDE_WINDOW }, () => new Float64Array(PROBES));
const candidates: Earlier[] = [];

/**
 * Looks for terms that make whole[0, n) cheaper than its own plan. When there are, `plan` is the plan of the rest; else undefined
 * is returned and `plan` is of no use.
 */
export function derive(
  e: EarlierColumns,
  whole: Float64Array,
  own: NumberPlan,
  plan: NumberPlan,
  effort: Effort,
): Derived | undefined {
  const n = own.rows;
  if (!own.hasBody || own.bits < LEAST_BITS || e.length === 0) return undefined;
  if (rest.length < n) rest = new Float64Array(2 * n);
  for (const k of e.byShape.get(own.shape) ?? []) {
    const other = e.list[k] as Earlier;
    if (other.rows !== n || other.depth >= MAX_DEPTH) continue;
    for (const num of [own.unit, -own.unit]) {
      if (!takeAway(whole, n, other, num, other.unit, rest) || !isConstant(rest, n)) continue;
      planNumbers(plan, rest, n, effort);
      return { terms: [{ column: other.column, num, den: other.unit }], depth: other.depth + 1 };
    }
  }
  return effort === "small" && n >= 32 ? search(e, whole, own, plan) : undefined;
}

function isConstant(v: Float64Array, n: number): boolean {
  const first = v[0];
  for (let i = 1; i < n; i++) if (v[i] !== first) return false;
  return true;
}

/** out = from - num * ((y - y[0]) / den); false when that is not exact. */
function takeAway(from: Float64Array, n: number, other: Earlier, num: number, den: number, out: Float64Array): boolean {
  const y = other.whole;
  const y0 = y[0] as number;
  for (let i = 0; i < n; i++) {
    const q = ((y[i] as number) - y0) / den;
    const away = num * q;
    const left = (from[i] as number) - away;
    if (q !== Math.floor(q) || !(away < MAX_WHOLE && away > -MAX_WHOLE && left < MAX_WHOLE && left > -MAX_WHOLE)) {
      return false;
    }
    out[i] = left;
  }
  return true;
}

function search(e: EarlierColumns, whole: Float64Array, own: NumberPlan, plan: NumberPlan): Derived | undefined {
  const n = own.rows;
  const count = chooseProbes(whole, n);
  if (count < 4) return undefined;
  candidates.length = 0;
  for (let k = e.length - 1; k >= 0 && candidates.length < WIDE_WINDOW; k--) {
    const other = e.list[k] as Earlier;
    if (other.rows !== n || other.depth >= MAX_DEPTH) continue;
    const s = steps[candidates.length] as Float64Array;
    for (let p = 0; p < count; p++) {
      const i = probes[p] as number;
      s[p] = (other.whole[i] as number) - (other.whole[i - 1] as number);
    }
    candidates.push(other);
  }
  return sumOfTwo(whole, own, plan, count) ?? nearOne(whole, own, plan, count);
}

/** Rows where the column changes, all over it. */
function chooseProbes(whole: Float64Array, n: number): number {
  let count = 0;
  for (let k = 0; k < PROBES; k++) {
    const stop = 1 + Math.floor(((k + 1) * (n - 1)) / PROBES);
    for (let i = 1 + Math.floor((k * (n - 1)) / PROBES); i < stop; i++) {
      if (whole[i] === whole[i - 1]) continue;
      probes[count] = i;
      ownSteps[count++] = (whole[i] as number) - (whole[i - 1] as number);
      break;
    }
  }
  return count;
}

const SIGNS: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, -1],
  [-1, 1],
];

/** Two columns whose sum or difference this one is, but for a constant or little else. */
function sumOfTwo(whole: Float64Array, own: NumberPlan, plan: NumberPlan, count: number): Derived | undefined {
  const window = Math.min(candidates.length, WINDOW);
  for (let a = 0; a < window; a++) {
    for (let b = a + 1; b < window; b++) {
      for (const [sa, sb] of SIGNS) {
        if (!matches(steps[a] as Float64Array, sa, steps[b] as Float64Array, sb, count)) continue;
        const one = candidates[a] as Earlier;
        const two = candidates[b] as Earlier;
        const n = own.rows;
        if (!takeAway(whole, n, one, sa, 1, rest) || !takeAway(rest, n, two, sb, 1, rest)) continue;
        planNumbers(plan, rest, n, "small");
        if (plan.bits >= own.bits) continue;
        const terms = [
          { column: one.column, num: sa, den: 1 },
          { column: two.column, num: sb, den: 1 },
        ];
        return { terms, depth: 1 + Math.max(one.depth, two.depth) };
      }
    }
  }
  return undefined;
}

function matches(a: Float64Array, sa: number, b: Float64Array, sb: number, count: number): boolean {
  let missed = 0;
  for (let p = 0; p < count; p++) {
    if (sa * (a[p] as number) + sb * (b[p] as number) !== ownSteps[p] && ++missed > count >> 3) return false;
  }
  return true;
}

/** One column that this one is near to, in its steps or in its size. */
function nearOne(whole: Float64Array, own: NumberPlan, plan: NumberPlan, count: number): Derived | undefined {
  const n = own.rows;
  let least = 0.85 * Math.min(stepSize(undefined, 0, count), spread(whole, undefined, 0, count));
  let found: Earlier | undefined;
  let num = 0;
  let den = 1;
  for (let c = 0; c < candidates.length; c++) {
    const other = candidates[c] as Earlier;
    const ratio = own.unit / other.unit;
    for (let k = 0; k < (ratio === 1 ? 2 : 4); k++) {
      const factor = (k & 1 ? -1 : 1) * (k < 2 ? 1 : ratio);
      const bySteps = stepSize(steps[c], factor, count);
      const size = bySteps < least ? bySteps : spread(whole, other.whole, factor, count);
      if (size >= least) continue;
      least = size;
      found = other;
      num = k < 2 ? factor : k & 1 ? -own.unit : own.unit;
      den = k < 2 ? 1 : other.unit;
    }
  }
  if (found === undefined || !takeAway(whole, n, found, num, den, rest)) return undefined;
  planNumbers(plan, rest, n, "small");
  if (plan.bits >= 0.98 * own.bits) return undefined;
  return { terms: [{ column: found.column, num, den }], depth: found.depth + 1 };
}

/** The sizes (an eighth of a bit the unit) of the steps at the probes. */
function stepSize(other: Float64Array | undefined, sign: number, count: number): number {
  let size = 0;
  for (let p = 0; p < count; p++) {
    size += classOf((ownSteps[p] as number) - (other === undefined ? 0 : sign * (other[p] as number)));
  }
  return size;
}

/** The sizes of the differences from probe to probe. */
function spread(whole: Float64Array, other: Float64Array | undefined, sign: number, count: number): number {
  let size = 0;
  let last = 0;
  for (let p = 0; p < count; p++) {
    const i = probes[p] as number;
    const v = (whole[i] as number) - (other === undefined ? 0 : sign * (other[i] as number));
    if (p > 0) size += classOf(v - last);
    last = v;
  }
  return (size * count) / (count - 1);
}
