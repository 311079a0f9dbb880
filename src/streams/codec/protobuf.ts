/**
 * Protobuf read by hand, from bytes that nobody has checked. Functions that read something return it and leave the position
 * behind it in a cursor (`varintEnd`), so that no object is made.
 */
import { MalformedBody } from "../../model/ingest.ts";

/** Where a varint or a skipped field ended. */
let cursor = 0;

/** Reads a length whose bytes must lie before `end`; `cursor` is where they start. */
export function readLength(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    if (i >= end || factor > 2 ** 28) throw malformed(start, "a length cannot be read");
    const byte = bytes[i++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (value > end - i) throw malformed(start, `a length of ${value} runs over the end`);
  cursor = i;
  return value;
}

/** Where the last varint ended. */
export function varintEnd(): number {
  return cursor;
}

/** Reads an unsigned 64-bit varint as a number: exact below 2^53, beyond that about right. */
export function readUint64(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  let value = 0;
  let factor = 1;
  for (let k = 0; ; k++) {
    if (i >= end || k === 10) throw malformed(start, "a number cannot be read");
    const byte = bytes[i++] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
    factor *= 128;
  }
  cursor = i;
  return value;
}

/** What a zigzag-coded number (sint32, sint64) means. */
export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Reads a 64-bit two's complement varint as a number, NaN beyond 2^53. */
export function readInt64(bytes: Uint8Array, start: number, end: number): number {
  let low = 0;
  let middle = 0;
  let high = 0;
  let i = start;
  for (let k = 0; ; k++) {
    if (i >= end || k === 10) throw malformed(start, "a time cannot be read");
    const byte = bytes[i++] as number;
    const bits = byte & 0x7f;
    if (k < 4) low |= bits << (7 * k);
    else if (k < 8) middle |= bits << (7 * (k - 4));
    else high |= bits << (7 * (k - 8));
    if (byte < 0x80) break;
  }
  cursor = i;
  high &= 0xff;
  const negative = high >= 0x80;
  if (negative) {
    // Small negative numbers have all high bits set: complement first, so that no bit is rounded away.
    low = ~low & 0xfffffff;
    middle = ~middle & 0xfffffff;
    high = ~high & 0xff;
  }
  const value = low + middle * 2 ** 28 + high * 2 ** 56;
  if (value >= Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value - 1 : value;
}

/** Skips the field whose tag is at `start`; returns where the next one is. */
export function skipField(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  // The field's number is not needed, its wire type stands in the first byte.
  for (let k = 0; (bytes[i] as number) >= 0x80; k++, i++)
    if (i + 1 >= end || k === 4) throw malformed(start, "a tag is cut off");
  i++;
  switch ((bytes[start] as number) & 7) {
    case 0:
      for (let k = 0; ; k++, i++) {
        if (i >= end || k === 10) throw malformed(start, "a number is cut off");
        if ((bytes[i] as number) < 0x80) return i + 1;
      }
    case 1:
      i += 8;
      break;
    case 2: {
      const length = readLength(bytes, i, end);
      return cursor + length;
    }
    case 5:
      i += 4;
      break;
    default:
      throw malformed(start, `wire type ${(bytes[start] as number) & 7} is not allowed`);
  }
  if (i > end) throw malformed(start, "a field is cut off");
  return i;
}

export function malformed(at: number, what: string): MalformedBody {
  return new MalformedBody("malformed_protobuf", `not a remote write message: at byte ${at}, ${what}`);
}
