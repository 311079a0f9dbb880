import { type BitReader, type BitWriter, putBits, takeBits } from "./bit-stream.ts";
import { PageError } from "./page-error.ts";

/**
 * Frequencies of tokens, as the entropy coder needs them: whole numbers that sum up to 2^log. They are stored as levels, half
 * powers of two (level l stands for 2^((l-1)/2), 0 for none), which costs about 3 bits a token and loses under 0.01 bit a number.
 */
export const MIN_LOG = 5;
export const MAX_LOG = 11;
/** A column has at most this many tokens in use, so that each has a place in the smallest table that is chosen for it. */
export const MAX_SYMBOLS = 512;
const MAX_LEVEL = 2 * MAX_LOG + 1;
const WEIGHT = Float64Array.from({ length: MAX_LEVEL + 1 }, (_, l) =>
  l === 0 ? 0 : Math.round(64 * 2 ** ((l - 1) / 2)),
);

/** The levels of counts[0..n) whose sum is `total`. */
export function levelsOf(counts: Float64Array, n: number, total: number, log: number, levels: Uint8Array): void {
  const size = 1 << log;
  const top = 2 * log + 1;
  for (let s = 0; s < n; s++) {
    const c = counts[s] as number;
    if (c === 0) levels[s] = 0;
    else {
      const level = 1 + Math.round(2 * Math.log2((c * size) / total));
      levels[s] = level < 1 ? 1 : level > top ? top : level;
    }
  }
}

/** Turns levels into frequencies that sum up to 2^log; false when they cannot. */
export function frequenciesOf(levels: Uint8Array, n: number, log: number, freq: Uint16Array): boolean {
  const size = 1 << log;
  let sum = 0;
  let used = 0;
  for (let s = 0; s < n; s++) {
    const level = levels[s] as number;
    if (level === 0) continue;
    sum += WEIGHT[level] as number;
    used++;
  }
  if (used === 0 || used > size) return false;
  const room = size - used;
  let left = room;
  let most = 0;
  for (let s = 0; s < n; s++) {
    const level = levels[s] as number;
    if (level === 0) {
      freq[s] = 0;
      continue;
    }
    const more = Math.floor(((WEIGHT[level] as number) * room) / sum);
    freq[s] = 1 + more;
    left -= more;
    if ((freq[s] as number) > (freq[most] as number) || freq[most] === 0) most = s;
  }
  freq[most] = (freq[most] as number) + left;
  return true;
}

/**
 * Writes levels[0..n): n, then each as the difference to the level `stride` before (the same sign's), in an exponential Golomb
 * code.
 */
export function writeLevels(w: BitWriter, levels: Uint8Array, n: number, stride: number): void {
  putGolomb(w, n, 3);
  for (let s = 0; s < n; s++) {
    const d = (levels[s] as number) - (s < stride ? 0 : (levels[s - stride] as number));
    putGolomb(w, d > 0 ? 2 * d - 1 : -2 * d, 0);
  }
}

/** Reads what `writeLevels` wrote and returns n, at most `limit`. */
export function readLevels(r: BitReader, levels: Uint8Array, limit: number, stride: number): number {
  const n = takeGolomb(r, 3);
  if (n > limit) throw new PageError("too many tokens");
  for (let s = 0; s < n; s++) {
    const z = takeGolomb(r, 0);
    const level = (s < stride ? 0 : (levels[s - stride] as number)) + (z & 1 ? (z + 1) >> 1 : -(z >> 1));
    if (level < 0 || level > MAX_LEVEL) throw new PageError("a token's frequency is out of range");
    levels[s] = level;
  }
  return n;
}

/** v below 2^20. Zeros as many as the length of v + 2^k exceeds k + 1, a one, the bits below the leading one. */
export function putGolomb(w: BitWriter, v: number, k: number): void {
  const x = v + (1 << k);
  const e = 31 - Math.clz32(x);
  putBits(w, 1 << (e - k), e - k + 1);
  putBits(w, x & ((1 << e) - 1), e);
}

export function takeGolomb(r: BitReader, k: number): number {
  const p = r.bit;
  const word = r.view.getUint32(p >>> 3, true) >>> (p & 7);
  const zeros = 31 - Math.clz32(word & -word);
  const length = 2 * zeros + 1 + k;
  // Most are short; 25 bits are sure to be loaded.
  if (word === 0 || length > 25) return takeLongGolomb(r, k);
  if (p + length > r.end) throw new PageError("a column's bits end too soon");
  r.bit = p + length;
  const e = zeros + k;
  return (1 << e) + ((word >>> (zeros + 1)) & ((1 << e) - 1)) - (1 << k);
}

function takeLongGolomb(r: BitReader, k: number): number {
  let zeros = 0;
  while (takeBits(r, 1) === 0) if (++zeros > 20) throw new PageError("a number is too large");
  const e = zeros + k;
  return (1 << e) + takeBits(r, e) - (1 << k);
}
