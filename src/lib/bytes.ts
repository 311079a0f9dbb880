/**
 * Little-endian numbers in byte arrays, at any offset. No bounds are checked: callers have done so (a read beyond the
 * end gives nonsense, a write there is lost).
 */
const float = new Float64Array(1);
const floatWords = new Uint32Array(float.buffer);

export function readU16(b: Uint8Array, at: number): number {
  return (b[at] as number) | ((b[at + 1] as number) << 8);
}

export function readU32(b: Uint8Array, at: number): number {
  return (
    ((b[at] as number) |
      ((b[at + 1] as number) << 8) |
      ((b[at + 2] as number) << 16) |
      ((b[at + 3] as number) << 24)) >>>
    0
  );
}

/** An unsigned 64-bit number that fits 53 bits; a larger one loses its low bits. */
export function readU64(b: Uint8Array, at: number): number {
  return readU32(b, at + 4) * 0x1_0000_0000 + readU32(b, at);
}

export function readF64(b: Uint8Array, at: number): number {
  floatWords[0] = readU32(b, at);
  floatWords[1] = readU32(b, at + 4);
  return float[0] as number;
}

export function writeU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
}

export function writeU32(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
  b[at + 1] = value >>> 8;
  b[at + 2] = value >>> 16;
  b[at + 3] = value >>> 24;
}

/** `value` is a whole number of 0 to 2^53-1. */
export function writeU64(b: Uint8Array, at: number, value: number): void {
  writeU32(b, at, value % 0x1_0000_0000);
  writeU32(b, at + 4, Math.floor(value / 0x1_0000_0000));
}

export function writeF64(b: Uint8Array, at: number, value: number): void {
  float[0] = value;
  writeU32(b, at, floatWords[0] as number);
  writeU32(b, at + 4, floatWords[1] as number);
}

/** The next multiple of 8. */
export function align8(n: number): number {
  return Math.ceil(n / 8) * 8;
}
