import { goQuote } from "../../lib/go-quote.ts";
import type { Pos } from "../parse/ast.ts";
import { type Annotations, inform } from "./annotations.ts";

/** What aggregations say of native histograms, in Prometheus's words. */

/** The aggregation is one of floats and has left histograms out. */
export function noteIgnored(notes: Annotations, op: string, pos: Pos): void {
  inform(notes, `ignored histogram in ${op} aggregation`, pos);
}

export function mixedSamples(): string {
  return "encountered a mix of histograms and floats for aggregation";
}

export function mixedSchemas(metric: string): string {
  const text = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
  return `${text} ${goQuote(metric)}`;
}

export function reconciledBounds(): string {
  return "mismatched custom buckets were reconciled during aggregation";
}

export function resetsCollide(): string {
  return "conflicting counter resets during histogram aggregation";
}
