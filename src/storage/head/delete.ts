/** Exact removal of samples from the head: rare, so chunks that are touched are simply written anew. */
import type { Matcher } from "../../model/matcher.ts";
import { makeSampleBuffer } from "../../model/sample.ts";
import { decodeChunk } from "../chunk/decode.ts";
import { chunkWordsBound, writeChunk } from "../chunk/write.ts";
import {
  allocateChunk,
  CHUNK_COUNT,
  CHUNK_HEADER_WORDS,
  chunkBefore,
  chunkMaxT,
  chunkMinT,
  finishChunk,
  releaseChunk,
  setChunkBefore,
} from "./chunk-arena.ts";
import { leaveOut } from "./cut-log.ts";
import type { Head } from "./head.ts";
import { lateChunk, setLateChunk } from "./late-buffer.ts";
import { openChunkMinT, sealOpenChunk } from "./open-chunk.ts";
import { notePastChanged } from "./past-changes.ts";
import { filterLateBuffer, oldestLate, updateMinT } from "./retention.ts";
import { selectSeries } from "./select.ts";
import { LAST_HI, LAST_LO, LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";
import { companionOf } from "./start-times.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/**
 * Removes the samples with minT <= time <= maxT of the tenant's series that satisfy all matchers; series stay. Samples in that
 * range may come again: they are new then. Throws RegexError. Returns how many series lost samples.
 */
export function deleteSamples(
  head: Head,
  tenant: string,
  matchers: readonly Matcher[],
  minT: number,
  maxT: number,
): number {
  let series = 0;
  notePastChanged(head.past);
  for (const id of selectSeries(head, tenant, matchers, minT, maxT)) {
    if (deleteOf(head, id, minT, maxT)) series++;
    const companion = companionOf(head.starts, id);
    if (companion >= 0) deleteOf(head, companion, minT, maxT);
  }
  if (series > 0) updateMinT(head);
  return series;
}

function deleteOf(head: Head, id: number, minT: number, maxT: number): boolean {
  const { chunks, pool, series } = head;
  const { rows, times, firstT } = series;
  const row = id << ROW_SHIFT;
  if (head.cut !== undefined) leaveOut(head.cut, id, minT, maxT);
  const newest = times[(row >> 1) + LAST_T_F64] as number;
  if (rows[row + OPEN] !== 0 && newest >= minT && openChunkMinT(head, id) <= maxT) sealOpenChunk(head, id);
  const before = removed;
  rows[row + SEALED] = deleteInChain(head, (rows[row + SEALED] as number) >>> 0, minT, maxT);
  if (rows[row + LATE] !== 0) {
    const late = rows[row + LATE] as number;
    setLateChunk(pool, late, deleteInChain(head, lateChunk(pool, late), minT, maxT));
    if (filterLateBuffer(head, row, (t) => t < minT || t > maxT)) removed++;
  }
  if (removed === before) return false;
  // Whoever sends the newest sample once more must not be told that it is there: bits that no sample has.
  if (newest >= minT && newest <= maxT) {
    rows[row + LAST_LO] = 0x5eaf_0000;
    rows[row + LAST_HI] = 0x7ff0_dead;
  }
  let oldest = oldestLate(head, rows[row + LATE] as number);
  for (let c = (rows[row + SEALED] as number) >>> 0; c !== 0; c = chunkBefore(chunks, c)) {
    oldest = Math.min(oldest, chunkMinT(chunks, c));
  }
  if (rows[row + OPEN] !== 0) oldest = Math.min(oldest, openChunkMinT(head, id));
  firstT[id] = oldest;
  return true;
}

/** Chunks and buffers that lost samples so far. */
let removed = 0;

const samples = makeSampleBuffer(128);
let code = new Int32Array(chunkWordsBound(128));

/** Removes the range from a chain of chunks; returns its newest one, which may be another. */
function deleteInChain(head: Head, newest: number, minT: number, maxT: number): number {
  const { chunks } = head;
  let first = newest;
  let younger = 0;
  for (let chunk = newest; chunk !== 0; ) {
    const older = chunkBefore(chunks, chunk);
    if (chunkMaxT(chunks, chunk) < minT || chunkMinT(chunks, chunk) > maxT) {
      younger = chunk;
      chunk = older;
      continue;
    }
    const left = rewriteWithout(head, chunk, older, minT, maxT);
    if (left !== chunk) {
      if (younger === 0) first = left === 0 ? older : left;
      else setChunkBefore(chunks, younger, left === 0 ? older : left);
      releaseChunk(chunks, chunk);
      removed++;
    }
    if (left !== 0) younger = left;
    chunk = older;
  }
  return first;
}

/** A chunk with the samples of another that are outside of the range: that one itself, a new one, or 0. */
function rewriteWithout(head: Head, chunk: number, older: number, minT: number, maxT: number): number {
  const { chunks } = head;
  const slab = chunks.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  const count = (slab[at + CHUNK_COUNT] as number) & 0xffff;
  samples.length = 0;
  decodeChunk(slab, at + CHUNK_HEADER_WORDS, count, samples);
  const { ts, words } = samples;
  let n = 0;
  for (let i = 0; i < count; i++) {
    const t = ts[i] as number;
    if (t >= minT && t <= maxT) continue;
    ts[n] = t;
    words[2 * n] = words[2 * i] as number;
    words[2 * n + 1] = words[2 * i + 1] as number;
    n++;
  }
  if (n === count) return chunk;
  if (n === 0) return 0;
  if (code.length < chunkWordsBound(n)) code = new Int32Array(chunkWordsBound(n));
  const size = writeChunk(ts, words, 0, n, code, 0);
  const next = allocateChunk(chunks, size);
  (chunks.slabs[next >>> SLAB_SHIFT] as Int32Array).set(
    code.subarray(0, size),
    (next & SLAB_MASK) + CHUNK_HEADER_WORDS,
  );
  finishChunk(chunks, next, older, n, size, ts[n - 1] as number);
  return next;
}
