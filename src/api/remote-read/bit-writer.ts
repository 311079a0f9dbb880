/** Bits written one after the other, the most significant first, as Prometheus's chunks have them. */
export interface BitWriter {
  /** Zero from the bit to be written next on. */
  bytes: Uint8Array;
  /** The byte that is being filled, and how many of its bits are free. */
  at: number;
  free: number;
}

/** The longest that is written without looking at the room left: two full numbers and their prefixes. */
const ROOM = 32;

export function makeBitWriter(capacity: number): BitWriter {
  return { bytes: new Uint8Array(capacity + ROOM), at: 0, free: 8 };
}

/** Takes out what was written, and starts anew. */
export function takeBits(w: BitWriter): Uint8Array {
  const end = w.free === 8 ? w.at : w.at + 1;
  const out = w.bytes.slice(0, end);
  w.bytes.fill(0, 0, end);
  w.at = 0;
  w.free = 8;
  return out;
}

/** The low `n` bits of a 32-bit number; n up to 32. */
export function writeBits(w: BitWriter, value: number, n: number): void {
  if (w.at + ROOM > w.bytes.length) {
    const bytes = new Uint8Array(2 * w.bytes.length);
    bytes.set(w.bytes);
    w.bytes = bytes;
  }
  const { bytes } = w;
  let left = n;
  while (left > 0) {
    const take = Math.min(w.free, left);
    const part = (value >>> (left - take)) & ((1 << take) - 1);
    bytes[w.at] = (bytes[w.at] as number) | (part << (w.free - take));
    left -= take;
    w.free -= take;
    if (w.free === 0) {
      w.at++;
      w.free = 8;
    }
  }
}

/** The low `n` bits of a number of two 32-bit words; n up to 64. */
export function writeWords(w: BitWriter, lo: number, hi: number, n: number): void {
  if (n > 32) writeBits(w, hi, n - 32);
  writeBits(w, lo, Math.min(n, 32));
}

/** The low `n` bits, in two's complement, of a whole number below 2^53. */
export function writeWhole(w: BitWriter, value: number, n: number): void {
  writeWords(w, value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0, n);
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

export function writeFloatBits(w: BitWriter, value: number): void {
  float[0] = value;
  writeWords(w, words[0] as number, words[1] as number, 64);
}

/** An unsigned LEB128 number below 2^53. */
export function writeUvarint(w: BitWriter, value: number): void {
  let v = value;
  for (; v >= 128; v = Math.floor(v / 128)) writeBits(w, (v % 128) | 128, 8);
  writeBits(w, v, 8);
}

/** A zigzag LEB128 number below 2^53. */
export function writeZigzag(w: BitWriter, value: number): void {
  let v = BigInt(value);
  v = v < 0n ? -2n * v - 1n : 2n * v;
  for (; v >= 128n; v >>= 7n) writeBits(w, Number(v & 127n) | 128, 8);
  writeBits(w, Number(v), 8);
}

/** True when Prometheus's codes hold the number in n bits: one more value above zero than below. */
export function fitsBits(value: number, n: number): boolean {
  const half = 2 ** (n - 1);
  return value > -half && value <= half;
}
