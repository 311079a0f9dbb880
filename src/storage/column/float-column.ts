import { alignBits, type BitWriter, putBits, reserveBits } from "./bit-stream.ts";
import {
  type DirectoryReader,
  type DirectoryWriter,
  putByte,
  putNumber,
  putSigned,
  takeByte,
  takeNumber,
  takeSigned,
} from "./directory.ts";
import { type Effort, writeNumbers } from "./numbers.ts";
import { type NumberColumn, readNumberColumn, readNumbers } from "./numbers-read.ts";
import { PageError } from "./page-error.ts";
import {
  MAX_BINARY,
  MAX_DECIMALS,
  makeScaling,
  SCALE_BINARY,
  SCALE_DIVIDE,
  type Scaling,
  scaleFloats,
  type Unscaling,
  unscale,
} from "./scale.ts";

/** Rows that are not what the code says: where, and their bits. */
export interface Exceptions {
  readonly rows: Uint32Array;
  readonly words: Uint32Array;
}

let high = new Float64Array(4096);
const single = makeScaling();
const one = new Float64Array(1);
const oneWords = new Uint32Array(one.buffer);
/** Bits that exceptions often have: staleness, NaNs, infinities, -0. */
const KNOWN: readonly (readonly [number, number])[] = [
  [0x00000002, 0x7ff00000],
  [0x00000000, 0x7ff80000],
  [0x00000001, 0x7ff80000],
  [0x00000000, 0xfff80000],
  [0x00000000, 0x7ff00000],
  [0x00000000, 0xfff00000],
  [0x00000000, 0x80000000],
];
const RAW_VALUE = 0xff;

/** Writes one float: places and whole number where that gives it back, else its bytes. */
export function putFloat(d: DirectoryWriter, lo: number, hi: number): void {
  oneWords[0] = lo;
  oneWords[1] = hi;
  const known = KNOWN.findIndex((k) => k[0] === lo && k[1] === hi);
  if (known >= 0) putByte(d, 64 + known);
  else if (scaleFloats(one, oneWords, 0, 1, single) && single.exceptionCount === 0 && single.mode === SCALE_DIVIDE) {
    putByte(d, single.places);
    putSigned(d, single.whole[0] as number);
  } else {
    putByte(d, RAW_VALUE);
    for (const word of [lo, hi]) for (let k = 0; k < 32; k += 8) putByte(d, (word >>> k) & 255);
  }
}

export function takeFloat(d: DirectoryReader, words: Uint32Array, at: number): void {
  const head = takeByte(d);
  if (head === RAW_VALUE) {
    for (let k = 0; k < 2; k++) {
      words[at + k] = (takeByte(d) | (takeByte(d) << 8) | (takeByte(d) << 16) | (takeByte(d) << 24)) >>> 0;
    }
    return;
  }
  if (head >= 64) {
    const known = KNOWN[head - 64];
    if (known === undefined) throw new PageError("an unknown float");
    words[at] = known[0];
    words[at + 1] = known[1];
    return;
  }
  if (head > MAX_DECIMALS) throw new PageError("too many decimals");
  one[0] = takeSigned(d);
  unscale({ mode: SCALE_DIVIDE, places: head, origin: 0 }, one, 0, 1);
  words[at] = oneWords[0] as number;
  words[at + 1] = oneWords[1] as number;
}

export function putExceptions(
  d: DirectoryWriter,
  rows: Uint32Array,
  count: number,
  words: Uint32Array,
  from: number,
): void {
  putNumber(d, count);
  let last = -1;
  for (let k = 0; k < count; k++) {
    const row = rows[k] as number;
    putNumber(d, row - last - 1);
    last = row;
    const at = 2 * (from + row);
    putFloat(d, words[at] as number, words[at + 1] as number);
  }
}

const none: Exceptions = { rows: new Uint32Array(0), words: new Uint32Array(0) };

export function takeExceptions(d: DirectoryReader, n: number): Exceptions {
  const count = takeNumber(d);
  if (count === 0) return none;
  if (count > n || count > d.bytes.length) throw new PageError("more exceptions than rows");
  const rows = new Uint32Array(count);
  const words = new Uint32Array(2 * count);
  let last = -1;
  for (let k = 0; k < count; k++) {
    last += 1 + takeNumber(d);
    if (last >= n) throw new PageError("an exception is outside of its column");
    rows[k] = last;
    takeFloat(d, words, 2 * k);
  }
  return { rows, words };
}

/** Writes how a column was scaled, and the rows that were not. */
export function putScaling(d: DirectoryWriter, scaling: Scaling, words: Uint32Array, from: number): void {
  if (scaling.mode === SCALE_BINARY) {
    putByte(d, SCALE_BINARY);
    putNumber(d, scaling.places);
    one[0] = scaling.origin;
    putFloat(d, oneWords[0] as number, oneWords[1] as number);
  } else putByte(d, scaling.mode | (scaling.places << 2));
  putExceptions(d, scaling.exceptions, scaling.exceptionCount, words, from);
}

export interface ScaledColumn extends Unscaling {
  readonly exceptions: Exceptions;
}

export function takeScaling(d: DirectoryReader, n: number): ScaledColumn {
  const head = takeByte(d);
  const mode = head & 3;
  const places = mode === SCALE_BINARY ? takeNumber(d) : head >> 2;
  if (places > (mode === SCALE_BINARY ? MAX_BINARY : MAX_DECIMALS)) throw new PageError("too many decimals");
  if (mode === SCALE_BINARY) takeFloat(d, oneWords, 0);
  const origin = mode === SCALE_BINARY ? (one[0] as number) : 0;
  return { mode, places, origin, exceptions: takeExceptions(d, n) };
}

/** The order of floats as that of whole numbers: the high word of a float's bits, negative floats mirrored. */
function ordered(hi: number): number {
  const s = hi | 0;
  return s < 0 ? s ^ 0x7fff_ffff : s;
}

/**
 * CODE_BITS: the high words as numbers, the low words' upper bits as they are (the lowest `zeros` bits are zero everywhere).
 * Takes every bit pattern.
 */
export function writeFloatBits(
  d: DirectoryWriter,
  w: BitWriter,
  words: Uint32Array,
  from: number,
  to: number,
  effort: Effort,
): void {
  const n = to - from;
  if (high.length < n) high = new Float64Array(2 * n);
  let all = 0;
  for (let i = 0; i < n; i++) {
    high[i] = ordered(words[2 * (from + i) + 1] as number);
    all |= words[2 * (from + i)] as number;
  }
  const zeros = all === 0 ? 32 : 31 - Math.clz32(all & -all);
  putByte(d, zeros);
  writeNumbers(d, w, high, n, effort);
  const bits = 32 - zeros;
  reserveBits(w, (bits * n) / 8 + 8);
  for (let i = 0; i < n; i++) {
    const low = (words[2 * (from + i)] as number) >>> (zeros & 31);
    if (bits > 24) {
      putBits(w, low & 0xffffff, 24);
      putBits(w, low >>> 24, bits - 24);
    } else if (bits > 0) putBits(w, low, bits);
  }
  alignBits(w);
}

export interface BitsColumn {
  readonly zeros: number;
  readonly numbers: NumberColumn;
  /** Where the low words end in the bodies; they begin where the numbers end. */
  readonly to: number;
}

export function takeFloatBits(d: DirectoryReader, n: number, from: number, bodies: number): BitsColumn {
  const zeros = takeByte(d);
  if (zeros > 32) throw new PageError("a float has 64 bits");
  const numbers = readNumberColumn(d, from, bodies, false);
  const to = numbers.to + Math.ceil(((32 - zeros) * n) / 8);
  if (to > bodies) throw new PageError("a column's low words are outside of the page");
  return { zeros, numbers, to };
}

let highs = new Float64Array(4096);

/** Reads a column of bits; `at` counts floats, not words. */
export function readFloatBits(
  view: DataView,
  bodyAt: number,
  column: BitsColumn,
  n: number,
  words: Uint32Array,
  at: number,
): void {
  if (highs.length < n) highs = new Float64Array(2 * n);
  const scratch = highs;
  readNumbers(view, bodyAt, column.numbers, n, scratch, 0);
  const { zeros } = column;
  const bits = 32 - zeros;
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  let p = 8 * (bodyAt + column.numbers.to);
  for (let i = 0; i < n; i++) {
    const s = scratch[i] as number;
    if (s > 0x7fff_ffff || s < -0x8000_0000) throw new PageError("a float has 64 bits");
    const byte = p >>> 3;
    // The bits that the first load lacks; (31 - shift) + 1 steps, as a step of 32 would be none.
    const rest = (view.getUint8(byte + 4) << (31 - (p & 7))) << 1;
    const low = bits === 0 ? 0 : (((view.getUint32(byte, true) >>> (p & 7)) | rest) & mask) << zeros;
    words[2 * (at + i)] = low;
    words[2 * (at + i) + 1] = s < 0 ? s ^ 0x7fff_ffff : s;
    p += bits;
  }
}

/** Writes exceptions over what the code gave. */
export function applyExceptions(e: Exceptions, words: Uint32Array, at: number): void {
  for (let k = 0; k < e.rows.length; k++) {
    const to = 2 * (at + (e.rows[k] as number));
    words[to] = e.words[2 * k] as number;
    words[to + 1] = e.words[2 * k + 1] as number;
  }
}
