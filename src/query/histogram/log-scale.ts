/**
 * Logarithm and power of two, rounded as Go's: the platform's own differ in the last digit, and these digits are in bounds of
 * buckets and in quantiles. The polynomial is that of exp in the FreeBSD library of mathematical functions, which both share.
 */
const LN2_HI = 0.6931471803691238;
const LN2_LO = 1.9082149292705877e-10;
const P1 = 0.16666666666666666;
const P2 = -0.0027777777777015593;
const P3 = 6.613756321437934e-5;
const P4 = -1.6533902205465252e-6;
const P5 = 4.1381367970572385e-8;

/** 2^x. */
export function exp2(x: number): number {
  if (Number.isNaN(x) || x === Number.POSITIVE_INFINITY) return x;
  if (x === Number.NEGATIVE_INFINITY || x < -1074) return 0;
  if (x > 1023.9999999999999) return Number.POSITIVE_INFINITY;
  const k = Math.trunc(x > 0 ? x + 0.5 : x - 0.5);
  const t = x - k;
  const hi = t * LN2_HI;
  const lo = -t * LN2_LO;
  const r = hi - lo;
  const s = r * r;
  const c = r - s * (P1 + s * (P2 + s * (P3 + s * (P4 + s * P5))));
  return ldexp(1 - (lo - (r * c) / (2 - c) - hi), k);
}

const word = new Float64Array(1);
const halves = new Uint32Array(word.buffer);

/** The logarithm of base 2; exact for powers of two. NaN below 0. */
export function log2(x: number): number {
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) return Math.log2(x);
  let exponent = 0;
  word[0] = x;
  if (x < 2 ** -1022) {
    word[0] = x * 2 ** 52;
    exponent = -52;
  }
  const high = halves[1] as number;
  exponent += (high >>> 20) - 1022;
  halves[1] = (high & 0xfffff) | 0x3fe00000;
  const fraction = word[0] as number;
  if (fraction === 0.5) return exponent - 1;
  return Math.log(fraction) * (1 / Math.LN2) + exponent;
}

/** x * 2^exponent, rounded once. */
export function ldexp(x: number, exponent: number): number {
  if (exponent < -1000) return x * 2 ** (exponent + 500) * 2 ** -500;
  if (exponent > 1000) return x * 2 ** (exponent - 500) * 2 ** 500;
  return x * 2 ** exponent;
}
