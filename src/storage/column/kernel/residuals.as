/**
 * Reading of coded residuals in AssemblyScript, built to WebAssembly (docs/decisions/0012-a-kernel-reads-pages.md): what readCoded
 * (residual-read.ts) does for a column of usual size, in one loop from bits to floats. docs/format/column-page.md has the bits.
 * Besides, it looks at what has been read (`shape`).
 *
 * Invariants:
 * - what it takes it reads exactly as the TypeScript does; at what is malformed it returns -1, and the TypeScript decides and words
 *   the error;
 * - it works within its memory, allocates nothing, imports nothing; every loop ends after the rows or tokens that it was given.
 *
 * A state's entry has 64 bits: 0..5 the bits that the row takes in all; 8..11 those of the state; 16..31 the next state without
 * its bits, times 8; 32..42 the mask of the state's bits; 43.. the token.
 */

/** Areas of the memory, in bytes; named in kernel.ts as well. */
const WEIGHTS: usize = 4096;
const LEVELS: usize = 4352;
const FREQ: usize = 4864;
const NEXT: usize = 5888;
const HEADS: usize = 7936;
const CELLS: usize = 12032;
const BASES: usize = 16128;
const RAWS: usize = 20224;
const TABLE: usize = 24576;
const GIVEN: usize = 90112;
const OUT: usize = 122880;
const IN: usize = 385024;

const MAX_SYMBOLS: i32 = 512;
const MAX_LEVEL: i32 = 23;
const MIN_LOG: i32 = 5;
const MAX_LOG: i32 = 11;

/** Where the next bit is, counted from IN, and where the bits end. */
let bit: i32 = 0;
let end: i32 = 0;

/** n bits, at most 24; -1 behind the end. */
function take(n: i32): i32 {
  const p = bit;
  if (p + n > end) return -1;
  bit = p + n;
  return <i32>((load<u64>(IN + (<usize>p >> 3)) >> (<u64>p & 7)) & ((1 << <u64>n) - 1));
}

/** A number in the code Gk; -1 for what is none or behind the end. */
function golomb(k: i32): i32 {
  const p = bit;
  if (p >= end) return -1;
  const word = load<u64>(IN + (<usize>p >> 3)) >> (<u64>p & 7);
  const zeros = <i32>ctz(word);
  if (zeros > 20) return -1;
  const length = 2 * zeros + 1 + k;
  if (p + length > end) return -1;
  bit = p + length;
  const e = zeros + k;
  return (1 << e) + (<i32>(word >> <u64>(zeros + 1)) & ((1 << e) - 1)) - (1 << k);
}

/** Reads the levels of up to `limit` tokens and makes them frequencies; the number of tokens, or -1. */
function frequencies(limit: i32, stride: i32, log: i32): i32 {
  const n = golomb(3);
  if (n < 0 || n > limit) return -1;
  let sum: f64 = 0;
  let used = 0;
  for (let s = 0; s < n; s++) {
    const z = golomb(0);
    if (z < 0) return -1;
    const before = s < stride ? 0 : <i32>load<u8>(LEVELS + s - stride);
    const level = before + (z & 1 ? (z + 1) >> 1 : -(z >> 1));
    if (level < 0 || level > MAX_LEVEL) return -1;
    store<u8>(LEVELS + s, level);
    if (level === 0) continue;
    sum += load<f64>(WEIGHTS + (level << 3));
    used++;
  }
  const size = 1 << log;
  if (used === 0 || used > size) return -1;
  const room = size - used;
  let left = room;
  let most = 0;
  let mostFreq = 0;
  for (let s = 0; s < n; s++) {
    const level = <i32>load<u8>(LEVELS + s);
    let f = 0;
    if (level !== 0) {
      const more = <i32>((load<f64>(WEIGHTS + (level << 3)) * <f64>room) / sum);
      f = 1 + more;
      left -= more;
      if (f > mostFreq) {
        most = s;
        mostFreq = f;
      }
    }
    store<u16>(FREQ + (s << 1), f);
  }
  store<u16>(FREQ + (most << 1), mostFreq + left);
  return n;
}

/** Fills a context's table; returns the most bits that a row takes. `last` is how many of the cuts count. */
function fill(n: i32, log: i32, m: i32, signed: bool, last: i32, cut0: i32, cut1: i32, cut2: i32, table: usize): i32 {
  const size = 1 << log;
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  let most = 0;
  for (let t = 0; t < n; t++) {
    const c = signed ? (t + 1) >> 1 : t;
    const e = c < 2 << m ? 0 : (c >> m) - 1;
    const size: i64 = c < 2 << m ? <i64>c : <i64>((1 << m) + (c & ((1 << m) - 1))) << <i64>e;
    store<i64>(BASES + (t << 3), signed && c > 0 && (t & 1) === 0 ? -size : size);
    store<i64>(RAWS + (t << 3), (<i64>1 << <i64>e) - 1);
    let k = 0;
    if (last > 0 && c >= cut0) k = 1;
    if (k === 1 && last > 1 && c >= cut1) k = 2;
    if (k === 2 && last > 2 && c >= cut2) k = 3;
    store<u64>(HEADS + (t << 3), (<u64>t << 43) | <u64>e | (<u64>(k << log) << 19));
    const f = <i32>load<u16>(FREQ + (t << 1));
    store<u32>(NEXT + (t << 2), f);
    if (f === 0) continue;
    const taken = log - 31 + clz(f) + e;
    if (taken > most) most = taken;
    for (let i = 0; i < f; i++) {
      store<u16>(CELLS + (at << 1), t);
      at = (at + step) & last_state(log);
    }
  }
  for (let i = 0; i < size; i++) {
    const t = <i32>load<u16>(CELLS + (i << 1));
    const x = load<u32>(NEXT + (t << 2));
    store<u32>(NEXT + (t << 2), x + 1);
    const bits: u64 = <u64>(log - 31 + <i32>clz(x));
    const next: u64 = (<u64>x << bits) - <u64>size;
    store<u64>(table + (i << 3), load<u64>(HEADS + (t << 3)) + bits + (bits << 8) + (next << 19) + (((<u64>1 << bits) - 1) << 32));
  }
  return most;
}

function last_state(log: i32): i32 {
  return (1 << log) - 1;
}

/**
 * Reads n rows (at most those that OUT has room for) of `bytes` bytes at IN, which 16 more follow, to floats at OUT; 0, or -1 where
 * the TypeScript has to. With `given` the contexts of the rows are the bytes at GIVEN. The rest is `Unfolding` (predict.ts).
 */
export function decode(bytes: i32, n: i32, given: i32, predictor: i32, base: f64, offset: f64, unit: f64): i32 {
  bit = 0;
  end = bytes << 3;
  const head = take(8);
  if (head < 0) return -1;
  const m = head & 3;
  const signed = (head & 4) !== 0;
  const log = MIN_LOG + ((head >> 3) & 7);
  if (log > MAX_LOG) return -1;
  const contexts = 1 + (head >> 6);
  if (given && contexts !== 4) return -1;
  const last = given ? 0 : contexts - 1;
  const cut0 = last > 0 ? golomb(2) : 0;
  const cut1 = last > 1 ? golomb(2) : 0;
  const cut2 = last > 2 ? golomb(2) : 0;
  if ((cut0 | cut1 | cut2) < 0) return -1;
  const classes = (53 - m + 1) << m;
  const limit = min(signed ? 2 * classes - 1 : classes, MAX_SYMBOLS);
  let most = 0;
  for (let c = 0; c < contexts; c++) {
    const count = frequencies(limit, signed ? 2 : 1, log);
    if (count < 0) return -1;
    most = max(most, fill(count, log, m, signed, last, cut0, cut1, cut2, TABLE + (<usize>c << (log + 3))));
  }
  const state = take(log);
  if (state < 0) return -1;
  return rows(n, given, log, most, state, predictor, <i64>base, <i64>offset, <i64>unit);
}

/**
 * The rows. One step is the same for every prediction: step = (step & keepStep) + r + add; x = ((x >> half) & keep) + step. What goes
 * from a row to the next is the table's entry and the bits, so that the rest is done meanwhile.
 */
function rows(n: i32, given: i32, log: i32, most: i32, first: i32, predictor: i32, base: i64, offset: i64, unit: i64): i32 {
  const keep: i64 = predictor === 0 ? 0 : -1;
  const keepStep: i64 = predictor === 2 ? -1 : 0;
  const half: i64 = predictor === 3 ? 1 : 0;
  const add: i64 = predictor < 2 ? base : 0;
  const shift: i64 = predictor === 3 ? offset + base * unit : offset;
  let x: i64 = predictor === 1 || predictor === 2 ? -base : 0;
  let step: i64 = predictor === 2 ? base : 0;
  let state = <usize>first << 3;
  // Bits that are loaded, and how many of them count.
  let from = IN + <usize>(bit >> 3);
  const inEnd = IN + <usize>(end >> 3);
  let word = load<u64>(from) >> <u64>(bit & 7);
  let have: i32 = 56 - (bit & 7);
  word &= (<u64>1 << <u64>have) - 1;
  from += 7;
  const stop = OUT + (<usize>n << 3);
  let out = OUT;
  let ctx = GIVEN;
  const contextShift = log + 3;
  if (most <= 28) {
    const each = most > 0 ? min(56 / most, n) : n;
    while (out < stop) {
      if (from > inEnd + 8) return -1;
      word |= load<u64>(from) << <u64>have;
      from += <usize>((63 - have) >> 3);
      have |= 56;
      const pause = min(out + (<usize>each << 3), stop);
      if (given) {
        for (; out < pause; out += 8) {
          const entry = load<u64>(TABLE + state + (<usize>(load<u8>(ctx) & 3) << contextShift));
          ctx++;
          state = <usize>(((entry >> 16) & 0xffff) + ((word & ((entry >> 32) & 0x7ff)) << 3));
          const token = <usize>(entry >> 43) << 3;
          const raw = <i64>(word >> ((entry >> 8) & 15)) & load<i64>(RAWS + token);
          word >>= entry & 63;
          have -= <i32>(entry & 63);
          const b = load<i64>(BASES + token);
          const s = b >> 63;
          step = (step & keepStep) + b + ((raw ^ s) - s) + add;
          x = ((x >> half) & keep) + step;
          store<f64>(out, <f64>(x * unit + shift));
        }
      } else {
        for (; out < pause; out += 8) {
          const entry = load<u64>(TABLE + state);
          state = <usize>(((entry >> 16) & 0xffff) + ((word & ((entry >> 32) & 0x7ff)) << 3));
          const token = <usize>(entry >> 43) << 3;
          const raw = <i64>(word >> ((entry >> 8) & 15)) & load<i64>(RAWS + token);
          word >>= entry & 63;
          have -= <i32>(entry & 63);
          const b = load<i64>(BASES + token);
          const s = b >> 63;
          step = (step & keepStep) + b + ((raw ^ s) - s) + add;
          x = ((x >> half) & keep) + step;
          store<f64>(out, <f64>(x * unit + shift));
        }
      }
    }
    return (<i32>(from - IN) << 3) - have > end ? -1 : 0;
  }
  // Wide rows: the bits of the state and the raw ones are loaded one after the other.
  let p = bit;
  for (; out < stop; out += 8) {
    if (p > end) return -1;
    const place = given ? state + (<usize>(load<u8>(ctx) & 3) << contextShift) : state;
    ctx++;
    const entry = load<u64>(TABLE + place);
    const nb = <i32>((entry >> 8) & 15);
    const low = load<u64>(IN + <usize>(p >> 3)) >> <u64>(p & 7);
    state = <usize>(((entry >> 16) & 0xffff) + ((low & ((entry >> 32) & 0x7ff)) << 3));
    const q = p + nb;
    const token = <usize>(entry >> 43) << 3;
    const raw = <i64>(load<u64>(IN + <usize>(q >> 3)) >> <u64>(q & 7)) & load<i64>(RAWS + token);
    p += <i32>(entry & 63);
    const b = load<i64>(BASES + token);
    const s = b >> 63;
    step = (step & keepStep) + b + ((raw ^ s) - s) + add;
    x = ((x >> half) & keep) + step;
    store<f64>(out, <f64>(x * unit + shift));
  }
  return p > end ? -1 : 0;
}

/**
 * Looks at n floats at OUT that follow `before`: bit 0 is set unless none is less than the one before it, -0 or NaN; bit 1 when there
 * is a NaN.
 */
export function shape(n: i32, before: f64): i32 {
  const stop = OUT + (<usize>n << 3);
  let flags = 0;
  for (let at = OUT; at < stop; at += 8) {
    const v = load<f64>(at);
    flags |= i32(!(v >= before)) | i32(load<i64>(at) === i64.MIN_VALUE) | (i32(v !== v) << 1);
    before = v;
  }
  return flags;
}
