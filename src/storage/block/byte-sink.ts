/** Bytes that are written one behind another into an array that grows. */

import { writeU32 } from "../../lib/bytes.ts";
import { grownBytes } from "../../lib/grow.ts";
import { writeVarint } from "../../lib/varint.ts";

export interface ByteSink {
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
}

export function makeSink(capacity = 256): ByteSink {
  return { bytes: new Uint8Array(capacity), length: 0 };
}

/** Makes room for `more` bytes behind those in use. */
export function reserveSink(sink: ByteSink, more: number): void {
  const need = sink.length + more;
  if (need <= sink.bytes.length) return;
  sink.bytes = grownBytes(sink.bytes, sink.length, need);
}

export function putByte(sink: ByteSink, value: number): void {
  reserveSink(sink, 1);
  sink.bytes[sink.length++] = value;
}

/** A whole number of 0 to 2^53-1. */
export function putVarint(sink: ByteSink, value: number): void {
  reserveSink(sink, 8);
  sink.length = writeVarint(sink.bytes, sink.length, value);
}

/** A whole number between -2^52 and 2^52. */
export function putSigned(sink: ByteSink, value: number): void {
  putVarint(sink, zigzag(value));
}

export function putU32(sink: ByteSink, value: number): void {
  reserveSink(sink, 4);
  writeU32(sink.bytes, sink.length, value);
  sink.length += 4;
}

export function putBytes(sink: ByteSink, from: Uint8Array): void {
  reserveSink(sink, from.length);
  sink.bytes.set(from, sink.length);
  sink.length += from.length;
}

/** A view of what was written; valid until more is. */
export function sinkBytes(sink: ByteSink): Uint8Array<ArrayBuffer> {
  return sink.bytes.subarray(0, sink.length);
}

/** Small numbers of either sign as small numbers without one: 0, -1, 1, -2 are 0, 1, 2, 3. */
export function zigzag(n: number): number {
  return n < 0 ? -2 * n - 1 : 2 * n;
}

export function unzigzag(n: number): number {
  return n % 2 === 0 ? n / 2 : -(n + 1) / 2;
}
