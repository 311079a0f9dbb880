import type { Histogram } from "../../model/histogram.ts";
import { readSide, spansOf } from "./side.ts";

/**
 * Removes empty buckets from the ends of spans and where more than `maxEmptyBuckets` of them are in a row; joins spans that are
 * not further apart. In place; returns the histogram.
 */
export function compactHistogram(h: Histogram, maxEmptyBuckets: number): Histogram {
  if (!isCompact(h.positiveSpans, h.positive, maxEmptyBuckets))
    compactSide(h.positiveSpans, h.positive, maxEmptyBuckets);
  if (!isCompact(h.negativeSpans, h.negative, maxEmptyBuckets))
    compactSide(h.negativeSpans, h.negative, maxEmptyBuckets);
  return h;
}

function isCompact(spans: readonly number[], counts: readonly number[], maxEmptyBuckets: number): boolean {
  for (let i = 0; i < counts.length; i++) if (counts[i] === 0) return false;
  for (let i = 0; i < spans.length; i += 2) {
    if ((i > 0 && (spans[i] as number) <= maxEmptyBuckets) || spans[i + 1] === 0) return false;
  }
  return true;
}

function compactSide(spans: number[], counts: number[], maxEmptyBuckets: number): void {
  const side = readSide(spans, counts);
  const index: number[] = [];
  counts.length = 0;
  for (let i = 0; i < side.index.length; i++) {
    const count = side.count[i] as number;
    if (count === 0) continue;
    const at = side.index[i] as number;
    const next = index.length === 0 ? at : (index[index.length - 1] as number) + 1;
    if (at - next <= maxEmptyBuckets) {
      for (let empty = next; empty < at; empty++) {
        index.push(empty);
        counts.push(0);
      }
    }
    index.push(at);
    counts.push(count);
  }
  replace(spans, spansOf(index));
}

function replace(into: number[], values: readonly number[]): void {
  into.length = values.length;
  for (let i = 0; i < values.length; i++) into[i] = values[i] as number;
}
