/** Rows of series into chunks, chunks into the pages of their stripe of time. */

import { firstAt } from "../../lib/search.ts";
import { histogramSize } from "../../model/histogram-code.ts";
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  ROLLUP_COLUMNS,
  type RollupBuffer,
} from "../../model/rollup.ts";
import { histogramRef, isHistogramAt, type SampleBuffer, writeHistogramRef } from "../../model/sample.ts";
import {
  CHUNK_ROWS,
  columnsOf,
  HAS_HISTOGRAMS,
  HAS_STARTS,
  HAS_VALUES,
  HISTOGRAM_NUMBERS_BIT,
  HISTOGRAM_REFS_BIT,
} from "./chunk-columns.ts";
import { appendPage, type DataWriter } from "./data-writer.ts";
import { type ChunkRows, makeChunkRows } from "./index-tables.ts";
import {
  beginStrings,
  encodeFilled,
  fillFloats,
  fillString,
  fillTimes,
  isFull,
  makePageFiller,
  type PageFiller,
  valuesIn,
} from "./page-filler.ts";

/** Values that may wait in all stripes together, 8 bytes each. */
const MAX_WAITING = 8 << 20;

export interface ChunkWriter {
  readonly data: DataWriter;
  readonly effort: "fast" | "small";
  readonly rangeStart: number;
  readonly rangeEnd: number;
  readonly stripeMs: number;
  readonly fillers: Map<number, PageFiller>;
  readonly chunks: ChunkRows;
  pages: number;
  waiting: number;
  totalChunks: number;
  totalRows: number;
  minT: number;
  maxT: number;
}

export function makeChunkWriter(
  data: DataWriter,
  effort: "fast" | "small",
  rangeStart: number,
  rangeEnd: number,
  stripeMs: number,
): ChunkWriter {
  return {
    data,
    effort,
    rangeStart,
    rangeEnd,
    stripeMs,
    fillers: new Map(),
    chunks: makeChunkRows(),
    pages: 0,
    waiting: 0,
    totalChunks: 0,
    totalRows: 0,
    minT: Number.POSITIVE_INFINITY,
    maxT: Number.NEGATIVE_INFINITY,
  };
}

/** Writes the samples of the next series. */
export function writeSamples(w: ChunkWriter, samples: SampleBuffer): void {
  const { ts, length } = samples;
  checkRange(w, ts, length);
  const histograms = samples.histograms !== undefined && samples.histograms.length > 0;
  for (let from = 0; from < length; ) {
    const to = chunkEnd(w, ts, from, length);
    const has = histograms && hasHistograms(samples.words, from, to);
    const starts = samples.startTs !== undefined && hasNonZero(samples.startTs, from, to);
    const mask = HAS_VALUES | (has ? HAS_HISTOGRAMS : 0) | (starts ? HAS_STARTS : 0);
    const filler = beginChunk(w, ts, from, to, mask);
    const at = fillFloats(filler, samples.words, from, to);
    if (has) fillHistograms(filler, samples, from, to, at);
    if (starts) fillFloats(filler, wordsOf(samples.startTs as Float64Array), from, to);
    endChunk(w, filler);
    from = to;
  }
  w.chunks.ends.push(w.chunks.page.length);
}

/** Writes the rows of the next series. */
export function writeRows(w: ChunkWriter, rows: RollupBuffer): void {
  const { start, length, histograms } = rows;
  checkRange(w, start, length);
  for (let from = 0; from < length; ) {
    const to = chunkEnd(w, start, from, length);
    const mask = rollupMask(rows, from, to);
    const filler = beginChunk(w, start, from, to, mask);
    ROLLUP_COLUMNS.forEach((name, bit) => {
      if (mask & (1 << bit)) fillFloats(filler, wordsOf(rows.columns[name]), from, to);
    });
    if (histograms !== undefined) {
      HISTOGRAM_ROLLUP_NUMBERS.forEach((name, i) => {
        if (!(mask & (1 << (HISTOGRAM_NUMBERS_BIT + i)))) return;
        fillFloats(filler, wordsOf(histograms.numbers[name]), from, to);
      });
      HISTOGRAM_ROLLUP_REFS.forEach((name, i) => {
        if (!(mask & (1 << (HISTOGRAM_REFS_BIT + i)))) return;
        beginStrings(filler);
        for (let row = from; row < to; row++) {
          const ref = histograms.refs[name][row] as number;
          const { bytes } = histograms.bytes;
          fillString(filler, bytes, Math.max(ref, 0), ref < 0 ? 0 : ref + histogramSize(bytes, ref));
        }
      });
    }
    endChunk(w, filler);
    from = to;
  }
  w.chunks.ends.push(w.chunks.page.length);
}

/** Encodes all pages that are not full. */
export function flushPages(w: ChunkWriter): void {
  for (const [, filler] of [...w.fillers].sort(([a], [b]) => a - b)) if (filler.columns > 0) flush(w, filler);
  w.fillers.clear();
}

function checkRange(w: ChunkWriter, ts: Float64Array, length: number): void {
  if (length === 0) throw new Error("a series of a block has samples");
  const first = ts[0] as number;
  const last = ts[length - 1] as number;
  if (!(first >= w.rangeStart && last < w.rangeEnd && first <= last)) {
    throw new Error(`samples of ${first} to ${last} in a block of ${w.rangeStart} to ${w.rangeEnd}`);
  }
  w.totalRows += length;
  if (first < w.minT) w.minT = first;
  if (last > w.maxT) w.maxT = last;
}

/** Where the chunk that begins at row `from` ends: at its stripe's end, or when it is full. */
function chunkEnd(w: ChunkWriter, ts: Float64Array, from: number, length: number): number {
  const end = w.rangeStart + (stripeOf(w, ts[from] as number) + 1) * w.stripeMs;
  const full = Math.min(length, from + CHUNK_ROWS);
  return (ts[full - 1] as number) < end ? full : firstAt(ts, from + 1, full, end);
}

const stripeOf = (w: ChunkWriter, t: number): number => Math.floor((t - w.rangeStart) / w.stripeMs);

function beginChunk(w: ChunkWriter, ts: Float64Array, from: number, to: number, mask: number): PageFiller {
  const stripe = stripeOf(w, ts[from] as number);
  let filler = w.fillers.get(stripe);
  if (filler === undefined) {
    filler = makePageFiller();
    w.fillers.set(stripe, filler);
  }
  if (isFull(filler, columnsOf(mask))) flush(w, filler);
  if (filler.columns === 0) filler.page = w.pages++;
  const { chunks } = w;
  chunks.page.push(filler.page);
  chunks.column.push(filler.columns);
  chunks.rows.push(to - from);
  chunks.minT.push(ts[from] as number);
  chunks.maxT.push(ts[to - 1] as number);
  chunks.mask.push(mask);
  w.totalChunks++;
  w.waiting -= valuesIn(filler);
  fillTimes(filler, ts, from, to);
  return filler;
}

function endChunk(w: ChunkWriter, filler: PageFiller): void {
  w.waiting += valuesIn(filler);
  if (w.waiting <= MAX_WAITING) return;
  let most = filler;
  for (const f of w.fillers.values()) if (valuesIn(f) > valuesIn(most)) most = f;
  flush(w, most);
}

function flush(w: ChunkWriter, filler: PageFiller): void {
  if (filler.columns === 0) return;
  const { page } = filler;
  w.waiting -= valuesIn(filler);
  appendPage(w.data, page, encodeFilled(filler, w.effort));
}

function wordsOf(column: Float64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, 2 * column.length);
}

function hasHistograms(words: Uint32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (isHistogramAt(words, i)) return true;
  return false;
}

/** True when a bit is set anywhere: -0 is not nothing. */
function hasNonZero(column: Float64Array, from: number, to: number): boolean {
  const words = wordsOf(column);
  for (let i = 2 * from; i < 2 * to; i++) if (words[i] !== 0) return true;
  return false;
}

/** Adds the codes of the histograms among the samples, and makes their references in the page count from 0. */
function fillHistograms(filler: PageFiller, samples: SampleBuffer, from: number, to: number, at: number): void {
  const { bytes } = samples.histograms as { bytes: Uint8Array };
  beginStrings(filler);
  let n = 0;
  for (let i = from; i < to; i++) {
    if (!isHistogramAt(samples.words, i)) continue;
    const ref = histogramRef(samples.words, i);
    fillString(filler, bytes, ref, ref + histogramSize(bytes, ref));
    writeHistogramRef(filler.words, at + i - from, n++);
  }
}

function rollupMask(rows: RollupBuffer, from: number, to: number): number {
  let mask = 0;
  ROLLUP_COLUMNS.forEach((name, bit) => {
    if (hasNonZero(rows.columns[name], from, to)) mask |= 1 << bit;
  });
  const { histograms } = rows;
  if (histograms === undefined) return mask;
  HISTOGRAM_ROLLUP_NUMBERS.forEach((name, i) => {
    if (hasNonZero(histograms.numbers[name], from, to)) mask |= 1 << (HISTOGRAM_NUMBERS_BIT + i);
  });
  HISTOGRAM_ROLLUP_REFS.forEach((name, i) => {
    const refs = histograms.refs[name];
    for (let row = from; row < to; row++) if ((refs[row] as number) >= 0) mask |= 1 << (HISTOGRAM_REFS_BIT + i);
  });
  return mask;
}
