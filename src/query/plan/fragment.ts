import { isElementwise } from "../functions/elementwise.ts";
import type { Call, Expr, MatrixSelector, Pos, VectorSelector } from "../parse/ast.ts";
import { isSetOperator, typeOf } from "../parse/check.ts";
import type { RangeFunction } from "./shard-plan.ts";
import { unwrap } from "./step-invariant.ts";

/**
 * Which expressions run inside the shards: a selector, alone or through a range function, and whatever works on each sample
 * of that by itself. Everything else is evaluated in front over what the shards answer.
 */

/** Range functions of the shards, and which argument is the range; the others are scalars. */
const RANGE_ARGUMENT: ReadonlyMap<string, number> = new Map([
  ...[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "predict_linear",
    "changes",
    "resets",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "first_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "mad_over_time",
    "ts_of_min_over_time",
    "ts_of_max_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "double_exponential_smoothing",
  ].map((name) => [name, 0] as const),
  ["quantile_over_time", 1],
]);

export function isRangeFunction(func: string): func is RangeFunction {
  return RANGE_ARGUMENT.has(func);
}

/** The range argument of a call of a range function, parentheses taken off, and the scalar arguments. */
export function rangeArguments(call: Call): { range: Expr; scalars: Expr[] } {
  const at = RANGE_ARGUMENT.get(call.func) ?? 0;
  return { range: unwrap(call.args[at] as Expr), scalars: call.args.filter((_, i) => i !== at) };
}

/** The selector and the way from its samples to rows, outermost operation last. */
export interface FragmentShape {
  readonly selector: VectorSelector;
  readonly output: "value" | "timestamp" | "startTimestamp";
  readonly range?: { readonly call: Call; readonly matrix: MatrixSelector; readonly scalars: readonly Expr[] };
  readonly maps: readonly MapShape[];
}

export type MapShape =
  | { readonly kind: "function"; readonly func: string; readonly params: readonly Expr[]; readonly pos: Pos }
  | {
      readonly kind: "binary";
      readonly pos: Pos;
      readonly op: string;
      readonly scalar: Expr;
      readonly scalarOnLeft: boolean;
      readonly returnBool: boolean;
    };

/** The fragment that the expression is; undefined when the shards cannot evaluate it by themselves. */
export function fragmentOf(expr: Expr): FragmentShape | undefined {
  switch (expr.kind) {
    case "vectorSelector":
      return { selector: expr, output: "value", maps: [] };
    case "paren":
    case "stepInvariant":
      return fragmentOf(expr.expr);
    case "unary":
      return expr.op === "+"
        ? fragmentOf(expr.expr)
        : mapped(expr.expr, { kind: "function", func: "neg", params: [], pos: expr.pos });
    case "binary": {
      if (isSetOperator(expr.op) || expr.op === "</" || expr.op === ">/") return undefined;
      const left = typeOf(expr.lhs) === "scalar";
      if (left === (typeOf(expr.rhs) === "scalar")) return undefined;
      return mapped(left ? expr.rhs : expr.lhs, {
        kind: "binary",
        pos: expr.pos,
        op: expr.op,
        scalar: left ? expr.lhs : expr.rhs,
        scalarOnLeft: left,
        returnBool: expr.returnBool,
      });
    }
    case "call":
      return fragmentOfCall(expr);
    default:
      return undefined;
  }
}

function fragmentOfCall(call: Call): FragmentShape | undefined {
  if (isRangeFunction(call.func)) {
    const { range, scalars } = rangeArguments(call);
    if (range.kind !== "matrixSelector") return undefined;
    return { selector: range.selector, output: "value", range: { call, matrix: range, scalars }, maps: [] };
  }
  const [first, ...rest] = call.args;
  if (first === undefined) return undefined;
  if (call.func === "timestamp" || call.func === "start_timestamp") {
    const selector = unwrap(first);
    if (selector.kind !== "vectorSelector") return undefined;
    return { selector, output: call.func === "timestamp" ? "timestamp" : "startTimestamp", maps: [] };
  }
  if (!isElementwise(call.func)) return undefined;
  return mapped(first, { kind: "function", func: call.func, params: rest, pos: call.pos });
}

function mapped(inner: Expr, map: MapShape): FragmentShape | undefined {
  const fragment = fragmentOf(inner);
  return fragment === undefined ? undefined : { ...fragment, maps: [...fragment.maps, map] };
}
