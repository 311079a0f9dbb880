import { type Histogram, RESET_GAUGE } from "../../model/histogram.ts";
import { addHistogram, INCOMPATIBLE, subtractHistogram } from "./add.ts";
import { hasCustomBuckets } from "./bounds.ts";
import { compactHistogram } from "./compact.ts";
import { cloneHistogram } from "./copy.ts";
import {
  type HistogramDifference,
  interpolateHistograms,
  isGauge,
  MIXED_BUCKETS,
  NOT_A_COUNTER,
  NOT_A_GAUGE,
  RECONCILED_IN_ADDITION,
  RECONCILED_IN_SUBTRACTION,
  reconciled,
} from "./rate.ts";
import { detectReset } from "./reset.ts";

/**
 * What a histogram grew by in a range with `anchored` or `smoothed`: as `histogramRate`, between what it is at the range's two
 * ends. `anchored` takes the sample at or before an end, `smoothed` the point on the line to the sample beyond it. `points` and
 * their `times` (ascending) are one sample before the range, if there is one, those in it and, for `smoothed`, the one after
 * it. No result and no notes: the range has no samples.
 */
export function extendedHistogramRate(
  points: readonly Histogram[],
  times: ArrayLike<number>,
  start: number,
  end: number,
  isCounter: boolean,
  smoothed: boolean,
): HistogramDifference {
  if (points.length === 0) return NOTHING;
  let last = points.length - 1;
  let first = 0;
  while (first < last && (times[first] as number) <= start) first++;
  first = Math.max(0, first - 1);
  if (smoothed) {
    let i = 0;
    while (i < last && (times[i] as number) < end) i++;
    last = i;
  }
  if ((times[last] as number) <= start) return NOTHING;
  if (smoothed && (times[first] as number) > end) return NOTHING;
  let notes = 0;
  const custom = hasCustomBuckets(points[first] as Histogram);
  for (let i = first; i <= last; i++) {
    const point = points[i] as Histogram;
    if (hasCustomBuckets(point) !== custom) return { histogram: undefined, notes: notes | MIXED_BUCKETS };
    if (isCounter && isGauge(point)) notes |= NOT_A_COUNTER;
  }
  const at = (k: number, t: number) =>
    interpolateHistograms(
      points[k] as Histogram,
      times[k] as number,
      points[k + 1] as Histogram,
      times[k + 1] as number,
      t,
      isCounter,
    );
  const beforeStart = smoothed && (times[first] as number) < start;
  const left = beforeStart ? at(first, start) : exactly(points[first] as Histogram);
  const afterEnd = smoothed && last > 0 && (times[last] as number) > end;
  const right = afterEnd ? at(last - 1, end) : exactly(points[last] as Histogram);
  notes |= left.notes | right.notes;
  if (left.histogram === undefined || right.histogram === undefined) return { histogram: undefined, notes };
  if (!isCounter && !(isGauge(left.histogram) && isGauge(right.histogram))) notes |= NOT_A_GAUGE;
  const h = cloneHistogram(right.histogram);
  const flags = subtractHistogram(h, left.histogram);
  notes |= reconciled(flags, RECONCILED_IN_SUBTRACTION);
  if ((flags & INCOMPATIBLE) !== 0) return { histogram: undefined, notes: notes | MIXED_BUCKETS };
  if (isCounter) {
    const skipped = beforeStart && detectReset(points[first + 1] as Histogram, points[first] as Histogram) ? 1 : 0;
    // The line on the left starts after that reset: it is accounted for.
    let previous = skipped === 1 ? (points[first + 1] as Histogram) : left.histogram;
    if (first + 1 + skipped <= last) {
      for (let i = first + 1 + skipped; i <= last; i++) {
        const point = i === last ? right.histogram : (points[i] as Histogram);
        if (detectReset(point, previous)) notes |= reconciled(addHistogram(h, previous), RECONCILED_IN_ADDITION);
        previous = point;
      }
    }
  }
  h.resetHint = RESET_GAUGE;
  return { histogram: compactHistogram(h, 0), notes };
}

const NOTHING: HistogramDifference = { histogram: undefined, notes: 0 };

const exactly = (h: Histogram): HistogramDifference => ({ histogram: cloneHistogram(h), notes: 0 });
