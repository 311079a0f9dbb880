import { compileCost } from "../../lib/regex.ts";
import { QueryError } from "../../model/query.ts";
import type { Pos } from "./ast.ts";
import { type Lexer, makeLexer, nextToken } from "./lex.ts";
import { byteOffsets, parseError } from "./parse-error.ts";
import { describeToken, type Token, type TokenType } from "./token.ts";

/** Parentheses, calls and signs inside one another. Far beyond what people and dashboards write, well inside the stack. */
export const MAX_NESTING = 256;
/** Levels of the tree, which chains of operators make high too. Whatever walks the tree may recurse that deep. */
export const MAX_HEIGHT = 1000;

/**
 * What an unexpected token is reported against: the innermost construct of the grammar that has something to say about
 * it. It stays in force while nested expressions are parsed, as the error productions of Prometheus's grammar do.
 */
export interface ErrorContext {
  readonly where: string;
  readonly expected: string;
}

/** What a tenant's expressions may be; unlimited but for the heights above where nothing is said. */
export interface ParseLimits {
  /** Levels of the tree (limits.max_query_depth). */
  readonly maxDepth: number;
  /** Of all regular expressions together (limits.max_regex_cost). */
  readonly maxRegexCost: number;
}

export interface Parser {
  readonly text: string;
  readonly lexer: Lexer;
  /** The token looked at but not taken; lexed only when it is needed, so that errors come in order. */
  next: Token | undefined;
  context: ErrorContext | undefined;
  nesting: number;
  /** Tree height of the expression that was parsed last. */
  height: number;
  /** UTF-16 offset behind the last taken token that can end an expression. */
  lastClosing: number;
  readonly toBytes: (offset: number) => number;
  readonly limits: ParseLimits | undefined;
  /** Of the regular expressions so far. */
  regexCost: number;
}

export function makeParser(text: string, limits?: ParseLimits): Parser {
  const toBytes = byteOffsets(text);
  const lexer = makeLexer(text, (offset, message) => {
    throw parseError(text, toBytes(offset), message);
  });
  return {
    text,
    lexer,
    next: undefined,
    context: undefined,
    nesting: 0,
    height: 0,
    lastClosing: 0,
    toBytes,
    limits,
    regexCost: 0,
  };
}

export function peekToken(p: Parser): Token {
  p.next ??= nextToken(p.lexer);
  return p.next;
}

export function peekType(p: Parser): TokenType {
  return peekToken(p).type;
}

export function takeToken(p: Parser): Token {
  const token = peekToken(p);
  p.next = undefined;
  switch (token.type) {
    case "}":
    case ")":
    case "]":
    case "duration":
    case "number":
      p.lastClosing = token.end;
      break;
    default:
  }
  return token;
}

/** Takes the token when it has the type. */
export function acceptToken(p: Parser, type: TokenType): Token | undefined {
  return peekType(p) === type ? takeToken(p) : undefined;
}

/** Takes a token of the type, or reports what is there instead. */
export function expectToken(p: Parser, type: TokenType): Token {
  return acceptToken(p, type) ?? unexpected(p);
}

/** Reports the next token as unexpected, by default against the innermost context. */
export function unexpected(p: Parser, where?: string, expected?: string): never {
  const token = peekToken(p);
  const context = where === undefined ? p.context : { where, expected: expected ?? "" };
  let message = `unexpected ${describeToken(token)}`;
  if (context !== undefined) {
    if (context.where !== "") message += ` in ${context.where}`;
    if (context.expected !== "") message += `, expected ${context.expected}`;
  }
  return failAt(p, token.start, message);
}

/** Throws a parse error at a UTF-16 offset. */
export function failAt(p: Parser, offset: number, message: string): never {
  throw parseError(p.text, p.toBytes(offset), message);
}

/** Counts what a regular expression may cost, before it is compiled. Throws a parse error at a UTF-16 offset. */
export function spendOnRegex(p: Parser, offset: number, pattern: string): void {
  if (p.limits === undefined) return;
  p.regexCost += compileCost(pattern);
  const { maxRegexCost } = p.limits;
  if (p.regexCost <= maxRegexCost) return;
  const what = `the query's regular expressions cost ${p.regexCost} steps`;
  failAt(p, offset, `${what}, over the limit of ${maxRegexCost} (limits.max_regex_cost)`);
}

/** Throws a parse error at the start of a node. */
export function failAtPos(p: Parser, pos: Pos, message: string): never {
  throw parseError(p.text, pos.start, message);
}

/** Runs a part of the grammar with its own error context. */
export function inContext<T>(p: Parser, where: string, expected: string, parse: (p: Parser) => T): T {
  const outer = p.context;
  p.context = { where, expected };
  const out = parse(p);
  p.context = outer;
  return out;
}

/** Runs a part that can contain itself. */
export function nested<T>(p: Parser, parse: (p: Parser) => T): T {
  if (++p.nesting > MAX_NESTING) {
    failAt(p, peekToken(p).start, `expression is nested deeper than ${MAX_NESTING} levels`);
  }
  const out = parse(p);
  p.nesting--;
  return out;
}

/** Notes the height of a node over its highest child. */
export function setHeight(p: Parser, highestChild: number, start: number): void {
  p.height = highestChild + 1;
  const most = p.limits?.maxDepth ?? MAX_HEIGHT;
  if (p.height > most) {
    const what = `expression has more than ${most} levels of operators and calls (limits.max_query_depth)`;
    if (most < MAX_HEIGHT) throw parseError(p.text, start, what);
  }
  if (p.height > MAX_HEIGHT) {
    throw parseError(p.text, start, `expression has more than ${MAX_HEIGHT} levels of operators`);
  }
}

export function posOf(p: Parser, start: number, end: number): Pos {
  return { start: p.toBytes(start), end: p.toBytes(end) };
}

/** Any error that is not ours would be a defect: it is reported as one instead of taking the caller down. */
export function asQueryError(error: unknown): QueryError {
  if (error instanceof QueryError) return error;
  return new QueryError("internal", `the parser failed: ${error instanceof Error ? error.message : String(error)}`);
}
