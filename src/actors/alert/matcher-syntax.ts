import { goQuote } from "../../lib/go-quote.ts";
import { compileMatcher, type Matcher, type MatchOp } from "../../model/matcher.ts";

/**
 * Alertmanager's matchers as text: `severity="page", team=~"a|b"`, with or without braces.
 *
 * Two syntaxes are in use. The UTF-8 one (names and values are quoted, or free of reserved characters) is tried first, then
 * the classic one, where an unquoted value may hold nearly anything; what only the classic one accepts is still accepted.
 */
export class MatcherSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MatcherSyntaxError";
  }
}

/** Throws `MatcherSyntaxError`. */
export function parseMatchers(text: string): Matcher[] {
  let matchers: Matcher[];
  try {
    matchers = parseUtf8(text);
  } catch (error) {
    if (!(error instanceof MatcherSyntaxError)) throw error;
    try {
      matchers = parseClassic(text);
    } catch {
      throw error;
    }
  }
  for (const m of matchers) {
    try {
      compileMatcher(m);
    } catch (e) {
      throw new MatcherSyntaxError(`bad regular expression ${goQuote(m.value)}: ${(e as Error).message}`);
    }
  }
  return matchers;
}

/** One matcher without braces, as a filter of the API. In the classic syntax its value may hold commas. Throws `MatcherSyntaxError`. */
export function parseMatcher(text: string): Matcher {
  if (text.startsWith("{") || text.endsWith("}")) {
    throw new MatcherSyntaxError(`unexpected open or close brace: ${text}`);
  }
  const matcher = parseUtf8Alone(text) ?? parseClassicOne(text);
  try {
    compileMatcher(matcher);
  } catch (e) {
    throw new MatcherSyntaxError(`bad regular expression ${goQuote(matcher.value)}: ${(e as Error).message}`);
  }
  return matcher;
}

/** undefined when the text is not one matcher in the UTF-8 syntax. */
function parseUtf8Alone(text: string): Matcher | undefined {
  try {
    const matchers = parseUtf8(text);
    return matchers.length === 1 ? matchers[0] : undefined;
  } catch (error) {
    if (!(error instanceof MatcherSyntaxError)) throw error;
    return undefined;
  }
}

const OPERATORS: readonly MatchOp[] = ["=~", "!~", "!=", "="];

function parseUtf8(text: string): Matcher[] {
  const out: Matcher[] = [];
  let at = 0;
  const skip = () => {
    while (at < text.length && /\s/.test(text[at] as string)) at++;
  };
  const fail = (expected: string): never => {
    const found = at < text.length ? goQuote(text[at] as string) : "end of input";
    throw new MatcherSyntaxError(`${at}: expected ${expected}, found ${found}`);
  };
  const word = (what: string): string => {
    skip();
    if (text[at] === '"') {
      const quoted = /^"(?:[^"\\\n]|\\.)*"/su.exec(text.slice(at));
      if (quoted === null) return fail("a closing quote");
      at += quoted[0].length;
      return unquote(quoted[0]);
    }
    const plain = /^[^\s{}!=~,"'`\\]+/u.exec(text.slice(at));
    if (plain === null) return fail(what);
    at += plain[0].length;
    return plain[0];
  };
  skip();
  const braced = text[at] === "{";
  if (braced) at++;
  skip();
  while (at < text.length && text[at] !== "}") {
    const name = word("a label name");
    skip();
    const op = OPERATORS.find((o) => text.startsWith(o, at));
    if (op === undefined) return fail("one of '=', '!=', '=~' or '!~'");
    at += op.length;
    out.push({ name, op, value: word("a label value") });
    skip();
    if (text[at] === ",") at++;
    else if (at < text.length && text[at] !== "}") return fail("a comma");
    skip();
  }
  if (braced) {
    if (text[at] !== "}") return fail("a closing brace");
    at++;
    skip();
  }
  if (at < text.length) return fail("the end");
  return out;
}

function parseClassic(text: string): Matcher[] {
  let body = text.trim();
  if (body.startsWith("{")) body = body.slice(1);
  if (body.endsWith("}")) body = body.slice(0, -1);
  const parts: string[] = [];
  let part = "";
  let quoted = false;
  for (let i = 0; i < body.length; i++) {
    const c = body[i] as string;
    if (c === "\\" && quoted) {
      part += c + (body[++i] ?? "");
      continue;
    }
    if (c === '"') quoted = !quoted;
    if (c === "," && !quoted) {
      parts.push(part);
      part = "";
    } else part += c;
  }
  if (part.trim() !== "" || parts.length === 0) parts.push(part);
  if (parts.length === 1 && (parts[0] as string).trim() === "") return [];
  return parts.map(parseClassicOne);
}

function parseClassicOne(text: string): Matcher {
  const m = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*$/su.exec(text);
  if (m === null) throw new MatcherSyntaxError(`bad matcher format: ${text}`);
  const raw = m[3] as string;
  const open = raw.startsWith('"');
  if (open !== (raw.length > 1 && raw.endsWith('"')))
    throw new MatcherSyntaxError(`matcher value contains unescaped double quote: ${raw}`);
  const inner = open ? raw.slice(1, -1) : raw;
  if (/(?<!\\)(?:\\\\)*"/u.test(inner)) {
    throw new MatcherSyntaxError(`matcher value contains unescaped double quote: ${raw}`);
  }
  return {
    name: m[1] as string,
    op: m[2] as MatchOp,
    value: inner.replace(/\\([\\"n])/gu, (_, c) => (c === "n" ? "\n" : c)),
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

/** Undoes the escapes of a double-quoted word. */
function unquote(word: string): string {
  return word.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gsu, (_, e: string) => {
    if (e.length > 1) return String.fromCodePoint(Number.parseInt(e.slice(1), 16));
    const c = ESCAPES[e];
    if (c === undefined) throw new MatcherSyntaxError(`invalid escape \\${e} in ${word}`);
    return c;
  });
}

/** `{a="b",c=~"d"}`, as Alertmanager writes a route's matchers into the group key. */
export function formatMatchers(matchers: readonly Matcher[]): string {
  return `{${matchers.map(formatOne).join(",")}}`;
}

function formatOne(m: Matcher): string {
  const name = /[\s{}!=~,\\"'`]/u.test(m.name) ? goQuote(m.name) : m.name;
  const value = m.value.replace(/[\\"\n]/gu, (c) => (c === "\n" ? "\\n" : `\\${c}`));
  return `${name}${m.op}"${value}"`;
}
