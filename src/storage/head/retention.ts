/** Old samples out of the head. Series and their labels stay. */
import { makeSampleBuffer } from "../../model/sample.ts";
import { chunkBefore, chunkMaxT, chunkMinT, releaseChunk, setChunkBefore } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import {
  copyLateBuffer,
  freeLateBuffer,
  insertLate,
  lateChunk,
  lateChunksAscend,
  makeLateBuffer,
  setLateChunk,
} from "./late-buffer.ts";
import { freeOpenChunk, openChunkMinT } from "./open-chunk.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";

/**
 * Drops a series' samples older than `before`, chunk by chunk: those of a chunk that has younger ones as well stay. At a multiple
 * of CHUNK_RANGE there is no such chunk, and exactly the older samples go. Returns whether any went; the head's minT is
 * `updateMinT`'s.
 */
export function dropSeriesSamples(head: Head, id: number, before: number): boolean {
  const { series, chunks } = head;
  const { rows, times, firstT } = series;
  if (!((firstT[id] as number) < before)) return false;
  const row = id << ROW_SHIFT;
  let dropped = false;
  let oldest = Number.POSITIVE_INFINITY;
  // In order the chain only leads to older chunks: it ends at the first that goes.
  let kept = 0;
  for (let chunk = (rows[row + SEALED] as number) >>> 0; chunk !== 0; ) {
    if (chunkMaxT(chunks, chunk) < before) {
      if (kept === 0) rows[row + SEALED] = 0;
      else setChunkBefore(chunks, kept, 0);
      releaseChain(head, chunk);
      dropped = true;
      break;
    }
    kept = chunk;
    chunk = chunkBefore(chunks, chunk);
  }
  if (kept !== 0) oldest = chunkMinT(chunks, kept);
  if (rows[row + OPEN] !== 0) {
    if ((times[(row >> 1) + LAST_T_F64] as number) < before) {
      freeOpenChunk(head, id);
      dropped = true;
    } else oldest = Math.min(oldest, openChunkMinT(head, id));
  }
  if (rows[row + LATE] !== 0) {
    dropped = dropLate(head, row, before) || dropped;
    oldest = Math.min(oldest, oldestLate(head, rows[row + LATE] as number));
  }
  firstT[id] = oldest;
  return dropped;
}

export function releaseChain(head: Head, newest: number): void {
  for (let chunk = newest; chunk !== 0; ) {
    const next = chunkBefore(head.chunks, chunk);
    releaseChunk(head.chunks, chunk);
    chunk = next;
  }
}

const samples = makeSampleBuffer(64);

function dropLate(head: Head, row: number, before: number): boolean {
  const { chunks, pool, series } = head;
  const buffer = series.rows[row + LATE] as number;
  let dropped = false;
  let kept = 0;
  for (let chunk = lateChunk(pool, buffer); chunk !== 0; ) {
    const next = chunkBefore(chunks, chunk);
    if (chunkMaxT(chunks, chunk) < before) {
      if (kept === 0) setLateChunk(pool, buffer, next);
      else setChunkBefore(chunks, kept, next);
      releaseChunk(chunks, chunk);
      dropped = true;
    } else kept = chunk;
    chunk = next;
  }
  return filterLateBuffer(head, row, (t) => t >= before) || dropped;
}

/** Keeps the samples of a series' late buffer whose time passes; without any sample the series has no late ones any more. */
export function filterLateBuffer(head: Head, row: number, keep: (t: number) => boolean): boolean {
  const { pool } = head;
  const { rows } = head.series;
  const buffer = rows[row + LATE] as number;
  samples.length = 0;
  copyLateBuffer(pool, buffer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, samples);
  const { ts, words, length } = samples;
  let stay = 0;
  for (let i = 0; i < length; i++) if (keep(ts[i] as number)) stay++;
  const chunk = lateChunk(pool, buffer);
  if (stay === length && (stay > 0 || chunk !== 0)) return false;
  const ascend = lateChunksAscend(pool, buffer);
  freeLateBuffer(pool, buffer);
  if (stay === 0 && chunk === 0) {
    rows[row + LATE] = 0;
    return true;
  }
  let next = makeLateBuffer(pool, chunk, ascend);
  for (let i = 0; i < length; i++) {
    const t = ts[i] as number;
    if (keep(t)) next = insertLate(pool, next, t, words[2 * i] as number, words[2 * i + 1] as number);
  }
  rows[row + LATE] = next;
  return true;
}

/** Oldest time of late samples, Infinity when `buffer` is 0 or has none. */
export function oldestLate(head: Head, buffer: number): number {
  if (buffer === 0) return Number.POSITIVE_INFINITY;
  let oldest = Number.POSITIVE_INFINITY;
  for (let chunk = lateChunk(head.pool, buffer); chunk !== 0; chunk = chunkBefore(head.chunks, chunk)) {
    oldest = Math.min(oldest, chunkMinT(head.chunks, chunk));
  }
  samples.length = 0;
  copyLateBuffer(head.pool, buffer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, samples);
  return samples.length === 0 ? oldest : Math.min(oldest, samples.ts[0] as number);
}

/** Makes the head's oldest time that of its series. */
export function updateMinT(head: Head): void {
  const { count, firstT } = head.series;
  let oldest = Number.POSITIVE_INFINITY;
  for (let id = 0; id < count; id++) {
    const t = firstT[id] as number;
    if (t < oldest) oldest = t;
  }
  head.minT = oldest;
}
