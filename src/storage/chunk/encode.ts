/**
 * The chunk code: delta-of-delta times and XORed values (Gorilla, VLDB 2015) on 32-bit words; docs/format/head-chunk.md
 * has it bit by bit. Values are two 32-bit words from end to end, so every NaN keeps its bits.
 *
 * One sample is encoded into a small scratch array that starts with the chunk's last, partly filled word; the caller
 * copies the words that came out of it to where the chunk lives. Nothing is allocated.
 */
import { putBits } from "./bits.ts";

/** Words of a chunk before its bit string: first time (float64) and first value, low word first. */
export const CHUNK_HEAD_WORDS = 4;

/** A chunk's times must be less than this apart (ms): then every delta and delta-of-delta fits an int32. */
export const CHUNK_MAX_SPAN = 0x3fff_ffff;

/** Length of the scratch array of `encodeSample`; its last word carries the value window out. */
export const SCRATCH_WORDS = 8;
export const SCRATCH_WINDOW = 7;

/** The window of a chunk that has one sample: none, so the first change of the value opens one. */
export const NO_WINDOW = 0xffff;

/**
 * Encodes one sample behind another. `at` is the bit position in scratch (0 to 31); scratch[0] has the bits before it,
 * the words after it need not be clean. `window` is the value window (leading zeros | trailing zeros << 8): the new one
 * is left in scratch[SCRATCH_WINDOW]. Returns the bit position after the sample; at most 113 bits are added.
 */
export function encodeSample(
  scratch: Int32Array,
  at: number,
  deltaOfDelta: number,
  xorLo: number,
  xorHi: number,
  window: number,
): number {
  scratch[1] = 0;
  scratch[2] = 0;
  scratch[3] = 0;
  scratch[4] = 0;
  const p = encodeTime(scratch, at, deltaOfDelta);
  if ((xorLo | xorHi) === 0) {
    scratch[SCRATCH_WINDOW] = window;
    return p + 1;
  }
  return encodeXor(scratch, p, xorLo, xorHi, window);
}

function encodeTime(scratch: Int32Array, at: number, d: number): number {
  if (d === 0) return at + 1;
  if (d >= -64 && d < 64) return putBits(scratch, at, 0x100 | (d & 0x7f), 9);
  if (d >= -2048 && d < 2048) return putBits(scratch, at, 0x6000 | (d & 0xfff), 15);
  if (d >= -0x80000 && d < 0x80000) return putBits(scratch, at, 0xe00000 | (d & 0xfffff), 24);
  return putBits(scratch, putBits(scratch, at, 0xf, 4), d, 32);
}

function encodeXor(scratch: Int32Array, at: number, lo: number, hi: number, window: number): number {
  const leading = hi !== 0 ? Math.clz32(hi) : 31;
  const trailing = lo !== 0 ? 31 - Math.clz32(lo & -lo) : 63 - Math.clz32(hi & -hi);
  const length = 64 - leading - trailing;
  const oldLeading = window & 255;
  const oldTrailing = window >>> 8;
  // An old window that is much wider than needed costs more than opening a new one (11 bits).
  if (oldLeading <= leading && oldTrailing <= trailing && 64 - oldLeading - oldTrailing <= length + 11) {
    scratch[SCRATCH_WINDOW] = window;
    return putWindow(scratch, putBits(scratch, at, 2, 2), lo, hi, oldTrailing, 64 - oldLeading - oldTrailing);
  }
  scratch[SCRATCH_WINDOW] = leading | (trailing << 8);
  return putWindow(
    scratch,
    putBits(scratch, at, 0x1800 | (leading << 6) | (length & 63), 13),
    lo,
    hi,
    trailing,
    length,
  );
}

/** Bits [trailing, trailing + length) of a 64-bit word. */
function putWindow(s: Int32Array, at: number, lo: number, hi: number, trailing: number, length: number): number {
  if (trailing >= 32) return putBits(s, at, hi >>> (trailing - 32), length);
  const low = trailing === 0 ? lo : (lo >>> trailing) | (hi << (32 - trailing));
  if (length <= 32) return putBits(s, at, low, length);
  return putBits(s, putBits(s, at, hi >>> trailing, length - 32), low, 32);
}
