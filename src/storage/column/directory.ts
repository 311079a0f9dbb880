import { grownBytes } from "../../lib/grow.ts";
import { type Cursor, readVarint, VarintError, writeVarint } from "../../lib/varint.ts";
import { PageError } from "./page-error.ts";

/** The part of a page that says what each column is: codes, then the columns' parameters one behind another. */
export interface DirectoryWriter {
  bytes: Uint8Array;
  at: number;
}

export interface DirectoryReader {
  readonly bytes: Uint8Array;
  readonly cursor: Cursor;
}

export function reserveDirectory(w: DirectoryWriter, bytes: number): void {
  if (w.at + bytes <= w.bytes.length) return;
  w.bytes = grownBytes(w.bytes, w.at, w.at + bytes);
}

/** A whole number of 0 to 2^53 - 1. */
export function putNumber(w: DirectoryWriter, value: number): void {
  reserveDirectory(w, 8);
  w.at = writeVarint(w.bytes, w.at, value);
}

/** A whole number between -2^52 and 2^52: 0, -1, 1, -2, ... as 0, 1, 2, 3, ... */
export function putSigned(w: DirectoryWriter, value: number): void {
  putNumber(w, value < 0 ? -2 * value - 1 : 2 * value);
}

export function putByte(w: DirectoryWriter, value: number): void {
  reserveDirectory(w, 1);
  w.bytes[w.at++] = value;
}

export function takeNumber(r: DirectoryReader): number {
  // Most are of one byte.
  const byte = r.bytes[r.cursor.at] as number;
  if (byte < 128) {
    r.cursor.at++;
    return byte;
  }
  try {
    return readVarint(r.bytes, r.cursor);
  } catch (error) {
    if (error instanceof VarintError) throw new PageError(`directory: ${error.message}`);
    throw error;
  }
}

export function takeSigned(r: DirectoryReader): number {
  const v = takeNumber(r);
  return v % 2 === 0 ? v / 2 : -(v + 1) / 2;
}

export function takeByte(r: DirectoryReader): number {
  const at = r.cursor.at;
  if (at >= r.bytes.length) throw new PageError("the directory ends too soon");
  r.cursor.at = at + 1;
  return r.bytes[at] as number;
}
