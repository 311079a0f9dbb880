/** An open block: its description, its sections, what is deleted of it. */
import { join } from "node:path";
import { readU32 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Disk, DiskError, type DiskFile, readWhole } from "../../lib/disk.ts";
import { openPage, type Page } from "../column/page.ts";
import { BlockError } from "./block-error.ts";
import { type BlockCache, cacheForget } from "./cache.ts";
import { type DecodedChunks, forgetDecoded, makeDecodedChunks } from "./decoded.ts";
import {
  type ChunkPart,
  FIELD_COLUMNS,
  type NumberPart,
  readChunks,
  readNumbers,
  TENANT_COLUMNS,
  VALUE_COLUMNS,
} from "./index-tables.ts";
import { type LabelPart, readLabels } from "./label-table.ts";
import {
  DATA_FILE,
  FOOTER_BYTES,
  footerProblem,
  HEADER_BYTES,
  META_FILE,
  readTables,
  type SectionName,
  type SectionTable,
} from "./layout.ts";
import { type BlockMeta, decodeMeta, hex } from "./meta.ts";
import { checksumHolds, partContent } from "./part-code.ts";
import { type DataFile, makeSection, type Section } from "./section.ts";
import { readStrings, type StringPart } from "./string-table.ts";
import { readTombstones, type Tombstones } from "./tombstones.ts";

export interface Block {
  readonly meta: BlockMeta;
  readonly dir: string;
  readonly disk: Disk;
  readonly data: DataFile;
  readonly pages: Section<Page>;
  readonly symbols: Section<StringPart>;
  readonly labels: Section<LabelPart>;
  readonly chunks: Section<ChunkPart>;
  readonly tenants: Section<NumberPart>;
  readonly fields: Section<NumberPart>;
  readonly values: Section<NumberPart>;
  readonly lists: Section<Uint8Array>;
  readonly hashes: Section<Uint32Array>;
  readonly decoded: DecodedChunks;
  tombstones: Tombstones;
  closed: boolean;
}

/** Memory that the objects around a decoded part take, about. */
const OVERHEAD = 400;

/**
 * Opens the block in a folder; reads its description and the tables of its sections, nothing more. Rejects with `BlockError` when
 * they are not as they should be, with `DiskError` when the disk fails.
 */
export async function openBlock(disk: Disk, dir: string, cache: BlockCache): Promise<Block> {
  const meta = await readMeta(disk, dir);
  const path = join(dir, DATA_FILE);
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== "ENOENT") throw error;
    throw new BlockError(meta.id, path, 0, "the file is missing", error);
  }
  try {
    const { tables, tablesAt } = await openTables(file, meta, path);
    const tombstones = await readTombstones(disk, dir, meta.id);
    return assemble(disk, dir, meta, { id: meta.id, path, file, cache, tablesAt }, tables, tombstones);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Forgets what the cache has of the block, and closes its file. */
export async function closeBlock(block: Block): Promise<void> {
  if (block.closed) return;
  block.closed = true;
  for (const section of sectionsOf(block)) cacheForget(block.data.cache, section.slots);
  forgetDecoded(block.decoded, block.data.cache);
  await block.data.file.close();
}

export function sectionsOf(block: Block): readonly Section<unknown>[] {
  const { pages, symbols, labels, chunks, tenants, fields, values, lists, hashes } = block;
  return [pages, symbols, labels, chunks, tenants, fields, values, lists, hashes] as readonly Section<unknown>[];
}

async function readMeta(disk: Disk, dir: string): Promise<BlockMeta> {
  const path = join(dir, META_FILE);
  const name = dir.slice(dir.lastIndexOf("/") + 1);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) throw new BlockError(name, path, 0, "the file is missing");
  const meta = decodeMeta(bytes);
  if (typeof meta === "string") throw new BlockError(name, path, 0, meta);
  return meta;
}

async function openTables(
  file: DiskFile,
  meta: BlockMeta,
  path: string,
): Promise<{ readonly tables: Record<SectionName, SectionTable>; readonly tablesAt: number }> {
  const fail = (offset: number, problem: string, cause?: unknown): BlockError =>
    new BlockError(meta.id, path, offset, problem, cause);
  const size = await file.size();
  if (size !== meta.bytes) throw fail(Math.min(size, meta.bytes), `${size} bytes instead of ${meta.bytes}`);
  if (size < HEADER_BYTES + FOOTER_BYTES) throw fail(0, `only ${size} bytes`);
  const header = await readExactly(file, 0, HEADER_BYTES);
  const footer = await readExactly(file, size - FOOTER_BYTES, FOOTER_BYTES);
  const problem = footerProblem(header, footer);
  if (problem !== undefined) throw fail(size - FOOTER_BYTES, problem);
  const length = readU32(footer, 0);
  const at = size - FOOTER_BYTES - length;
  if (at < HEADER_BYTES) throw fail(size - FOOTER_BYTES, `tables of ${length} bytes`);
  const part = await readExactly(file, at, length);
  if (!checksumHolds(part)) throw fail(at, "the checksum of the tables does not match");
  if (hex(crc32c(footer, 0, FOOTER_BYTES, crc32c(part))) !== meta.tables) {
    throw fail(at, "the tables are not those that meta.json speaks of");
  }
  let tables: Record<SectionName, SectionTable>;
  try {
    tables = readTables(partContent(part));
  } catch (error) {
    throw fail(at, error instanceof Error ? error.message : String(error), error);
  }
  for (const { starts, lengths } of Object.values(tables)) {
    for (let i = 0; i < starts.length; i++) {
      const start = starts[i] as number;
      if (!(start >= HEADER_BYTES && start + (lengths[i] as number) <= at))
        throw fail(at, "a part is outside of the file");
    }
  }
  if (tables.labels.items !== meta.series || tables.chunks.items !== meta.series) {
    throw fail(at, `${tables.labels.items} series instead of ${meta.series}`);
  }
  return { tables, tablesAt: at };
}

async function readExactly(file: DiskFile, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await file.read(bytes, at);
  return bytes;
}

function assemble(
  disk: Disk,
  dir: string,
  meta: BlockMeta,
  data: DataFile,
  tables: Readonly<Record<SectionName, SectionTable>>,
  tombstones: Tombstones,
): Block {
  const numbers = (name: "tenants" | "fields" | "values", columns: number): Section<NumberPart> =>
    makeSection(
      data,
      name,
      tables[name],
      (content, count) => readNumbers(content, count, columns),
      (part) => OVERHEAD + columns * (part[0]?.byteLength ?? 0),
    );
  return {
    meta,
    dir,
    disk,
    data,
    pages: makeSection(data, "pages", tables.pages, openPage, weighPage),
    symbols: makeSection(data, "symbols", tables.symbols, readStrings, weighStrings),
    labels: makeSection(data, "labels", tables.labels, readLabels, weighLabels),
    chunks: makeSection(data, "chunks", tables.chunks, readChunks, (p) => OVERHEAD + 4 * p.count + 32 * p.page.length),
    tenants: numbers("tenants", TENANT_COLUMNS),
    fields: numbers("fields", FIELD_COLUMNS),
    values: numbers("values", VALUE_COLUMNS),
    lists: makeSection(
      data,
      "lists",
      tables.lists,
      (content) => content,
      (part) => OVERHEAD + part.byteLength,
    ),
    hashes: makeSection(data, "hashes", tables.hashes, readHashes, (part) => OVERHEAD + part.byteLength),
    tombstones,
    decoded: makeDecodedChunks(),
    closed: false,
  };
}

function readHashes(content: Uint8Array, count: number): Uint32Array {
  if (content.length !== 12 * count) throw new RangeError(`${content.length} bytes of ${count} hashes`);
  return new Uint32Array(new Uint8Array(content).buffer);
}

/** An opened page keeps its bytes and some objects a column. */
function weighPage(page: Page): number {
  return OVERHEAD + page.view.byteLength + page.blob.byteLength + 250 * page.columns.length;
}

/** Texts and the joined text are made while the part is used: counted as if they were there. */
function weighStrings(part: StringPart): number {
  return OVERHEAD + 3 * part.bytes.byteLength + 36 * part.count;
}

/** So are the hashes. */
function weighLabels(part: LabelPart): number {
  let names = 0;
  for (const shape of part.shapes) names += 100 + shape.byteLength;
  return OVERHEAD + names + 21 * part.count + part.values.byteLength;
}
