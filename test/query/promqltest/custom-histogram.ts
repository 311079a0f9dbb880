import { CUSTOM_BUCKETS_SCHEMA, makeHistogram } from "../../../src/model/histogram.ts";
import { spansOf, type WrittenHistogram } from "../../../src/query/notation/histogram-notation.ts";

/** A classic histogram at one time. */
export interface ClassicHistogram {
  /** Cumulative counts by upper bound. */
  readonly buckets: Map<number, number>;
  count?: number;
  sum: number;
}

/** The first count of a bucket stays. */
export function setBucket(h: ClassicHistogram, bound: number, count: number): void {
  if (!h.buckets.has(bound)) h.buckets.set(bound, count);
}

/**
 * A classic histogram as one with custom buckets, as Prometheus converts them: without a count it is that of the last bucket,
 * without a bucket up to +Inf the count is. Throws on counts that are negative, not cumulative or do not fit together.
 */
export function customHistogram(classic: ClassicHistogram): WrittenHistogram {
  const buckets = [...classic.buckets].sort(([a], [b]) => a - b);
  const last = buckets.at(-1);
  const count = classic.count ?? last?.[1];
  if (count === undefined) throw new Error("count must be provided when no buckets are present");
  if (last?.[0] !== Number.POSITIVE_INFINITY) buckets.push([Number.POSITIVE_INFINITY, count]);
  const h = makeHistogram();
  h.float = true;
  h.schema = CUSTOM_BUCKETS_SCHEMA;
  h.count = count;
  h.sum = classic.sum;
  h.customBounds = buckets.slice(0, -1).map(([bound]) => bound);
  const counts = new Map<number, number>();
  let before = 0;
  buckets.forEach(([bound, n], i) => {
    if (!(n >= before)) throw new Error(`count is not cumulative: ${n} up to ${bound}, ${before} before`);
    if (n > before) counts.set(i, n - before);
    before = n;
  });
  if (count !== before) throw new Error(`count mismatch: ${count}, the buckets have ${before}`);
  [h.positiveSpans, h.positive] = spansOf(counts);
  return { kind: "histogram", histogram: h, hintSet: false };
}
