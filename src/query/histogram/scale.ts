import { type Histogram, RESET_GAUGE } from "../../model/histogram.ts";

/** Multiplies all counts and the sum, in place; a negative factor makes a gauge of it. Returns the histogram. */
export function multiplyHistogram(h: Histogram, factor: number): Histogram {
  const { positive, negative } = h;
  h.zeroCount *= factor;
  h.count *= factor;
  h.sum *= factor;
  for (let i = 0; i < positive.length; i++) positive[i] = (positive[i] as number) * factor;
  for (let i = 0; i < negative.length; i++) negative[i] = (negative[i] as number) * factor;
  if (factor < 0) h.resetHint = RESET_GAUGE;
  return h;
}

/**
 * Divides all counts and the sum, in place; a negative divisor makes a gauge of it, division by zero leaves no buckets but the
 * zero bucket. Returns the histogram.
 */
export function divideHistogram(h: Histogram, divisor: number): Histogram {
  const { positive, negative } = h;
  h.zeroCount /= divisor;
  h.count /= divisor;
  h.sum /= divisor;
  if (divisor === 0) {
    for (const part of [positive, negative, h.positiveSpans, h.negativeSpans]) part.length = 0;
    return h;
  }
  for (let i = 0; i < positive.length; i++) positive[i] = (positive[i] as number) / divisor;
  for (let i = 0; i < negative.length; i++) negative[i] = (negative[i] as number) / divisor;
  if (divisor < 0) h.resetHint = RESET_GAUGE;
  return h;
}
