/**
 * Writing a block: series by series in order into a temporary folder, which is renamed to the block's name when all of it is on
 * disk. So a block is there whole or not at all.
 *
 * Memory is bounded by the labels (some 40 bytes a series and the distinct strings) and by the pages that are being filled.
 */
import { join } from "node:path";
import { type Disk, DiskError, type DiskFile } from "../../lib/disk.ts";
import type { Labels } from "../../model/labels.ts";
import { type RollupBuffer, TIER_MS, type Tier } from "../../model/rollup.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import { makeBlockId, TEMPORARY } from "./block-id.ts";
import { stripeWidth } from "./chunk-columns.ts";
import { type ChunkWriter, flushPages, makeChunkWriter, writeRows, writeSamples } from "./chunk-writer.ts";
import { appendPart, type DataWriter, drain, finishData, makeDataWriter } from "./data-writer.ts";
import type { SeriesHash } from "./identity.ts";
import { encodeChunks } from "./index-tables.ts";
import { LARGE_SHIFT, SMALL_BLOCK, SMALL_SHIFT, writeIndex } from "./index-writer.ts";
import { BLOCK_VERSION, DATA_FILE, META_FILE } from "./layout.ts";
import { type BlockMeta, encodeMeta, hex } from "./meta.ts";
import { collectSeries, makeSeriesCollector, type SeriesCollector } from "./series-collector.ts";
import type { Pause } from "./sort-strings.ts";

export interface BlockOptions {
  readonly tier: Tier;
  /** 1 for a block cut from the head, one more than its sources' for a compacted one. */
  readonly level: number;
  /** Ids of the blocks it is made of. */
  readonly sources: readonly string[];
  /** "fast" for what will soon be compacted, "small" for what stays. */
  readonly effort: "fast" | "small";
  readonly id?: string;
  /** Unix ms: all times (of rollups: bucket starts) are in [rangeStart, rangeEnd). */
  readonly rangeStart: number;
  readonly rangeEnd: number;
  /** How far apart samples of a series usually are; pages are laid out by it. 15 s, or the tier's width. */
  readonly intervalMs?: number;
  /** Asked often; where it gives a promise, work goes on when that resolves. */
  readonly pause?: Pause;
}

export interface BlockWriter {
  readonly id: string;
  /**
   * Adds a series behind those before it in order of tenant (as strings compare) and labels (`compareLabels`), with its samples in
   * order of time. Where it returns a promise, the next call waits for it. Rejects with `DiskError`; throws for a series out of
   * order, without samples, or with samples outside of the block's range. After that only `abort` is left.
   */
  addRaw(tenant: string, labels: Labels, hash: SeriesHash, samples: SampleBuffer): Promise<void> | void;
  /** The same for a block of rollups. */
  addRollup(tenant: string, labels: Labels, hash: SeriesHash, rows: RollupBuffer): Promise<void> | void;
  /** Puts the block on disk under its name. Without any series there is none, and undefined. Rejects with `DiskError`. */
  finish(): Promise<BlockMeta | undefined>;
  /** Removes what was written. Does nothing after `finish` has succeeded. */
  abort(): Promise<void>;
}

interface Writing {
  readonly disk: Disk;
  readonly tierDir: string;
  readonly dir: string;
  readonly id: string;
  readonly options: BlockOptions;
  readonly file: DiskFile;
  readonly data: DataWriter;
  readonly collector: SeriesCollector;
  readonly chunks: ChunkWriter;
  state: "open" | "done";
}

/** Rejects with `DiskError`. */
export async function makeBlockWriter(disk: Disk, tierDir: string, options: BlockOptions): Promise<BlockWriter> {
  const id = options.id ?? makeBlockId(Date.now(), Math.random);
  const dir = join(tierDir, TEMPORARY + id);
  await disk.makeDir(tierDir);
  await disk.makeDir(dir);
  const file = await disk.open(join(dir, DATA_FILE), "create");
  const interval = options.intervalMs ?? (options.tier === "raw" ? 15_000 : TIER_MS[options.tier]);
  const stripe = stripeWidth(options.rangeEnd - options.rangeStart, interval);
  const data = makeDataWriter(file);
  const w: Writing = {
    disk,
    tierDir,
    dir,
    id,
    options,
    file,
    data,
    collector: makeSeriesCollector(),
    chunks: makeChunkWriter(data, options.effort, options.rangeStart, options.rangeEnd, stripe),
    state: "open",
  };
  const add = (tenant: string, labels: Labels, hash: SeriesHash): void => {
    if (w.state !== "open") throw new Error(`block ${id} is finished`);
    if (w.collector.count === SMALL_BLOCK) spillChunks(w);
    collectSeries(w.collector, tenant, labels, hash);
  };
  return {
    id,
    addRaw: (tenant, labels, hash, samples) => {
      if (options.tier !== "raw") throw new Error(`samples in a block of tier ${options.tier}`);
      add(tenant, labels, hash);
      writeSamples(w.chunks, samples);
      return settle(w);
    },
    addRollup: (tenant, labels, hash, rows) => {
      if (options.tier === "raw") throw new Error("rollups in a block of raw samples");
      add(tenant, labels, hash);
      writeRows(w.chunks, rows);
      return settle(w);
    },
    finish: () => finish(w),
    abort: () => abort(w),
  };
}

function settle(w: Writing): Promise<void> | undefined {
  if (w.collector.count > SMALL_BLOCK && w.chunks.chunks.ends.length >= 2 ** w.data.sections.chunks.shift)
    spillChunks(w);
  return drain(w.data);
}

/** Chunks in a part of the index of a block of many series; of a small one, which has few parts. */
const LARGE_PART = 512;
const SMALL_PART = 1 << 14;

/** Writes whole parts of the chunks' table: the block turned out to have many series. */
function spillChunks(w: Writing): void {
  const { chunks } = w.chunks;
  const table = w.data.sections.chunks;
  if (table.parts === 0) table.shift = partShift(chunks.page.length / chunks.ends.length, LARGE_PART, LARGE_SHIFT);
  writeChunkParts(w, 2 ** table.shift, "plain");
}

/** So that a part has up to about `chunks`, when a series has `each`. */
function partShift(each: number, chunks: number, most: number): number {
  return Math.max(0, Math.min(most, Math.floor(Math.log2(chunks / each))));
}

function writeChunkParts(w: Writing, size: number, effort: "plain" | "zstd" | "smallest"): void {
  const { chunks } = w.chunks;
  const n = chunks.ends.length;
  for (let from = 0; from < n; from += size) {
    const to = Math.min(from + size, n);
    appendPart(w.data, "chunks", encodeChunks(chunks, from, to, effort === "plain"), to - from, effort);
  }
  for (const column of [chunks.ends, chunks.page, chunks.column, chunks.rows, chunks.minT, chunks.maxT, chunks.mask]) {
    column.length = 0;
  }
}

async function finish(w: Writing): Promise<BlockMeta | undefined> {
  if (w.state !== "open") throw new Error(`block ${w.id} is finished`);
  if (w.collector.count === 0) {
    await abort(w);
    return undefined;
  }
  try {
    const { options, collector, chunks, data } = w;
    flushPages(chunks);
    const small = collector.count <= SMALL_BLOCK;
    const effort = !small ? "plain" : options.effort === "small" ? "smallest" : "zstd";
    if (small) {
      const shift = partShift(chunks.totalChunks / collector.count, SMALL_PART, SMALL_SHIFT);
      data.sections.chunks.shift = shift;
      writeChunkParts(w, 2 ** shift, effort);
    } else writeChunkParts(w, 2 ** data.sections.chunks.shift, effort);
    await writeIndex(collector, data, effort, options.pause);
    const tables = await finishData(data, effort === "plain" ? "zstd" : effort);
    const meta: BlockMeta = {
      version: BLOCK_VERSION,
      id: w.id,
      tier: options.tier,
      level: options.level,
      sources: options.sources,
      rangeStart: options.rangeStart,
      rangeEnd: options.rangeEnd,
      minT: chunks.minT,
      maxT: chunks.maxT,
      series: collector.count,
      samples: chunks.totalRows,
      chunks: chunks.totalChunks,
      bytes: data.offset,
      tables: hex(tables),
    };
    await publish(w, meta);
    return meta;
  } catch (error) {
    await abort(w).catch(() => undefined);
    throw error;
  }
}

async function publish(w: Writing, meta: BlockMeta): Promise<void> {
  const { disk, dir, tierDir } = w;
  const file = await disk.open(join(dir, META_FILE), "create");
  try {
    await file.write(encodeMeta(meta), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await w.file.close();
  await disk.syncDir(dir);
  await disk.rename(dir, join(tierDir, w.id));
  w.state = "done";
  await disk.syncDir(tierDir);
}

async function abort(w: Writing): Promise<void> {
  if (w.state === "done") return;
  w.state = "done";
  await w.data.writing?.catch(() => undefined);
  try {
    await w.file.close();
  } catch (error) {
    // What is removed need not be closed well.
    if (!(error instanceof DiskError)) throw error;
  }
  await w.disk.removeDir(w.dir);
}
