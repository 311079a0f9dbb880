/**
 * The block's strings in order (of UTF-16 code units, as JavaScript compares), each written as what it has beyond the one
 * before it. Docs: docs/format/block.md, "Symbols".
 */
import type { Buffer } from "node:buffer";
import { asBuffer, compareUtf8 } from "../../lib/utf8.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { type ByteSink, putBytes, putVarint } from "./byte-sink.ts";

/** Strings of one part. */
export interface StringPart {
  readonly count: number;
  readonly bytes: Buffer;
  /** String i is bytes[starts[i], starts[i + 1]). */
  readonly starts: Uint32Array;
  readonly ascii: boolean;
  readonly texts: (string | undefined)[];
  /** All strings one behind another, made when many are looked through. */
  joined: string | undefined;
}

/** Appends the strings [from, to), given by `bytes` and where each starts (in any order) and ends. */
export function putStrings(
  sink: ByteSink,
  bytes: Uint8Array,
  starts: ArrayLike<number>,
  order: Uint32Array,
  from: number,
  to: number,
): void {
  const start = (i: number): number => starts[order[i] as number] as number;
  const end = (i: number): number => starts[(order[i] as number) + 1] as number;
  const shared = new Uint32Array(to - from);
  for (let i = from + 1; i < to; i++)
    shared[i - from] = commonPrefix(bytes, start(i - 1), end(i - 1), start(i), end(i));
  for (let i = from; i < to; i++) putVarint(sink, shared[i - from] as number);
  for (let i = from; i < to; i++) putVarint(sink, end(i) - start(i) - (shared[i - from] as number));
  for (let i = from; i < to; i++) putBytes(sink, bytes.subarray(start(i) + (shared[i - from] as number), end(i)));
}

function commonPrefix(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): number {
  const n = Math.min(aEnd - a, bEnd - b);
  let i = 0;
  while (i < n && bytes[a + i] === bytes[b + i]) i++;
  return i;
}

/** Decodes `count` strings. Throws for what is none. */
export function readStrings(content: Uint8Array, count: number): StringPart {
  const cursor: Cursor = { at: 0 };
  const shared = new Uint32Array(count);
  for (let i = 0; i < count; i++) shared[i] = readVarint(content, cursor);
  const starts = new Uint32Array(count + 1);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const before = i === 0 ? 0 : (starts[i] as number) - (starts[i - 1] as number);
    if ((shared[i] as number) > before) throw new RangeError(`string ${i} shares more than there is`);
    total += (shared[i] as number) + readVarint(content, cursor);
    starts[i + 1] = total;
  }
  const bytes = new Uint8Array(total);
  let at = cursor.at;
  for (let i = 0; i < count; i++) {
    let to = starts[i] as number;
    const end = starts[i + 1] as number;
    const share = shared[i] as number;
    if (share > 0) {
      const from = starts[i - 1] as number;
      bytes.copyWithin(to, from, from + share);
      to += share;
    }
    while (to < end) bytes[to++] = content[at++] as number;
  }
  if (at !== content.length) throw new RangeError(`strings end at ${at} of ${content.length} bytes`);
  let ascii = true;
  for (let i = 0; i < total; i++) if ((bytes[i] as number) > 127) ascii = false;
  return { count, bytes: asBuffer(bytes), starts, ascii, texts: [], joined: undefined };
}

/** String i; kept, since it is likely to be asked for again. */
export function stringAt(part: StringPart, i: number): string {
  let text = part.texts[i];
  if (text === undefined) {
    const [start, end] = [part.starts[i] as number, part.starts[i + 1] as number];
    text = part.bytes.toString(part.ascii ? "latin1" : "utf8", start, end);
    part.texts[i] = text;
  }
  return text;
}

/** The same for looking at many without keeping any: cheap, but the result holds on to all strings of the part. */
export function passingStringAt(part: StringPart, i: number): string {
  if (!part.ascii) return stringAt(part, i);
  const all = part.joined ?? part.bytes.toString("latin1");
  part.joined = all;
  return all.slice(part.starts[i] as number, part.starts[i + 1] as number);
}

/** Below, equal to or above 0 as string i is before, equal to or behind the given UTF-8. */
export function compareStringAt(part: StringPart, i: number, text: Uint8Array): number {
  return compareUtf8(part.bytes, part.starts[i] as number, part.starts[i + 1] as number, text, 0, text.length);
}
