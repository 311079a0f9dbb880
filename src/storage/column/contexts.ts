import type { Earlier, EarlierColumns } from "./derive.ts";
import type { NumberPlan } from "./numbers.ts";
import { clogc, HEADER_BITS, MAX_CONTEXTS, TABLE_BITS } from "./residual-plan.ts";
import { classOf, coarser, tokenForm } from "./tokens.ts";

/**
 * What another column of the page tells about the residuals of this one: where the other moves much, or stands high, this one's
 * residuals are likely to be large as well. The rows are put into four contexts by the other's whole numbers or their steps.
 */
export interface ContextSource {
  /** The other column, of as many rows. */
  readonly column: number;
  /** The context is how many of the cuts are at most y[i] (level) or at most |y[i] - y[i - 1]| (0 for the first row). */
  readonly level: boolean;
  readonly cuts: Float64Array;
}

const CUTS = MAX_CONTEXTS - 1;

/** Fills contexts[0, n) by the other column's whole numbers y. */
export function contextsBy(y: Float64Array, n: number, level: boolean, cuts: Float64Array, contexts: Uint8Array): void {
  const a = cuts[0] as number;
  const b = cuts[1] as number;
  const c = cuts[2] as number;
  if (level) {
    for (let i = 0; i < n; i++) {
      const v = y[i] as number;
      contexts[i] = +(v >= a) + +(v >= b) + +(v >= c);
    }
    return;
  }
  let last = y[0] as number;
  for (let i = 0; i < n; i++) {
    const v = y[i] as number;
    const d = Math.abs(v - last);
    last = v;
    contexts[i] = +(d >= a) + +(d >= b) + +(d >= c);
  }
}

const SAMPLES = 128;
const sample = new Float64Array(SAMPLES);
/** A cut that no number reaches. */
const NEVER = 2 ** 52;

/** Cuts that part a sample of the numbers, or steps, into four about alike. */
function cutsOf(y: Float64Array, n: number, level: boolean, cuts: Float64Array): void {
  const count = Math.min(SAMPLES, n - 1);
  for (let k = 0; k < count; k++) {
    const i = 1 + Math.floor((k * (n - 1)) / count);
    sample[k] = level ? (y[i] as number) : Math.abs((y[i] as number) - (y[i - 1] as number));
  }
  const s = sample.subarray(0, count).sort();
  let least = s[0] as number;
  for (let c = 0; c < CUTS; c++) {
    let k = Math.floor(((c + 1) * count) / MAX_CONTEXTS);
    while (k < count && (s[k] as number) <= least) k++;
    least = k < count ? (s[k] as number) : NEVER;
    cuts[c] = least;
  }
}

const WINDOW = 32;
/** How many rows are looked at in each of them. */
const PROBED = 240;
/** What naming the other column and its cuts costs. */
const SOURCE_BITS = 64;
/** How deep a column may be to give contexts: deeper ones would keep others from being derived, which is worth more. */
const SHALLOW = 0;
/** Less than this part of the bits is not worth reading another column for. */
const WORTH = 0.97;
let tokens = new Uint16Array(4096);
const counts = new Int32Array(MAX_CONTEXTS * 512);

export interface FoundContexts extends ContextSource {
  readonly contexts: Uint8Array;
  readonly depth: number;
}

/** Looks for an earlier column whose contexts make the plan cheaper; when there is one, the plan is changed to four contexts. */
export function findContexts(e: EarlierColumns, plan: NumberPlan): FoundContexts | undefined {
  const n = plan.rows;
  if (!plan.hasBody || plan.bits < 4 * SOURCE_BITS) return undefined;
  if (tokens.length < n) tokens = new Uint16Array(2 * n);
  const { mantissa, signed } = plan.code;
  const { extra } = tokenForm(mantissa, signed);
  let top = 0;
  let raw = HEADER_BITS + SOURCE_BITS;
  for (let i = 0; i < n; i++) {
    const r = plan.residuals[i] as number;
    const c = coarser(classOf(r), mantissa);
    const t = signed && c > 0 ? 2 * c - (r < 0 ? 0 : 1) : c;
    tokens[i] = t;
    raw += extra[t] as number;
    if (t > top) top = t;
  }
  // The best of a part of the rows first, then all rows of that one.
  const stride = Math.max(1, Math.floor(n / PROBED));
  const size = top + 1;
  let found: Earlier | undefined;
  let byLevel = false;
  let least = Number.POSITIVE_INFINITY;
  let looked = 0;
  for (let k = e.length - 1; k >= 0 && looked < WINDOW; k--) {
    const other = e.list[k] as Earlier;
    if (other.rows !== n || other.depth > SHALLOW || !other.moves) continue;
    looked++;
    for (let level = 0; level < 2; level++) {
      const known = contextsOf(other, level === 1);
      const cost = jointBits(known.contexts, n, stride, size, least);
      if (cost >= least) continue;
      least = cost;
      found = other;
      byLevel = level === 1;
    }
  }
  if (found === undefined) return undefined;
  const known = contextsOf(found, byLevel);
  const bits = raw + jointBits(known.contexts, n, 1, size, Number.POSITIVE_INFINITY);
  if (bits >= WORTH * plan.code.bits) return undefined;
  plan.bits += bits - plan.code.bits;
  plan.code.bits = bits;
  plan.code.contexts = MAX_CONTEXTS;
  return {
    column: found.column,
    level: byLevel,
    cuts: known.cuts,
    contexts: known.contexts,
    depth: found.depth + 1,
  };
}

/** The contexts that an earlier column gives, made when first asked for. */
function contextsOf(other: Earlier, level: boolean): { cuts: Float64Array; contexts: Uint8Array } {
  const known = level ? other.byLevel : other.byStep;
  if (known.made) return known;
  if (known.contexts.length < other.rows) known.contexts = new Uint8Array(other.rows);
  cutsOf(other.whole, other.rows, level, known.cuts);
  contextsBy(other.whole, other.rows, level, known.cuts, known.contexts);
  known.made = true;
  return known;
}

/** The bits of the tokens of every stride-th row with four tables; gives up above `limit`. */
function jointBits(contexts: Uint8Array, n: number, stride: number, size: number, limit: number): number {
  counts.fill(0, 0, MAX_CONTEXTS * size);
  for (let i = 0; i < n; i += stride) {
    const at = (contexts[i] as number) * size + (tokens[i] as number);
    counts[at] = (counts[at] as number) + 1;
  }
  let bits = 0;
  for (let c = 0; c < MAX_CONTEXTS; c++) {
    let sum = 0;
    let used = 0;
    let tokenBits = 0;
    for (let k = c * size; k < (c + 1) * size; k++) {
      const v = counts[k] as number;
      if (v === 0) continue;
      used++;
      sum += v;
      tokenBits -= clogc(v);
    }
    bits += tokenBits + clogc(sum) + TABLE_BITS * used;
    if (bits > limit) return bits;
  }
  return bits;
}
