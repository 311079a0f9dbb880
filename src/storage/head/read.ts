/** Samples of one series out of the head: sealed chunks and the open one, with late samples merged over them. */
import { firstAfter, firstAt } from "../../lib/search.ts";
import { spend } from "../../lib/work-at-hand.ts";
import { appendSamples } from "../../model/copy-samples.ts";
import { copyHistogram, makeHistogramBytes } from "../../model/histogram-code.ts";
import {
  histogramRef,
  isHistogramAt,
  makeSampleBuffer,
  type SampleBuffer,
  writeHistogramRef,
} from "../../model/sample.ts";
import { decodeChunk, decodeChunkRange } from "../chunk/decode.ts";
import { mergeSamples } from "../merge/merge-samples.ts";
import { CHUNK_COUNT, CHUNK_HEADER_WORDS, type ChunkArena, chunkBefore, chunkMaxT, chunkMinT } from "./chunk-arena.ts";
import type { Head } from "./head.ts";
import { histogramOffset, histogramSlab } from "./histogram-arena.ts";
import { copyLateBuffer, lateChunk, lateChunksAscend } from "./late-buffer.ts";
import { decodeOpenChunk, openChunkMinT } from "./open-chunk.ts";
import { LAST_T_F64, LATE, OPEN, ROW_SHIFT, SEALED } from "./series-table.ts";
import { companionOf, fillStartTimes } from "./start-times.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/** About what decoding a chunk costs. */
const CHUNK_NS = 2_000;

const open = makeSampleBuffer(128);
const run = makeSampleBuffer(128);
const lateRun = makeSampleBuffer(128);
const starts = makeSampleBuffer(128);
let found = new Uint32Array(64);

/**
 * Replaces the content of `out` by the series' samples with minT <= time <= maxT: ascending in time, no time twice,
 * every value with its bits; histograms and start times where there are any.
 */
export function readSeries(head: Head, id: number, minT: number, maxT: number, out: SampleBuffer): void {
  readStored(head, id, minT, maxT, out);
  if (out.histograms !== undefined) out.histograms.length = 0;
  if (head.histograms.slabs.length > 0) takeHistograms(head, out);
  if (head.starts.count === 0) {
    out.startTs?.fill(0, 0, out.length);
    return;
  }
  const companion = companionOf(head.starts, id);
  if (companion >= 0) readStored(head, companion, minT, maxT, starts);
  fillStartTimes(out, companion >= 0 ? starts : undefined);
}

/** Turns references into the head's arena into offsets in the buffer's own bytes. What the arena has dropped goes here as well. */
function takeHistograms(head: Head, out: SampleBuffer): void {
  const { words, length } = out;
  let gone = 0;
  for (let i = 0; i < length; i++) {
    if (gone > 0) {
      out.ts[i - gone] = out.ts[i] as number;
      words[2 * (i - gone)] = words[2 * i] as number;
      words[2 * (i - gone) + 1] = words[2 * i + 1] as number;
    }
    if (!isHistogramAt(words, i)) continue;
    const ref = histogramRef(words, i);
    const slab = histogramSlab(head.histograms, ref);
    if (slab === undefined) gone++;
    else {
      out.histograms ??= makeHistogramBytes(1024);
      writeHistogramRef(words, i - gone, copyHistogram(slab, histogramOffset(ref), out.histograms));
    }
  }
  out.length = length - gone;
}

/** As `readSeries`, with the values as they are in the chunks. */
export function readStored(head: Head, id: number, minT: number, maxT: number, out: SampleBuffer): void {
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
    const first = firstAt(open.ts, 0, open.length, minT);
    appendSamples(open, out, first, firstAfter(open.ts, first, open.length, maxT));
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
  spend(CHUNK_NS);
  const slab = arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  const count = (slab[at + CHUNK_COUNT] as number) & 0xffff;
  if (chunkMinT(arena, chunk) >= minT && chunkMaxT(arena, chunk) <= maxT) {
    decodeChunk(slab, at + CHUNK_HEADER_WORDS, count, out);
  } else {
    decodeChunkRange(slab, at + CHUNK_HEADER_WORDS, count, minT, maxT, out);
  }
}

/** Late chunks from the oldest to the newest, then the buffer: each wins over what is there at the same time. */
function mergeLate(head: Head, buffer: number, minT: number, maxT: number, out: SampleBuffer): void {
  const ascend = lateChunksAscend(head.pool, buffer);
  const n = collectChain(head.chunks, lateChunk(head.pool, buffer), minT, maxT, ascend);
  // First among themselves: late samples mostly come in order, and then each is moved once.
  lateRun.length = 0;
  for (let i = n - 1; i >= 0; i--) {
    run.length = 0;
    decodeSealed(head.chunks, found[i] as number, minT, maxT, run);
    mergeSamples(lateRun, run);
  }
  run.length = 0;
  copyLateBuffer(head.pool, buffer, minT, maxT, run);
  mergeSamples(lateRun, run);
  mergeSamples(out, lateRun);
}
