/**
 * Bit strings in 32-bit words, most significant bit first: bit b of a string is bit 31 - b % 32 of word b / 32.
 */

/**
 * Appends the low n bits of v (n of 1 to 32; the bits of v above them are 0) at bit position `at` and returns the
 * position after them. The words from there on must be 0.
 */
export function putBits(words: Int32Array, at: number, v: number, n: number): number {
  const w = at >>> 5;
  const room = 32 - (at & 31);
  if (n <= room) {
    words[w] = (words[w] as number) | (v << (room - n));
  } else {
    const rest = n - room;
    words[w] = (words[w] as number) | (v >>> rest);
    words[w + 1] = v << (32 - rest);
  }
  return at + n;
}

/** The 32 bits from bit position `at` on. Reads one word beyond the one that the position is in. */
export function peekBits(words: Int32Array, at: number): number {
  const w = at >>> 5;
  const o = at & 31;
  return ((words[w] as number) << o) | (((words[w + 1] as number) >>> 1) >>> (31 - o));
}
