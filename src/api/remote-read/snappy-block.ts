/**
 * The block format of Snappy (github.com/google/snappy, format_description.txt) for remote read: small requests in, large answers
 * out. Senders of remote write have a faster decoder of their own.
 */
export class SnappyError extends Error {
  constructor() {
    super("snappy: corrupt input");
    this.name = "SnappyError";
  }
}

/** Decodes a block to at most `limit` bytes. Throws SnappyError. */
export function decodeBlock(input: Uint8Array, limit: number): Uint8Array {
  let at = 0;
  const byte = (): number => {
    if (at >= input.length) throw new SnappyError();
    return input[at++] as number;
  };
  let size = 0;
  for (let factor = 1; ; factor *= 128) {
    const b = byte();
    size += (b & 127) * factor;
    if (b < 128) break;
    if (factor > 2 ** 28) throw new SnappyError();
  }
  // The densest element makes 64 bytes of 3.
  if (size > limit || size > 32 * input.length) throw new SnappyError();
  const out = new Uint8Array(size);
  let o = 0;
  while (at < input.length) {
    const tag = byte();
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const bytes = length - 60;
        length = 1;
        for (let i = 0; i < bytes; i++) length += byte() * 2 ** (8 * i);
      }
      if (length > size - o || length > input.length - at) throw new SnappyError();
      out.set(input.subarray(at, at + length), o);
      at += length;
      o += length;
      continue;
    }
    let offset = 0;
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | byte();
    } else for (let i = 0; i < (kind === 2 ? 2 : 4); i++) offset += byte() * 2 ** (8 * i);
    if (offset === 0 || offset > o || length > size - o) throw new SnappyError();
    for (const end = o + length; o < end; o++) out[o] = out[o - offset] as number;
  }
  if (o !== size) throw new SnappyError();
  return out;
}

const TABLE_BITS = 14;
/** Places at which four bytes with a hash were seen last, in the fragment at hand. */
const table = new Uint16Array(1 << TABLE_BITS);
/** Copies reach back within a fragment, so that two bytes hold every offset. */
const FRAGMENT = 1 << 16;

/** Encodes at most 2^32 - 1 bytes as a block, 64 KiB a step: who shares a thread lets others go on between steps. */
export function* encodeSteps(input: Uint8Array): Generator<undefined, Uint8Array> {
  const n = input.length;
  const out = new Uint8Array(32 + n + Math.ceil(n / 6));
  const view = new DataView(input.buffer, input.byteOffset, n);
  let o = 0;
  let size = n;
  for (; size >= 128; size = Math.floor(size / 128)) out[o++] = (size % 128) | 128;
  out[o++] = size;
  for (let start = 0; start < n; start += FRAGMENT) {
    const end = Math.min(n, start + FRAGMENT);
    table.fill(0);
    let literal = start;
    let at = start + 1;
    while (at + 4 <= end) {
      const four = view.getUint32(at, true);
      const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - TABLE_BITS);
      const seen = start + (table[slot] as number);
      table[slot] = at - start;
      if (seen >= at || view.getUint32(seen, true) !== four) {
        // The longer nothing is found, the larger the steps: bytes that cannot be compressed cost little.
        at += 1 + ((at - literal) >> 5);
        continue;
      }
      o = writeLiteral(out, o, input, literal, at);
      let length = 4;
      while (at + length < end && input[at + length] === input[seen + length]) length++;
      o = writeCopies(out, o, at - seen, length);
      at += length;
      literal = at;
    }
    o = writeLiteral(out, o, input, literal, end);
    yield undefined;
  }
  return out.subarray(0, o);
}

function writeLiteral(out: Uint8Array, to: number, input: Uint8Array, from: number, end: number): number {
  let o = to;
  const last = end - from - 1;
  if (last < 0) return o;
  if (last < 60) out[o++] = last << 2;
  else {
    out[o++] = 61 << 2;
    out[o++] = last & 255;
    out[o++] = last >>> 8;
  }
  out.set(input.subarray(from, end), o);
  return o + last + 1;
}

function writeCopies(out: Uint8Array, to: number, offset: number, length: number): number {
  let o = to;
  for (let left = length; left > 0; ) {
    const take = Math.min(64, left);
    out[o++] = ((take - 1) << 2) | 2;
    out[o++] = offset & 255;
    out[o++] = offset >>> 8;
    left -= take;
  }
  return o;
}
