/**
 * A fast hash of bytes in plain JavaScript: 32-bit lanes, since 64-bit integers are slow here.
 *
 * Three lanes take four bytes each in turn and feed one another. For given words the step is a bijection of the 96-bit
 * state, and for a given state different words give different states, so nothing is lost on the way. The result is a
 * 64-bit hash and 32 further bits to check it with. Not a cryptographic hash: whoever must not suffer from made-up
 * collisions seeds it with secret random numbers.
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
  let w0 = 0;
  let w1 = 0;
  let w2 = 0;
  let i = start;
  for (const last = end - 12; i <= last; i += 12) {
    a = Math.imul(a ^ view.getInt32(i, true), P1);
    a = (((a << 15) | (a >>> 17)) + b) | 0;
    b = Math.imul(b ^ view.getInt32(i + 4, true), P2);
    b = (((b << 13) | (b >>> 19)) + c) | 0;
    c = Math.imul(c ^ view.getInt32(i + 8, true), P3);
    c = (((c << 17) | (c >>> 15)) + a) | 0;
  }
  // The rest: the last twelve bytes once more as far as they were taken, or all there is, filled up with zeros. The length
  // in the seeds tells which.
  if (length >= 12) {
    w0 = view.getInt32(end - 12, true);
    w1 = view.getInt32(end - 8, true);
    w2 = view.getInt32(end - 4, true);
  } else {
    for (let shift = 0; i < end && shift < 32; i++, shift += 8) w0 |= view.getUint8(i) << shift;
    for (let shift = 0; i < end && shift < 32; i++, shift += 8) w1 |= view.getUint8(i) << shift;
    for (let shift = 0; i < end; i++, shift += 8) w2 |= view.getUint8(i) << shift;
  }
  a = Math.imul(a ^ w0, P1);
  a = (((a << 15) | (a >>> 17)) + b) | 0;
  b = Math.imul(b ^ w1, P2);
  b = (((b << 13) | (b >>> 19)) + c) | 0;
  c = Math.imul(c ^ w2, P3);
  c = (((c << 17) | (c >>> 15)) + a) | 0;

  a = avalanche(a ^ c);
  b = avalanche((b + a) | 0);
  c = avalanche(c ^ b);
  out[at] = a + c;
  out[at + 1] = b + c;
  out[at + 2] = c;
}

/** Spreads every input bit over all output bits; a bijection. */
function avalanche(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), P2);
  h = Math.imul(h ^ (h >>> 13), P3);
  return h ^ (h >>> 16);
}
