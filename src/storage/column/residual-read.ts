import { buildDecoder } from "./ans.ts";
import { type BitReader, takeBits, wideBitsAt } from "./bit-stream.ts";
import { frequenciesOf, MAX_LOG, MAX_SYMBOLS, MIN_LOG, readLevels, takeGolomb } from "./frequency.ts";
import { PageError } from "./page-error.ts";
import { MAX_CONTEXTS } from "./residual-plan.ts";
import { TOKENS, type TokenForm, tokenForm } from "./tokens.ts";

/**
 * Reading residuals (residual-code.ts has what they look like as bits). The time goes into a chain from one row to the next: state,
 * table, number of bits, next bits, next state. So all that a step needs is in one word of the table, and where rows are short,
 * several of them are taken from the bits that were loaded once.
 *
 * A word of the table: the next state, in the table of the context that follows, in 13 bits; how many bits the state takes in 4; that
 * and the raw bits in 6; the token in 9.
 */
const STATE_BITS = 13;
const STATES = (1 << STATE_BITS) - 1;
const TOTAL_SHIFT = STATE_BITS + 4;
const TOKEN_SHIFT = TOTAL_SHIFT + 6;
/** Bits that a load gives, whatever the position in its first byte. */
const LOADED = 25;

const table = new Int32Array(MAX_CONTEXTS << MAX_LOG);
const levels = new Uint8Array(TOKENS);
const freq = new Uint16Array(TOKENS);
const heads = new Int32Array(TOKENS);
const cuts = new Int32Array(MAX_CONTEXTS);
/** Of the tokens in use, so that loops know how large these are. */
const bases = new Float64Array(MAX_SYMBOLS);
const signs = new Float64Array(MAX_SYMBOLS);

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
  const limit = Math.min(form.count, MAX_SYMBOLS);
  let most = 0;
  for (let c = 0; c < contexts; c++) {
    const count = readLevels(r, levels, limit, signed ? 2 : 1);
    if (!frequenciesOf(levels, count, log, freq)) throw new PageError("a table of frequencies does not fit");
    most = Math.max(most, fillHeads(form, count, log, given === undefined ? contexts - 1 : 0, signed));
    buildDecoder(freq, count, log, heads, HEAD_BIT, table, c << log);
  }
  if (given !== undefined) decodeGiven(r, n, log, out, given);
  else if (3 * most <= LOADED) decodeByThree(r, n, log, out);
  else decodeRows(r, n, log, out);
}

/** What one bit of the state adds to a word of the table. */
const HEAD_BIT = (1 << STATE_BITS) + (1 << TOTAL_SHIFT);

/** The words of the tokens, but for the state; returns the most bits that a row with one of them takes. */
function fillHeads(form: TokenForm, count: number, log: number, last: number, signed: boolean): number {
  const { base, sign, extra } = form;
  let most = 0;
  for (let t = 0; t < count; t++) {
    const f = freq[t] as number;
    if (f === 0) continue;
    bases[t] = base[t] as number;
    signs[t] = sign[t] as number;
    const c = signed ? (t + 1) >> 1 : t;
    let k = 0;
    while (k < last && c >= (cuts[k] as number)) k++;
    const ex = extra[t] as number;
    heads[t] = (t << TOKEN_SHIFT) | (ex << TOTAL_SHIFT) | (k << log);
    const bits = log - 31 + Math.clz32(f) + ex;
    if (bits > most) most = bits;
  }
  return most;
}

function decodeRows(r: BitReader, n: number, log: number, out: Float64Array): void {
  const { view, end } = r;
  let state = takeBits(r, log);
  let p = r.bit;
  for (let i = 0; i < n; i++) {
    const entry = table[state] as number;
    if (p > end) throw tooSoon();
    const word = view.getUint32(p >>> 3, true) >>> (p & 7);
    const nb = (entry >>> STATE_BITS) & 15;
    const total = (entry >>> TOTAL_SHIFT) & 63;
    const t = entry >>> TOKEN_SHIFT;
    state = ((entry & STATES) + (word & ((1 << nb) - 1))) & STATES;
    const raw = total <= LOADED - 1 ? (word >>> nb) & ((1 << (total - nb)) - 1) : wideBitsAt(view, p + nb, total - nb);
    out[i] = (bases[t] as number) + (signs[t] as number) * raw;
    p += total;
  }
  if (p > end) throw tooSoon();
  r.bit = p;
}

/** The same where no row takes more than a third of what a load gives. */
function decodeByThree(r: BitReader, n: number, log: number, out: Float64Array): void {
  const { view, end } = r;
  let state = takeBits(r, log);
  let p = r.bit;
  for (let i = 0; i < n; i += 3) {
    if (p > end) throw tooSoon();
    const first = view.getUint32(p >>> 3, true) >>> (p & 7);
    const a = table[state] as number;
    const bitsA = (a >>> STATE_BITS) & 15;
    const totalA = (a >>> TOTAL_SHIFT) & 63;
    state = ((a & STATES) + (first & ((1 << bitsA) - 1))) & STATES;
    const tokenA = a >>> TOKEN_SHIFT;
    out[i] =
      (bases[tokenA] as number) + (signs[tokenA] as number) * ((first >>> bitsA) & ((1 << (totalA - bitsA)) - 1));
    p += totalA;
    if (i + 1 === n) break;
    const second = first >>> totalA;
    const b = table[state] as number;
    const bitsB = (b >>> STATE_BITS) & 15;
    const totalB = (b >>> TOTAL_SHIFT) & 63;
    state = ((b & STATES) + (second & ((1 << bitsB) - 1))) & STATES;
    const tokenB = b >>> TOKEN_SHIFT;
    out[i + 1] =
      (bases[tokenB] as number) + (signs[tokenB] as number) * ((second >>> bitsB) & ((1 << (totalB - bitsB)) - 1));
    p += totalB;
    if (i + 2 === n) break;
    const third = second >>> totalB;
    const c = table[state] as number;
    const bitsC = (c >>> STATE_BITS) & 15;
    const totalC = (c >>> TOTAL_SHIFT) & 63;
    state = ((c & STATES) + (third & ((1 << bitsC) - 1))) & STATES;
    const tokenC = c >>> TOKEN_SHIFT;
    out[i + 2] =
      (bases[tokenC] as number) + (signs[tokenC] as number) * ((third >>> bitsC) & ((1 << (totalC - bitsC)) - 1));
    p += totalC;
  }
  if (p > end) throw tooSoon();
  r.bit = p;
}

function decodeGiven(r: BitReader, n: number, log: number, out: Float64Array, given: Uint8Array): void {
  const { view, end } = r;
  let state = takeBits(r, log);
  let p = r.bit;
  for (let i = 0; i < n; i++) {
    const entry = table[(((given[i] as number) << log) + state) & STATES] as number;
    if (p > end) throw tooSoon();
    const word = view.getUint32(p >>> 3, true) >>> (p & 7);
    const nb = (entry >>> STATE_BITS) & 15;
    const total = (entry >>> TOTAL_SHIFT) & 63;
    const t = entry >>> TOKEN_SHIFT;
    state = (entry & STATES) + (word & ((1 << nb) - 1));
    const raw = total <= LOADED - 1 ? (word >>> nb) & ((1 << (total - nb)) - 1) : wideBitsAt(view, p + nb, total - nb);
    out[i] = (bases[t] as number) + (signs[t] as number) * raw;
    p += total;
  }
  if (p > end) throw tooSoon();
  r.bit = p;
}

function tooSoon(): PageError {
  return new PageError("a column's rows end too soon");
}
