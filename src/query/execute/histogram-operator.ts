import { type Histogram, RESET_GAUGE } from "../../model/histogram.ts";
import { addHistogram, BOUNDS_RECONCILED, INCOMPATIBLE, RESET_COLLISION, subtractHistogram } from "../histogram/add.ts";
import { compactHistogram } from "../histogram/compact.ts";
import { sameHistogram } from "../histogram/compare.ts";
import { cloneHistogram } from "../histogram/copy.ts";
import { divideHistogram, multiplyHistogram } from "../histogram/scale.ts";
import { trimHistogram } from "../histogram/trim.ts";

/**
 * Operators on native histograms: what they make of two samples at least one of which is a histogram, and what they say of it,
 * as in Prometheus's promql/engine.go (vectorElemBinop). The histograms given stay as they are.
 */

/** What is to be said of a pair of samples, at the place of the operator. */
export interface OperatorNote {
  readonly severity: "warning" | "info";
  readonly text: string;
}

export type SampleKind = "float" | "histogram";

/** `none`: the operator has no result for the pair, and a comparison does not even have 0. */
export type PairResult =
  | { readonly kind: "histogram"; readonly histogram: Histogram; readonly note?: OperatorNote }
  | { readonly kind: "compared"; readonly holds: boolean }
  | { readonly kind: "none"; readonly note: OperatorNote };

/** Whether the operator trims histograms. */
export function isTrim(op: string): op is "</" | ">/" {
  return op === "</" || op === ">/";
}

export function negateHistogram(h: Histogram): Histogram {
  return multiplyHistogram(cloneHistogram(h), -1);
}

/** A histogram with a float on its right, or on its left; undefined where the operator has no result for them. */
export function withFloat(op: string, h: Histogram, float: number, floatOnLeft: boolean): Histogram | undefined {
  if (op === "*") return compactHistogram(multiplyHistogram(cloneHistogram(h), float), 0);
  if (floatOnLeft) return undefined;
  if (op === "/") return compactHistogram(divideHistogram(cloneHistogram(h), float), 0);
  return isTrim(op) ? trimHistogram(h, float, op === "</") : undefined;
}

/** Any two samples but two floats that the operator has a result for. */
export function operateOnPair(op: string, a: Histogram | number, b: Histogram | number): PairResult {
  if (typeof a !== "number" && typeof b !== "number") return operateOnHistograms(op, a, b);
  let histogram: Histogram | undefined;
  if (typeof a !== "number") histogram = withFloat(op, a, b as number, false);
  else if (typeof b !== "number") histogram = withFloat(op, b, a, true);
  if (histogram !== undefined) return { kind: "histogram", histogram };
  return { kind: "none", note: incompatibleTypes(kindOf(a), op, kindOf(b)) };
}

function kindOf(sample: Histogram | number): SampleKind {
  return typeof sample === "number" ? "float" : "histogram";
}

function operateOnHistograms(op: string, a: Histogram, b: Histogram): PairResult {
  switch (op) {
    case "==":
      return { kind: "compared", holds: sameHistogram(a, b) };
    case "!=":
      return { kind: "compared", holds: !sameHistogram(a, b) };
    case "+":
    case "-":
      return sumOfHistograms(op, a, b);
    default:
      return { kind: "none", note: incompatibleTypes("histogram", op, "histogram") };
  }
}

function sumOfHistograms(op: "+" | "-", a: Histogram, b: Histogram): PairResult {
  const sum = cloneHistogram(a);
  const flags = op === "+" ? addHistogram(sum, b) : subtractHistogram(sum, b);
  if ((flags & INCOMPATIBLE) !== 0) return { kind: "none", note: incompatibleBuckets(op) };
  // In Prometheus the warning takes the place of the result, which it has made.
  if ((flags & RESET_COLLISION) !== 0) return { kind: "none", note: conflictingResets(op) };
  if (op === "-") sum.resetHint = RESET_GAUGE;
  const histogram = compactHistogram(sum, 0);
  return (flags & BOUNDS_RECONCILED) === 0
    ? { kind: "histogram", histogram }
    : { kind: "histogram", histogram, note: reconciledBounds(op) };
}

/** The operator has no result for samples of these kinds. */
export function incompatibleTypes(left: SampleKind, op: string, right: SampleKind): OperatorNote {
  const text = `incompatible sample types encountered for binary operator "${op}": ${left} ${op} ${right}`;
  return { severity: "info", text };
}

function incompatibleBuckets(op: string): OperatorNote {
  return { severity: "warning", text: `incompatible bucket layout encountered for binary operator ${op}` };
}

function conflictingResets(op: "+" | "-"): OperatorNote {
  return { severity: "warning", text: `conflicting counter resets during histogram ${nameOf(op)}` };
}

function reconciledBounds(op: "+" | "-"): OperatorNote {
  return { severity: "info", text: `mismatched custom buckets were reconciled during ${nameOf(op)}` };
}

function nameOf(op: "+" | "-"): string {
  return op === "+" ? "addition" : "subtraction";
}
