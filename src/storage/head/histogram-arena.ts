/**
 * The native histograms of a head: their bytes (src/model/histogram-code.ts) one behind another in slabs. In chunks a histogram is
 * a tagged value whose reference is the number of its slab times 2^20 plus its offset there.
 *
 * Slabs are numbered from 0 and never reused, so a reference to one that was dropped is known to be void. They go as a whole,
 * oldest first, when all their samples are older than what is dropped, just as chunks do.
 */
import { equalHistograms, histogramSize } from "../../model/histogram-code.ts";

const SLAB_SHIFT = 20;
export const HISTOGRAM_SLAB_BYTES = 1 << SLAB_SHIFT;

export interface HistogramArena {
  /** Slab number `first + i`, all of HISTOGRAM_SLAB_BYTES; the last one is being filled up to `next`. */
  readonly slabs: Uint8Array[];
  /** Newest time (Unix ms) of a sample in each slab. */
  readonly newest: number[];
  first: number;
  next: number;
}

export function makeHistogramArena(): HistogramArena {
  return { slabs: [], newest: [], first: 0, next: HISTOGRAM_SLAB_BYTES };
}

/** Copies the histogram at `from[at]` and returns its reference. `t`: time of its sample. Throws HistogramCodeError. */
export function storeHistogram(arena: HistogramArena, t: number, from: Uint8Array, at: number): number {
  const size = histogramSize(from, at);
  if (arena.next + size > HISTOGRAM_SLAB_BYTES) {
    arena.slabs.push(new Uint8Array(HISTOGRAM_SLAB_BYTES));
    arena.newest.push(Number.NEGATIVE_INFINITY);
    arena.next = 0;
  }
  const last = arena.slabs.length - 1;
  const slab = arena.slabs[last] as Uint8Array;
  const to = arena.next;
  for (let i = 0; i < size; i++) slab[to + i] = from[at + i] as number;
  arena.next = to + size;
  if (t > (arena.newest[last] as number)) arena.newest[last] = t;
  return (arena.first + last) * HISTOGRAM_SLAB_BYTES + to;
}

/** The slab that a reference leads to, undefined when it was dropped. The histogram starts there at `histogramOffset`. */
export function histogramSlab(arena: HistogramArena, ref: number): Uint8Array | undefined {
  return arena.slabs[Math.floor(ref / HISTOGRAM_SLAB_BYTES) - arena.first];
}

export function histogramOffset(ref: number): number {
  return ref % HISTOGRAM_SLAB_BYTES;
}

/** Whether the histogram of a reference is the one at `bytes[at]`, bit by bit. */
export function isSameHistogram(arena: HistogramArena, ref: number, bytes: Uint8Array, at: number): boolean {
  const slab = histogramSlab(arena, ref);
  return slab !== undefined && equalHistograms(slab, histogramOffset(ref), bytes, at);
}

/**
 * Drops the oldest slabs while all of their samples are older than `before` (Unix ms), never the one being filled. For whoever drops
 * samples: right after it the chunks' samples before that time must not be of interest any more. Only slabs with a number below
 * `below` go.
 */
export function dropOldHistograms(arena: HistogramArena, before: number, below = Number.POSITIVE_INFINITY): void {
  let n = 0;
  while (n + 1 < arena.slabs.length && arena.first + n < below && (arena.newest[n] as number) < before) n++;
  arena.slabs.splice(0, n);
  arena.newest.splice(0, n);
  arena.first += n;
}

export function histogramArenaBytes(arena: HistogramArena): number {
  return arena.slabs.length * HISTOGRAM_SLAB_BYTES;
}
