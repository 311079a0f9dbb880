import { makeSide, pushBucket, type Side } from "./side.ts";

/** The bounds that both have; both are ascending. */
export function commonBounds(a: readonly number[], b: readonly number[]): number[] {
  const common: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i] as number;
    const y = b[j] as number;
    if (x === y) common.push(x);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return common;
}

/** The buckets merged into those of fewer bounds, all of which are among `bounds`. */
export function mergeIntoBounds(side: Side, bounds: readonly number[], fewer: readonly number[]): Side {
  const out = makeSide(side.lost !== undefined);
  let to = 0;
  for (let i = 0; i < side.index.length; i++) {
    const index = side.index[i] as number;
    const upper = index < bounds.length ? (bounds[index] as number) : Number.POSITIVE_INFINITY;
    while (to < fewer.length && (fewer[to] as number) < upper) to++;
    pushBucket(out, to, side.count[i] as number, side.lost === undefined ? 0 : (side.lost[i] as number));
  }
  return out;
}
