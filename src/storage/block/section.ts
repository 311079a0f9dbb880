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

/** Bytes of consecutive parts that were read in one piece, for a reader that goes through many of them. */
export interface PartRun {
  bytes: Uint8Array;
  /** Where in the file they begin. */
  start: number;
}

export function makePartRun(): PartRun {
  return { bytes: new Uint8Array(0), start: 0 };
}

/** A read of one part costs as much as this many bytes more. */
const RUN_BYTES = 1 << 16;

/**
 * As `sectionPart` for a reader that takes the parts up to `last` in order: what is not in the cache is read together with what
 * lies behind it. The run is the reader's for this section. Only for sections whose decoded parts are copies.
 */
export function runPart<T>(section: Section<T>, run: PartRun, part: number, last: number): T {
  const entry = section.slots[part];
  if (entry !== undefined || !(part >= 0 && part <= last && last < section.table.starts.length)) {
    return sectionPart(section, part);
  }
  const start = section.table.starts[part] as number;
  const length = section.table.lengths[part] as number;
  if (start < run.start || start + length > run.start + run.bytes.length) fillRun(section, run, part, last);
  const bytes = run.bytes.subarray(start - run.start, start - run.start + length);
  // Where it could not be read in one piece, or is damaged, reading it alone tells what is wrong.
  return loadPart(section, part, true, bytes.length === length && checksumHolds(bytes) ? bytes : undefined);
}

function fillRun<T>(section: Section<T>, run: PartRun, part: number, last: number): void {
  const { starts, lengths } = section.table;
  const start = starts[part] as number;
  let end = start + (lengths[part] as number);
  // Parts that are there already are read once more where they lie between others.
  for (let next = part + 1; next <= last; next++) {
    const nextEnd = (starts[next] as number) + (lengths[next] as number);
    if ((starts[next] as number) < end || nextEnd > start + RUN_BYTES) break;
    end = nextEnd;
  }
  const bytes = new Uint8Array(end - start);
  let got = 0;
  try {
    got = section.data.file.readSync(bytes, start);
    section.data.cache.bytesRead += got;
  } catch {
    // Told when the part is read alone.
  }
  run.bytes = bytes.subarray(0, got);
  run.start = start;
}

/** `ready` are the part's bytes where they have been read and found to be right. */
function loadPart<T>(section: Section<T>, part: number, keep: boolean, ready?: Uint8Array): T {
  const { data, table } = section;
  if (!(part >= 0 && part < table.starts.length)) throw missing(section, part);
  const bytes = ready ?? readPartBytes(section, part);
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
    data.cache.bytesRead += got;
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
