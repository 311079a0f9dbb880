import { type Histogram, RESET_GAUGE } from "../../model/histogram.ts";
import { addHistogram, BOUNDS_RECONCILED, INCOMPATIBLE, subtractHistogram } from "./add.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { compactHistogram } from "./compact.ts";
import { cloneHistogram, emptyLike } from "./copy.ts";
import { detectReset } from "./reset.ts";
import { copyToSchema } from "./resolution.ts";
import { multiplyHistogram } from "./scale.ts";

/** Notes on a rate or difference. Exponential and given bounds are mixed: there is no result. */
export const MIXED_BUCKETS = 1;
/** A gauge where a counter is expected. */
export const NOT_A_COUNTER = 2;
/** A counter where a gauge is expected. */
export const NOT_A_GAUGE = 4;
export const RECONCILED_IN_SUBTRACTION = 8;
export const RECONCILED_IN_ADDITION = 16;

export interface HistogramDifference {
  readonly histogram: Histogram | undefined;
  /** Bits as above. */
  readonly notes: number;
}

/** Whether a start time says that the counter began anew between the points k-1 and k. */
export type RestartedAt = (k: number) => boolean;

const NEVER: RestartedAt = () => false;

/**
 * What a histogram grew by from the first to the last point of a window, not extrapolated: for rate and increase with
 * `isCounter` (what was there before a reset is added), for delta without. At least two points. The result is a gauge.
 */
export function histogramRate(
  points: readonly Histogram[],
  isCounter: boolean,
  restartedAt: RestartedAt = NEVER,
): HistogramDifference {
  const first = points[0] as Histogram;
  const last = points[points.length - 1] as Histogram;
  let notes = 0;
  if (isCounter && (isGauge(first) || isGauge(last))) notes |= NOT_A_COUNTER;
  let previous = first;
  if (isCounter) {
    // Nothing of the first point is left after a reset: what buckets it had does not matter.
    const second = points[1] as Histogram;
    if (restartedAt(1) || detectReset(second, first)) previous = emptyLike(second);
  }
  const custom = hasCustomBuckets(previous);
  if (hasCustomBuckets(last) !== custom) return { histogram: undefined, notes: notes | MIXED_BUCKETS };
  let schema = Math.min(last.schema, previous.schema);
  if (isCounter) {
    for (let i = 1; i < points.length - 1; i++) {
      const point = points[i] as Histogram;
      if (isGauge(point)) notes |= NOT_A_COUNTER;
      schema = Math.min(schema, point.schema);
      if (hasCustomBuckets(point) !== custom) return { histogram: undefined, notes: MIXED_BUCKETS };
    }
  }
  const h = copyToSchema(last, schema);
  notes |= reconciled(subtractHistogram(h, previous), RECONCILED_IN_SUBTRACTION);
  if (isCounter) {
    for (let i = 1; i < points.length; i++) {
      const point = points[i] as Histogram;
      if (restartedAt(i) || detectReset(point, previous)) {
        notes |= reconciled(addHistogram(h, previous), RECONCILED_IN_ADDITION);
      }
      previous = point;
    }
  } else if (!isGauge(first) || !isGauge(last)) notes |= NOT_A_GAUGE;
  h.resetHint = RESET_GAUGE;
  return { histogram: compactHistogram(h, 0), notes };
}

/** The difference of the last two points, for irate (not yet divided by their distance) and, without `isRate`, idelta. */
export function instantHistogram(
  previous: Histogram,
  last: Histogram,
  isRate: boolean,
  restarted = false,
): HistogramDifference {
  let notes = 0;
  if (isRate && (isGauge(last) || isGauge(previous))) notes |= NOT_A_COUNTER;
  if (!isRate && !(isGauge(last) && isGauge(previous))) notes |= NOT_A_GAUGE;
  const h = cloneHistogram(last);
  if (!isRate || !(restarted || detectReset(last, previous))) {
    const flags = subtractHistogram(h, previous);
    if ((flags & INCOMPATIBLE) !== 0) return { histogram: undefined, notes: notes | MIXED_BUCKETS };
    notes |= reconciled(flags, RECONCILED_IN_SUBTRACTION);
  }
  h.resetHint = RESET_GAUGE;
  return { histogram: compactHistogram(h, 0), notes };
}

/**
 * The histogram at time `t` on the line between two points at `t1` and `t2`; a counter that was reset between them starts at
 * nothing. Times in any one unit.
 */
export function interpolateHistograms(
  h1: Histogram,
  t1: number,
  h2: Histogram,
  t2: number,
  t: number,
  isCounter: boolean,
): HistogramDifference {
  if (t === t1) return { histogram: cloneHistogram(h1), notes: 0 };
  const h = cloneHistogram(h2);
  if (t === t2) return { histogram: h, notes: 0 };
  const share = (t - t1) / (t2 - t1);
  if (isCounter && detectReset(h2, h1)) return { histogram: multiplyHistogram(h, share), notes: 0 };
  const flags = subtractHistogram(h, h1);
  if ((flags & INCOMPATIBLE) !== 0) return { histogram: undefined, notes: MIXED_BUCKETS };
  multiplyHistogram(h, share);
  const notes = reconciled(flags, RECONCILED_IN_SUBTRACTION) | reconciled(addHistogram(h, h1), RECONCILED_IN_ADDITION);
  return { histogram: h, notes };
}

export function isGauge(h: Histogram): boolean {
  return h.resetHint === RESET_GAUGE;
}

/** The note for flags of an addition. */
export function reconciled(flags: number, note: number): number {
  return (flags & BOUNDS_RECONCILED) !== 0 ? note : 0;
}
