import { type AnsEncoder, buildEncoder, makeEncoder } from "./ans.ts";
import { alignBits, type BitWriter, putBits, putWide, reserveBits } from "./bit-stream.ts";
import { frequenciesOf, levelsOf, MIN_LOG, putGolomb, writeLevels } from "./frequency.ts";
import { MAX_CONTEXTS, type ResidualPlan } from "./residual-plan.ts";
import { classOf, coarser, TOKENS, type TokenForm, tokenForm } from "./tokens.ts";

/**
 * A column of residuals (whole numbers of at most 53 bits, mostly small) as bits:
 *
 *   mantissa 2, signed 1, log - 5 3, contexts - 1 2; the cuts; a table of levels a context; the first state, log bits;
 *   then a row: the bits of the state's step, the raw bits of the token.
 */
const counts = Array.from({ length: MAX_CONTEXTS }, () => new Float64Array(TOKENS));
const levels = new Uint8Array(TOKENS);
const freq = new Uint16Array(TOKENS);
const encoders: AnsEncoder[] = Array.from({ length: MAX_CONTEXTS }, makeEncoder);
let tokens = new Uint16Array(4096);
let steps = new Uint32Array(4096);

/**
 * Writes r[0, n), n at least 1, by the plan made for it. When contexts are `given`, of each row, the plan's number of contexts is how
 * many there are, and the reader must be given them too.
 */
export function writeResiduals(
  w: BitWriter,
  r: Float64Array,
  n: number,
  plan: ResidualPlan,
  given: Uint8Array | undefined,
): void {
  if (tokens.length < n) {
    tokens = new Uint16Array(2 * n);
    steps = new Uint32Array(2 * n);
  }
  const { mantissa: m, signed, log, contexts } = plan;
  const form = tokenForm(m, signed);
  for (let c = 0; c < contexts; c++) (counts[c] as Float64Array).fill(0);
  let top = 0;
  let context = given === undefined ? 0 : (given[0] as number);
  let raw = 0;
  for (let i = 0; i < n; i++) {
    const x = r[i] as number;
    const c = coarser(classOf(x), m);
    const t = signed && c > 0 ? 2 * c - (x < 0 ? 0 : 1) : c;
    tokens[i] = t;
    if (t > top) top = t;
    raw += form.extra[t] as number;
    const table = counts[context] as Float64Array;
    table[t] = (table[t] as number) + 1;
    if (given !== undefined) context = i + 1 < n ? (given[i + 1] as number) : 0;
    else if (contexts > 1) context = contextOf(c, plan);
  }
  const stride = signed ? 2 : 1;
  reserveBits(w, 64 + contexts * top * 3 + ((raw + n * (log + 1)) >> 3));
  putBits(w, m | (signed ? 4 : 0) | ((log - MIN_LOG) << 3) | ((contexts - 1) << 6), 8);
  if (given === undefined) for (let c = 0; c < contexts - 1; c++) putGolomb(w, plan.cuts[c] as number, 2);
  for (let c = 0; c < contexts; c++) {
    const table = counts[c] as Float64Array;
    let sum = 0;
    let last = 0;
    for (let t = 0; t <= top; t++) {
      const k = table[t] as number;
      if (k > 0) last = t;
      sum += k;
    }
    if (sum === 0) {
      table[0] = 1;
      sum = 1;
    }
    levelsOf(table, last + 1, sum, log, levels);
    writeLevels(w, levels, last + 1, stride);
    frequenciesOf(levels, last + 1, log, freq);
    buildEncoder(freq, last + 1, log, encoders[c] as AnsEncoder);
  }
  const first = contexts === 1 ? stepsOfOne(n, log, encoders[0] as AnsEncoder) : stepsOf(n, log, plan, given);
  putBits(w, first - (1 << log), log);
  emit(w, r, n, form);
}

function contextOf(c: number, plan: ResidualPlan): number {
  let k = 0;
  while (k < plan.contexts - 1 && c >= (plan.cuts[k] as number)) k++;
  return k;
}

/** Runs the states from the last row to the first; keeps each row's bits as bits << 4 | how many. */
function stepsOfOne(n: number, log: number, encoder: AnsEncoder): number {
  const { bits, find, states } = encoder;
  let x = 1 << log;
  for (let i = n - 1; i >= 0; i--) {
    const t = tokens[i] as number;
    const nb = (x + (bits[t] as number)) >> 16;
    steps[i] = ((x & ((1 << nb) - 1)) << 4) | nb;
    x = states[(x >> nb) + (find[t] as number)] as number;
  }
  return x;
}

function stepsOf(n: number, log: number, plan: ResidualPlan, given: Uint8Array | undefined): number {
  let x = 1 << log;
  for (let i = n - 1; i >= 0; i--) {
    const t = tokens[i] as number;
    let context = 0;
    if (given !== undefined) context = given[i] as number;
    else if (i > 0) {
      const before = tokens[i - 1] as number;
      context = contextOf(plan.signed ? (before + 1) >> 1 : before, plan);
    }
    const encoder = encoders[context] as AnsEncoder;
    const nb = (x + (encoder.bits[t] as number)) >> 16;
    steps[i] = ((x & ((1 << nb) - 1)) << 4) | nb;
    x = encoder.states[(x >> nb) + (encoder.find[t] as number)] as number;
  }
  return x;
}

function emit(w: BitWriter, r: Float64Array, n: number, form: TokenForm): void {
  const { base, extra } = form;
  for (let i = 0; i < n; i++) {
    const step = steps[i] as number;
    const nb = step & 15;
    const t = tokens[i] as number;
    const ex = extra[t] as number;
    if (ex + nb <= 24) {
      const x = r[i] as number;
      const b = base[t] as number;
      const rest = x < 0 ? b - x : x - b;
      putBits(w, (step >>> 4) | (rest << nb), nb + ex);
    } else {
      const x = r[i] as number;
      const b = base[t] as number;
      putBits(w, step >>> 4, nb);
      putWide(w, x < 0 ? b - x : x - b, ex);
    }
  }
  alignBits(w);
}
