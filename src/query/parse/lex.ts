/**
 * The lexer: one token at a time, so that an error further on never hides one that comes first. It has Prometheus's
 * modes (plain, inside braces, start of a duration in brackets), because they decide which error is reported.
 */
import { goQuote, goQuoteRune, goUnicodeRune } from "../../lib/go-quote.ts";
import { isAlpha, isAlphanumeric, isDigit, isSpace, scanDurationRest, scanNumber } from "./scan.ts";
import { type Token, type TokenType, wordType } from "./token.ts";

export interface Lexer {
  readonly text: string;
  /** Reports an error at a UTF-16 offset; does not return. */
  readonly fail: (offset: number, message: string) => never;
  at: number;
  parens: number;
  inBraces: boolean;
  inBrackets: boolean;
  /** In brackets, before the first number. */
  inDuration: boolean;
  gotColon: boolean;
  /** A duration was seen in these or earlier brackets; it decides only which error `[:` gets. */
  gotDuration: boolean;
}

export function makeLexer(text: string, fail: Lexer["fail"]): Lexer {
  return {
    text,
    fail,
    at: 0,
    parens: 0,
    inBraces: false,
    inBrackets: false,
    inDuration: false,
    gotColon: false,
    gotDuration: false,
  };
}

const END = -1;
const QUOTES = "\"'`";

/** The next token; comments and white space are skipped. At the end `eof`, again and again. */
export function nextToken(l: Lexer): Token {
  for (;;) {
    while (isSpace(peek(l))) l.at++;
    if (peek(l) !== 0x23 || (l.inDuration && l.inBrackets)) break;
    while (peek(l) !== END && peek(l) !== 0x0a && peek(l) !== 0x0d) l.at++;
  }
  if (l.inBraces) return lexInBraces(l);
  return l.inDuration ? lexDurationStart(l) : lexPlain(l);
}

function lexPlain(l: Lexer): Token {
  const c = peek(l);
  const start = l.at;
  if (c === END) {
    if (l.parens !== 0) l.fail(start, "unclosed left parenthesis");
    if (l.inBrackets) l.fail(start, "unclosed left bracket");
    return emit(l, "eof", 0);
  }
  if (isDigit(c) || (c === 0x2e && isDigit(charAt(l, 1)))) return lexNumberOrDuration(l);
  if (isAlpha(c) || c === 0x3a) return l.inBrackets ? lexWordInBrackets(l) : lexWord(l);
  const char = String.fromCharCode(c);
  if (QUOTES.includes(char)) return lexString(l);
  const next = charAt(l, 1);
  switch (char) {
    case ",":
    case "*":
    case "/":
    case "%":
    case "+":
    case "-":
    case "^":
    case "@":
      return emit(l, char, 1);
    case "=":
      if (next === 0x3d) return emit(l, "==", 2);
      if (next === 0x7e) l.fail(start, "unexpected character after '=': '~'");
      return emit(l, "=", 1);
    case "!":
      if (next !== 0x3d) l.fail(start, `unexpected character after '!': ${quoteRune(l, 1)}`);
      return emit(l, "!=", 2);
    case "<":
    case ">":
      if (next === 0x3d) return emit(l, `${char}=`, 2);
      return next === 0x2f ? emit(l, `${char}/`, 2) : emit(l, char, 1);
    case "(":
      l.parens++;
      return emit(l, "(", 1);
    case ")":
      return closeParen(l);
    case "{":
      l.inBraces = true;
      return emit(l, "{", 1);
    case "[":
      if (l.inBrackets) l.fail(start, "unexpected left bracket '['");
      l.inBrackets = true;
      l.inDuration = true;
      l.gotColon = false;
      return emit(l, "[", 1);
    case "]":
      if (!l.inBrackets) l.fail(start, "unexpected right bracket ']'");
      l.inBrackets = false;
      return emit(l, "]", 1);
    default:
      return l.fail(start, `unexpected character: ${quoteRune(l, 0)}`);
  }
}

/** From `[` to the first number. */
function lexDurationStart(l: Lexer): Token {
  const c = peek(l);
  const start = l.at;
  if (c === END) l.fail(start, "unexpected end of input in duration expression");
  if (isDigit(c) || (c === 0x2e && isDigit(charAt(l, 1)))) {
    l.gotDuration = true;
    l.inDuration = false;
    return lexNumberOrDuration(l);
  }
  const char = String.fromCharCode(c);
  switch (char) {
    case "]":
      l.inBrackets = false;
      l.inDuration = false;
      l.gotColon = false;
      return emit(l, "]", 1);
    case ":":
      if (!l.gotDuration) l.fail(start + 1, "unexpected colon before duration in duration expression");
      if (l.gotColon) l.fail(start + 1, "unexpected repeated colon in duration expression");
      l.gotColon = true;
      return emit(l, ":", 1);
    case "(":
      l.parens++;
      return emit(l, "(", 1);
    case ")":
      return closeParen(l);
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "^":
    case ",":
      return emit(l, char, 1);
    default: {
      const word = durationWord(l);
      if (word === undefined) l.fail(start, `unexpected character in duration expression: ${quoteRune(l, 0)}`);
      l.gotDuration = true;
      return emit(l, word, word.length);
    }
  }
}

function lexWordInBrackets(l: Lexer): Token {
  if (peek(l) === 0x3a) {
    if (l.gotColon) l.fail(l.at, "unexpected colon ':'");
    l.gotColon = true;
    return emit(l, ":", 1);
  }
  const word = durationWord(l);
  if (word === undefined) l.fail(l.at, `unexpected character: ${quoteRune(l, 0)}, expected ':'`);
  return emit(l, word, word.length);
}

/** `step`, `range`, `min_of` and `max_of` are the only words of duration expressions. */
function durationWord(l: Lexer): "step" | "range" | "min_of" | "max_of" | undefined {
  let end = l.at;
  while (isAlpha(l.text.charCodeAt(end))) end++;
  const word = l.text.slice(l.at, end).toLowerCase();
  return word === "step" || word === "range" || word === "min_of" || word === "max_of" ? word : undefined;
}

function closeParen(l: Lexer): Token {
  l.parens--;
  if (l.parens < 0) l.fail(l.at + 1, "unexpected right parenthesis ')'");
  return emit(l, ")", 1);
}

/** In braces there are no keywords. */
function lexInBraces(l: Lexer): Token {
  const c = peek(l);
  const start = l.at;
  if (c === END) l.fail(start, "unexpected end of input inside braces");
  if (isAlpha(c)) {
    let length = 1;
    while (isAlphanumeric(charAt(l, length))) length++;
    return emit(l, "identifier", length);
  }
  const char = String.fromCharCode(c);
  if (QUOTES.includes(char)) return lexString(l);
  const next = charAt(l, 1);
  switch (char) {
    case ",":
      return emit(l, ",", 1);
    case "=":
      return next === 0x7e ? emit(l, "=~", 2) : emit(l, "=", 1);
    case "!":
      if (next === 0x7e) return emit(l, "!~", 2);
      if (next === 0x3d) return emit(l, "!=", 2);
      return l.fail(start, `unexpected character after '!' inside braces: ${quoteRune(l, 1)}`);
    case "{":
      return l.fail(start, "unexpected left brace '{'");
    case "}":
      l.inBraces = false;
      return emit(l, "}", 1);
    default:
      return l.fail(start, `unexpected character inside braces: ${quoteRune(l, 0)}`);
  }
}

function lexWord(l: Lexer): Token {
  let length = 1;
  while (isAlphanumeric(charAt(l, length)) || charAt(l, length) === 0x3a) length++;
  const type = wordType(l.text.slice(l.at, l.at + length));
  if (type !== "fill" && type !== "fill_left" && type !== "fill_right") return emit(l, type, length);
  // These came late to the language: a metric of that name stays one unless an argument follows.
  let after = l.at + length;
  while (isSpace(l.text.charCodeAt(after))) after++;
  return emit(l, l.text[after] === "(" ? type : "identifier", length);
}

function lexNumberOrDuration(l: Lexer): Token {
  const number = scanNumber(l.text, l.at);
  if (number.ok) return emit(l, "number", number.end - l.at);
  const duration = scanDurationRest(l.text, number.end);
  if (duration.ok) return emit(l, "duration", duration.end - l.at);
  return l.fail(l.at, `bad number or duration syntax: ${goQuote(l.text.slice(l.at, duration.end))}`);
}

/** A quoted string; only its form is checked here, unquoteString makes its value. */
function lexString(l: Lexer): Token {
  const { text } = l;
  const quote = text[l.at] as string;
  const raw = quote === "`";
  for (let i = l.at + 1; ; i++) {
    const c = text[i];
    if (c === quote) return emit(l, "string", i + 1 - l.at);
    if (c === undefined) l.fail(l.at, raw ? "unterminated raw string" : "unterminated quoted string");
    if (c === "\n" && !raw) l.fail(l.at, "unterminated quoted string");
    if (c === "\ufffd" || !isPaired(text, i)) l.fail(l.at, "invalid UTF-8 rune");
    if (c === "\\" && !raw) i = checkEscape(l, i + 1, quote) - 1;
  }
}

/** Returns the offset behind the escape sequence whose first character after the backslash is at i. */
function checkEscape(l: Lexer, i: number, quote: string): number {
  const { text } = l;
  const c = text[i];
  if (c === undefined) l.fail(l.at, "escape sequence not terminated");
  if ("abfnrtv\\".includes(c) || c === quote) return i + 1;
  const octal = c >= "0" && c <= "7";
  const count = octal ? 3 : c === "x" ? 2 : c === "u" ? 4 : c === "U" ? 8 : 0;
  if (count === 0) l.fail(l.at, `unknown escape sequence ${goUnicodeRune(text.codePointAt(i) as number)}`);
  const from = octal ? i : i + 1;
  let value = 0;
  for (let k = from; k < from + count; k++) {
    const d = text[k];
    if (d === undefined) l.fail(l.at, "escape sequence not terminated");
    if (!(octal ? /[0-7]/ : /[0-9a-fA-F]/).test(d)) {
      l.fail(l.at, `illegal character ${goUnicodeRune(text.codePointAt(k) as number)} in escape sequence`);
    }
    value = value * (octal ? 8 : 16) + Number.parseInt(d, 16);
  }
  if (value > (count < 4 ? 255 : 0x10ffff) || (value >= 0xd800 && value < 0xe000)) {
    l.fail(l.at, "escape sequence is an invalid Unicode code point");
  }
  return from + count;
}

function isPaired(text: string, i: number): boolean {
  const c = text.charCodeAt(i);
  if (c < 0xd800 || c > 0xdfff) return true;
  const other = c < 0xdc00 ? text.charCodeAt(i + 1) : text.charCodeAt(i - 1);
  return c < 0xdc00 ? other >= 0xdc00 && other <= 0xdfff : other >= 0xd800 && other <= 0xdbff;
}

function emit(l: Lexer, type: TokenType, length: number): Token {
  const start = l.at;
  l.at += length;
  return { type, start, end: l.at, text: l.text.slice(start, l.at) };
}

function peek(l: Lexer): number {
  return charAt(l, 0);
}

function charAt(l: Lexer, ahead: number): number {
  return l.at + ahead < l.text.length ? l.text.charCodeAt(l.at + ahead) : END;
}

function quoteRune(l: Lexer, ahead: number): string {
  const c = l.text.codePointAt(l.at + ahead);
  return goQuoteRune(c ?? 0xfffd);
}
