/**
 * Columns of whole numbers: the differences of neighbours, written in whichever of three ways is the shortest. Docs:
 * docs/format/block.md, "Number column".
 *
 * A column has a number before its first row, its base. Where the rows say how far something reaches, row i - 1 is where row i
 * begins, the first included; elsewhere the base is the first row itself.
 */
import { readU32 } from "../../lib/bytes.ts";
import { type Cursor, readVarint, varintLength } from "../../lib/varint.ts";
import { type ByteSink, putByte, putSigned, putVarint, reserveSink, unzigzag, zigzag } from "./byte-sink.ts";

const RUNS = 0;
const VARINTS = 1;
const PACKED = 2;

let deltas = new Float64Array(256);

/**
 * Writes rows [0, n) of a column, whose numbers and differences are below 2^52. Without `pack` numbers are left at byte
 * boundaries, which is longer but gives a compressor behind it more to find.
 */
export function putColumn(sink: ByteSink, rows: ArrayLike<number>, n: number, base: number, pack: boolean): void {
  if (deltas.length < n) deltas = new Float64Array(2 * n);
  let runs = 0;
  let varints = 0;
  let most = 0;
  let run = 0;
  let before = base;
  for (let i = 0; i < n; i++) {
    const value = rows[i] as number;
    const z = zigzag(value - before);
    before = value;
    deltas[i] = z;
    const bytes = z < 128 ? 1 : varintLength(z);
    varints += bytes;
    if (z > most) most = z;
    if (i > 0 && z === deltas[i - 1]) run++;
    else {
      runs += bytes + (run > 0 ? varintLength(run - 1) : 0);
      run = 1;
    }
  }
  if (run > 0) runs += varintLength(run - 1);
  const width = most > 0xffff_ffff ? 33 : 32 - Math.clz32(most);
  const packed = pack && width <= 32 ? 1 + Math.ceil((n * width) / 8) : Number.POSITIVE_INFINITY;
  const mode = runs <= varints && runs <= packed ? RUNS : varints <= packed ? VARINTS : PACKED;
  putByte(sink, mode);
  putSigned(sink, base);
  if (mode === RUNS) putRuns(sink, n);
  else if (mode === VARINTS) for (let i = 0; i < n; i++) putVarint(sink, deltas[i] as number);
  else putPacked(sink, n, width);
}

function putRuns(sink: ByteSink, n: number): void {
  for (let i = 0; i < n; ) {
    const z = deltas[i] as number;
    let end = i + 1;
    while (end < n && deltas[end] === z) end++;
    putVarint(sink, z);
    putVarint(sink, end - i - 1);
    i = end;
  }
}

function putPacked(sink: ByteSink, n: number, width: number): void {
  putByte(sink, width);
  reserveSink(sink, Math.ceil((n * width) / 8));
  sink.length = packBits(deltas, 0, n, width, sink.bytes, sink.length);
}

/** Writes numbers of `width` (0 to 32) bits, lowest bits first, from byte `at` on; returns the byte after the last one. */
export function packBits(
  from: ArrayLike<number>,
  start: number,
  end: number,
  width: number,
  bytes: Uint8Array,
  at: number,
): number {
  let byte = at;
  let word = 0;
  let used = 0;
  for (let i = start; i < end; i++) {
    let value = from[i] as number;
    let left = width;
    while (left > 0) {
      const take = Math.min(left, 8 - used);
      word |= (value % 2 ** take) << used;
      value = Math.floor(value / 2 ** take);
      left -= take;
      used += take;
      if (used === 8) {
        bytes[byte++] = word;
        word = 0;
        used = 0;
      }
    }
  }
  if (used > 0) bytes[byte++] = word;
  return byte;
}

/** Reads `n` numbers of `width` bits into out[to...]. Bytes beyond the array count as zeros. */
export function unpackBits(
  bytes: Uint8Array,
  at: number,
  n: number,
  width: number,
  out: Uint32Array,
  to: number,
): void {
  if (width === 0) {
    out.fill(0, to, to + n);
    return;
  }
  if (width <= 24) {
    const mask = (1 << width) - 1;
    let byte = at;
    let word = 0;
    let have = 0;
    for (let i = to; i < to + n; i++) {
      while (have < width) {
        word |= (bytes[byte++] as number) << have;
        have += 8;
      }
      out[i] = word & mask;
      word >>>= width;
      have -= width;
    }
    return;
  }
  const mask = width === 32 ? 0xffff_ffff : 2 ** width - 1;
  let bit = 0;
  for (let i = to; i < to + n; i++) {
    const byte = at + (bit >>> 3);
    const shift = bit & 7;
    let word = readU32(bytes, byte) >>> shift;
    if (shift + width > 32) word |= (bytes[byte + 4] as number) << (32 - shift);
    out[i] = word & mask;
    bit += width;
  }
}

let scratch = new Uint32Array(256);

/** Rows and base of a column into `out`: the base at 0, row i at i + 1. Throws `VarintError` or `RangeError`. */
export function readColumn(bytes: Uint8Array, cursor: Cursor, n: number, out: Float64Array | Uint32Array): void {
  const mode = bytes[cursor.at++];
  let value = unzigzag(readVarint(bytes, cursor));
  out[0] = value;
  if (mode === RUNS) {
    for (let i = 1; i <= n; ) {
      const delta = unzigzag(readVarint(bytes, cursor));
      const end = i + readVarint(bytes, cursor) + 1;
      if (end > n + 1) throw new RangeError(`a run of ${end - i} in a column of ${n}`);
      for (; i < end; i++) {
        value += delta;
        out[i] = value;
      }
    }
  } else if (mode === VARINTS) {
    for (let i = 1; i <= n; i++) {
      const byte = bytes[cursor.at] as number;
      if (byte < 128) {
        cursor.at++;
        value += (byte >>> 1) ^ -(byte & 1);
      } else value += unzigzag(readVarint(bytes, cursor));
      out[i] = value;
    }
  } else if (mode === PACKED) {
    const width = bytes[cursor.at++] as number;
    if (!(width <= 32)) throw new RangeError(`numbers of ${width} bits`);
    const end = cursor.at + Math.ceil((n * width) / 8);
    if (end > bytes.length) throw new RangeError("a column cut short");
    if (scratch.length < n) scratch = new Uint32Array(2 * n);
    unpackBits(bytes, cursor.at, n, width, scratch, 0);
    for (let i = 1; i <= n; i++) {
      const z = scratch[i - 1] as number;
      value += z & 1 ? -((z >>> 1) + 1) : z >>> 1;
      out[i] = value;
    }
    cursor.at = end;
  } else throw new RangeError(`a column of kind ${mode}`);
}
