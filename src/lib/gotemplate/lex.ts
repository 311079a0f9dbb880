/** Tokens of Go's text/template language. Positions are offsets into the template's text. */
export type TokenType =
  | "text"
  | "open"
  | "close"
  | "field"
  | "variable"
  | "identifier"
  | "dot"
  | "string"
  | "number"
  | "char"
  | "pipe"
  | "declare"
  | "assign"
  | "comma"
  | "leftParen"
  | "rightParen"
  | "space";

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly at: number;
}

/** A template that cannot be read, or not be executed; the message names line and column. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TemplateError";
  }
}

/** `line:column` of an offset, 1-based. */
export function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  return `${before.length}:${(before.at(-1) as string).length + 1}`;
}

/** Throws `TemplateError`. `space` tokens separate the arguments of a command. */
export function lexTemplate(name: string, text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  const fail = (message: string, where = at): never => {
    throw new TemplateError(`template: ${name}:${placeIn(text, where)}: ${message}`);
  };
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    const end = open < 0 ? text.length : open;
    const trimsBefore = open >= 0 && /^\{\{-\s/.test(text.slice(open, open + 4));
    let literal = text.slice(at, end);
    if (trimNext) literal = literal.replace(/^[ \t\r\n]+/, "");
    if (trimsBefore) literal = literal.replace(/[ \t\r\n]+$/, "");
    if (literal !== "") tokens.push({ type: "text", text: literal, at });
    trimNext = false;
    if (open < 0) break;
    at = open + (trimsBefore ? 3 : 2);
    const comment = /^\s*\/\*/.exec(text.slice(at));
    if (comment !== null) {
      const stop = text.indexOf("*/", at + comment[0].length);
      if (stop < 0) fail("unclosed comment", open);
      const close = /^(\s+-)?\}\}/.exec(text.slice(stop + 2));
      if (close === null) return fail("comment ends before closing delimiter", open);
      at = stop + 2 + close[0].length;
      trimNext = close[1] !== undefined;
      continue;
    }
    tokens.push({ type: "open", text: "{{", at: open });
    at = lexAction(text, at, tokens, fail);
    trimNext = (tokens.at(-1) as Token).text === "-}}";
  }
  return tokens;
}

const PUNCTUATION: readonly (readonly [string, TokenType])[] = [
  [":=", "declare"],
  ["=", "assign"],
  ["|", "pipe"],
  [",", "comma"],
  ["(", "leftParen"],
  [")", "rightParen"],
];

/** Reads up to and including the closing delimiter; answers the offset behind it. */
function lexAction(
  text: string,
  start: number,
  tokens: Token[],
  fail: (message: string, at?: number) => never,
): number {
  let at = start;
  const take = (type: TokenType, length: number) => {
    tokens.push({ type, text: text.slice(at, at + length), at });
    at += length;
  };
  while (at < text.length) {
    const rest = text.slice(at);
    const close = /^(\s+-\}\}|\}\})/.exec(rest);
    if (close !== null) {
      const trims = close[0] !== "}}";
      tokens.push({ type: "close", text: trims ? "-}}" : "}}", at });
      return at + close[0].length;
    }
    const space = /^\s+/.exec(rest);
    if (space !== null) {
      take("space", space[0].length);
      continue;
    }
    const punctuation = PUNCTUATION.find(([p]) => rest.startsWith(p));
    if (punctuation !== undefined) {
      take(punctuation[1], punctuation[0].length);
      continue;
    }
    const string = /^"(?:[^"\\\n]|\\.)*"|^`[^`]*`/.exec(rest);
    if (string !== null) {
      take("string", string[0].length);
      continue;
    }
    if (rest[0] === '"') fail("unterminated quoted string", at);
    if (rest[0] === "`") fail("unterminated raw quoted string", at);
    const char = /^'(?:[^'\\\n]|\\.[0-9a-fA-F]*)'/u.exec(rest);
    if (char !== null) {
      take("char", char[0].length);
      continue;
    }
    const number =
      /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/.exec(
        rest,
      );
    if (number !== null && /\d/.test(number[0])) {
      if (/^[\p{L}\p{Nd}_]/u.test(rest.slice(number[0].length)))
        fail(`bad number syntax: ${JSON.stringify(number[0] + rest[number[0].length])}`, at);
      take("number", number[0].length);
      continue;
    }
    const word = /^([.$]?)([\p{L}_][\p{L}\p{Nd}_]*)/u.exec(rest);
    if (word !== null) {
      take(word[1] === "." ? "field" : word[1] === "$" ? "variable" : "identifier", word[0].length);
      continue;
    }
    if (rest[0] === "$") {
      take("variable", 1);
      continue;
    }
    if (rest[0] === ".") {
      take("dot", 1);
      continue;
    }
    const odd = String.fromCodePoint(text.codePointAt(at) as number);
    fail(`unrecognized character in action: ${JSON.stringify(odd)}`, at);
  }
  return fail("unclosed action", start);
}
