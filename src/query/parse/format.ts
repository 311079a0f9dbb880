/** Expressions as text: one line as Prometheus prints them (rules, logs), or laid out over lines (`format_query`). */
import { formatDuration } from "../../lib/duration.ts";
import { formatFixed, formatFloat, formatFloatG } from "../../lib/float-format.ts";
import { goQuote } from "../../lib/go-quote.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { formatMatcher, isLegacyLabelName } from "../../model/matcher.ts";
import type {
  AggregateExpr,
  BinaryExpr,
  DurationExpr,
  Expr,
  NumberLiteral,
  SubqueryExpr,
  TimeModifiers,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";

/** One line. Parsing it again gives the same tree, positions and the order of matchers aside. */
export function formatExpr(expr: Expr): string {
  switch (expr.kind) {
    case "number":
      return formatNumber(expr);
    case "string":
      return goQuote(expr.value);
    case "vectorSelector":
      return formatSelector(expr) + formatAt(expr) + formatExtended(expr) + formatOffset(expr);
    case "matrixSelector": {
      const { selector } = expr;
      const range = formatDurationOr(expr.range, expr.rangeExpr);
      return `${formatSelector(selector)}[${range}]${formatExtended(selector)}${formatAt(selector)}${formatOffset(selector)}`;
    }
    case "subquery":
      return formatExpr(expr.expr) + subquerySuffix(expr);
    case "call":
      return `${expr.func}(${expr.args.map(formatExpr).join(", ")})`;
    case "aggregate": {
      const param = expr.param === undefined ? "" : `${formatExpr(expr.param)}, `;
      return `${aggregateHead(expr)}(${param}${formatExpr(expr.expr)})`;
    }
    case "binary":
      return `${withoutPlus(expr, formatExpr(expr.lhs))} ${operatorWithModifiers(expr)} ${formatExpr(expr.rhs)}`;
    case "unary":
      return expr.op + formatExpr(expr.expr);
    case "paren":
      return `(${formatExpr(expr.expr)})`;
    case "stepInvariant":
      return formatExpr(expr.expr);
    case "duration":
      return formatDurationExpr(expr);
  }
}

const LINE_LENGTH = 100;

/** Over several lines, indented by two spaces, where a part is longer than 100 characters. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0, new Map());
}

function pretty(expr: Expr, level: number, texts: Map<Expr, string>): string {
  const indent = "  ".repeat(level);
  const text = memo(expr, texts);
  if (expr.kind === "unary") return `${indent}${expr.op}${pretty(expr.expr, level, texts).trim()}`;
  if (expr.kind === "stepInvariant") return pretty(expr.expr, level, texts);
  // Prometheus does not indent a subquery that fits; the layouts are meant to be equal to the letter.
  if (byteLength(text) <= LINE_LENGTH) return expr.kind === "subquery" ? text : indent + text;
  const child = (e: Expr): string => pretty(e, level + 1, texts);
  switch (expr.kind) {
    case "aggregate": {
      const param = expr.param === undefined ? "" : `${child(expr.param)},\n`;
      return `${indent}${aggregateHead(expr)}(\n${param}${child(expr.expr)}\n${indent})`;
    }
    case "binary":
      return `${withoutPlus(expr, child(expr.lhs))}\n${indent}${operatorWithModifiers(expr)}\n${child(expr.rhs)}`;
    case "call":
      return `${indent}${expr.func}(\n${expr.args.map(child).join(",\n")}\n${indent})`;
    case "paren":
      return `${indent}(\n${child(expr.expr)}\n${indent})`;
    case "subquery":
      return pretty(expr.expr, level, texts) + subquerySuffix(expr);
    default:
      return indent + text;
  }
}

/** The one-line text of a node; children are asked for again and again, so it is kept. */
function memo(expr: Expr, texts: Map<Expr, string>): string {
  let text = texts.get(expr);
  if (text === undefined) {
    text = formatExpr(expr);
    texts.set(expr, text);
  }
  return text;
}

function byteLength(text: string): number {
  return text.length > LINE_LENGTH ? text.length : Buffer.byteLength(text);
}

function formatNumber(n: NumberLiteral): string {
  return n.duration ? formatDuration(Math.round(n.value * 1000)) : formatFloat(n.value);
}

/** A sign binds looser than `^`: infinity, printed with its sign, must lose it as the base of a power. */
function withoutPlus({ op, lhs }: BinaryExpr, text: string): string {
  return op === "^" && lhs.kind === "number" ? text.replace("+", "") : text;
}

function aggregateHead(a: AggregateExpr): string {
  if (a.without) return `${a.op} without (${formatLabels(a.grouping)}) `;
  return a.grouping.length > 0 ? `${a.op} by (${formatLabels(a.grouping)}) ` : a.op;
}

function formatLabels(labels: readonly string[]): string {
  return labels.map((label) => (isLegacyLabelName(label) ? label : goQuote(label))).join(", ");
}

function operatorWithModifiers(b: BinaryExpr): string {
  return b.op + (b.returnBool ? " bool" : "") + (b.matching === undefined ? "" : formatMatching(b.matching));
}

function formatMatching(m: VectorMatching): string {
  const grouped = m.card === "many-to-one" || m.card === "one-to-many";
  let out = "";
  if (m.labels.length > 0 || m.on || grouped) out += ` ${m.on ? "on" : "ignoring"} (${formatLabels(m.labels)})`;
  if (grouped) out += ` group_${m.card === "many-to-one" ? "left" : "right"} (${formatLabels(m.include)})`;
  if (m.fillLeft !== undefined && Object.is(m.fillLeft, m.fillRight))
    return `${out} fill (${formatFloatG(m.fillLeft)})`;
  if (m.fillLeft !== undefined) out += ` fill_left (${formatFloatG(m.fillLeft)})`;
  if (m.fillRight !== undefined) out += ` fill_right (${formatFloatG(m.fillRight)})`;
  return out;
}

/** Name and matchers, without modifiers. */
function formatSelector(s: VectorSelector): string {
  const isName = (name: string, op: string, value: string): boolean =>
    name === METRIC_NAME && op === "=" && value === s.name && value !== "";
  const matchers = s.matchers.filter((m) => !isName(m.name, m.op, m.value)).map(formatMatcher);
  return matchers.length === 0 && s.name !== "" ? s.name : `${s.name}{${matchers.sort().join(",")}}`;
}

function formatExtended(s: VectorSelector): string {
  return s.anchored ? " anchored" : s.smoothed ? " smoothed" : "";
}

function formatAt({ at }: TimeModifiers): string {
  if (at === undefined) return "";
  return typeof at === "number" ? ` @ ${formatFixed(at / 1000, 3)}` : ` @ ${at}()`;
}

function formatOffset({ offset, offsetExpr }: TimeModifiers): string {
  if (offsetExpr !== undefined) return ` offset ${formatExpr(offsetExpr)}`;
  return offset === 0 ? "" : ` offset ${formatDuration(offset)}`;
}

function subquerySuffix(s: SubqueryExpr): string {
  const step = s.step === 0 && s.stepExpr === undefined ? "" : formatDurationOr(s.step, s.stepExpr);
  return `[${formatDurationOr(s.range, s.rangeExpr)}:${step}]${formatAt(s)}${formatOffset(s)}`;
}

function formatDurationOr(ms: number, expr: Expr | undefined): string {
  return expr === undefined ? formatDuration(ms) : formatExpr(expr);
}

function formatDurationExpr(d: DurationExpr): string {
  const text = durationBody(d);
  return d.wrapped ? `(${text})` : text;
}

function durationBody({ op, args }: DurationExpr): string {
  const [a, b] = args.map((arg) => formatExpr(arg));
  switch (op) {
    case "step":
    case "range":
      return `${op}()`;
    case "min_of":
    case "max_of":
      return `${op}(${a}, ${b})`;
    case "neg":
      return `-${a}`;
    // Parentheses around a literal are not kept in the tree; a negative base of a power needs them back.
    case "^":
      return `${a?.startsWith("-") ? `(${a})` : a} ^ ${b}`;
    default:
      return `${a} ${op} ${b}`;
  }
}
