/** Reading parts of a block's data file, through the cache: every part is checked when it comes from the disk. */
import type { DiskFile } from "../../lib/disk.ts";
import { BlockError } from "./block-error.ts";
import { type BlockCache, type CacheSlots, cachePut } from "./cache.ts";
import { itemsOfPart, type SectionName, type SectionTable } from "./layout.ts";
import { checksumHolds, partContent } from "./part-code.ts";

/** An open data file. */
export interface DataFile {
  readonly id: string;
  readonly path: string;
  readonly file: DiskFile;
  readonly cache: BlockCache;
  /** Where the tables begin, behind all parts. */
  readonly tablesAt: number;
}

export interface Section<T> {
  readonly data: DataFile;
  readonly name: SectionName;
  readonly table: SectionTable;
  readonly mask: number;
  readonly slots: CacheSlots;
  /** Decodes a part's bytes without their checksum. `count` is the number of its items. */
  readonly decode: (bytes: Uint8Array, count: number) => T;
  /** Memory that a decoded part takes. */
  readonly weigh: (value: T) => number;
}

export function makeSection<T>(
  data: DataFile,
  name: SectionName,
  table: SectionTable,
  decode: (content: Uint8Array, count: number) => T,
  weigh: (value: T) => number,
): Section<T> {
  const mask = 2 ** table.shift - 1;
  return { data, name, table, mask, slots: [], decode, weigh };
}

/** The part with this number. Throws `BlockError` when it cannot be read or is damaged; that is not remembered. */
export function sectionPart<T>(section: Section<T>, part: number): T {
  const entry = section.slots[part];
  if (entry === undefined) return loadPart(section, part, true);
  entry.used = true;
  section.data.cache.hits++;
  return entry.value as T;
}

/** The same past the cache, for a reader that takes every part once. */
export function passingPart<T>(section: Section<T>, part: number): T {
  const entry = section.slots[part];
  return entry === undefined ? loadPart(section, part, false) : (entry.value as T);
}

function loadPart<T>(section: Section<T>, part: number, keep: boolean): T {
  const { data, table } = section;
  if (!(part >= 0 && part < table.starts.length)) throw missing(section, part);
  const bytes = readPartBytes(section, part);
  let value: T;
  try {
    value = section.decode(
      section.name === "pages" ? bytes.subarray(0, -4) : partContent(bytes),
      itemsOfPart(table, part),
    );
  } catch (error) {
    throw damage(section, part, error instanceof Error ? error.message : String(error), error);
  }
  if (keep) {
    data.cache.misses++;
    cachePut(data.cache, section.slots, part, value, section.weigh(value));
  }
  return value;
}

/** The part's bytes, checksum included and found to be right. */
export function readPartBytes<T>(section: Section<T>, part: number): Uint8Array {
  const { data, table } = section;
  const bytes = new Uint8Array(table.lengths[part] as number);
  let got: number;
  try {
    got = data.file.readSync(bytes, table.starts[part] as number);
  } catch (error) {
    throw damage(section, part, error instanceof Error ? error.message : String(error), error);
  }
  if (got !== bytes.length) throw damage(section, part, `only ${got} of ${bytes.length} bytes are there`);
  if (!checksumHolds(bytes)) throw damage(section, part, "the checksum does not match");
  return bytes;
}

function damage<T>(section: Section<T>, part: number, problem: string, cause?: unknown): BlockError {
  const { id, path } = section.data;
  return new BlockError(id, path, section.table.starts[part] as number, `${section.name} ${part}: ${problem}`, cause);
}

/** A reference in the block leads to something that is not there. */
export function missing<T>(section: Section<T>, part: number): BlockError {
  const { id, path } = section.data;
  return new BlockError(id, path, 0, `${section.name} ${part}: there are ${section.table.starts.length} parts`);
}
