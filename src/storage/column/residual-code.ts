import { type AnsEncoder, buildDecoder, buildEncoder, makeEncoder } from "./ans.ts";
import {
  alignBits,
  type BitReader,
  type BitWriter,
  putBits,
  putWide,
  reserveBits,
  takeBits,
  wideBitsAt,
} from "./bit-stream.ts";
import {
  frequenciesOf,
  levelsOf,
  MAX_LOG,
  MAX_SYMBOLS,
  MIN_LOG,
  putGolomb,
  readLevels,
  takeGolomb,
  writeLevels,
} from "./frequency.ts";
import { PageError } from "./page-error.ts";
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

const table = new Uint32Array(MAX_CONTEXTS << MAX_LOG);
const contextAfter = new Int32Array(TOKENS);
const cuts = new Int32Array(MAX_CONTEXTS);

/**
 * Reads n residuals into out, with the contexts (0 to 3) that the writer was given, if any. Throws `PageError` when the bits end too
 * soon or make no sense.
 */
export function readResiduals(r: BitReader, n: number, out: Float64Array, given: Uint8Array | undefined): void {
  const head = takeBits(r, 8);
  const signed = (head & 4) !== 0;
  const log = MIN_LOG + ((head >> 3) & 7);
  if (log > MAX_LOG) throw new PageError("a table is too large");
  const contexts = 1 + (head >> 6);
  const form = tokenForm(head & 3, signed);
  if (given !== undefined && contexts !== MAX_CONTEXTS) throw new PageError("a column lacks contexts");
  if (given === undefined) for (let c = 0; c < contexts - 1; c++) cuts[c] = takeGolomb(r, 2);
  let top = 0;
  for (let c = 0; c < contexts; c++) {
    const count = readLevels(r, levels, Math.min(form.count, MAX_SYMBOLS), signed ? 2 : 1);
    if (!frequenciesOf(levels, count, log, freq)) throw new PageError("a table of frequencies does not fit");
    buildDecoder(freq, count, log, table, c << log);
    if (count > top) top = count;
  }
  if (given !== undefined) {
    decodeGiven(r, n, log, form, out, given);
    return;
  }
  for (let t = 0; t < top; t++) {
    const c = signed ? (t + 1) >> 1 : t;
    let k = 0;
    while (k < contexts - 1 && c >= (cuts[k] as number)) k++;
    contextAfter[t] = k << log;
  }
  decodeRows(r, n, log, form, out);
}

function decodeRows(r: BitReader, n: number, log: number, form: TokenForm, out: Float64Array): void {
  const { base, sign, extra } = form;
  const { view, end } = r;
  let state = takeBits(r, log);
  let p = r.bit;
  let context = 0;
  for (let i = 0; i < n; i++) {
    const entry = table[context + state] as number;
    const nb = (entry >>> 12) & 15;
    const t = entry >>> 16;
    const ex = extra[t] as number;
    const word = view.getUint32(p >>> 3, true) >>> (p & 7);
    state = (entry & 4095) + (word & ((1 << nb) - 1));
    if (nb + ex <= 24) {
      out[i] = (base[t] as number) + (sign[t] as number) * ((word >>> nb) & ((1 << ex) - 1));
    } else {
      out[i] = (base[t] as number) + (sign[t] as number) * wideBitsAt(view, p + nb, ex);
    }
    p += nb + ex;
    if (p > end) throw new PageError("a column's rows end too soon");
    context = contextAfter[t] as number;
  }
  r.bit = p;
}

function decodeGiven(
  r: BitReader,
  n: number,
  log: number,
  form: TokenForm,
  out: Float64Array,
  given: Uint8Array,
): void {
  const { base, sign, extra } = form;
  const { view, end } = r;
  let state = takeBits(r, log);
  let p = r.bit;
  for (let i = 0; i < n; i++) {
    const entry = table[((given[i] as number) << log) + state] as number;
    const nb = (entry >>> 12) & 15;
    const t = entry >>> 16;
    const ex = extra[t] as number;
    const word = view.getUint32(p >>> 3, true) >>> (p & 7);
    state = (entry & 4095) + (word & ((1 << nb) - 1));
    if (nb + ex <= 24) {
      out[i] = (base[t] as number) + (sign[t] as number) * ((word >>> nb) & ((1 << ex) - 1));
    } else {
      out[i] = (base[t] as number) + (sign[t] as number) * wideBitsAt(view, p + nb, ex);
    }
    p += nb + ex;
    if (p > end) throw new PageError("a column's rows end too soon");
  }
  r.bit = p;
}
