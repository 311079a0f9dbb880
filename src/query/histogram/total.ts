import { type Histogram, RESET_NO, RESET_YES } from "../../model/histogram.ts";
import {
  addCompensated,
  addHistogram,
  BOUNDS_RECONCILED,
  INCOMPATIBLE,
  makeCompensation,
  RESET_COLLISION,
} from "./add.ts";
import { compactHistogram } from "./compact.ts";
import { cloneHistogram } from "./copy.ts";
import { divideHistogram, multiplyHistogram } from "./scale.ts";

/**
 * The sum or average of histograms so far (sum, avg, sum_over_time, avg_over_time), compensated. An average is that of a sum
 * until the sum is too large for a number, then a mean that moves with every histogram.
 */
export interface HistogramTotal {
  readonly average: boolean;
  /** Histograms added; those after one that is incompatible do not count. */
  n: number;
  value: Histogram | undefined;
  lost: Histogram | undefined;
  /** `value` is the mean, not the sum. */
  moving: boolean;
  /** INCOMPATIBLE (there is no result), BOUNDS_RECONCILED, and what `resetCollision` tells. */
  flags: number;
}

const SEEN_RESET = 8;
const SEEN_NO_RESET = 16;

export function makeTotal(average: boolean): HistogramTotal {
  return { average, n: 0, value: undefined, lost: undefined, moving: false, flags: 0 };
}

/** Adds a histogram, which stays as it is. */
export function addToTotal(total: HistogramTotal, h: Histogram): void {
  if ((total.flags & INCOMPATIBLE) !== 0) return;
  if (h.resetHint === RESET_YES) total.flags |= SEEN_RESET;
  if (h.resetHint === RESET_NO) total.flags |= SEEN_NO_RESET;
  total.n++;
  if (total.value === undefined) {
    total.value = cloneHistogram(h);
    return;
  }
  add(total, total.value, h);
}

function add(total: HistogramTotal, value: Histogram, h: Histogram): void {
  total.lost ??= makeCompensation(value);
  if (!total.average) {
    note(total, addCompensated(value, h, total.lost));
    return;
  }
  if (!total.moving) {
    if (largest(value) + largest(h) < SAFE) {
      note(total, addCompensated(value, h, total.lost));
      return;
    }
    const sum = cloneHistogram(value);
    const lost = cloneHistogram(total.lost);
    const flags = addCompensated(sum, h, lost);
    if ((flags & INCOMPATIBLE) !== 0 || largest(sum) < Number.POSITIVE_INFINITY) {
      note(total, flags);
      total.value = sum;
      total.lost = lost;
      return;
    }
    startMoving(total, value, total.n - 1);
  }
  const kept = (total.n - 1) / total.n;
  multiplyHistogram(total.lost, kept);
  note(total, addCompensated(multiplyHistogram(value, kept), divideHistogram(cloneHistogram(h), total.n), total.lost));
}

function startMoving(total: HistogramTotal, value: Histogram, n: number): void {
  total.moving = true;
  divideHistogram(value, n);
  if (total.lost !== undefined) divideHistogram(total.lost, n);
}

/** Sums of numbers below this cannot become infinite, however many buckets are merged. */
const SAFE = 1e300;

/** The largest of all counts and the sum, without sign; what is not a number cannot overflow and counts as 0. */
function largest({ count, sum, zeroCount, positive, negative }: Histogram): number {
  let max = Math.max(magnitude(count), magnitude(sum), magnitude(zeroCount));
  for (let i = 0; i < positive.length; i++) max = Math.max(max, magnitude(positive[i] as number));
  for (let i = 0; i < negative.length; i++) max = Math.max(max, magnitude(negative[i] as number));
  return max;
}

const magnitude = (x: number) => (Number.isNaN(x) ? 0 : Math.abs(x));

function note(total: HistogramTotal, flags: number): void {
  total.flags |= flags & (INCOMPATIBLE | BOUNDS_RECONCILED | RESET_COLLISION);
}

/** Adds what another total of the same kind has; that one is used up. */
export function mergeTotal(total: HistogramTotal, other: HistogramTotal): void {
  total.flags |= other.flags;
  const { value, lost } = other;
  if ((total.flags & INCOMPATIBLE) !== 0 || value === undefined) return;
  if (total.value === undefined) {
    total.value = value;
    total.lost = lost;
    total.n = other.n;
    total.moving = other.moving;
    return;
  }
  const n = total.n + other.n;
  if (total.average && (total.moving || other.moving || largest(total.value) + largest(value) >= SAFE)) {
    if (!total.moving) startMoving(total, total.value, total.n);
    if (!other.moving) startMoving(other, value, other.n);
    for (const part of [total.value, total.lost]) if (part !== undefined) multiplyHistogram(part, total.n / n);
    for (const part of [value, lost]) if (part !== undefined) multiplyHistogram(part, other.n / n);
  }
  total.n = n;
  total.lost ??= makeCompensation(total.value);
  note(total, addCompensated(total.value, value, total.lost));
  if (lost === undefined) return;
  lost.resetHint = total.value.resetHint;
  note(total, addCompensated(total.value, lost, total.lost));
}

/** The sum or average, compact; undefined of nothing and when histograms were incompatible. Uses the total up. */
export function totalOf(total: HistogramTotal): Histogram | undefined {
  const { value, lost } = total;
  if (value === undefined || (total.flags & INCOMPATIBLE) !== 0) return undefined;
  if (total.average && !total.moving) startMoving(total, value, total.n);
  if (lost !== undefined) {
    lost.resetHint = value.resetHint;
    addHistogram(value, lost);
  }
  return compactHistogram(value, 0);
}

/** Whether some histograms said that they follow a counter reset and others that they do not. */
export function resetCollision({ flags }: HistogramTotal): boolean {
  return (flags & RESET_COLLISION) !== 0 || ((flags & SEEN_RESET) !== 0 && (flags & SEEN_NO_RESET) !== 0);
}
