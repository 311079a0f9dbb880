/**
 * Sketches of sets: the k smallest hashes of what is in a set. They are those of any copy of the set, so several of them say how
 * much their sets have in common, and how large the union is.
 */
import { hash96 } from "./hash64.ts";

/** A set by its size and its smallest hashes, ascending: all of them when there are as many as its size says. */
export interface SketchedSet {
  readonly count: number;
  readonly smallest: Float64Array;
}

export interface BottomK {
  readonly k: number;
  /** The hashes that may be among the smallest, unsorted; room for 2 k. */
  readonly kept: Float64Array;
  length: number;
  /** No larger hash is of interest. */
  limit: number;
}

export function makeBottomK(k: number): BottomK {
  return { k, kept: new Float64Array(2 * k), length: 0, limit: Number.POSITIVE_INFINITY };
}

const hash = new Uint32Array(3);

/** Adds the bytes [from, to), which must not have been added before. */
export function addToSketch(b: BottomK, view: DataView, from: number, to: number): void {
  hash96(view, from, to, 0x6b8b4567, 0x327b23c6, 0x643c9869, hash, 0);
  const h = ((hash[1] as number) & 0x1f_ffff) * 0x1_0000_0000 + (hash[0] as number);
  if (h > b.limit) return;
  b.kept[b.length++] = h;
  if (b.length === b.kept.length) keepSmallest(b);
}

function keepSmallest(b: BottomK): void {
  b.kept.subarray(0, b.length).sort();
  if (b.length < b.k) return;
  b.length = b.k;
  b.limit = b.kept[b.k - 1] as number;
}

/** The k smallest hashes, ascending; the sketch is empty afterwards. */
export function takeSketch(b: BottomK): Float64Array {
  keepSmallest(b);
  const smallest = b.kept.slice(0, b.length);
  b.length = 0;
  b.limit = Number.POSITIVE_INFINITY;
  return smallest;
}

export interface UnionCount {
  readonly count: number;
  /** False: within a few percent of the truth, unless a set has no sketch; then the size of the largest set, a lower bound. */
  readonly exact: boolean;
}

/**
 * How many are in the union of sets. Exact when the sketches are whole sets, or there is one set. Otherwise the sketches say in how
 * many of the sets an element is on average, and the sizes' sum is divided by that: right also for sets that have nothing in common,
 * or everything. The standard error is at most sqrt(sets) / (2 sqrt(k)), mostly far below.
 */
export function unionCount(sets: readonly SketchedSet[]): UnionCount {
  const counts = sets.map((s) => s.count);
  const largest = Math.max(0, ...counts);
  if (sets.filter((s) => s.count > 0).length <= 1) return { count: largest, exact: true };
  /** Up to here every sketch has all hashes of its set. */
  let known = Number.POSITIVE_INFINITY;
  for (const { count, smallest } of sets)
    if (smallest.length < count) known = Math.min(known, smallest.at(-1) ?? Number.NEGATIVE_INFINITY);
  const distinct = new Set<number>();
  let occurrences = 0;
  for (const { smallest } of sets) {
    for (let i = 0; i < smallest.length && (smallest[i] as number) <= known; i++) {
      distinct.add(smallest[i] as number);
      occurrences++;
    }
  }
  if (known === Number.POSITIVE_INFINITY) return { count: distinct.size, exact: true };
  if (occurrences === 0) return { count: largest, exact: false };
  const total = counts.reduce((sum, n) => sum + n, 0);
  return { count: Math.max(largest, Math.round((total * distinct.size) / occurrences)), exact: false };
}
