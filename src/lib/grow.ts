/** Larger arrays in the place of full ones, at least twice as large, so that growing costs little however often it happens. */

/** The words, and as many zeros behind them. */
export function doubled(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * words.length);
  larger.set(words);
  return larger;
}

/** The first `used` bytes in an array of at least `need`. */
export function grownBytes(bytes: Uint8Array, used: number, need: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(need, 2 * bytes.length));
  larger.set(bytes.subarray(0, used));
  return larger;
}
