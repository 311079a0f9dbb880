import { asBuffer } from "../../lib/utf8.ts";
import { type ByteArena, reserveArena } from "./byte-arena.ts";

/**
 * Appends a label to the arena at `at` as a remote-write label field, the form in which the gateway reads labels of every
 * format; returns the position after it. The strings must be well-formed (a lone surrogate would become U+FFFD).
 */
export function writeLabel(arena: ByteArena, at: number, name: string, value: string): number {
  // Three bytes are the most a UTF-16 unit needs; three lengths of five bytes and three tags.
  reserveArena(arena, at + 3 * (name.length + value.length) + 18, at);
  const buffer = asBuffer(arena.bytes);
  // The outer length stands before what it counts: room for five bytes, closed up afterwards.
  const inner = at + 6;
  let end = writeString(buffer, inner, 0x0a, name);
  end = writeString(buffer, end, 0x12, value);
  buffer[at] = 0x0a;
  const start = writeVarint(buffer, at + 1, end - inner);
  buffer.copyWithin(start, inner, end);
  return start + end - inner;
}

function writeString(buffer: Buffer, at: number, tag: number, text: string): number {
  buffer[at] = tag;
  const most = 3 * text.length;
  const room = most < 0x80 ? 1 : most < 0x4000 ? 2 : most < 0x200000 ? 3 : 5;
  const length = buffer.write(text, at + 1 + room, most);
  const start = writeVarint(buffer, at + 1, length);
  if (start < at + 1 + room) buffer.copyWithin(start, at + 1 + room, at + 1 + room + length);
  return start + length;
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let i = start;
  let v = value;
  for (; v >= 0x80; v >>>= 7) bytes[i++] = v | 0x80;
  bytes[i++] = v;
  return i;
}
