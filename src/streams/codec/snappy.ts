import { MalformedBody } from "../../model/ingest.ts";
import { type ByteArena, reserveArena } from "./byte-arena.ts";

/** Where the elements of the block start whose size was read last. */
let start = 0;

/**
 * Reads the size in bytes that a block of the Snappy format claims to have when decoded; `elementsStart()` is then where its
 * elements start. Refuses more than `limit` and more than 32 times the input, since no block can hold more. Throws
 * `MalformedBody`.
 */
export function snappySize(input: Uint8Array, limit: number): number {
  const n = input.length;
  let size = 0;
  let i = 0;
  for (let shift = 0; ; shift += 7) {
    if (i >= n || shift > 28) throw malformed("its length cannot be read");
    const byte = input[i++] as number;
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (size > limit) {
    throw new MalformedBody("body_too_large", `body of ${size} bytes after decompression, the limit is ${limit}`);
  }
  // The densest element makes 64 bytes of 3.
  if (size > 32 * n) throw malformed(`it claims ${size} bytes in ${n}`);
  start = i;
  return size;
}

export function elementsStart(): number {
  return start;
}

/**
 * Decodes a block of the Snappy format (https://github.com/google/snappy/blob/main/format_description.txt) to the start of
 * `arena` and returns its length in bytes. Refuses more than `limit` bytes before it takes memory. Throws `MalformedBody`.
 */
export function decodeSnappy(input: Uint8Array, arena: ByteArena, limit: number): number {
  const size = snappySize(input, limit);
  const n = input.length;
  let i = start;
  reserveArena(arena, size, 0);
  const out = arena.bytes;
  const to = arena.view;
  const from = new DataView(input.buffer, input.byteOffset, n);
  const wide = n - 16;
  let o = 0;
  while (i < n) {
    const tag = input[i++] as number;
    let length = tag >>> 2;
    const kind = tag & 3;
    if (kind === 0) {
      if (length >= 60) {
        const extra = length - 59;
        if (i + extra > n) throw malformed("a literal's length is cut off");
        length = 0;
        for (let k = 0; k < extra; k++) length += (input[i + k] as number) * 2 ** (8 * k);
        i += extra;
      }
      length++;
      if (length > n - i || length > size - o) throw malformed("a literal runs over the end");
      if (length <= 16 && i <= wide) {
        // More than the literal may be copied: what comes next overwrites it.
        to.setBigUint64(o, from.getBigUint64(i, true), true);
        to.setBigUint64(o + 8, from.getBigUint64(i + 8, true), true);
      } else if (length < 128) for (let k = 0; k < length; k++) out[o + k] = input[i + k] as number;
      else out.set(input.subarray(i, i + length), o);
      i += length;
      o += length;
      continue;
    }
    let offset: number;
    if (kind === 1) {
      if (i + 1 > n) throw malformed("a copy is cut off");
      length = (length & 7) + 4;
      offset = ((tag >>> 5) << 8) | (input[i++] as number);
    } else if (kind === 2) {
      if (i + 2 > n) throw malformed("a copy is cut off");
      length++;
      offset = from.getUint16(i, true);
      i += 2;
    } else {
      if (i + 4 > n) throw malformed("a copy is cut off");
      length++;
      offset = from.getUint32(i, true);
      i += 4;
    }
    if (offset === 0 || offset > o || length > size - o) throw malformed("a copy points outside");
    const end = o + length;
    let source = o - offset;
    // Sixteen or eight bytes at a time, up to fifteen too many: the slack takes them, later elements overwrite them. V8 moves
    // 64-bit integers through a DataView without making BigInts of them.
    if (offset >= 16) {
      for (; o < end; o += 16, source += 16) {
        to.setBigUint64(o, to.getBigUint64(source, true), true);
        to.setBigUint64(o + 8, to.getBigUint64(source + 8, true), true);
      }
    } else if (offset >= 8) {
      for (; o < end; o += 8, source += 8) to.setBigUint64(o, to.getBigUint64(source, true), true);
    } else {
      for (; o < end; o++, source++) out[o] = out[source] as number;
    }
    o = end;
  }
  if (o !== size) throw malformed(`it holds ${o} bytes and claims ${size}`);
  return size;
}

function malformed(what: string): MalformedBody {
  return new MalformedBody("malformed_snappy", `not a Snappy block: ${what}`);
}
