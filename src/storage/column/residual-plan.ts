import { MAX_LOG, MAX_SYMBOLS, MIN_LOG } from "./frequency.ts";
import { classOf, coarser, MAX_BITS, MAX_MANTISSA } from "./tokens.ts";

/** How a column of residuals is to be coded, and what that is estimated to take. */
export interface ResidualPlan {
  bits: number;
  mantissa: number;
  signed: boolean;
  log: number;
  /** 1 to 4; the context of a number is how many of the `cuts` are at most the class of the number before. */
  contexts: number;
  readonly cuts: Int32Array;
}

export const MAX_CONTEXTS = 4;

export function makePlan(): ResidualPlan {
  return { bits: 0, mantissa: 0, signed: false, log: MIN_LOG, contexts: 1, cuts: new Int32Array(MAX_CONTEXTS - 1) };
}

export function copyPlan(from: ResidualPlan, to: ResidualPlan): void {
  to.bits = from.bits;
  to.mantissa = from.mantissa;
  to.signed = from.signed;
  to.log = from.log;
  to.contexts = from.contexts;
  to.cuts.set(from.cuts);
}

/** What a token in a table of frequencies costs, about. */
export const TABLE_BITS = 3.2;
export const HEADER_BITS = 24;
const CLASSES = (MAX_BITS - MAX_MANTISSA + 1) << MAX_MANTISSA;

const coarse = Array.from({ length: MAX_MANTISSA + 1 }, (_, m) =>
  Uint16Array.from({ length: CLASSES }, (_, c) => coarser(c, m)),
);
const extraOf = Array.from({ length: MAX_MANTISSA + 1 }, (_, m) =>
  Uint8Array.from({ length: CLASSES }, (_, c) => (c < 2 << m ? 0 : (c >> m) - 1)),
);
const CLOGC = Float64Array.from({ length: 4096 }, (_, c) => (c === 0 ? 0 : c * Math.log2(c)));

/** c * log2(c). */
export function clogc(c: number): number {
  return c < 4096 ? (CLOGC[c] as number) : c * Math.log2(c);
}

const plus = new Int32Array(CLASSES);
const minus = new Int32Array(CLASSES);
const foldPlus = new Int32Array(CLASSES);
const foldMinus = new Int32Array(CLASSES);

/** Finds the best plan of one context for r[0, n). */
export function planResiduals(r: Float64Array, n: number, plan: ResidualPlan): void {
  plus.fill(0);
  minus.fill(0);
  let top = 0;
  let negative = false;
  for (let i = 0; i < n; i++) {
    const x = r[i] as number;
    const c = classOf(x);
    if (c > top) top = c;
    if (x < 0) {
      minus[c] = (minus[c] as number) + 1;
      negative = true;
    } else plus[c] = (plus[c] as number) + 1;
  }
  plan.bits = Number.POSITIVE_INFINITY;
  plan.signed = negative;
  plan.contexts = 1;
  for (let m = 0; m <= MAX_MANTISSA; m++) {
    const map = coarse[m] as Uint16Array;
    const extra = extraOf[m] as Uint8Array;
    const last = map[top] as number;
    if ((negative ? 2 * last : last) >= MAX_SYMBOLS) break;
    foldPlus.fill(0, 0, last + 1);
    foldMinus.fill(0, 0, last + 1);
    for (let c = 0; c <= top; c++) {
      const k = map[c] as number;
      foldPlus[k] = (foldPlus[k] as number) + (plus[c] as number);
      foldMinus[k] = (foldMinus[k] as number) + (minus[c] as number);
    }
    let bits = clogc(n) + HEADER_BITS;
    let used = 0;
    for (let k = 0; k <= last; k++) {
      const p = foldPlus[k] as number;
      const q = foldMinus[k] as number;
      if (p > 0) {
        used++;
        bits -= clogc(p);
      }
      if (q > 0) {
        used++;
        bits -= clogc(q);
      }
      bits += (p + q) * (extra[k] as number);
    }
    bits += used === 1 ? 0 : TABLE_BITS * used;
    if (bits < plan.bits) {
      plan.bits = bits;
      plan.mantissa = m;
      plan.log = logFor(n, used);
    }
    if (used === 1 && last < 2 << m) break;
  }
}

/** The size of the tables: enough for the rows' precision, with room for the tokens. */
function logFor(n: number, used: number): number {
  let log = Math.max(MIN_LOG, Math.min(MAX_LOG - 1, 30 - Math.clz32(n)));
  while (1 << log < 2 * used && log < MAX_LOG) log++;
  return log;
}

const GROUPS = MAX_CONTEXTS;
const joint = Array.from({ length: GROUPS }, () => new Int32Array(MAX_SYMBOLS + 1));
const merged = new Int32Array(MAX_SYMBOLS + 1);
const groupOf = new Uint8Array(CLASSES);
const bounds = new Int32Array(GROUPS);

/** Tries whether the class of the number before tells enough about a number to pay for more tables. Changes the plan if so. */
export function planContexts(r: Float64Array, n: number, plan: ResidualPlan): void {
  const m = plan.mantissa;
  const map = coarse[m] as Uint16Array;
  const extra = extraOf[m] as Uint8Array;
  foldPlus.fill(0);
  let top = 0;
  for (let i = 0; i < n; i++) {
    const c = map[classOf(r[i] as number)] as number;
    foldPlus[c] = (foldPlus[c] as number) + 1;
    if (c > top) top = c;
  }
  // Classes in groups of about the same number of rows.
  let groups = 1;
  let seen = 0;
  for (let c = 0; c <= top; c++) {
    if (c > 0 && groups < GROUPS && seen >= (n * groups) / GROUPS && seen > 0) {
      bounds[groups] = c;
      groups++;
    }
    groupOf[c] = groups - 1;
    seen += foldPlus[c] as number;
  }
  if (groups === 1) return;
  const tokens = plan.signed ? 2 * top + 1 : top + 1;
  for (let g = 0; g < groups; g++) (joint[g] as Int32Array).fill(0, 0, tokens);
  let g = 0;
  let raw = 0;
  for (let i = 0; i < n; i++) {
    const x = r[i] as number;
    const c = map[classOf(x)] as number;
    const t = plan.signed && c > 0 ? 2 * c - (x < 0 ? 0 : 1) : c;
    const counts = joint[g] as Int32Array;
    counts[t] = (counts[t] as number) + 1;
    raw += extra[c] as number;
    g = groupOf[c] as number;
  }
  // Every way to cut the groups in a row into contexts: bit k of `cuts` parts group k + 1 from group k.
  for (let cuts = 1; cuts < 1 << (groups - 1); cuts++) {
    let bits = HEADER_BITS + raw;
    let from = 0;
    let contexts = 0;
    for (let k = 0; k < groups; k++) {
      if (k < groups - 1 && ((cuts >> k) & 1) === 0) continue;
      bits += contextBits(from, k, tokens);
      from = k + 1;
      contexts++;
    }
    if (bits >= plan.bits) continue;
    plan.bits = bits;
    plan.contexts = contexts;
    let at = 0;
    for (let k = 0; k < groups - 1; k++) if ((cuts >> k) & 1) plan.cuts[at++] = bounds[k + 1] as number;
  }
}

function contextBits(first: number, last: number, tokens: number): number {
  merged.fill(0, 0, tokens);
  for (let g = first; g <= last; g++) {
    const counts = joint[g] as Int32Array;
    for (let t = 0; t < tokens; t++) merged[t] = (merged[t] as number) + (counts[t] as number);
  }
  let bits = 0;
  let sum = 0;
  let used = 0;
  for (let t = 0; t < tokens; t++) {
    const c = merged[t] as number;
    if (c === 0) continue;
    used++;
    sum += c;
    bits -= clogc(c);
  }
  return bits + clogc(sum) + TABLE_BITS * used;
}
