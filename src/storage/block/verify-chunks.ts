import { decodeHistogram, makeHistogramBytes } from "../../model/histogram-code.ts";
import { ALL_ROLLUP_COLUMNS, makeRollupBuffer, reserveRollup } from "../../model/rollup.ts";
import {
  histogramRef,
  isHistogramAt,
  makeSampleBuffer,
  reserveSamples,
  type SampleBuffer,
} from "../../model/sample.ts";
import type { Block } from "./block.ts";
import { columnsOf } from "./chunk-columns.ts";
import type { Findings } from "./findings.ts";
import type { ChunkPart } from "./index-tables.ts";
import { readRollupChunk, readSampleChunk } from "./read-chunk.ts";
import { passingPart, sectionPart } from "./section.ts";
import type { Pause } from "./sort-strings.ts";

/** Chunks have the rows, times and columns that the index says, no column is nobody's, and the sums are those of meta.json. */
export async function verifyChunks(block: Block, findings: Findings, pause: Pause | undefined): Promise<void> {
  const { chunks, pages, meta } = block;
  const add = (problem: string): void => findings.add(block.data.path, 0, problem);
  const columns = new Uint32Array(pages.table.starts.length);
  const samples = makeSampleBuffer(2048);
  samples.histograms = makeHistogramBytes();
  const rows = makeRollupBuffer(2048);
  let totalChunks = 0;
  let totalRows = 0;
  let minT = Number.POSITIVE_INFINITY;
  let maxT = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < meta.series; id++) {
    findings.check(() => {
      const part = sectionPart(chunks, id >>> chunks.table.shift);
      const i = id & chunks.mask;
      const [first, end] = [part.ends[i] as number, part.ends[i + 1] as number];
      if (first === end) add(`series ${id} has no chunk`);
      for (let c = first; c < end; c++) {
        if (c > first && !((part.minT[c] as number) > (part.maxT[c - 1] as number)))
          add(`series ${id}: chunks overlap`);
        const page = part.page[c] as number;
        if (page >= columns.length) add(`series ${id}: there is no page ${page}`);
        else columns[page] = (columns[page] as number) + columnsOf(part.mask[c] as number);
        totalRows += part.rows[c] as number;
        totalChunks++;
        minT = Math.min(minT, part.minT[c] as number);
        maxT = Math.max(maxT, part.maxT[c] as number);
        const ts = meta.tier === "raw" ? readRaw(block, part, c, samples) : readRolledUp(block, part, c, rows);
        const problem = timesProblem(ts, part, c);
        if (problem !== undefined) add(`series ${id}, page ${page}: ${problem}`);
      }
    });
    const wait = pause?.();
    if (wait !== undefined) await wait;
  }
  for (let page = 0; page < columns.length; page++) {
    findings.check(() => {
      const there = passingPart(pages, page).columns.length;
      if (there !== columns[page]) add(`page ${page} has ${there} columns, its chunks have ${columns[page]}`);
    });
  }
  if (totalChunks !== meta.chunks) add(`${totalChunks} chunks instead of ${meta.chunks}`);
  if (totalRows !== meta.samples) add(`${totalRows} samples instead of ${meta.samples}`);
  if (minT !== meta.minT || maxT !== meta.maxT)
    add(`times from ${minT} to ${maxT} instead of ${meta.minT} to ${meta.maxT}`);
  if (!(minT >= meta.rangeStart && maxT < meta.rangeEnd)) add(`times from ${minT} to ${maxT} are outside of the range`);
}

function readRaw(block: Block, part: ChunkPart, c: number, out: SampleBuffer): Float64Array {
  const n = part.rows[c] as number;
  out.length = 0;
  if (out.histograms !== undefined) out.histograms.length = 0;
  reserveSamples(out, n);
  out.startTs ??= new Float64Array(out.ts.length);
  const page = sectionPart(block.pages, part.page[c] as number);
  readSampleChunk(page, part.column[c] as number, n, part.mask[c] as number, out, 0);
  for (let i = 0; i < n; i++) {
    if (isHistogramAt(out.words, i)) decodeHistogram(out.histograms?.bytes as Uint8Array, histogramRef(out.words, i));
  }
  return out.ts;
}

function readRolledUp(
  block: Block,
  part: ChunkPart,
  c: number,
  out: ReturnType<typeof makeRollupBuffer>,
): Float64Array {
  const n = part.rows[c] as number;
  out.length = 0;
  if (out.histograms !== undefined) out.histograms.bytes.length = 0;
  reserveRollup(out, n);
  const page = sectionPart(block.pages, part.page[c] as number);
  readRollupChunk(page, part.column[c] as number, n, part.mask[c] as number, ALL_ROLLUP_COLUMNS, out, 0);
  const { histograms } = out;
  if (histograms !== undefined) {
    for (const refs of Object.values(histograms.refs)) {
      for (let i = 0; i < n; i++)
        if ((refs[i] as number) >= 0) decodeHistogram(histograms.bytes.bytes, refs[i] as number);
    }
  }
  return out.start;
}

function timesProblem(ts: Float64Array, part: ChunkPart, c: number): string | undefined {
  const n = part.rows[c] as number;
  if (n === 0) return "a chunk without rows";
  for (let i = 1; i < n; i++) if (!((ts[i - 1] as number) < (ts[i] as number))) return "times do not ascend";
  if (ts[0] !== part.minT[c] || ts[n - 1] !== part.maxT[c]) return "times other than the index says";
  return undefined;
}
