import { isPartialOp } from "../../query/execute/aggregate.ts";
import type { Expr, MatrixSelector, VectorSelector } from "../../query/parse/ast.ts";
import { typeOf } from "../../query/parse/check.ts";
import { formatExpr } from "../../query/parse/format.ts";
import { fragmentOf } from "../../query/plan/fragment.ts";
import { isStepInvariant } from "../../query/plan/step-invariant.ts";

/** Where a part of a query runs; "merged": a partial aggregate in the shards, put together in front. */
export type Place = "shards" | "merged" | "front";

/** What a selector reads: its own matchers, and the window around the evaluation times. Durations in ms. */
export interface SelectorRead {
  readonly selector: VectorSelector;
  /** Added to the span of the evaluation times. */
  readonly range: number;
  /** The window lies this much before the evaluation time. */
  readonly offset: number;
  /** Unix ms, instead of the evaluation time. */
  readonly at?: number | "start" | "end";
}

export interface PlanNode {
  /** The node's text with `…` for what stands below it. */
  readonly text: string;
  readonly place: Place;
  /** Evaluated once for all steps. */
  readonly once: boolean;
  readonly read?: SelectorRead;
  readonly children: readonly PlanNode[];
}

/** What is left out of a node's text. */
const HOLE: Expr = { kind: "vectorSelector", pos: { start: 0, end: 0 }, name: "…", matchers: [], offset: 0 };

/** Windows above a selector: subqueries widen and move what it reads. */
interface Window {
  readonly range: number;
  readonly offset: number;
  readonly at?: number | "start" | "end";
}

/**
 * A checked expression as the engine runs it: what the shards evaluate by themselves, what is merged, what runs in front
 * (query/plan/fragment.ts decides). `lookback` (ms) is how far a plain selector looks back.
 */
export function planTree(expr: Expr, lookback: number): PlanNode {
  return node(expr, false, false, { range: 0, offset: 0 }, lookback);
}

function node(expr: Expr, inShards: boolean, isOnce: boolean, window: Window, lookback: number): PlanNode {
  if (expr.kind === "paren" || expr.kind === "stepInvariant")
    return node(expr.expr, inShards, isOnce, window, lookback);
  const shards = inShards || (typeOf(expr) === "vector" && fragmentOf(expr) !== undefined);
  const once = !isOnce && isStepInvariant(expr);
  const child = (e: Expr, within = window): PlanNode => {
    // Scalars beside a fragment are evaluated in front and sent along.
    const below = shards && typeOf(e) !== "scalar";
    return node(e, below, isOnce || once, within, lookback);
  };
  const make = (text: Expr, children: readonly PlanNode[], place: Place = shards ? "shards" : "front"): PlanNode => {
    return { text: formatExpr(text), place, once, children };
  };
  switch (expr.kind) {
    case "vectorSelector":
    case "matrixSelector":
      return { ...make(expr, [], "shards"), read: readOf(expr, window, lookback) };
    case "unary":
      return make({ ...expr, expr: HOLE }, [child(expr.expr)]);
    case "subquery": {
      const at = expr.at ?? window.at;
      // What stands above does not matter to a fixed time.
      const above = expr.at === undefined ? window : { range: 0, offset: 0 };
      const range = above.range + expr.range;
      const within = { range, offset: above.offset + expr.offset, ...(at === undefined ? {} : { at }) };
      return make({ ...expr, expr: HOLE }, [child(expr.expr, within)]);
    }
    case "binary": {
      const [left, right] = [expr.lhs, expr.rhs].map((e) => (isLiteral(e) ? e : HOLE)) as [Expr, Expr];
      const children = [expr.lhs, expr.rhs].filter((e) => !isLiteral(e)).map((e) => child(e));
      return make({ ...expr, lhs: left, rhs: right }, children);
    }
    case "call": {
      const args = expr.args.map((e) => (isLiteral(e) ? e : HOLE));
      const children = expr.args.filter((e) => !isLiteral(e)).map((e) => child(e));
      return make({ ...expr, args }, children);
    }
    case "aggregate": {
      const { param } = expr;
      const own = param === undefined || isLiteral(param) ? [] : [child(param)];
      const isPartial = isPartialOp(expr.op) && fragmentOf(expr.expr) !== undefined;
      const text = { ...expr, expr: HOLE, ...(own.length > 0 ? { param: HOLE } : {}) };
      return make(text, [...own, child(expr.expr)], isPartial ? "merged" : "front");
    }
    default:
      return make(expr, []);
  }
}

function isLiteral(e: Expr): boolean {
  return e.kind === "number" || e.kind === "string" || (e.kind === "unary" && isLiteral(e.expr));
}

function readOf(expr: VectorSelector | MatrixSelector, window: Window, lookback: number): SelectorRead {
  const selector = expr.kind === "matrixSelector" ? expr.selector : expr;
  const own = expr.kind === "matrixSelector" ? expr.range : lookback;
  const { offset, at = window.at } = selector;
  if (selector.at !== undefined) return { selector, range: own, offset, at: selector.at };
  const read = { selector, range: own + window.range, offset: offset + window.offset };
  return at === undefined ? read : { ...read, at };
}

/** All selectors of a tree, in the order of the text. */
export function readsOf(tree: PlanNode): SelectorRead[] {
  return [...(tree.read === undefined ? [] : [tree.read]), ...tree.children.flatMap(readsOf)];
}
