/** Whether a series has a sample at a time: what every late sample must know, so it looks at as little as it can. */
import { firstAt } from "../../lib/search.ts";
import { makeSampleBuffer } from "../../model/sample.ts";
import { decodeChunk } from "../chunk/decode.ts";
import { CHUNK_COUNT, CHUNK_HEADER_WORDS, type ChunkArena, chunkBefore, chunkMaxT, chunkMinT } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import { findLate, isInGap, lateChunk, lateChunksAscend, lateWord } from "./late-buffer.ts";
import { decodeOpenChunk, openChunkMinT } from "./open-chunk.ts";
import { LAST_HI, LAST_LO, LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/** Words of the value that `findSample` found, as int32. */
export const foundWords = new Int32Array(2);

/** The gap between samples in order that the last `findSample` found t in; two equal times when it did not look for one. */
export const foundGap = new Float64Array(2);

const samples = makeSampleBuffer(128);

/** True when the series has a sample at time t, not above its newest; its value is in `foundWords`. */
export function findSample(head: Head, id: number, t: number): boolean {
  const { chunks, pool, series } = head;
  const { rows, times } = series;
  const row = id << ROW_SHIFT;
  const late = rows[row + LATE] as number;
  foundGap.fill(0);
  if (late !== 0) {
    const i = findLate(pool, late, t);
    if (i >= 0) {
      foundWords[0] = lateWord(pool, late, i, 0);
      foundWords[1] = lateWord(pool, late, i, 1);
      return true;
    }
    if (findInLateChunks(chunks, lateChunk(pool, late), t, lateChunksAscend(pool, late))) return true;
    if (isInGap(pool, late, t)) return false;
  }
  const last = times[(row >> 1) + LAST_T_F64] as number;
  if (rows[row + OPEN] === 0) return findInOrder(chunks, (rows[row + SEALED] as number) >>> 0, t, last);
  if (t === last) {
    foundWords[0] = rows[row + LAST_LO] as number;
    foundWords[1] = rows[row + LAST_HI] as number;
    return true;
  }
  const oldest = openChunkMinT(head, id);
  if (oldest > t) return findInOrder(chunks, (rows[row + SEALED] as number) >>> 0, t, oldest);
  samples.length = 0;
  decodeOpenChunk(head, id, samples);
  return findInSamples(t, true);
}

function findInLateChunks(arena: ChunkArena, newest: number, t: number, ascend: boolean): boolean {
  for (let chunk = newest; chunk !== 0; chunk = chunkBefore(arena, chunk)) {
    if (chunkMaxT(arena, chunk) < t) {
      if (ascend) return false;
      continue;
    }
    if (chunkMinT(arena, chunk) > t) continue;
    decode(arena, chunk);
    if (findInSamples(t, false)) return true;
    if (ascend) return false;
  }
  return false;
}

/** @param after the oldest time that is known to follow the chain's newest chunk */
function findInOrder(arena: ChunkArena, newest: number, t: number, after: number): boolean {
  let next = after;
  for (let chunk = newest; chunk !== 0; chunk = chunkBefore(arena, chunk)) {
    const maxT = chunkMaxT(arena, chunk);
    if (maxT < t) {
      foundGap[0] = maxT;
      foundGap[1] = next;
      return false;
    }
    const minT = chunkMinT(arena, chunk);
    if (minT <= t) {
      decode(arena, chunk);
      return findInSamples(t, true);
    }
    next = minT;
  }
  foundGap[0] = Number.NEGATIVE_INFINITY;
  foundGap[1] = next;
  return false;
}

function decode(arena: ChunkArena, chunk: number): void {
  const slab = arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  samples.length = 0;
  decodeChunk(slab, at + CHUNK_HEADER_WORDS, (slab[at + CHUNK_COUNT] as number) & 0xffff, samples);
}

/** Looks for t in the decoded samples, which begin before it and end behind it. */
function findInSamples(t: number, inOrder: boolean): boolean {
  const { ts, words } = samples;
  const low = firstAt(ts, 0, samples.length, t);
  if (low === samples.length || ts[low] !== t) {
    if (inOrder) {
      foundGap[0] = ts[low - 1] as number;
      foundGap[1] = ts[low] as number;
    }
    return false;
  }
  foundWords[0] = words[2 * low] as number;
  foundWords[1] = words[2 * low + 1] as number;
  return true;
}
