/**
 * The chunk that a series is filling: a chain of blocks of the word pool, one cache line each (a link and 15 words of chunk
 * code). Its state is in the series' row; sealing copies it to the chunk arena in one piece and gives the blocks back.
 */

import type { SampleBuffer } from "../../model/sample.ts";
import { chunkStart, decodeChunk } from "../chunk/decode.ts";
import { CHUNK_HEAD_WORDS, NO_WINDOW } from "../chunk/encode.ts";
import { chunkWordsBound } from "../chunk/write.ts";
import { allocateChunk, CHUNK_HEADER_WORDS, finishChunk } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import {
  DELTA,
  LAST_HI,
  LAST_LO,
  LAST_T_F64,
  LEFT,
  OPEN,
  ROW_SHIFT,
  SEALED,
  TAIL,
  TAIL_BITS,
  WINDOW_COUNT,
} from "./series-table.ts";
import { allocateBlock, freeBlock, SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/** A chunk is sealed at this number of samples. */
export const CHUNK_SAMPLES = 120;
/** No chunk has samples on both sides of a multiple of this (ms): blocks are cut there. */
export const CHUNK_RANGE = 2 * 3600_000;
/** Open chunks grow by blocks of 2^4 words: a link and 15 words of chunk code. */
export const BLOCK_ORDER = 4;
export const BLOCK_DATA_WORDS = 15;

const time = new Float64Array(1);
const timeWords = new Int32Array(time.buffer);

/** Begins a chunk with its first sample; the series has no open one. */
export function openChunk(head: Head, id: number, t: number, lo: number, hi: number): void {
  const { series, pool } = head;
  const { rows, times } = series;
  const row = id << ROW_SHIFT;
  const block = allocateBlock(pool, BLOCK_ORDER);
  const slab = pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
  const at = block & SLAB_MASK;
  time[0] = t;
  slab[at + 1] = timeWords[0] as number;
  slab[at + 2] = timeWords[1] as number;
  slab[at + 3] = lo;
  slab[at + 4] = hi;
  rows[row + OPEN] = block;
  rows[row + TAIL] = block;
  rows[row + TAIL_BITS] = CHUNK_HEAD_WORDS << 5;
  rows[row + WINDOW_COUNT] = NO_WINDOW | (1 << 16);
  rows[row + DELTA] = 0;
  rows[row + LAST_LO] = lo;
  rows[row + LAST_HI] = hi;
  rows[row + LEFT] = rangeEnd(t) - t;
  times[(row >> 1) + LAST_T_F64] = t;
  if (t < (series.firstT[id] as number)) series.firstT[id] = t;
  if (t < head.minT) head.minT = t;
  if (t > head.maxT) head.maxT = t;
  head.openChunks++;
}

/** The first multiple of CHUNK_RANGE after t. */
export function rangeEnd(t: number): number {
  return (Math.floor(t / CHUNK_RANGE) + 1) * CHUNK_RANGE;
}

/** Moves the open chunk to the sealed ones. */
export function sealOpenChunk(head: Head, id: number): void {
  const { rows, times } = head.series;
  const row = id << ROW_SHIFT;
  const words = openChunkWords(head, id);
  const chunk = allocateChunk(head.chunks, words);
  const slab = head.chunks.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  copyOpenChunk(head, id, slab, (chunk & SLAB_MASK) + CHUNK_HEADER_WORDS, words);
  const maxT = times[(row >> 1) + LAST_T_F64] as number;
  const count = (rows[row + WINDOW_COUNT] as number) >>> 16;
  finishChunk(head.chunks, chunk, rows[row + SEALED] as number, count, words, maxT);
  rows[row + SEALED] = chunk;
  freeOpenChunk(head, id);
}

/** Gives the open chunk's blocks back; the series has no open chunk then. */
export function freeOpenChunk(head: Head, id: number): void {
  const { rows } = head.series;
  const row = id << ROW_SHIFT;
  const last = rows[row + TAIL] as number;
  for (let block = rows[row + OPEN] as number; ; ) {
    const next = (head.pool.slabs[block >>> SLAB_SHIFT] as Int32Array)[block & SLAB_MASK] as number;
    freeBlock(head.pool, block, BLOCK_ORDER);
    if (block === last) break;
    block = next;
  }
  rows[row + OPEN] = 0;
  rows[row + LEFT] = 0;
  head.openChunks--;
}

/** Words of chunk code in the open chunk. */
export function openChunkWords(head: Head, id: number): number {
  const { rows } = head.series;
  const row = id << ROW_SHIFT;
  const last = rows[row + TAIL] as number;
  let words = ((rows[row + TAIL_BITS] as number) + 31) >>> 5;
  for (let block = rows[row + OPEN] as number; block !== last; words += BLOCK_DATA_WORDS) {
    block = (head.pool.slabs[block >>> SLAB_SHIFT] as Int32Array)[block & SLAB_MASK] as number;
  }
  return words;
}

/** Copies the open chunk's code to out[at...], where there is room for `words` of it. */
function copyOpenChunk(head: Head, id: number, out: Int32Array, at: number, words: number): void {
  let block = head.series.rows[(id << ROW_SHIFT) + OPEN] as number;
  let left = words;
  let to = at;
  while (left > 0) {
    const slab = head.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const from = (block & SLAB_MASK) + 1;
    const take = left < BLOCK_DATA_WORDS ? left : BLOCK_DATA_WORDS;
    for (let k = 0; k < take; k++) out[to + k] = slab[from + k] as number;
    to += take;
    left -= take;
    block = slab[from - 1] as number;
  }
}

const copy = new Int32Array(chunkWordsBound(CHUNK_SAMPLES) + 1);

/** Oldest time of the open chunk; the series has one. */
export function openChunkMinT(head: Head, id: number): number {
  const block = head.series.rows[(id << ROW_SHIFT) + OPEN] as number;
  return chunkStart(head.pool.slabs[block >>> SLAB_SHIFT] as Int32Array, (block & SLAB_MASK) + 1);
}

/** Appends the samples of the open chunk to `out`. */
export function decodeOpenChunk(head: Head, id: number, out: SampleBuffer): void {
  copyOpenChunk(head, id, copy, 0, openChunkWords(head, id));
  decodeChunk(copy, 0, (head.series.rows[(id << ROW_SHIFT) + WINDOW_COUNT] as number) >>> 16, out);
}
