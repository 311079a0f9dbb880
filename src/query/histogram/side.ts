/**
 * One side of a histogram: populated buckets by index, ascending. Spans are for storing; what works on buckets of two layouts
 * does it by index.
 */
export interface Side {
  readonly index: number[];
  readonly count: number[];
  /** What compensated sums have lost so far, a bucket each. */
  readonly lost: number[] | undefined;
}

export function makeSide(compensated: boolean): Side {
  return { index: [], count: [], lost: compensated ? [] : undefined };
}

/** The buckets of spans (pairs of offset and length). `lost` has the same layout. */
export function readSide(spans: readonly number[], counts: readonly number[], lost?: readonly number[]): Side {
  const side = makeSide(lost !== undefined);
  let index = 0;
  let at = 0;
  for (let i = 0; i < spans.length; i += 2) {
    index += spans[i] as number;
    const length = spans[i + 1] as number;
    for (let j = 0; j < length && at < counts.length; j++, at++) {
      side.index.push(index++);
      side.count.push(counts[at] as number);
      side.lost?.push((lost as readonly number[])[at] as number);
    }
  }
  return side;
}

/** The fewest spans that hold the buckets. */
export function spansOf(index: readonly number[]): number[] {
  const spans: number[] = [];
  let end = 0;
  for (let i = 0; i < index.length; i++) {
    const at = index[i] as number;
    if (i > 0 && at === end) spans[spans.length - 1] = (spans[spans.length - 1] as number) + 1;
    else spans.push(at - end, 1);
    end = at + 1;
  }
  return spans;
}

/** Appends a bucket, or adds it to the last one when that has the same index. */
export function pushBucket(side: Side, index: number, count: number, lost: number): void {
  const { count: counts, lost: losses } = side;
  const last = counts.length - 1;
  if (last < 0 || side.index[last] !== index) {
    side.index.push(index);
    counts.push(count);
    losses?.push(lost);
    return;
  }
  const sum = counts[last] as number;
  counts[last] = sum + count;
  if (losses !== undefined) losses[last] = lossOf(sum, count, losses[last] as number) + lost;
}

/** What `sum + value` loses to rounding, added to what was lost before; nothing is kept once a sum is infinite. */
export function lossOf(sum: number, value: number, lost: number): number {
  const t = sum + value;
  if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) return 0;
  return lost + (Math.abs(sum) >= Math.abs(value) ? sum - t + value : value - t + sum);
}

/** The buckets merged into those of an exponential schema `steps` coarser. */
export function coarserSide(side: Side, steps: number): Side {
  const out = makeSide(side.lost !== undefined);
  for (let i = 0; i < side.index.length; i++) {
    const index = (((side.index[i] as number) - 1) >> steps) + 1;
    pushBucket(out, index, side.count[i] as number, side.lost === undefined ? 0 : (side.lost[i] as number));
  }
  return out;
}

export function equalNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
