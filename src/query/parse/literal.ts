import { decodeUtf8Lossless } from "../../lib/go-quote.ts";

const ESCAPES: ReadonlyMap<string, number> = new Map([
  ["a", 7],
  ["b", 8],
  ["f", 12],
  ["n", 10],
  ["r", 13],
  ["t", 9],
  ["v", 11],
  ["\\", 92],
  ["'", 39],
  ['"', 34],
]);

/**
 * The value of a string token, whose form the lexer has checked. Bytes that are not UTF-8 (`"\xff"`) become stray bytes
 * (src/lib/go-quote.ts).
 */
export function unquoteString(token: string): string {
  const body = token.slice(1, -1);
  // Go drops carriage returns from raw strings, Prometheus does not.
  if (token.startsWith("`") || !body.includes("\\")) return body;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let i = 0; i < body.length; ) {
    const c = body[i] as string;
    if (c !== "\\") {
      let end = body.indexOf("\\", i);
      if (end < 0) end = body.length;
      bytes.push(...encoder.encode(body.slice(i, end)));
      i = end;
      continue;
    }
    const e = body[i + 1] as string;
    const simple = ESCAPES.get(e);
    if (simple !== undefined) {
      bytes.push(simple);
      i += 2;
    } else if (e === "x") {
      bytes.push(Number.parseInt(body.slice(i + 2, i + 4), 16));
      i += 4;
    } else if (e === "u" || e === "U") {
      const length = e === "u" ? 4 : 8;
      bytes.push(...encoder.encode(String.fromCodePoint(Number.parseInt(body.slice(i + 2, i + 2 + length), 16))));
      i += 2 + length;
    } else {
      bytes.push(Number.parseInt(body.slice(i + 1, i + 4), 8));
      i += 4;
    }
  }
  return decodeUtf8Lossless(Uint8Array.from(bytes));
}

const DIGITS = "\\d(?:_?\\d)*";
const FLOAT = new RegExp(`^(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`);
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * The value of a number token: decimal, 0x, leading-zero octal, underscores between digits, exponents, Inf and NaN.
 * A string is the reason why it is no number, in Go's words.
 */
export function parseNumber(text: string): number | string {
  const lower = text.toLowerCase();
  if (lower === "inf") return Number.POSITIVE_INFINITY;
  if (lower === "nan") return Number.NaN;
  const integer = parseInteger(lower);
  if (integer !== undefined) return integer;
  if (!FLOAT.test(lower)) return `strconv.ParseFloat: parsing "${text}": invalid syntax`;
  const value = Number(lower.replaceAll("_", ""));
  return Number.isFinite(value) ? value : `strconv.ParseFloat: parsing "${text}": value out of range`;
}

function parseInteger(lower: string): number | undefined {
  const plain = lower.replaceAll("_", "");
  let value: bigint;
  if (/^0x(_?[0-9a-f])+$/.test(lower)) value = BigInt(plain);
  else if (/^0(_?[0-7])+$/.test(lower)) value = BigInt(`0o${plain.slice(1)}`);
  else if (lower === "0" || /^[1-9](_?[0-9])*$/.test(lower)) value = BigInt(plain);
  else return undefined;
  return value <= MAX_INT64 ? Number(value) : undefined;
}
