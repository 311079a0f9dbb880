/**
 * Samples at or before their series' newest time. They wait in a small sorted buffer of the series (late-buffer.ts) and are
 * sealed as late chunks of their own; reading merges them over the samples in order. Many of one series that come together
 * (backfill, a backlog) become chunks at once.
 *
 * Priority at one time, highest first: buffer, late chunks from the newest, samples in order.
 */
import { makeSampleBuffer, reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { CHUNK_MAX_SPAN } from "../chunk/encode.ts";
import { chunkWordsBound, writeChunk } from "../chunk/write.ts";
import { allocateChunk, CHUNK_HEADER_WORDS, chunkMaxT, finishChunk } from "./chunk-arena.ts";
import { findSample, foundGap, foundWords } from "./find-sample.ts";
import type { Head } from "./head.ts";
import {
  copyGap,
  copyLateBuffer,
  freeLateBuffer,
  insertLate,
  LATE_BUFFER_SAMPLES,
  lateBufferCount,
  lateBufferIsFull,
  lateChunk,
  lateChunksAscend,
  makeLateBuffer,
  setGap,
} from "./late-buffer.ts";
import { CHUNK_SAMPLES, rangeEnd } from "./open-chunk.ts";
import { readStored } from "./read.ts";
import { LATE, ROW_SHIFT } from "./series-table.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/** Outcomes of `appendLate`: stored at a new time, stored over another value, the same is there, another one is there and stays. */
export const FRESH = 0;
export const OTHER = 1;
export const SAME = 2;
export const KEPT = 3;

/**
 * Stores a sample (time, value's low and high word as int32) that is not newer than the newest of its series. With `keep` it does not
 * replace one that is there.
 */
export function appendLate(head: Head, id: number, t: number, lo: number, hi: number, keep: boolean): number {
  const known = findSample(head, id, t);
  if (known && foundWords[0] === lo && foundWords[1] === hi) return SAME;
  if (known && keep) return KEPT;
  putLate(head, id, t, lo, hi);
  if (foundGap[0] !== foundGap[1]) {
    setGap(
      head.pool,
      head.series.rows[(id << ROW_SHIFT) + LATE] as number,
      foundGap[0] as number,
      foundGap[1] as number,
    );
  }
  return known ? OTHER : FRESH;
}

/** Stores a late sample without a look at what is there. */
export function putLate(head: Head, id: number, t: number, lo: number, hi: number): void {
  const { rows } = head.series;
  const row = id << ROW_SHIFT;
  let buffer = rows[row + LATE] as number;
  if (buffer === 0) buffer = makeLateBuffer(head.pool, 0, true);
  else if (lateBufferIsFull(head.pool, buffer)) buffer = sealLate(head, buffer);
  rows[row + LATE] = insertLate(head.pool, buffer, t, lo, hi);
  noteOldest(head, id, t);
}

function noteOldest(head: Head, id: number, t: number): void {
  if (t < (head.series.firstT[id] as number)) head.series.firstT[id] = t;
  if (t < head.minT) head.minT = t;
}

const there = makeSampleBuffer(128);
const fresh = makeSampleBuffer(128);
/** What the last `appendLateRun` stored. */
export const stored: Readonly<SampleBuffer> = fresh;

/** What became of a run of late samples. */
export interface LateCounts {
  fresh: number;
  overwritten: number;
  same: number;
  kept: number;
}

/** Fewer new samples than this go to the buffer one by one. */
const WORTH_A_CHUNK = 16;

/**
 * Stores rows [from, to) of a frame: samples of one series, ascending in time, none newer than its newest and none a histogram.
 * As `appendLate` for each of them, with one look at what is there.
 */
export function appendLateRun(
  head: Head,
  id: number,
  ts: Float64Array,
  words: Int32Array,
  from: number,
  to: number,
  keep: boolean,
  counts: LateCounts,
): void {
  readStored(head, id, ts[from] as number, ts[to - 1] as number, there);
  fresh.length = 0;
  reserveSamples(fresh, to - from);
  let k = 0;
  let n = 0;
  for (let i = from; i < to; i++) {
    const t = ts[i] as number;
    const lo = words[2 * i] as number;
    const hi = words[2 * i + 1] as number;
    while (k < there.length && (there.ts[k] as number) < t) k++;
    if (k < there.length && there.ts[k] === t) {
      if (there.words[2 * k] === lo >>> 0 && there.words[2 * k + 1] === hi >>> 0) {
        counts.same++;
        continue;
      }
      if (keep) {
        counts.kept++;
        continue;
      }
      counts.overwritten++;
    } else counts.fresh++;
    fresh.ts[n] = t;
    fresh.words[2 * n] = lo;
    fresh.words[2 * n + 1] = hi;
    n++;
  }
  fresh.length = n;
  if (n === 0) return;
  if (n < WORTH_A_CHUNK) {
    for (let i = 0; i < n; i++) {
      putLate(head, id, fresh.ts[i] as number, fresh.words[2 * i] as number, fresh.words[2 * i + 1] as number);
    }
    return;
  }
  noteOldest(head, id, fresh.ts[0] as number);
  const row = id << ROW_SHIFT;
  // The buffer wins over chunks: what is in it came earlier, so it becomes a chunk first.
  let buffer = head.series.rows[row + LATE] as number;
  if (buffer === 0) buffer = makeLateBuffer(head.pool, 0, true);
  else if (lateBufferCount(head.pool, buffer) > 0) buffer = sealLate(head, buffer);
  head.series.rows[row + LATE] = sealSamples(head, buffer, fresh);
}

const sealing = makeSampleBuffer(LATE_BUFFER_SAMPLES);
const code = new Int32Array(chunkWordsBound(CHUNK_SAMPLES));

/** Moves a buffer's samples to late chunks, and returns an empty one. */
function sealLate(head: Head, buffer: number): number {
  sealing.length = 0;
  copyLateBuffer(head.pool, buffer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, sealing);
  return sealSamples(head, buffer, sealing);
}

/** Makes late chunks of samples, cut where blocks are cut; returns an empty buffer for the one given. */
function sealSamples(head: Head, buffer: number, samples: SampleBuffer): number {
  const { ts } = samples;
  let chunk = lateChunk(head.pool, buffer);
  const ascend =
    chunk === 0 || (lateChunksAscend(head.pool, buffer) && chunkMaxT(head.chunks, chunk) < (ts[0] as number));
  for (let from = 0; from < samples.length; ) {
    const end = Math.min(rangeEnd(ts[from] as number), (ts[from] as number) + CHUNK_MAX_SPAN);
    const most = Math.min(samples.length, from + CHUNK_SAMPLES);
    let to = from + 1;
    while (to < most && (ts[to] as number) < end) to++;
    const words = writeChunk(ts, samples.words, from, to, code, 0);
    const next = allocateChunk(head.chunks, words);
    const slab = head.chunks.slabs[next >>> SLAB_SHIFT] as Int32Array;
    slab.set(code.subarray(0, words), (next & SLAB_MASK) + CHUNK_HEADER_WORDS);
    finishChunk(head.chunks, next, chunk, to - from, words, ts[to - 1] as number);
    chunk = next;
    from = to;
  }
  const next = makeLateBuffer(head.pool, chunk, ascend);
  copyGap(head.pool, buffer, next);
  freeLateBuffer(head.pool, buffer);
  return next;
}
