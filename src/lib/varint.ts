/**
 * Unsigned LEB128 numbers (protobuf's varints) of up to 53 bits. A cursor holds the position, so that a read returns
 * the value without an object.
 */
export interface Cursor {
  at: number;
}

export class VarintError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`);
    this.name = "VarintError";
    this.offset = offset;
  }
}

/** Throws `VarintError` when the bytes end inside the number or it does not fit 53 bits. */
export function readVarint(b: Uint8Array, cursor: Cursor, end: number = b.length): number {
  const start = cursor.at;
  let at = start;
  let value = 0;
  let scale = 1;
  while (at < end) {
    const byte = b[at++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) {
      if (value > Number.MAX_SAFE_INTEGER) throw new VarintError("varint above 2^53", start);
      cursor.at = at;
      return value;
    }
    scale *= 128;
    if (at - start === 8) throw new VarintError("varint above 2^53", start);
  }
  throw new VarintError("varint cut short", start);
}

/** Writes a whole number of 0 to 2^53-1 and returns the position after it. */
export function writeVarint(b: Uint8Array, at: number, value: number): number {
  let v = value;
  let i = at;
  while (v > 0x7fff_ffff) {
    b[i++] = (v % 128) | 128;
    v = Math.floor(v / 128);
  }
  while (v > 127) {
    b[i++] = (v & 127) | 128;
    v >>>= 7;
  }
  b[i++] = v;
  return i;
}

export function varintLength(value: number): number {
  let n = 1;
  for (let v = value; v > 127; v = Math.floor(v / 128)) n++;
  return n;
}
