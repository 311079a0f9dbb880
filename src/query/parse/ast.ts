/**
 * The PromQL syntax tree. Positions are offsets into the query text: `start` inclusive, `end` exclusive, in UTF-8 bytes
 * as Prometheus counts them. Durations are milliseconds. Names follow Prometheus's promql/parser/ast.go.
 */
import type { Matcher } from "../../model/matcher.ts";

export interface Pos {
  readonly start: number;
  readonly end: number;
}

export type ValueType = "scalar" | "vector" | "matrix" | "string" | "none";

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | Call
  | AggregateExpr
  | BinaryExpr
  | UnaryExpr
  | ParenExpr
  | StepInvariantExpr
  | DurationExpr;

export interface NumberLiteral {
  readonly kind: "number";
  readonly pos: Pos;
  readonly value: number;
  /** Written as a duration (`5m`), value in seconds. */
  readonly duration?: boolean;
}

export interface StringLiteral {
  readonly kind: "string";
  readonly pos: Pos;
  readonly value: string;
}

/** `offset` and `@`, shared by selectors and subqueries. */
export interface TimeModifiers {
  /** Milliseconds; positive looks into the past. */
  readonly offset: number;
  readonly offsetExpr?: Expr;
  /** `@ <unix ms>`, or `@ start()` / `@ end()`. */
  readonly at?: number | "start" | "end";
}

export interface VectorSelector extends TimeModifiers {
  readonly kind: "vectorSelector";
  readonly pos: Pos;
  /** The metric name as written before the braces, or "". */
  readonly name: string;
  /** All matchers, the name's included. */
  readonly matchers: readonly Matcher[];
  readonly anchored?: boolean;
  readonly smoothed?: boolean;
}

/** `selector[range]`. The modifiers stay on the inner vector selector, as in Prometheus. */
export interface MatrixSelector {
  readonly kind: "matrixSelector";
  readonly pos: Pos;
  readonly selector: VectorSelector;
  readonly range: number;
  readonly rangeExpr?: Expr;
}

export interface SubqueryExpr extends TimeModifiers {
  readonly kind: "subquery";
  readonly pos: Pos;
  readonly expr: Expr;
  readonly range: number;
  readonly rangeExpr?: Expr;
  /** 0: the default step. */
  readonly step: number;
  readonly stepExpr?: Expr;
}

export interface Call {
  readonly kind: "call";
  readonly pos: Pos;
  readonly func: string;
  readonly args: readonly Expr[];
}

export type AggregateOp =
  | "sum"
  | "avg"
  | "count"
  | "min"
  | "max"
  | "group"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "count_values"
  | "quantile"
  | "limitk"
  | "limit_ratio";

export interface AggregateExpr {
  readonly kind: "aggregate";
  readonly pos: Pos;
  readonly op: AggregateOp;
  readonly expr: Expr;
  readonly param?: Expr;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export type BinaryOp =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "^"
  | "atan2"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "and"
  | "or"
  | "unless"
  | "</"
  | ">/";

export interface VectorMatching {
  readonly card: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  readonly labels: readonly string[];
  /** True: `on (labels)`; false: `ignoring (labels)`. */
  readonly on: boolean;
  /** Labels of `group_left`/`group_right`. */
  readonly include: readonly string[];
  readonly fillLeft?: number;
  readonly fillRight?: number;
}

export interface BinaryExpr {
  readonly kind: "binary";
  readonly pos: Pos;
  readonly op: BinaryOp;
  readonly lhs: Expr;
  readonly rhs: Expr;
  /** `bool` after a comparison. */
  readonly returnBool: boolean;
  /** Only between two vectors. */
  readonly matching?: VectorMatching;
}

export interface UnaryExpr {
  readonly kind: "unary";
  readonly pos: Pos;
  readonly op: "+" | "-";
  readonly expr: Expr;
}

export interface ParenExpr {
  readonly kind: "paren";
  readonly pos: Pos;
  readonly expr: Expr;
}

/** Put in by the planner around what has the same value at every step. */
export interface StepInvariantExpr {
  readonly kind: "stepInvariant";
  readonly pos: Pos;
  readonly expr: Expr;
}

/** Arithmetic on durations (`[5m * 2]`, `step()`, `range()`, `min_of`, `max_of`); only below rangeExpr, stepExpr, offsetExpr. */
export interface DurationExpr {
  readonly kind: "duration";
  readonly pos: Pos;
  readonly op: "+" | "-" | "*" | "/" | "%" | "^" | "step" | "range" | "min_of" | "max_of" | "neg";
  readonly args: readonly Expr[];
  /** Written in parentheses (for printing). */
  readonly wrapped?: boolean;
}
