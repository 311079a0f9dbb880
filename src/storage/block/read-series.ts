/** Samples and rollups of one series of a block. Only the pages of chunks that reach into the span of time are read. */
import { spend } from "../../lib/work-at-hand.ts";
import { ALL_ROLLUP_COLUMNS, type RollupBuffer, reserveRollup } from "../../model/rollup.ts";
import { reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import type { Page } from "../column/page.ts";
import type { Block } from "./block.ts";
import { BlockError } from "./block-error.ts";
import { HAS_STARTS, HAS_VALUES } from "./chunk-columns.ts";
import { appendDecoded, type DecodedChunks, keepDecoded } from "./decoded.ts";
import { eachDeleted } from "./deleted.ts";
import type { ChunkPart } from "./index-tables.ts";
import { readRollupChunk, readSampleChunk } from "./read-chunk.ts";
import { keepRows, keepSamples } from "./row-span.ts";
import { type Section, sectionPart } from "./section.ts";

/** About what reading a sample, and all columns of a bucket, costs. */
const SAMPLE_NS = 16;
const BUCKET_NS = 64;

/** Gives the page with a number. */
export type PageSource = (pages: Section<Page>, page: number) => Page;

/**
 * Replaces the content of `out` by the series' samples in [minT, maxT], ascending. Throws `BlockError` when its pages are damaged:
 * `out` then holds nothing. With `once` its chunks are not kept decoded.
 */
export function readSeries(
  block: Block,
  id: number,
  minT: number,
  maxT: number,
  out: SampleBuffer,
  once = false,
): void {
  const { chunks } = block;
  const part = sectionPart(chunks, id >>> chunks.table.shift);
  readSamples(block, part, id, minT, maxT, out, sectionPart, once ? undefined : block.decoded);
}

/** The same for a caller that has the part of the index, and its own pages. */
export function readSamples(
  block: Block,
  part: ChunkPart,
  id: number,
  minT: number,
  maxT: number,
  out: SampleBuffer,
  pages: PageSource,
  decoded?: DecodedChunks,
): void {
  const { cache } = block.data;
  out.length = 0;
  if (out.histograms !== undefined) out.histograms.length = 0;
  const i = id & block.chunks.mask;
  const end = part.ends[i + 1] as number;
  let length = 0;
  for (let c = part.ends[i] as number; c < end; c++) {
    if ((part.maxT[c] as number) < minT || (part.minT[c] as number) > maxT) continue;
    const rows = part.rows[c] as number;
    const mask = part.mask[c] as number;
    const number = part.page[c] as number;
    const column = part.column[c] as number;
    out.length = 0;
    spend(rows * SAMPLE_NS);
    out.length = length;
    if (decoded !== undefined && appendDecoded(decoded, cache, number, column, minT, maxT, out)) {
      length = out.length;
      continue;
    }
    reserveSamples(out, length + rows);
    if (mask & HAS_STARTS && out.startTs === undefined) out.startTs = new Float64Array(out.ts.length);
    out.length = 0;
    const page = pages(block.pages, number);
    try {
      readSampleChunk(page, column, rows, mask, out, length);
    } catch (error) {
      throw damage(block, number, error);
    }
    if (decoded !== undefined && mask === HAS_VALUES) keepDecoded(decoded, cache, number, column, out, length, rows);
    length += rows;
  }
  out.length = length;
  keepSamples(out, minT, maxT);
  if (block.tombstones.list.length > 0) eachDeleted(block, id, (from, to) => keepSamples(out, from, to, true));
}

/**
 * Appends to `out` the series' buckets that start in [minT, maxT], ascending. Columns that are not in `need` (bits as of
 * `columnMask`) may hold anything. Throws `BlockError`: `out` is then as it was.
 */
export function readRollup(
  block: Block,
  id: number,
  minT: number,
  maxT: number,
  out: RollupBuffer,
  need: number = ALL_ROLLUP_COLUMNS,
): void {
  const { chunks } = block;
  const part = sectionPart(chunks, id >>> chunks.table.shift);
  readRows(block, part, id, minT, maxT, out, need, sectionPart);
}

export function readRows(
  block: Block,
  part: ChunkPart,
  id: number,
  minT: number,
  maxT: number,
  out: RollupBuffer,
  need: number,
  pages: PageSource,
): void {
  const before = out.length;
  const i = id & block.chunks.mask;
  const end = part.ends[i + 1] as number;
  let length = before;
  try {
    for (let c = part.ends[i] as number; c < end; c++) {
      if ((part.maxT[c] as number) < minT || (part.minT[c] as number) > maxT) continue;
      const rows = part.rows[c] as number;
      spend(rows * BUCKET_NS);
      out.length = length;
      reserveRollup(out, length + rows);
      const number = part.page[c] as number;
      const page = pages(block.pages, number);
      try {
        readRollupChunk(page, part.column[c] as number, rows, part.mask[c] as number, need, out, length);
      } catch (error) {
        throw damage(block, number, error);
      }
      length += rows;
    }
  } catch (error) {
    out.length = before;
    throw error;
  }
  out.length = length;
  keepRows(out, before, minT, maxT);
  if (block.tombstones.list.length > 0) eachDeleted(block, id, (from, to) => keepRows(out, before, from, to, true));
}

function damage(block: Block, page: number, error: unknown): BlockError {
  const text = error instanceof Error ? error.message : String(error);
  const offset = block.pages.table.starts[page] ?? 0;
  return new BlockError(block.meta.id, block.data.path, offset, `pages ${page}: ${text}`, error);
}
