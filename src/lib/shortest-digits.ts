/**
 * The shortest decimal digits of a float that read back as it (of several the closest to it), as JavaScript's own conversion
 * and Go's strconv find them, without a string. It is done in exact float arithmetic: v * 10^k with k so that there are 17
 * digits before the point is a sum of two floats (Dekker's product), 10^k being a float itself. Where the outcome hangs on less
 * than that arithmetic can tell, it says so: that is the rare case, in which the conversion of the language has the word.
 */

/** Digits found last: `high` has nine of them, `low` eight, 1e8 * high + low being v * 10^(16 - exponent), rounded. */
export interface Digits {
  high: number;
  low: number;
  /** Of ten, of the first of the 17 digits. */
  exponent: number;
}

/** From 1e-5: smaller ones would need a power of ten that is no float. */
export const LEAST = 1e-5;
/** To 1e16, below it: digits of larger ones are before the point all. */
export const BELOW = 1e16;

const SMALLEST_EXPONENT = -5;
/** Splits a float into halves of 26 bits (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;
/** Distances closer together than this are not told apart; they are exact to 1e-8. */
const DOUBT = 1e-6;

const { powers, highs, lows } = splitPowers();
/** 10^e for e from SMALLEST_EXPONENT on, to compare with: of those below 1 the float is the first that is not less than the power. */
const limits = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i + SMALLEST_EXPONENT}`));

function splitPowers() {
  const powers = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
  const highs = powers.map((p) => SPLITTER * p - (SPLITTER * p - p));
  return { powers, highs, lows: powers.map((p, i) => p - (highs[i] as number)) };
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Which of the words has the exponent. */
const TOP = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Finds the digits of v, which is in [LEAST, BELOW). False when they are in doubt. */
export function findDigits(v: number, digits: Digits): boolean {
  float[0] = v;
  const top = words[TOP] as number;
  // A power of two is closer to what is below it than to what is above.
  if ((top & 0xfffff) === 0 && words[1 - TOP] === 0) return false;
  const binary = (top >>> 20) - 1023;
  // Times log10(2), rounded down: right, or one too small.
  let exponent = (binary * 1233) >> 12;
  if (v >= (limits[exponent + 1 - SMALLEST_EXPONENT] as number)) exponent++;
  const k = 16 - exponent;
  const power = powers[k] as number;
  const product = v * power;
  const t = SPLITTER * v;
  const a = t - (t - v);
  const b = v - a;
  const c = highs[k] as number;
  const d = lows[k] as number;
  const rest = b * d - (product - a * c - b * c - a * d);
  // Half of the distance to the next floats, scaled alike.
  words[TOP] = (binary - 53 + 1023) << 20;
  words[1 - TOP] = 0;
  const half = (float[0] as number) * power;
  let high = Math.floor(product / 1e8);
  let low = product - high * 1e8 + rest;
  if (low < 0) {
    high--;
    low += 1e8;
  } else if (low >= 1e8) {
    high++;
    low -= 1e8;
  }
  // The fewest digits: a multiple of 100 that is close enough (there is one at most), else the closest of 10, else of 1.
  let found = Math.round(low / 100) * 100;
  let off = Math.abs(found - low);
  if (off > half - DOUBT) {
    if (off < half + DOUBT) return false;
    found = Math.round(low / 10) * 10;
    off = Math.abs(found - low);
    if (off > half - DOUBT) {
      if (off < half + DOUBT) return false;
      found = Math.round(low);
      off = Math.abs(found - low);
      if (off > 0.5 - DOUBT) return false;
    } else if (off > 5 - DOUBT) return false;
  }
  if (found === 1e8) {
    found = 0;
    high++;
  }
  digits.high = high;
  digits.low = found;
  digits.exponent = exponent;
  return high < 1e9;
}
