// Powers of ten that a double holds exactly: with a mantissa below 2^53 one multiplication or division by them rounds once, hence correctly.
const POW10 = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** What `parseDecimal` found wrong; kept out of the return value so that the fast path returns a bare number. */
export const DECIMAL_OK = 0;
export const DECIMAL_SYNTAX = 1;
export const DECIMAL_RANGE = 2;

/** Result slot of `parseDecimal`: reused, so that parsing a number allocates nothing. */
export interface DecimalResult {
  value: number;
  status: number;
}

/**
 * Parses `bytes[start, end)` as a decimal float the way Prometheus reads sample values: an optional sign, digits with an
 * optional point, an optional exponent; or Inf, Infinity (signed or not) and NaN in any case. No hexadecimal, no
 * underscores. A number too large for a double is DECIMAL_RANGE. The result is correctly rounded.
 */
export function parseDecimal(bytes: Uint8Array, start: number, end: number, out: DecimalResult): void {
  let i = start;
  let negative = false;
  const first = i < end ? (bytes[i] as number) : 0;
  if (first === 45 || first === 43) {
    negative = first === 45;
    i++;
  }
  let mantissa = 0;
  let digits = 0;
  let significant = 0;
  let scale = 0;
  let c = 0;
  for (; i < end; i++) {
    c = bytes[i] as number;
    if (c < 48 || c > 57) break;
    digits++;
    if (significant > 0 || c !== 48) significant++;
    if (significant <= 15) mantissa = mantissa * 10 + (c - 48);
  }
  if (i < end && c === 46) {
    i++;
    for (; i < end; i++) {
      c = bytes[i] as number;
      if (c < 48 || c > 57) break;
      digits++;
      if (significant > 0 || c !== 48) significant++;
      if (significant <= 15) mantissa = mantissa * 10 + (c - 48);
      scale++;
    }
  }
  if (digits === 0) {
    parseSpecial(bytes, start, end, out);
    return;
  }
  let exponent = 0;
  if (i < end && (c === 101 || c === 69)) {
    i++;
    let sign = 1;
    if (i < end && (bytes[i] === 45 || bytes[i] === 43)) {
      if (bytes[i] === 45) sign = -1;
      i++;
    }
    const from = i;
    for (; i < end; i++) {
      c = bytes[i] as number;
      if (c < 48 || c > 57) break;
      if (exponent < 100_000) exponent = exponent * 10 + (c - 48);
    }
    if (i === from) {
      out.status = DECIMAL_SYNTAX;
      return;
    }
    exponent *= sign;
  }
  if (i !== end) {
    out.status = DECIMAL_SYNTAX;
    return;
  }
  const power = exponent - scale;
  if (significant <= 15 && power >= -22 && power <= 22) {
    const value = power < 0 ? mantissa / (POW10[-power] as number) : mantissa * (POW10[power] as number);
    out.value = negative ? -value : value;
    out.status = DECIMAL_OK;
    return;
  }
  const value = Number(ascii(bytes, start, end));
  out.value = value;
  out.status = Number.isFinite(value) ? DECIMAL_OK : DECIMAL_RANGE;
}

function parseSpecial(bytes: Uint8Array, start: number, end: number, out: DecimalResult): void {
  out.status = DECIMAL_OK;
  switch (end - start <= 9 ? ascii(bytes, start, end).toLowerCase() : "") {
    case "nan":
      out.value = Number.NaN;
      return;
    case "inf":
    case "+inf":
    case "infinity":
    case "+infinity":
      out.value = Number.POSITIVE_INFINITY;
      return;
    case "-inf":
    case "-infinity":
      out.value = Number.NEGATIVE_INFINITY;
      return;
    default:
      out.status = DECIMAL_SYNTAX;
  }
}

/** A decimal integer of at most 64 bits (Unix milliseconds), NaN when it is not one. Beyond 2^53 it is rounded. */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  const negative = i < end && bytes[i] === 45;
  if (negative || (i < end && bytes[i] === 43)) i++;
  if (i === end || end - i > 19) return Number.NaN;
  let value = 0;
  for (; i < end; i++) {
    const c = bytes[i] as number;
    if (c < 48 || c > 57) return Number.NaN;
    value = value * 10 + (c - 48);
  }
  return negative ? -value : value;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
