import type { Histogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import type { InstantResult } from "../../model/query.ts";
import { RuleEvaluationError } from "./alert-rule.core.ts";

/** One sample of what a rule's or template's query answered. */
export interface ResultRow {
  readonly labels: Labels;
  readonly value: number | Histogram;
}

/** The samples of a vector or scalar. Throws `RuleEvaluationError` for what a rule cannot use. */
export function resultRows(result: InstantResult): ResultRow[] {
  if (result.type === "scalar") return [{ labels: [], value: result.value }];
  if (result.type === "vector") return vectorRows(result);
  throw new RuleEvaluationError("rule result is not a vector or scalar");
}

/** The samples of a vector. */
export function vectorRows(result: Extract<InstantResult, { type: "vector" }>): ResultRow[] {
  const { labels, values, present, histograms } = result;
  return labels.map((set, i) => {
    const value = values[i] as number;
    return { labels: set, value: present[i] === HISTOGRAM ? (histograms[value] as Histogram) : value };
  });
}

/** What `present` has where a histogram is (model/query.ts). */
const HISTOGRAM = 2;
