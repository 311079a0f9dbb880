/** Expressions by operator precedence; what binds tighter than operators is in parse-selector.ts. */

import { goQuote } from "../../lib/go-quote.ts";
import type { AggregateExpr, AggregateOp, BinaryExpr, BinaryOp, Call, Expr, VectorMatching } from "./ast.ts";
import { FUNCTIONS } from "./functions.ts";
import { unquoteString } from "./literal.ts";
import { parseNumberLiteral } from "./parse-duration.ts";
import { parsePostfix, parseVectorSelector } from "./parse-selector.ts";
import {
  acceptToken,
  expectToken,
  failAt,
  inContext,
  nested,
  type Parser,
  peekToken,
  peekType,
  posOf,
  setHeight,
  takeToken,
  unexpected,
} from "./parser-state.ts";
import { canBeLabel, canBeMetric, isAggregator, type Token, type TokenType } from "./token.ts";

const POWER = 6;
/** `^` groups to the right, all others to the left. Signs bind as tight as `*`. */
const PRECEDENCE: ReadonlyMap<TokenType, number> = new Map<TokenType, number>([
  ["or", 1],
  ["and", 2],
  ["unless", 2],
  ...(["==", "!=", "<", "<=", ">", ">=", "</", ">/"] as const).map((op) => [op, 3] as const),
  ["+", 4],
  ["-", 4],
  ...(["*", "/", "%", "atan2"] as const).map((op) => [op, 5] as const),
  ["^", POWER],
]);

/** An expression of operators that bind at least as tight as `least`. */
export function parseExpression(p: Parser, least = 1): Expr {
  let lhs = parseUnary(p);
  let height = p.height;
  for (;;) {
    const token = peekToken(p);
    const precedence = PRECEDENCE.get(token.type) ?? 0;
    if (precedence < least || precedence === 0) break;
    takeToken(p);
    const modifiers = parseBinaryModifiers(p);
    const rhs = nested(p, () => parseExpression(p, token.type === "^" ? precedence : precedence + 1));
    const pos = { start: lhs.pos.start, end: rhs.pos.end };
    setHeight(p, Math.max(height, p.height), pos.start);
    height = p.height;
    lhs = { kind: "binary", pos, op: token.type as BinaryOp, lhs, rhs, ...modifiers };
  }
  p.height = height;
  return lhs;
}

function parseUnary(p: Parser): Expr {
  const type = peekType(p);
  if (type !== "+" && type !== "-") return parsePostfix(p, parsePrimary(p));
  const sign = takeToken(p);
  const operand = nested(p, () => parseExpression(p, POWER));
  const pos = { start: p.toBytes(sign.start), end: operand.pos.end };
  if (operand.kind === "number") return { ...operand, pos, value: type === "-" ? -operand.value : operand.value };
  setHeight(p, p.height, pos.start);
  return { kind: "unary", pos, op: type, expr: operand };
}

function parsePrimary(p: Parser): Expr {
  const token = peekToken(p);
  switch (token.type) {
    case "number":
    case "duration":
      return parseNumberLiteral(p);
    case "string":
      takeToken(p);
      p.height = 1;
      return { kind: "string", pos: posOf(p, token.start, token.end), value: unquoteString(token.text) };
    case "(":
      return parseParens(p);
    case "{":
      return parseVectorSelector(p);
    default:
  }
  if (!canBeMetric(token.type)) return unexpected(p);
  // What follows a word decides what it is: the text up to the next token is only white space and comments.
  const follower = followingType(p, token);
  if (isAggregator(token.type) && (follower === "(" || follower === "by" || follower === "without")) {
    return inContext(p, "aggregation", "", parseAggregate);
  }
  if (follower === "(" && isCallable(token.type)) return parseCall(p);
  return parseVectorSelector(p);
}

/** `(`, `by` or `without` right behind a word; anything else is undefined. Looks at the text, so no error comes early. */
function followingType(p: Parser, token: Token): "(" | "by" | "without" | undefined {
  const after = /(?:[ \t\r\n]|#[^\r\n]*)*(\(|[a-zA-Z_:][a-zA-Z0-9_:]*)?/y;
  after.lastIndex = token.end;
  const word = after.exec(p.text)?.[1]?.toLowerCase();
  return word === "(" || word === "by" || word === "without" ? word : undefined;
}

function isCallable(type: TokenType): boolean {
  switch (type) {
    case "identifier":
    case "start":
    case "end":
    case "step":
    case "range":
    case "min_of":
    case "max_of":
      return true;
    default:
      return false;
  }
}

function parseParens(p: Parser): Expr {
  const open = takeToken(p);
  const expr = nested(p, () => parseExpression(p));
  const close = expectToken(p, ")");
  const pos = posOf(p, open.start, close.end);
  setHeight(p, p.height, pos.start);
  return { kind: "paren", pos, expr };
}

function parseCall(p: Parser): Call {
  const word = takeToken(p);
  const name = word.type === "identifier" ? word.text : word.type;
  const { args, close } = parseArguments(p);
  if (!FUNCTIONS.has(name)) failAt(p, word.start, `unknown function with name ${goQuote(word.text)}`);
  return { kind: "call", pos: posOf(p, word.start, close.end), func: name, args };
}

function parseArguments(p: Parser): { args: Expr[]; close: Token } {
  expectToken(p, "(");
  const args: Expr[] = [];
  let highest = 0;
  if (peekType(p) !== ")") {
    for (;;) {
      args.push(nested(p, () => parseExpression(p)));
      highest = Math.max(highest, p.height);
      const comma = acceptToken(p, ",");
      if (comma === undefined) break;
      if (!canStartExpression(peekType(p))) {
        failAt(p, comma.start, "trailing commas not allowed in function call args");
      }
    }
  }
  const close = expectToken(p, ")");
  setHeight(p, highest, p.toBytes(close.start));
  return { args, close };
}

function canStartExpression(type: TokenType): boolean {
  switch (type) {
    case "number":
    case "duration":
    case "string":
    case "(":
    case "{":
    case "+":
    case "-":
      return true;
    default:
      return canBeMetric(type);
  }
}

function parseAggregate(p: Parser): AggregateExpr {
  const word = takeToken(p);
  const op = word.type as AggregateOp;
  let modifier = parseGrouping(p);
  const { args, close } = parseArguments(p);
  const { height } = p;
  let end = close.end;
  if (modifier === undefined) {
    modifier = parseGrouping(p);
    if (modifier !== undefined) end = p.lastClosing;
  }
  p.height = height;
  const [first, second] = args;
  if (first === undefined) return failAt(p, word.start, "no arguments for aggregate expression provided");
  const wanted = takesParameter(op) ? 2 : 1;
  if (args.length !== wanted) {
    const counts = `expected ${wanted}, got ${args.length}`;
    failAt(p, word.start, `wrong number of arguments for aggregate expression provided, ${counts}`);
  }
  return {
    kind: "aggregate",
    pos: posOf(p, word.start, end),
    op,
    expr: second ?? first,
    ...(second === undefined ? {} : { param: first }),
    grouping: modifier?.labels ?? [],
    without: modifier?.without ?? false,
  };
}

export function takesParameter(op: AggregateOp): boolean {
  switch (op) {
    case "topk":
    case "bottomk":
    case "count_values":
    case "quantile":
    case "limitk":
    case "limit_ratio":
      return true;
    default:
      return false;
  }
}

function parseGrouping(p: Parser): { labels: string[]; without: boolean } | undefined {
  const word = acceptToken(p, "by") ?? acceptToken(p, "without");
  return word === undefined ? undefined : { labels: parseLabelList(p), without: word.type === "without" };
}

/** `(a, b, "c d")`, with an optional comma at the end. */
function parseLabelList(p: Parser): string[] {
  if (acceptToken(p, "(") === undefined) unexpected(p, "grouping opts", '"("');
  const out: string[] = [];
  while (acceptToken(p, ")") === undefined) {
    const token = peekToken(p);
    if (!canBeLabel(token.type) && token.type !== "string") unexpected(p, "grouping opts", "label");
    takeToken(p);
    const label = token.type === "string" ? unquoteString(token.text) : token.text;
    if (label === "" || !label.isWellFormed()) {
      failAt(p, token.start, `invalid label name for grouping: ${goQuote(label)}`);
    }
    out.push(label);
    const type = peekType(p);
    if (type === ",") takeToken(p);
    else if (type !== ")") unexpected(p, "grouping opts", '"," or ")"');
  }
  return out;
}

/** `bool`, `on`/`ignoring` with `group_left`/`group_right`, and the fill values, behind a binary operator. */
function parseBinaryModifiers(p: Parser): Pick<BinaryExpr, "returnBool"> & { matching: VectorMatching } {
  const returnBool = acceptToken(p, "bool") !== undefined;
  let matching: VectorMatching = { card: "one-to-one", labels: [], on: false, include: [] };
  const clause = acceptToken(p, "on") ?? acceptToken(p, "ignoring");
  if (clause !== undefined) {
    matching = { ...matching, labels: parseLabelList(p), on: clause.type === "on" };
    const group = acceptToken(p, "group_left") ?? acceptToken(p, "group_right");
    if (group !== undefined) {
      const card = group.type === "group_left" ? "many-to-one" : "one-to-many";
      matching = { ...matching, card, include: peekType(p) === "(" ? parseLabelList(p) : [] };
    }
  }
  return { returnBool, matching: { ...matching, ...parseFill(p) } };
}

/** `fill (v)` for both sides, or `fill_left (v)` and `fill_right (v)` in any order. */
function parseFill(p: Parser): Pick<VectorMatching, "fillLeft" | "fillRight"> {
  if (acceptToken(p, "fill") !== undefined) {
    const value = parseFillValue(p);
    return { fillLeft: value, fillRight: value };
  }
  const first = acceptToken(p, "fill_left") ?? acceptToken(p, "fill_right");
  if (first === undefined) return {};
  const value = parseFillValue(p);
  const other = acceptToken(p, first.type === "fill_left" ? "fill_right" : "fill_left");
  const second = other === undefined ? undefined : parseFillValue(p);
  const [left, right] = first.type === "fill_left" ? [value, second] : [second, value];
  return { ...(left === undefined ? {} : { fillLeft: left }), ...(right === undefined ? {} : { fillRight: right }) };
}

function parseFillValue(p: Parser): number {
  expectToken(p, "(");
  const sign = acceptToken(p, "-") ?? acceptToken(p, "+");
  const type = peekType(p);
  if (type !== "number" && type !== "duration") unexpected(p);
  const { value } = parseNumberLiteral(p);
  expectToken(p, ")");
  return sign?.type === "-" ? -value : value;
}
