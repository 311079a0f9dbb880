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
import { encodeChunks, forgetChunks } from "./index-tables.ts";
import { writeIndex } from "./index-writer.ts";
import { BLOCK_VERSION, DATA_FILE, META_FILE } from "./layout.ts";
import { type BlockMeta, encodeMeta, hex } from "./meta.ts";
import type { PartEffort } from "./part-code.ts";
import { LARGE_SHIFT, SMALL_BLOCK, SMALL_SHIFT } from "./part-size.ts";
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
  /**
   * A block of up to this many series (1 or more) has its index in few parts, compressed as a whole; one of more has posting lists,
   * and small parts that are read one by one. 4096.
   */
  readonly smallBlock?: number;
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
  /** Up to so many series the index is that of a small block. */
  readonly small: number;
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
    small: options.smallBlock ?? SMALL_BLOCK,
    state: "open",
  };
  const add = (tenant: string, labels: Labels, hash: SeriesHash): void => {
    if (w.state !== "open") throw new Error(`block ${id} is finished`);
    if (w.collector.count === w.small) choosePartSize(w, LARGE_PART, LARGE_SHIFT);
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
  const { chunks } = w.chunks;
  if (w.collector.count > w.small && chunks.ends.length >= 2 ** w.data.sections.chunks.shift)
    writeChunks(w, "plain", false);
  return drain(w.data);
}

/** Chunks in a part of the index of a block of many series; of a small one, which has few parts. */
const LARGE_PART = 512;
const SMALL_PART = 1 << 14;

/** So that a part has up to about `chunks`, when a series has as many as those so far. */
function choosePartSize(w: Writing, chunks: number, most: number): void {
  const each = w.chunks.totalChunks / w.collector.count;
  w.data.sections.chunks.shift = Math.max(0, Math.min(most, Math.floor(Math.log2(chunks / each))));
}

/** Writes whole parts of the chunks' table, with `all` what is left as well. */
function writeChunks(w: Writing, effort: PartEffort, all: boolean): void {
  const { chunks } = w.chunks;
  const size = 2 ** w.data.sections.chunks.shift;
  const n = chunks.ends.length;
  let from = 0;
  while (n - from >= size || (all && from < n)) {
    const to = Math.min(from + size, n);
    appendPart(w.data, "chunks", encodeChunks(chunks, from, to, effort === "plain"), to - from, effort);
    from = to;
  }
  forgetChunks(chunks, from);
}

async function finishIndex(w: Writing): Promise<number> {
  const { options, collector, chunks, data } = w;
  flushPages(chunks);
  const small = collector.count <= w.small;
  const effort = !small ? "plain" : options.effort === "small" ? "smallest" : "zstd";
  if (small) choosePartSize(w, SMALL_PART, SMALL_SHIFT);
  writeChunks(w, effort, true);
  await writeIndex(collector, data, small, effort, options.pause);
  return finishData(data, effort === "plain" ? "zstd" : effort);
}

async function finish(w: Writing): Promise<BlockMeta | undefined> {
  if (w.state !== "open") throw new Error(`block ${w.id} is finished`);
  if (w.collector.count === 0) {
    await abort(w);
    return undefined;
  }
  try {
    const tables = await finishIndex(w);
    const { options, collector, chunks, data } = w;
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
