/** Selectors: a metric name, matchers in braces, and what can follow an expression (ranges, `offset`, `@`, ...). */
import { formatFixed } from "../../lib/float-format.ts";
import { RegexError } from "../../lib/regex.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { compileMatcher, type Matcher, type MatchOp } from "../../model/matcher.ts";
import type { Expr, MatrixSelector, SubqueryExpr, VectorSelector } from "./ast.ts";
import { unquoteString } from "./literal.ts";
import {
  canStartDuration,
  literalMillis,
  parseAtSeconds,
  parseOffsetDuration,
  parsePositiveDuration,
  roundAway,
} from "./parse-duration.ts";
import {
  acceptToken,
  expectToken,
  failAt,
  failAtPos,
  inContext,
  type Parser,
  peekToken,
  peekType,
  posOf,
  setHeight,
  spendOnRegex,
  takeToken,
  unexpected,
} from "./parser-state.ts";
import type { Token } from "./token.ts";

/** A vector selector, at a metric name or an opening brace. */
export function parseVectorSelector(p: Parser): VectorSelector {
  const name = peekType(p) === "{" ? undefined : takeToken(p);
  const open = peekType(p) === "{" ? takeToken(p) : undefined;
  const matchers = open === undefined ? [] : parseMatchers(p);
  if (name !== undefined) matchers.push({ name: METRIC_NAME, op: "=", value: name.text });
  const start = (name ?? (open as Token)).start;
  p.height = 1;
  return {
    kind: "vectorSelector",
    pos: posOf(p, start, open === undefined ? (name as Token).end : p.lastClosing),
    name: name?.text ?? "",
    matchers,
    offset: 0,
  };
}

/** Behind the opening brace up to and with the closing one. */
function parseMatchers(p: Parser): Matcher[] {
  const out: Matcher[] = [];
  for (;;) {
    // Here at the start or behind a comma: one may stand before the closing brace.
    if (peekType(p) === "}") {
      takeToken(p);
      return out;
    }
    out.push(parseMatcher(p));
    const type = peekType(p);
    if (type === ",") takeToken(p);
    else if (type !== "}") unexpected(p, "label matching", '"," or "}"');
  }
}

function parseMatcher(p: Parser): Matcher {
  const token = peekToken(p);
  if (token.type !== "identifier" && token.type !== "string") {
    return unexpected(p, "label matching", 'identifier or "}"');
  }
  takeToken(p);
  const name = token.type === "string" ? unquoteString(token.text) : token.text;
  const op = peekType(p);
  if (op !== "=" && op !== "!=" && op !== "=~" && op !== "!~") {
    if (token.type === "string") return { name: METRIC_NAME, op: "=", value: name };
    return unexpected(p, "label matching", "label matching operator");
  }
  takeToken(p);
  if (peekType(p) !== "string") unexpected(p, "label matching", "string");
  const matcher: Matcher = { name, op: op as MatchOp, value: unquoteString(takeToken(p).text) };
  if (op === "=~" || op === "!~") spendOnRegex(p, token.start, matcher.value);
  try {
    compileMatcher(matcher);
  } catch (error) {
    if (error instanceof RegexError) failAt(p, token.start, error.message);
    throw error;
  }
  return matcher;
}

/** Everything that can follow an expression and binds tightest. */
export function parsePostfix(p: Parser, operand: Expr): Expr {
  let expr = operand;
  for (;;) {
    switch (peekType(p)) {
      case "[":
        expr = parseBrackets(p, expr);
        break;
      case "offset":
        expr = parseOffset(p, expr);
        break;
      case "@":
        expr = parseAt(p, expr);
        break;
      case "anchored":
      case "smoothed":
        expr = parseExtended(p, expr);
        break;
      default:
        return expr;
    }
  }
}

function parseBrackets(p: Parser, expr: Expr): MatrixSelector | SubqueryExpr {
  const open = takeToken(p);
  const context = ["subquery or range selector", "number, duration, step(), or range()"] as const;
  const { height } = p;
  const range = inContext(p, ...context, () => (canStartDuration(p) ? parsePositiveDuration(p) : unexpected(p)));
  const rangeMs = range.kind === "number" ? literalMillis(range) : 0;
  const rangeExpr = range.kind === "duration" ? { rangeExpr: range } : {};
  if (acceptToken(p, ":") === undefined) {
    const close = acceptToken(p, "]") ?? unexpected(p, "subquery or range", '":" or "]"');
    if (expr.kind !== "vectorSelector") return failAt(p, open.start, "ranges only allowed for vector selectors");
    if (expr.offset !== 0) failAt(p, open.start, "no offset modifiers allowed before range");
    if (typeof expr.at === "number") failAt(p, open.start, "no @ modifiers allowed before range");
    setHeight(p, height, expr.pos.start);
    const pos = { start: expr.pos.start, end: p.toBytes(close.end) };
    return { kind: "matrixSelector", pos, selector: expr, range: rangeMs, ...rangeExpr };
  }
  const step =
    peekType(p) === "]"
      ? undefined
      : inContext(p, "subquery selector", 'number, duration, step(), range(), or "]"', () =>
          canStartDuration(p) ? parsePositiveDuration(p) : unexpected(p),
        );
  const close = acceptToken(p, "]") ?? unexpected(p, "subquery selector", '"]"');
  setHeight(p, height, expr.pos.start);
  return {
    kind: "subquery",
    pos: { start: expr.pos.start, end: p.toBytes(close.end) },
    expr,
    range: rangeMs,
    ...rangeExpr,
    step: step?.kind === "number" ? literalMillis(step) : 0,
    ...(step?.kind === "duration" ? { stepExpr: step } : {}),
    offset: 0,
  };
}

/** The node that carries the time modifiers, as a copy with a change. */
function modify(p: Parser, expr: Expr, change: Partial<VectorSelector>): Expr {
  const pos = { start: expr.pos.start, end: p.toBytes(p.lastClosing) };
  if (expr.kind === "matrixSelector") return { ...expr, pos, selector: { ...expr.selector, ...change } };
  return { ...(expr as VectorSelector), pos, ...change };
}

function parseOffset(p: Parser, expr: Expr): Expr {
  takeToken(p);
  const { height } = p;
  const duration = inContext(p, "offset", "number, duration, step(), or range()", parseOffsetDuration);
  p.height = height;
  const node = modifiers(expr);
  if (node === undefined) {
    const message =
      "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
    return failAtPos(p, expr.pos, message);
  }
  if (node.offset !== 0 || node.offsetExpr !== undefined) {
    failAtPos(p, expr.pos, "offset may not be set multiple times");
  }
  return modify(p, expr, duration.kind === "number" ? { offset: literalMillis(duration) } : { offsetExpr: duration });
}

function parseAt(p: Parser, expr: Expr): Expr {
  takeToken(p);
  const { height } = p;
  const at = inContext(p, "@", "timestamp", () => {
    const type = peekType(p);
    if (type !== "start" && type !== "end") return parseAtSeconds(p);
    takeToken(p);
    expectToken(p, "(");
    expectToken(p, ")");
    return type;
  });
  p.height = height;
  // Go's int64 range of seconds.
  if (typeof at === "number" && !(Math.abs(at) < 2 ** 63)) {
    failAtPos(p, expr.pos, `timestamp out of bounds for @ modifier: ${formatFixed(at, 6)}`);
  }
  const node = modifiers(expr);
  if (node === undefined) {
    const message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
    return failAtPos(p, expr.pos, message);
  }
  if (node.at !== undefined) failAtPos(p, expr.pos, "@ <timestamp> may not be set multiple times");
  return modify(p, expr, { at: typeof at === "number" ? roundAway(at * 1000) + 0 : at });
}

function parseExtended(p: Parser, expr: Expr): Expr {
  const word = takeToken(p).type as "anchored" | "smoothed";
  if (expr.kind === "subquery") return failAtPos(p, expr.pos, `${word} modifier is not supported for subqueries`);
  const selector = expr.kind === "matrixSelector" ? expr.selector : expr;
  if (selector.kind !== "vectorSelector") return failAtPos(p, expr.pos, `${word} modifier not implemented`);
  if (word === "anchored" ? selector.smoothed : selector.anchored) {
    failAtPos(p, expr.pos, "anchored and smoothed modifiers cannot be used together");
  }
  const changed = { ...selector, [word]: true };
  return expr.kind === "matrixSelector" ? { ...expr, selector: changed } : changed;
}

/** The node with `offset` and `@` of an expression, undefined where these are not allowed. */
function modifiers(expr: Expr): VectorSelector | SubqueryExpr | undefined {
  if (expr.kind === "matrixSelector") return expr.selector;
  return expr.kind === "vectorSelector" || expr.kind === "subquery" ? expr : undefined;
}
