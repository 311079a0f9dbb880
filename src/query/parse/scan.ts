/** Characters, numbers and durations as the lexer tells them apart; all of them are ASCII. */
/** Whether the text at the start has the form, and where it ends; when not, where the first wrong character ends. */
export interface Scan {
  readonly ok: boolean;
  readonly end: number;
}

/** Digits with dots, exponents and underscores between them; whether the value is a number is checked later. */
export function scanNumber(text: string, start: number): Scan {
  let at = start;
  const is = (set: string): boolean => at < text.length && set.includes(text[at] as string);
  const accept = (set: string): boolean => {
    const found = is(set);
    if (found) at++;
    return found;
  };
  let digits = "0123456789";
  if (accept("0") && accept("xX")) {
    accept("_");
    digits = "0123456789abcdefABCDEF";
  }
  accept(".");
  accept(digits);
  let gotDot = false;
  let gotExponent = false;
  while (is(`${digits}._eE`)) {
    if ((gotDot && is(".")) || (gotExponent && is("eE"))) return { ok: false, end: at + 1 };
    if (accept(".")) {
      gotDot = true;
      if (accept("_.") || digits.length > 10) return { ok: false, end: at };
    } else if (accept("eE")) {
      gotExponent = true;
      accept("+-");
      if (accept("._eE") || at >= text.length) return { ok: false, end: at };
    } else if (accept("_")) {
      if (accept("._eE") || at >= text.length) return { ok: false, end: at };
    } else while (accept(digits));
  }
  return { ok: at > start && !isAlphanumeric(text.charCodeAt(at)), end: at };
}

/** What follows the first digits of a duration: a unit, then further pairs. */
export function scanDurationRest(text: string, start: number): Scan {
  const rest = /[smhdwy](s)?(?:[0-9]+[smhdw]s?)*/y;
  rest.lastIndex = start;
  const found = rest.exec(text);
  if (found === null) return { ok: false, end: start };
  let end = start + found[0].length;
  if (isDigit(text.charCodeAt(end))) {
    while (isDigit(text.charCodeAt(end))) end++;
    return { ok: false, end };
  }
  if (isAlphanumeric(text.charCodeAt(end))) return { ok: false, end: end + 1 };
  return { ok: true, end };
}

export function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d;
}

export function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

export function isAlpha(c: number): boolean {
  return c === 0x5f || (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a);
}

export function isAlphanumeric(c: number): boolean {
  return isAlpha(c) || isDigit(c);
}
