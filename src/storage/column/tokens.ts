/**
 * Whole numbers as a token (which is entropy coded) and raw bits (which are not): like a floating-point number, the token has the
 * sign, the exponent and the first M bits of the mantissa of a number, the raw bits the rest of the mantissa.
 *
 * With u = |x| and e = floor(log2 u): class = u when u < 2^M * 2, else (e - M + 1) * 2^M + the M bits below the leading one.
 * The token of a class c is c when the column has no negative numbers, else 0 for 0, 2c - 1 for x > 0, 2c for x < 0.
 */
export const MAX_MANTISSA = 3;
export const TOKENS = 1024;
/** Numbers have at most this many bits. */
export const MAX_BITS = 53;

export interface TokenForm {
  /** Token t stands for base[t] + sign[t] * (raw bits, extra[t] of them). */
  readonly base: Float64Array;
  readonly sign: Float64Array;
  readonly extra: Uint8Array;
  /** How many tokens there are. */
  readonly count: number;
}

function buildForm(m: number, signed: boolean): TokenForm {
  const classes = (MAX_BITS - m + 1) << m;
  const count = signed ? 2 * classes - 1 : classes;
  const form = {
    base: new Float64Array(TOKENS),
    sign: new Float64Array(TOKENS).fill(1),
    extra: new Uint8Array(TOKENS),
    count,
  };
  for (let c = 0; c < classes; c++) {
    const e = c < 2 << m ? 0 : (c >> m) - 1;
    const base = c < 2 << m ? c : ((1 << m) + (c & ((1 << m) - 1))) * 2 ** e;
    const t = signed && c > 0 ? 2 * c - 1 : c;
    form.base[t] = base;
    form.extra[t] = e;
    if (!signed || c === 0) continue;
    form.base[t + 1] = -base;
    form.sign[t + 1] = -1;
    form.extra[t + 1] = e;
  }
  return form;
}

const forms: TokenForm[] = [];
for (let m = 0; m <= MAX_MANTISSA; m++) forms.push(buildForm(m, false), buildForm(m, true));

/** The tokens with `mantissa` bits (0 to 3) of the mantissa. */
export function tokenForm(mantissa: number, signed: boolean): TokenForm {
  return forms[2 * mantissa + (signed ? 1 : 0)] as TokenForm;
}

const wide = new Float64Array(1);
const wideWords = new Uint32Array(wide.buffer);

/** The class with 3 bits of the mantissa of a number of at most 53 bits, its sign left out. */
export function classOf(x: number): number {
  const u = x < 0 ? -x : x;
  if (u < 16) return u;
  if (u <= 0x7fff_ffff) {
    const e = 31 - Math.clz32(u);
    return ((e - 2) << 3) + ((u >>> (e - 3)) & 7);
  }
  wide[0] = u;
  const hi = wideWords[1] as number;
  return (((hi >>> 20) - 1025) << 3) + ((hi >>> 17) & 7);
}

/** The class with m bits of the mantissa of a number whose class with 3 bits is c. */
export function coarser(c: number, m: number): number {
  if (c < 16) {
    if (c < 2 << m) return c;
    const e = 31 - Math.clz32(c);
    return ((e - m + 1) << m) + ((c >>> (e - m)) & ((1 << m) - 1));
  }
  const e = (c >> 3) + 2;
  return ((e - m + 1) << m) + ((c & 7) >> (3 - m));
}
