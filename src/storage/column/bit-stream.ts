import { grownBytes } from "../../lib/grow.ts";
import { PageError } from "./page-error.ts";

/** Bits in bytes, the lowest bit of a byte first; a field's lowest bit comes first. */
export interface BitWriter {
  bytes: Uint8Array;
  /** Position in bits. What is behind it in its byte is zero. */
  bit: number;
}

export interface BitReader {
  readonly view: DataView;
  /** Position in bits and where the bits end. At least 16 bytes of the view are behind the end. */
  bit: number;
  readonly end: number;
}

/** Makes room for `bytes` more bytes. */
export function reserveBits(w: BitWriter, bytes: number): void {
  const need = (w.bit >>> 3) + bytes + 16;
  if (need <= w.bytes.length) return;
  w.bytes = grownBytes(w.bytes, w.bytes.length, need);
}

/** Writes the low n bits of v (n at most 24; the higher ones are zero). The room was reserved. */
export function putBits(w: BitWriter, v: number, n: number): void {
  const b = w.bytes;
  const at = w.bit >>> 3;
  const shift = w.bit & 7;
  const x = v << shift;
  b[at] = (shift === 0 ? 0 : (b[at] as number)) | x;
  b[at + 1] = x >>> 8;
  b[at + 2] = x >>> 16;
  b[at + 3] = x >>> 24;
  w.bit += n;
}

/** Writes n bits (at most 53) of a whole number. */
export function putWide(w: BitWriter, v: number, n: number): void {
  let rest = v;
  let left = n;
  while (left > 24) {
    putBits(w, rest % 0x100_0000, 24);
    rest = Math.floor(rest / 0x100_0000);
    left -= 24;
  }
  putBits(w, rest, left);
}

/** Fills up the last byte and returns the position in bytes. */
export function alignBits(w: BitWriter): number {
  w.bit = (w.bit + 7) & ~7;
  return w.bit >>> 3;
}

/** Reads n bits, at most 24. */
export function takeBits(r: BitReader, n: number): number {
  const p = r.bit;
  if (p + n > r.end) throw new PageError("a column's bits end too soon");
  r.bit = p + n;
  return (r.view.getUint32(p >>> 3, true) >>> (p & 7)) & ((1 << n) - 1);
}

/** n bits (at most 53) at bit position p; what is read may be behind the end, but not behind the view. */
export function wideBitsAt(view: DataView, p: number, n: number): number {
  let value = 0;
  let scale = 1;
  let at = p;
  let left = n;
  while (left > 0) {
    const k = left > 24 ? 24 : left;
    value += ((view.getUint32(at >>> 3, true) >>> (at & 7)) & ((1 << k) - 1)) * scale;
    scale *= 0x100_0000;
    at += k;
    left -= k;
  }
  return value;
}
