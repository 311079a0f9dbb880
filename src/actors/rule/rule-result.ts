import { isStillReading } from "../../model/backlog.ts";
import type { Histogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import type { InstantResult } from "../../model/query.ts";
import type { Reason } from "./absence.ts";
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

/** What the answer lacks: nothing (""), samples that are on their way alone, or a part of what is stored. */
export function lackOf({ partial, warnings }: Pick<InstantResult, "partial" | "warnings">): Reason {
  if (!partial) return "";
  // Others than those that are about the query itself say what is missing.
  const lacks = warnings.filter((warning) => !warning.startsWith("PromQL "));
  return lacks.length > 0 && lacks.every(isStillReading) ? "bus_lagging" : "shard_missing";
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
