import { type Histogram, MAX_SCHEMA } from "../../model/histogram.ts";

/** Finest resolution that senders may use. It is not stored: what is finer than `MAX_SCHEMA` becomes that, as with Prometheus. */
export const MAX_SENT_SCHEMA = 52;

/**
 * Merges the buckets of a histogram, in place, as those of a resolution that is coarser by `steps` (of which each merges pairs).
 * Its spans must fit its counts. The schema is the caller's.
 */
export function mergeBuckets(h: Histogram, steps: number): void {
  mergeSide(h.positiveSpans, h.positive, 2 ** steps);
  mergeSide(h.negativeSpans, h.negative, 2 ** steps);
}

/** Whether the schema is one that is only received. */
export function isOnlySent(schema: number): boolean {
  return schema > MAX_SCHEMA && schema <= MAX_SENT_SCHEMA;
}

function mergeSide(spans: number[], counts: number[], width: number): void {
  const from = spans.slice();
  spans.length = 0;
  let index = 0;
  let read = 0;
  let written = 0;
  let last = 0;
  for (let s = 0; s < from.length; s += 2) {
    index += from[s] as number;
    for (let k = from[s + 1] as number; k > 0; k--, index++) {
      const count = counts[read++] as number;
      // Bucket i ends at the bound number i: the one that ends with i = width * n holds those before it.
      const target = Math.ceil(index / width);
      if (written > 0 && target === last) {
        counts[written - 1] = (counts[written - 1] as number) + count;
        continue;
      }
      if (written === 0) spans.push(target, 1);
      else if (target === last + 1) spans[spans.length - 1] = (spans[spans.length - 1] as number) + 1;
      else spans.push(target - last - 1, 1);
      counts[written++] = count;
      last = target;
    }
  }
  counts.length = written;
}
