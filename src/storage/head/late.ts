/**
 * Samples at or before their series' newest time. They wait in a small sorted buffer of the series (late-buffer.ts) and are
 * sealed as late chunks of their own; reading merges them over the samples in order.
 *
 * Priority at one time, highest first: buffer, late chunks from the newest, samples in order.
 */
import { makeSampleBuffer } from "../../model/sample.ts";
import { CHUNK_MAX_SPAN } from "../chunk/encode.ts";
import { chunkWordsBound, writeChunk } from "../chunk/write.ts";
import { allocateChunk, CHUNK_HEADER_WORDS, finishChunk } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import {
  copyLateBuffer,
  freeLateBuffer,
  insertLate,
  LATE_BUFFER_SAMPLES,
  lateBufferIsFull,
  lateChunk,
  makeLateBuffer,
} from "./late-buffer.ts";
import { rangeEnd } from "./open-chunk.ts";
import { readSeries } from "./read.ts";
import { LATE, ROW_SHIFT } from "./series-table.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/** Outcomes of `appendLate`: stored at a new time, stored over another value, nothing to do. */
export const FRESH = 0;
export const OTHER = 1;
export const SAME = 2;

const there = makeSampleBuffer(128);

/** Stores a sample (time, value's low and high word as int32) that is not newer than the newest of its series. */
export function appendLate(head: Head, id: number, t: number, lo: number, hi: number): number {
  readSeries(head, id, t, t, there);
  const known = there.length > 0;
  if (known && there.words[0] === lo >>> 0 && there.words[1] === hi >>> 0) return SAME;
  const { rows } = head.series;
  const row = id << ROW_SHIFT;
  let buffer = rows[row + LATE] as number;
  if (buffer === 0) buffer = makeLateBuffer(head.pool, 0);
  else if (lateBufferIsFull(head.pool, buffer)) buffer = sealLate(head, id, buffer);
  rows[row + LATE] = insertLate(head.pool, buffer, t, lo, hi);
  if (t < (head.series.firstT[id] as number)) head.series.firstT[id] = t;
  if (t < head.minT) head.minT = t;
  return known ? OTHER : FRESH;
}

const sealing = makeSampleBuffer(LATE_BUFFER_SAMPLES);
const code = new Int32Array(chunkWordsBound(LATE_BUFFER_SAMPLES));

/** Moves a full buffer to late chunks, cut where blocks are cut, and returns an empty one. */
function sealLate(head: Head, id: number, buffer: number): number {
  sealing.length = 0;
  copyLateBuffer(head.pool, buffer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, sealing);
  const { ts } = sealing;
  let chunk = lateChunk(head.pool, buffer);
  for (let from = 0; from < sealing.length; ) {
    const end = Math.min(rangeEnd(ts[from] as number), (ts[from] as number) + CHUNK_MAX_SPAN);
    let to = from + 1;
    while (to < sealing.length && (ts[to] as number) < end) to++;
    const words = writeChunk(ts, sealing.words, from, to, code, 0);
    const next = allocateChunk(head.chunks, words);
    const slab = head.chunks.slabs[next >>> SLAB_SHIFT] as Int32Array;
    slab.set(code.subarray(0, words), (next & SLAB_MASK) + CHUNK_HEADER_WORDS);
    finishChunk(head.chunks, next, chunk, to - from, words, ts[to - 1] as number, id, 1);
    chunk = next;
    from = to;
  }
  freeLateBuffer(head.pool, buffer);
  return makeLateBuffer(head.pool, chunk);
}
