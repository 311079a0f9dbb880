/** Samples of one series out of the head: sealed chunks and the open one, with late samples merged over them. */
import { makeSampleBuffer, reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { decodeChunk, decodeChunkRange } from "../chunk/decode.ts";
import { CHUNK_COUNT, CHUNK_HEADER_WORDS, type ChunkArena, chunkBefore, chunkMaxT, chunkMinT } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import { copyLateBuffer, lateChunk } from "./late-buffer.ts";
import { decodeOpenChunk, openChunkMinT } from "./open-chunk.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

const open = makeSampleBuffer(128);
const run = makeSampleBuffer(128);
const merged = makeSampleBuffer(128);
let found = new Uint32Array(64);

/**
 * Replaces the content of `out` by the series' samples with minT <= time <= maxT: ascending in time, no time twice,
 * every value with its bits.
 */
export function readSeries(head: Head, id: number, minT: number, maxT: number, out: SampleBuffer): void {
  out.length = 0;
  const { rows, times } = head.series;
  const row = id << ROW_SHIFT;
  if ((times[(row >> 1) + LAST_T_F64] as number) < minT) {
    // Late samples are older still.
    return;
  }
  const chunks = collectChain(head.chunks, (rows[row + SEALED] as number) >>> 0, minT, maxT, true);
  for (let i = chunks - 1; i >= 0; i--) decodeSealed(head.chunks, found[i] as number, minT, maxT, out);
  if (rows[row + OPEN] !== 0 && openChunkMinT(head, id) <= maxT) {
    open.length = 0;
    decodeOpenChunk(head, id, open);
    appendRange(open, minT, maxT, out);
  }
  const late = rows[row + LATE] as number;
  if (late !== 0) mergeLate(head, late, minT, maxT, out);
}

/** Collects into `found` the chain's chunks that may have samples in the range, newest first; returns their number. */
function collectChain(arena: ChunkArena, newest: number, minT: number, maxT: number, ordered: boolean): number {
  let n = 0;
  for (let chunk = newest; chunk !== 0; chunk = chunkBefore(arena, chunk)) {
    if (chunkMaxT(arena, chunk) < minT) {
      if (ordered) break;
      continue;
    }
    if (chunkMinT(arena, chunk) > maxT) continue;
    if (n === found.length) {
      const more = new Uint32Array(2 * n);
      more.set(found);
      found = more;
    }
    found[n++] = chunk;
  }
  return n;
}

function decodeSealed(arena: ChunkArena, chunk: number, minT: number, maxT: number, out: SampleBuffer): void {
  const slab = arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  const count = (slab[at + CHUNK_COUNT] as number) & 0xffff;
  if (chunkMinT(arena, chunk) >= minT && chunkMaxT(arena, chunk) <= maxT) {
    decodeChunk(slab, at + CHUNK_HEADER_WORDS, count, out);
  } else {
    decodeChunkRange(slab, at + CHUNK_HEADER_WORDS, count, minT, maxT, out);
  }
}

function appendRange(from: SampleBuffer, minT: number, maxT: number, out: SampleBuffer): void {
  const { ts } = from;
  let first = 0;
  let end = from.length;
  while (first < end && (ts[first] as number) < minT) first++;
  while (end > first && (ts[end - 1] as number) > maxT) end--;
  if (first === end) return;
  reserveSamples(out, out.length + end - first);
  out.ts.set(ts.subarray(first, end), out.length);
  out.words.set(from.words.subarray(2 * first, 2 * end), 2 * out.length);
  out.length += end - first;
}

/** Late chunks from the oldest to the newest, then the buffer: each wins over what is there at the same time. */
function mergeLate(head: Head, buffer: number, minT: number, maxT: number, out: SampleBuffer): void {
  const n = collectChain(head.chunks, lateChunk(head.pool, buffer), minT, maxT, false);
  for (let i = n - 1; i >= 0; i--) {
    run.length = 0;
    decodeSealed(head.chunks, found[i] as number, minT, maxT, run);
    mergeOver(out, run);
  }
  run.length = 0;
  copyLateBuffer(head.pool, buffer, minT, maxT, run);
  mergeOver(out, run);
}

/** Merges `newer` into `out`; at equal times the newer sample stays. */
function mergeOver(out: SampleBuffer, newer: SampleBuffer): void {
  const n = out.length;
  const m = newer.length;
  if (m === 0) return;
  if (n === 0 || (out.ts[n - 1] as number) < (newer.ts[0] as number)) {
    appendRange(newer, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out);
    return;
  }
  merged.length = 0;
  reserveSamples(merged, n + m);
  const { ts, words } = merged;
  let i = 0;
  let j = 0;
  let k = 0;
  while (i < n || j < m) {
    const a = i < n ? (out.ts[i] as number) : Number.POSITIVE_INFINITY;
    const b = j < m ? (newer.ts[j] as number) : Number.POSITIVE_INFINITY;
    if (a < b) {
      ts[k] = a;
      words[2 * k] = out.words[2 * i] as number;
      words[2 * k + 1] = out.words[2 * i + 1] as number;
    } else {
      ts[k] = b;
      words[2 * k] = newer.words[2 * j] as number;
      words[2 * k + 1] = newer.words[2 * j + 1] as number;
    }
    if (a <= b) i++;
    if (b <= a) j++;
    k++;
  }
  reserveSamples(out, k);
  out.ts.set(ts.subarray(0, k));
  out.words.set(words.subarray(0, 2 * k));
  out.length = k;
}
