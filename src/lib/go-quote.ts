/**
 * Strings as Go's `%q` and strconv.Quote write them, which is how Prometheus quotes in errors, matchers and label sets.
 *
 * JavaScript strings cannot hold bytes that are not UTF-8, but PromQL literals can ("\xff"). Such a byte is carried as
 * the lone surrogate U+DC00 + byte; it is printed as the escape it came from.
 */
const NAMED: ReadonlyMap<number, string> = new Map([
  [7, "\\a"],
  [8, "\\b"],
  [12, "\\f"],
  [10, "\\n"],
  [13, "\\r"],
  [9, "\\t"],
  [11, "\\v"],
  [92, "\\\\"],
]);
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** True when Go's unicode.IsPrint holds: letters, marks, numbers, punctuation, symbols and the ASCII space. */
export function isPrintable(codePoint: number): boolean {
  if (codePoint < 0x80) return codePoint >= 0x20 && codePoint < 0x7f;
  return PRINTABLE.test(String.fromCodePoint(codePoint));
}

/** The string in double quotes. */
export function goQuote(text: string): string {
  let out = '"';
  for (const c of text) out += escapeChar(c.codePointAt(0) as number, 0x22);
  return `${out}"`;
}

/** One character in single quotes, as `%q` prints a rune. */
export function goQuoteRune(codePoint: number): string {
  return `'${escapeChar(isSurrogate(codePoint) ? 0xfffd : codePoint, 0x27)}'`;
}

/** `U+0041 'A'`, as `%#U` prints a rune; the quoted part only when it is printable. */
export function goUnicodeRune(codePoint: number): string {
  const c = isSurrogate(codePoint) ? 0xfffd : codePoint;
  const hex = c.toString(16).toUpperCase().padStart(4, "0");
  return isPrintable(c) ? `U+${hex} '${String.fromCodePoint(c)}'` : `U+${hex}`;
}

/** The surrogate that stands for a byte that is part of no UTF-8 sequence. */
export function strayByte(byte: number): string {
  return String.fromCharCode(0xdc00 + byte);
}

/** False when the string carries bytes that are not UTF-8. */
export function isValidUtf8(text: string): boolean {
  return text.isWellFormed();
}

/** Decodes UTF-8; bytes that are part of no sequence become stray bytes, so that nothing is lost. */
export function decodeUtf8Lossless(bytes: Uint8Array): string {
  try {
    return fatal.decode(bytes);
  } catch {
    let out = "";
    for (let i = 0; i < bytes.length; ) {
      const n = sequenceLength(bytes[i] as number);
      try {
        if (n === 0 || i + n > bytes.length) throw new TypeError();
        out += fatal.decode(bytes.subarray(i, i + n));
        i += n;
      } catch {
        out += strayByte(bytes[i] as number);
        i++;
      }
    }
    return out;
  }
}

const fatal = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

function isSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint <= 0xdfff;
}

function escapeChar(c: number, quote: number): string {
  if (c === quote) return `\\${String.fromCharCode(quote)}`;
  const named = NAMED.get(c);
  if (named !== undefined) return named;
  if (isSurrogate(c)) return c >= 0xdc80 && c <= 0xdcff ? hexEscape("\\x", c - 0xdc00, 2) : "\ufffd";
  if (isPrintable(c)) return String.fromCodePoint(c);
  if (c < 0x80) return hexEscape("\\x", c, 2);
  return c < 0x10000 ? hexEscape("\\u", c, 4) : hexEscape("\\U", c, 8);
}

function hexEscape(prefix: string, value: number, digits: number): string {
  return prefix + value.toString(16).padStart(digits, "0");
}
