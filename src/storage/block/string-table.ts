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

function readShort(content: Uint8Array, cursor: Cursor): number {
  const byte = content[cursor.at] as number;
  if (!(byte < 128)) return readVarint(content, cursor);
  cursor.at++;
  return byte;
}

let shared = new Uint32Array(128);

/** Decodes `count` strings. Throws for what is none. */
export function readStrings(content: Uint8Array, count: number): StringPart {
  const cursor: Cursor = { at: 0 };
  if (shared.length < count) shared = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) shared[i] = readShort(content, cursor);
  const starts = new Uint32Array(count + 1);
  let total = 0;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const share = shared[i] as number;
    if (share > before) throw new RangeError(`string ${i} shares more than there is`);
    before = share + readShort(content, cursor);
    total += before;
    starts[i + 1] = total;
  }
  const bytes = new Uint8Array(total);
  let at = cursor.at;
  // What is shared has been seen where it stands first.
  let seen = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    let to = starts[i] as number;
    const end = starts[i + 1] as number;
    const own = to + (shared[i] as number);
    // A few bytes, mostly: a native copy costs more than this loop.
    for (let from = last; to < own; ) bytes[to++] = bytes[from++] as number;
    last = starts[i] as number;
    while (to < end) {
      const byte = content[at++] as number;
      seen |= byte;
      bytes[to++] = byte;
    }
  }
  if (at !== content.length) throw new RangeError(`strings end at ${at} of ${content.length} bytes`);
  const ascii = seen < 128;
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
  return joined(part).slice(part.starts[i] as number, part.starts[i + 1] as number);
}

/** All strings of an ASCII part. */
function joined(part: StringPart): string {
  part.joined ??= part.bytes.toString("latin1");
  return part.joined;
}

/** The first string from i on that may contain the text; all may where that cannot be told, `count` when none does. */
export function stringWith(part: StringPart, text: string, i: number): number {
  if (!part.ascii) return i;
  const { starts, count } = part;
  for (let from = i; ; ) {
    const at = joined(part).indexOf(text, starts[from] as number);
    if (at < 0) return count;
    // The last string that starts at or before it.
    let low = from;
    let high = count;
    while (high - low > 1) {
      const mid = (low + high) >>> 1;
      if ((starts[mid] as number) <= at) low = mid;
      else high = mid;
    }
    if (at + text.length <= (starts[low + 1] as number)) return low;
    // It begins in one string and ends in another: the one has no place for it behind that.
    from = low + 1;
    if (from === count) return count;
  }
}

/** Below, equal to or above 0 as string i is before, equal to or behind the given UTF-8. */
export function compareStringAt(part: StringPart, i: number, text: Uint8Array): number {
  return compareUtf8(part.bytes, part.starts[i] as number, part.starts[i + 1] as number, text, 0, text.length);
}
