import { buildDecoder } from "./ans.ts";
import { type BitReader, takeBits, wideBitsAt } from "./bit-stream.ts";
import { frequenciesOf, MAX_LOG, MAX_SYMBOLS, MIN_LOG, readLevels, takeGolomb } from "./frequency.ts";
import { columnKernel, decodeRows } from "./kernel/kernel.ts";
import { PageError } from "./page-error.ts";
import { type Unfolding, unfold } from "./predict.ts";
import { MAX_CONTEXTS } from "./residual-plan.ts";
import { TOKENS, type TokenForm, tokenForm } from "./tokens.ts";

/**
 * Reading residuals (residual-code.ts has what they look like as bits). The time goes into a chain from one row to the next: state,
 * table, number of bits, next bits, next state. So a step needs nothing but two words by state: what is next, and the mask of its bits.
 *
 * What is next: the next state, in the table of the context that follows, in 13 bits; how many bits the state takes in 4; that and the
 * raw bits in 6; the token in 9.
 *
 * Loops work on this module's own arrays, whose places and sizes the compiler knows; with arrays that are passed in they take half as
 * long again. So bits come in and rows go out by slices.
 */
const STATE_BITS = 13;
const STATES = (1 << STATE_BITS) - 1;
const TOTAL_SHIFT = STATE_BITS + 4;
const TOKEN_SHIFT = TOTAL_SHIFT + 6;
/** Most bits that one load gives, whatever the position in its first byte. */
const LOADED = 25;

const table = new Int32Array(MAX_CONTEXTS << MAX_LOG);
const masks = new Int32Array(MAX_CONTEXTS << MAX_LOG);
const levels = new Uint8Array(TOKENS);
const freq = new Uint16Array(TOKENS);
const heads = new Int32Array(TOKENS);
const cuts = new Int32Array(MAX_CONTEXTS);
/** Of the tokens in use; the size tells the compiler that a token is within. */
const bases = new Float64Array(MAX_SYMBOLS);
const signs = new Float64Array(MAX_SYMBOLS);
const LOW = Int32Array.from({ length: 32 }, (_, n) => (1 << n) - 1);
/** Rows of a slice, and where they go; a row takes less than 8 bytes. */
const SLICE = 4096;
const rows = new Float64Array(SLICE);
const contextOf = new Uint8Array(SLICE);
const bytes = new Uint8Array(8 * SLICE + 16);
const bits = new DataView(bytes.buffer);
let state = 0;
let residuals = new Float64Array(0);

/**
 * As `readPlainly`, by the kernel (kernel/residuals.as), which takes a third of the time and needs not be compiled first; at what is
 * unusual or damaged the TypeScript decides.
 */
export function readCoded(
  r: BitReader,
  n: number,
  how: Unfolding,
  out: Float64Array,
  at: number,
  given: Uint8Array | undefined,
): void {
  const kernel = columnKernel();
  if (kernel === undefined || !decodeRows(kernel, r, n, how, out, at, given)) readPlainly(r, n, how, out, at, given);
}

/**
 * Reads the n numbers of a column into out[at, at + n), with the contexts (0 to 3) that the writer was given, if any. Throws
 * `PageError` when the bits end too soon or make no sense.
 */
export function readPlainly(
  r: BitReader,
  n: number,
  how: Unfolding,
  out: Float64Array,
  at: number,
  given: Uint8Array | undefined,
): void {
  const { log, most } = readTables(r, given !== undefined);
  state = takeBits(r, log);
  if (n <= SLICE) {
    readSlice(r, n, log, most, given);
    unfold(rows, n, how, out, at);
    return;
  }
  if (residuals.length < n) residuals = new Float64Array(n);
  for (let from = 0; from < n; from += SLICE) {
    const count = Math.min(SLICE, n - from);
    readSlice(r, count, log, most, given?.subarray(from));
    residuals.set(rows.subarray(0, count), from);
  }
  unfold(residuals, n, how, out, at);
}

/** Decodes the next n rows, at most SLICE, to `rows`. `most` is how many bits a row takes at most. */
function readSlice(r: BitReader, n: number, log: number, most: number, given: Uint8Array | undefined): void {
  const { view, bit, end } = r;
  const from = bit >>> 3;
  const length = Math.min(view.byteLength - from, (n * most + 7 + 64) >>> 3, bytes.length);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset + from, length));
  let p: number;
  if (given !== undefined) {
    for (let i = 0; i < n; i++) contextOf[i] = given[i] as number;
    p = decodeGiven(n, bit & 7, log);
  } else p = most <= LOADED ? decodeNarrow(n, bit & 7) : decodeWide(n, bit & 7);
  r.bit = 8 * from + p;
  // What was read from behind the end is what the array had before, and is given to nobody.
  if (r.bit > end) throw new PageError("a column's rows end too soon");
}

/** Reads what is in front of the rows; returns the tables' size as a power of two, and the most bits that a row can take. */
function readTables(r: BitReader, isGiven: boolean): { log: number; most: number } {
  const head = takeBits(r, 8);
  const signed = (head & 4) !== 0;
  const log = MIN_LOG + ((head >> 3) & 7);
  if (log > MAX_LOG) throw new PageError("a table is too large");
  const contexts = 1 + (head >> 6);
  const form = tokenForm(head & 3, signed);
  if (isGiven && contexts !== MAX_CONTEXTS) throw new PageError("a column lacks contexts");
  if (!isGiven) for (let c = 0; c < contexts - 1; c++) cuts[c] = takeGolomb(r, 2);
  const limit = Math.min(form.count, MAX_SYMBOLS);
  let most = 0;
  for (let c = 0; c < contexts; c++) {
    const count = readLevels(r, levels, limit, signed ? 2 : 1);
    if (!frequenciesOf(levels, count, log, freq)) throw new PageError("a table of frequencies does not fit");
    most = Math.max(most, fillHeads(form, count, log, isGiven ? 0 : contexts - 1, signed));
    buildDecoder(freq, count, log, heads, HEAD_BIT, table, masks, c << log);
  }
  return { log, most };
}

/** What one bit of the state adds to a word of the table. */
const HEAD_BIT = (1 << STATE_BITS) + (1 << TOTAL_SHIFT);

/** The words of the tokens, but for the state; returns the most bits that a row with one of them takes. */
function fillHeads(form: TokenForm, count: number, log: number, last: number, signed: boolean): number {
  const { base, sign, extra } = form;
  let most = 0;
  let k = 0;
  for (let t = 0; t < count; t++) {
    const c = signed ? (t + 1) >> 1 : t;
    while (k < last && c >= (cuts[k] as number)) k++;
    const ex = extra[t] as number;
    bases[t] = base[t] as number;
    signs[t] = sign[t] as number;
    heads[t] = (t << TOKEN_SHIFT) | (ex << TOTAL_SHIFT) | (k << log);
    const f = freq[t] as number;
    if (f === 0) continue;
    const taken = log - 31 + Math.clz32(f) + ex;
    if (taken > most) most = taken;
  }
  return most;
}

/** Decodes n rows of at most `LOADED` bits from bit p on; returns the bit behind them. */
function decodeNarrow(n: number, start: number): number {
  let at = state;
  let p = start;
  for (let i = 0; i < n; i++) {
    const entry = table[at] as number;
    const word = bits.getUint32(p >>> 3, true) >>> (p & 7);
    const total = (entry >>> TOTAL_SHIFT) & 63;
    const nb = (entry >>> STATE_BITS) & 15;
    const t = entry >>> TOKEN_SHIFT;
    const raw = (word >>> nb) & (LOW[(total - nb) & 31] as number);
    at = ((entry & STATES) + (word & (masks[at] as number))) & STATES;
    rows[i] = (bases[t] as number) + (signs[t] as number) * raw;
    p += total;
  }
  state = at;
  return p;
}

/** The same of rows of any size. */
function decodeWide(n: number, start: number): number {
  let at = state;
  let p = start;
  for (let i = 0; i < n; i++) {
    const entry = table[at] as number;
    const word = bits.getUint32(p >>> 3, true) >>> (p & 7);
    const total = (entry >>> TOTAL_SHIFT) & 63;
    const nb = (entry >>> STATE_BITS) & 15;
    const t = entry >>> TOKEN_SHIFT;
    const raw =
      total <= LOADED ? (word >>> nb) & (LOW[(total - nb) & 31] as number) : wideBitsAt(bits, p + nb, total - nb);
    at = ((entry & STATES) + (word & (masks[at] as number))) & STATES;
    rows[i] = (bases[t] as number) + (signs[t] as number) * raw;
    p += total;
  }
  state = at;
  return p;
}

/** The same with the contexts in `contextOf`. */
function decodeGiven(n: number, start: number, log: number): number {
  let at = state;
  let p = start;
  for (let i = 0; i < n; i++) {
    const place = (((contextOf[i] as number) << log) + at) & STATES;
    const entry = table[place] as number;
    const word = bits.getUint32(p >>> 3, true) >>> (p & 7);
    const total = (entry >>> TOTAL_SHIFT) & 63;
    const nb = (entry >>> STATE_BITS) & 15;
    const t = entry >>> TOKEN_SHIFT;
    const raw =
      total <= LOADED ? (word >>> nb) & (LOW[(total - nb) & 31] as number) : wideBitsAt(bits, p + nb, total - nb);
    at = (entry & STATES) + (word & (masks[place] as number));
    rows[i] = (bases[t] as number) + (signs[t] as number) * raw;
    p += total;
  }
  state = at;
  return p;
}
