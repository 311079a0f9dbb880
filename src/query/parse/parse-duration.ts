/** Durations in brackets and after `offset`: literals, arithmetic, `step()`, `range()`, `min_of(a, b)`, `max_of(a, b)`. */
import { DurationError, parseDuration } from "../../lib/duration.ts";
import type { DurationExpr, NumberLiteral, Pos } from "./ast.ts";
import { parseNumber } from "./literal.ts";
import {
  acceptToken,
  expectToken,
  failAt,
  failAtPos,
  nested,
  type Parser,
  peekToken,
  peekType,
  posOf,
  setHeight,
  takeToken,
  unexpected,
} from "./parser-state.ts";
import type { Token } from "./token.ts";

export type DurationNode = NumberLiteral | DurationExpr;

/** Seconds that fit Go's int64 nanoseconds. */
const MAX_SECONDS = 2 ** 63 / 1e9;

const PRECEDENCE: Readonly<Record<string, number>> = { "+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3 };
const UNARY_OPERAND = 3;

/** A number or duration token as a literal of seconds. */
export function parseNumberLiteral(p: Parser): NumberLiteral {
  const token = takeToken(p);
  const pos = posOf(p, token.start, token.end);
  p.height = 1;
  if (token.type === "number") {
    const value = parseNumber(token.text);
    if (typeof value === "string") return failAt(p, token.start, `error parsing number: ${value}`);
    return { kind: "number", pos, value };
  }
  try {
    return { kind: "number", pos, value: parseDuration(token.text) / 1000, duration: true };
  } catch (error) {
    if (error instanceof DurationError) failAt(p, token.start, error.message);
    throw error;
  }
}

/** Whole milliseconds of a literal in seconds, by way of nanoseconds as in Prometheus. */
export function literalMillis(literal: NumberLiteral): number {
  return Math.trunc(roundAway(literal.value * 1e9) / 1e6) + 0;
}

/** Rounds half away from zero, as Go does. */
export function roundAway(v: number): number {
  return Math.sign(v) * Math.round(Math.abs(v));
}

/** A range or step: anything, but a literal must be above zero. */
export function parsePositiveDuration(p: Parser): DurationNode {
  const node = parseDurationExpr(p, 0);
  peekToken(p);
  if (node.kind === "number" && !(node.value > 0)) failAtPos(p, node.pos, "duration must be greater than 0");
  return node;
}

export function canStartDuration(p: Parser): boolean {
  switch (peekType(p)) {
    case "number":
    case "duration":
    case "+":
    case "-":
    case "(":
    case "step":
    case "range":
    case "min_of":
    case "max_of":
      return true;
    default:
      return false;
  }
}

/**
 * After `offset`: one operand with an optional sign; what follows belongs to the expression outside (`x offset 5m + 2`
 * is a sum). An operand in parentheses without a sign, or with two, starts a whole duration expression instead: that is
 * how Prometheus's grammar resolves its conflict, and queries may depend on it.
 */
export function parseOffsetDuration(p: Parser): DurationNode {
  const type = peekType(p);
  if (type === "(") return parseDurationExpr(p, 0);
  if (type !== "+" && type !== "-") return parseOperand(p);
  const sign = takeToken(p);
  const next = peekType(p);
  if (next !== "+" && next !== "-") return applySign(p, sign, parseOperand(p));
  return parseDurationExpr(p, 0, applySign(p, sign, parseDurationExpr(p, UNARY_OPERAND - 1)));
}

function parseDurationExpr(p: Parser, least: number, first?: DurationNode): DurationNode {
  return nested(p, () => {
    let lhs = first ?? parseSigned(p);
    let height = p.height;
    for (;;) {
      const token = peekToken(p);
      const precedence = PRECEDENCE[token.type] ?? 0;
      if (precedence <= least) break;
      takeToken(p);
      const rhs = parseDurationExpr(p, token.type === "^" ? precedence - 1 : precedence);
      const op = token.type as "+" | "-" | "*" | "/" | "%" | "^";
      if ((op === "/" || op === "%") && rhs.kind === "number" && rhs.value === 0) {
        failAt(p, token.start, op === "/" ? "division by zero" : "modulo by zero");
      }
      const pos: Pos = { start: lhs.pos.start, end: rhs.pos.end };
      setHeight(p, Math.max(height, p.height), pos.start);
      height = p.height;
      lhs = { kind: "duration", pos, op, args: [lhs, rhs] };
    }
    p.height = height;
    return lhs;
  });
}

function parseSigned(p: Parser): DurationNode {
  const type = peekType(p);
  if (type !== "+" && type !== "-") return parseOperand(p);
  const sign = takeToken(p);
  // A sign binds as tight as `*`, so only `^` is part of its operand.
  return applySign(p, sign, parseDurationExpr(p, UNARY_OPERAND - 1));
}

function parseOperand(p: Parser): DurationNode {
  switch (peekType(p)) {
    case "number":
    case "duration": {
      const literal = parseNumberLiteral(p);
      checkRange(p, literal, literal.pos);
      return literal;
    }
    case "step":
    case "range": {
      const word = takeToken(p);
      expectToken(p, "(");
      const close = expectToken(p, ")");
      p.height = 1;
      return { kind: "duration", pos: posOf(p, word.start, close.end), op: word.type as "step" | "range", args: [] };
    }
    case "min_of":
    case "max_of": {
      const word = takeToken(p);
      expectToken(p, "(");
      const a = parseDurationExpr(p, 0);
      const height = p.height;
      expectToken(p, ",");
      const b = parseDurationExpr(p, 0);
      const close = expectToken(p, ")");
      const pos = posOf(p, word.start, close.end);
      setHeight(p, Math.max(height, p.height), pos.start);
      return { kind: "duration", pos, op: word.type as "min_of" | "max_of", args: [a, b] };
    }
    case "(": {
      takeToken(p);
      const inner = parseDurationExpr(p, 0);
      expectToken(p, ")");
      return inner.kind === "duration" ? { ...inner, wrapped: true } : inner;
    }
    default:
      return unexpected(p);
  }
}

function applySign(p: Parser, sign: Token, operand: DurationNode): DurationNode {
  const start = p.toBytes(sign.start);
  const pos: Pos = { start, end: operand.pos.end };
  if (operand.kind === "number") {
    const literal = { ...operand, pos, value: sign.type === "-" ? -operand.value : operand.value };
    checkRange(p, literal, pos);
    return literal;
  }
  if (sign.type === "+") return operand;
  setHeight(p, p.height, start);
  return { kind: "duration", pos, op: "neg", args: [operand] };
}

function checkRange(p: Parser, literal: NumberLiteral, pos: Pos): void {
  if (Math.abs(literal.value) > MAX_SECONDS) failAtPos(p, pos, "duration out of range");
}

/** The time after `@`: a number or duration with an optional sign, in seconds. */
export function parseAtSeconds(p: Parser): number {
  const sign = acceptToken(p, "-") ?? acceptToken(p, "+");
  const type = peekType(p);
  if (type !== "number" && type !== "duration") unexpected(p);
  const { value } = parseNumberLiteral(p);
  return sign?.type === "-" ? -value : value;
}
