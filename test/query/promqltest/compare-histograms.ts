import { CUSTOM_BUCKETS_SCHEMA, type Histogram, RESET_GAUGE } from "../../../src/model/histogram.ts";
import { bucketsOf, type WrittenHistogram } from "../../../src/query/notation/histogram-notation.ts";

/**
 * How much of the counter reset hints is compared, where a script writes one down: all of it, or only whether it is a gauge.
 * The hint of a counter depends on what the storage says of the samples before.
 */
export type HintCare = "all" | "gauge";

/** As Prometheus's tests compare: relative error below 1e-6, NaN equals NaN. */
export function near(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  if (a === 0 || b === 0 || Math.abs(a) + Math.abs(b) < 2 ** -1022) return Math.abs(a - b) < 1e-6 * 2 ** -1022;
  return Math.abs(a - b) / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < 1e-6;
}

/** Whether a histogram is the expected one as Prometheus's tests see it: empty buckets are as good as none. */
export function sameHistogram(expected: WrittenHistogram, got: Histogram, care: HintCare): boolean {
  const e = expected.histogram;
  if (e.schema !== got.schema || !near(e.count, got.count) || !near(e.sum, got.sum)) return false;
  if (e.schema === CUSTOM_BUCKETS_SCHEMA && !equalBounds(e.customBounds, got.customBounds)) return false;
  if (e.zeroThreshold !== got.zeroThreshold || !near(e.zeroCount, got.zeroCount)) return false;
  if (!sameBuckets(e.positiveSpans, e.positive, got.positiveSpans, got.positive)) return false;
  if (!sameBuckets(e.negativeSpans, e.negative, got.negativeSpans, got.negative)) return false;
  if (!expected.hintSet || e.resetHint === got.resetHint) return true;
  return care === "gauge" && e.resetHint !== RESET_GAUGE && got.resetHint !== RESET_GAUGE;
}

function equalBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

function sameBuckets(
  aSpans: readonly number[],
  a: readonly number[],
  bSpans: readonly number[],
  b: readonly number[],
): boolean {
  const x = populated(aSpans, a);
  const y = populated(bSpans, b);
  return x.length === y.length && x.every(([i, n], k) => i === y[k]?.[0] && near(n, y[k][1]));
}

function populated(spans: readonly number[], counts: readonly number[]): [index: number, count: number][] {
  return [...bucketsOf(spans, counts)].filter(([, n]) => n !== 0);
}

/** A histogram for messages: everything that is compared. */
export function showHistogram(h: Histogram): string {
  const side = (spans: readonly number[], counts: readonly number[]): string =>
    populated(spans, counts)
      .map(([i, n]) => `${i}:${n}`)
      .join(" ");
  const parts = [
    `schema:${h.schema} count:${h.count} sum:${h.sum} zero:${h.zeroCount}<=${h.zeroThreshold} hint:${h.resetHint}`,
    `positive[${side(h.positiveSpans, h.positive)}] negative[${side(h.negativeSpans, h.negative)}]`,
  ];
  return `{{${parts.join(" ")} bounds[${h.customBounds.join(" ")}]}}`;
}
