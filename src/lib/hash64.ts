/**
 * A fast hash of bytes in plain JavaScript: 32-bit lanes, since 64-bit integers are slow here.
 *
 * Two lanes make a 64-bit hash, a third gives 32 independent check bits. The step of the first two lanes is a bijection
 * of their 64-bit state for every pair of words, so no entropy is lost on the way. Not a cryptographic hash: whoever must
 * not suffer from made-up collisions seeds it with secret random numbers.
 *
 * The result for given seeds is part of the frame format (docs/format/frame.md): it never changes.
 */

const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;

/**
 * Hashes the bytes `[start, end)` of `view` and writes three unsigned 32-bit numbers to `out` from index `at` on: low and
 * high half of the 64-bit hash, check.
 */
export function hash96(
  view: DataView,
  start: number,
  end: number,
  seedA: number,
  seedB: number,
  seedC: number,
  out: Uint32Array,
  at: number,
): void {
  const length = end - start;
  let a = (seedA ^ Math.imul(length, P2)) | 0;
  let b = (seedB + Math.imul(length, P1)) | 0;
  let c = seedC | 0;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    const w0 = view.getInt32(i, true);
    const w1 = view.getInt32(i + 4, true);
    a = Math.imul(a ^ w0, P1);
    a = (((a << 15) | (a >>> 17)) + b) | 0;
    b = Math.imul(b ^ w1, P2);
    b = (((b << 13) | (b >>> 19)) + a) | 0;
    c = Math.imul(((c << 11) | (c >>> 21)) ^ w0 ^ ((w1 << 17) | (w1 >>> 15)), P3);
  }
  if (i < end) {
    // The rest, at most seven bytes, zero-filled: the length in the seed tells it from real zeros.
    let w0 = 0;
    let w1 = 0;
    let rest = end - i;
    if (rest >= 4) {
      w0 = view.getInt32(i, true);
      i += 4;
      rest -= 4;
      for (let k = 0; k < rest; k++) w1 |= view.getUint8(i + k) << (8 * k);
    } else {
      for (let k = 0; k < rest; k++) w0 |= view.getUint8(i + k) << (8 * k);
    }
    a = Math.imul(a ^ w0, P1);
    a = (((a << 15) | (a >>> 17)) + b) | 0;
    b = Math.imul(b ^ w1, P2);
    b = (((b << 13) | (b >>> 19)) + a) | 0;
    c = Math.imul(((c << 11) | (c >>> 21)) ^ w0 ^ ((w1 << 17) | (w1 >>> 15)), P3);
  }
  a = avalanche((a + b) | 0);
  b = avalanche((b + a) | 0);
  a = (a + b) | 0;
  out[at] = a;
  out[at + 1] = b;
  out[at + 2] = avalanche(c);
}

/** Spreads every input bit over all output bits; a bijection. */
function avalanche(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), P2);
  h = Math.imul(h ^ (h >>> 13), P3);
  return h ^ (h >>> 16);
}
