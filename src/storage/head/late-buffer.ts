/**
 * The buffer that a series' late samples wait in, a block of the word pool:
 *
 *   0  the series' newest late chunk, 0: none
 *   1  number of samples
 *   2  order of the block (log2 of its words): room for 6 samples, then 14, then 30
 *   3  0: each late chunk of the series is younger than the ones before it; 1: not so
 *   4  a gap: two float64, times between which (exclusive) the series has no sample in order. In order nothing is ever added in the
 *      past, so what was found out once holds on
 *   8  samples, ascending in time, no time twice: time float64, value float64
 */
import { reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { allocateBlock, freeBlock, SLAB_MASK, SLAB_SHIFT, type WordPool } from "./word-pool.ts";

const COUNT = 1;
const ORDER = 2;
const MIXED = 3;
const GAP = 4;
const SAMPLES = 8;
const FIRST_ORDER = 5;
const LAST_ORDER = 7;

/** Samples that the largest buffer holds. */
export const LATE_BUFFER_SAMPLES = capacity(LAST_ORDER);

const time = new Float64Array(1);
const timeWords = new Int32Array(time.buffer);

function capacity(order: number): number {
  return ((1 << order) - SAMPLES) >> 2;
}

/** A smallest buffer, empty, with the series' newest late chunk (0: none) and whether the chunks ascend in time. */
export function makeLateBuffer(pool: WordPool, chunk: number, ascend: boolean): number {
  const buffer = allocateBlock(pool, FIRST_ORDER);
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  slab[at] = chunk;
  slab[at + COUNT] = 0;
  slab[at + ORDER] = FIRST_ORDER;
  slab[at + MIXED] = ascend ? 0 : 1;
  writeTime(slab, at + GAP, Number.POSITIVE_INFINITY);
  writeTime(slab, at + GAP + 2, Number.NEGATIVE_INFINITY);
  return buffer;
}

/** Whether the buffer has no room for another sample and cannot grow: time to seal it. */
export function lateBufferIsFull(pool: WordPool, buffer: number): boolean {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  return slab[at + ORDER] === LAST_ORDER && slab[at + COUNT] === LATE_BUFFER_SAMPLES;
}

export function freeLateBuffer(pool: WordPool, buffer: number): void {
  freeBlock(pool, buffer, (pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[(buffer & SLAB_MASK) + ORDER] as number);
}

/** Puts a sample in its place, over the one with its time if there is one. Returns the buffer, a larger one if it was full. */
export function insertLate(pool: WordPool, buffer: number, t: number, lo: number, hi: number): number {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  if (slab[at + COUNT] !== capacity(slab[at + ORDER] as number)) {
    insert(slab, at, t, lo, hi);
    return buffer;
  }
  const larger = growBuffer(pool, buffer);
  insert(pool.slabs[larger >>> SLAB_SHIFT] as Int32Array, larger & SLAB_MASK, t, lo, hi);
  return larger;
}

function growBuffer(pool: WordPool, buffer: number): number {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  const order = slab[at + ORDER] as number;
  const next = allocateBlock(pool, order + 1);
  const to = pool.slabs[next >>> SLAB_SHIFT] as Int32Array;
  const toAt = next & SLAB_MASK;
  to.set(slab.subarray(at, at + (1 << order)), toAt);
  to[toAt + ORDER] = order + 1;
  freeBlock(pool, buffer, order);
  return next;
}

function insert(slab: Int32Array, at: number, t: number, lo: number, hi: number): void {
  const count = slab[at + COUNT] as number;
  let i = count;
  while (i > 0 && sampleTime(slab, at, i - 1) >= t) i--;
  const to = at + SAMPLES + 4 * i;
  if (i === count || sampleTime(slab, at, i) !== t) {
    slab.copyWithin(to + 4, to, at + SAMPLES + 4 * count);
    slab[at + COUNT] = count + 1;
    time[0] = t;
    slab[to] = timeWords[0] as number;
    slab[to + 1] = timeWords[1] as number;
  }
  slab[to + 2] = lo;
  slab[to + 3] = hi;
}

function sampleTime(slab: Int32Array, at: number, i: number): number {
  timeWords[0] = slab[at + SAMPLES + 4 * i] as number;
  timeWords[1] = slab[at + SAMPLES + 4 * i + 1] as number;
  return time[0] as number;
}

/** Whether t lies in the gap that is known. */
export function isInGap(pool: WordPool, buffer: number, t: number): boolean {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = (buffer & SLAB_MASK) + GAP;
  return t > readTime(slab, at) && t < readTime(slab, at + 2);
}

/** Between `from` and `to` (exclusive) there is no sample in order. */
export function setGap(pool: WordPool, buffer: number, from: number, to: number): void {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = (buffer & SLAB_MASK) + GAP;
  writeTime(slab, at, from);
  writeTime(slab, at + 2, to);
}

/** The gap that `from` knows becomes that of `to`. */
export function copyGap(pool: WordPool, from: number, to: number): void {
  const slab = pool.slabs[from >>> SLAB_SHIFT] as Int32Array;
  const at = (from & SLAB_MASK) + GAP;
  setGap(pool, to, readTime(slab, at), readTime(slab, at + 2));
}

function readTime(slab: Int32Array, at: number): number {
  timeWords[0] = slab[at] as number;
  timeWords[1] = slab[at + 1] as number;
  return time[0] as number;
}

function writeTime(slab: Int32Array, at: number, t: number): void {
  time[0] = t;
  slab[at] = timeWords[0] as number;
  slab[at + 1] = timeWords[1] as number;
}

/** Whether the late chunks follow one another in time, so that a search from the newest may end at the first that is too old. */
export function lateChunksAscend(pool: WordPool, buffer: number): boolean {
  return (pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[(buffer & SLAB_MASK) + MIXED] === 0;
}

export function lateBufferCount(pool: WordPool, buffer: number): number {
  return (pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[(buffer & SLAB_MASK) + COUNT] as number;
}

/** Number of the buffer's sample at time t, -1 when it has none; its words by `lateWord`. */
export function findLate(pool: WordPool, buffer: number, t: number): number {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  let i = (slab[at + COUNT] as number) - 1;
  while (i >= 0 && sampleTime(slab, at, i) > t) i--;
  return i >= 0 && sampleTime(slab, at, i) === t ? i : -1;
}

/** Low (0) or high (1) word of sample i's value. */
export function lateWord(pool: WordPool, buffer: number, i: number, word: 0 | 1): number {
  return (pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[(buffer & SLAB_MASK) + SAMPLES + 4 * i + 2 + word] as number;
}

/** Newest late chunk of a series' late buffer, 0: none. */
export function lateChunk(pool: WordPool, buffer: number): number {
  return ((pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[buffer & SLAB_MASK] as number) >>> 0;
}

export function setLateChunk(pool: WordPool, buffer: number, chunk: number): void {
  (pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array)[buffer & SLAB_MASK] = chunk;
}

/** Appends the buffer's samples with minT <= time <= maxT to `out`. */
export function copyLateBuffer(pool: WordPool, buffer: number, minT: number, maxT: number, out: SampleBuffer): void {
  const slab = pool.slabs[buffer >>> SLAB_SHIFT] as Int32Array;
  const at = buffer & SLAB_MASK;
  const count = slab[at + COUNT] as number;
  reserveSamples(out, out.length + count);
  let n = out.length;
  for (let i = 0; i < count; i++) {
    const t = sampleTime(slab, at, i);
    if (t < minT || t > maxT) continue;
    out.ts[n] = t;
    out.words[2 * n] = slab[at + SAMPLES + 4 * i + 2] as number;
    out.words[2 * n + 1] = slab[at + SAMPLES + 4 * i + 3] as number;
    n++;
  }
  out.length = n;
}
