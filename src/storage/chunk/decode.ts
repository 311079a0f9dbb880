import { reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { peekBits } from "./bits.ts";
import { CHUNK_HEAD_WORDS } from "./encode.ts";

const time = new Float64Array(1);
const timeWords = new Int32Array(time.buffer);

/** Time (Unix ms) of the first sample of the chunk at words[at]. */
export function chunkStart(words: Int32Array, at: number): number {
  timeWords[0] = words[at] as number;
  timeWords[1] = words[at + 1] as number;
  return time[0] as number;
}

/**
 * Appends all `count` (at least 1) samples of the chunk at words[at] to `out`. Reads one word beyond the chunk.
 */
export function decodeChunk(words: Int32Array, at: number, count: number, out: SampleBuffer): void {
  const from = out.length;
  reserveSamples(out, from + count);
  out.length = from + count;
  decodeInto(words, at, count, out.ts, out.words, from);
}

/** As `decodeChunk`, but only the samples with minT <= time <= maxT. */
export function decodeChunkRange(
  words: Int32Array,
  at: number,
  count: number,
  minT: number,
  maxT: number,
  out: SampleBuffer,
): void {
  const from = out.length;
  decodeChunk(words, at, count, out);
  const { ts } = out;
  const all = out.length;
  let first = from;
  while (first < all && (ts[first] as number) < minT) first++;
  let end = all;
  while (end > first && (ts[end - 1] as number) > maxT) end--;
  if (first > from) {
    ts.copyWithin(from, first, end);
    out.words.copyWithin(2 * from, 2 * first, 2 * end);
  }
  out.length = from + end - first;
}

function decodeInto(a: Int32Array, at: number, count: number, ts: Float64Array, values: Uint32Array, from: number) {
  let t = chunkStart(a, at);
  let lo = a[at + 2] as number;
  let hi = a[at + 3] as number;
  let delta = 0;
  let leading = 0;
  let trailing = 0;
  let length = 0;
  let bit = (at + CHUNK_HEAD_WORDS) << 5;
  const end = from + count;
  ts[from] = t;
  values[2 * from] = lo;
  values[2 * from + 1] = hi;
  for (let i = from + 1; i < end; i++) {
    let x = peekBits(a, bit);
    if (x >= 0) {
      bit += 1;
      x <<= 1;
    } else {
      // The number of leading ones says how wide the delta-of-delta is.
      const ones = Math.clz32(~x);
      if (ones === 1) {
        delta = (delta + ((x << 2) >> 25)) | 0;
        bit += 9;
      } else if (ones === 2) {
        delta = (delta + ((x << 3) >> 20)) | 0;
        bit += 15;
      } else if (ones === 3) {
        delta = (delta + ((x << 4) >> 12)) | 0;
        bit += 24;
      } else {
        delta = (delta + peekBits(a, bit + 4)) | 0;
        bit += 36;
      }
      x = peekBits(a, bit);
    }
    t += delta;
    ts[i] = t;
    // At least 31 bits of x are good here, 13 are needed.
    if (x >= 0) {
      bit += 1;
    } else {
      if ((x & 0x4000_0000) === 0) {
        bit += 2;
      } else {
        leading = (x >>> 25) & 31;
        length = (x >>> 19) & 63;
        if (length === 0) length = 64;
        trailing = 64 - leading - length;
        bit += 13;
      }
      if (length <= 32) {
        const v = peekBits(a, bit) >>> (32 - length);
        bit += length;
        if (trailing >= 32) {
          hi ^= v << (trailing - 32);
        } else {
          lo ^= v << trailing;
          hi ^= (v >>> 1) >>> (31 - trailing);
        }
      } else {
        const v = peekBits(a, bit) >>> (64 - length);
        const w = peekBits(a, bit + length - 32);
        bit += length;
        // v and w are the window's high and low words; the window is wider than 32 bits, so trailing is below 32.
        lo ^= w << trailing;
        hi ^= (v << trailing) | ((w >>> 1) >>> (31 - trailing));
      }
    }
    values[2 * i] = lo;
    values[2 * i + 1] = hi;
  }
}
