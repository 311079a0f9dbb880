/**
 * The data file of a block: pages and parts of the index one behind another, then the tables that say where each is, then a
 * footer. Docs: docs/format/block.md.
 */
import { readU32, writeU32 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { type ByteSink, putByte, putVarint } from "./byte-sink.ts";
import { putColumn, readColumn } from "./number-column.ts";

export const DATA_FILE = "data";
export const META_FILE = "meta.json";
export const TOMBSTONES_FILE = "tombstones";
export const BLOCK_VERSION = 1;

export const HEADER_BYTES = 8;
export const FOOTER_BYTES = 12;
const MAGIC = 0x31425354; // "TSB1"
const END_MAGIC = 0x45425354; // "TSBE"

/** The sections, in the order of their tables. An item is what a section counts: a page, a string, a series, a row, a byte. */
export const SECTIONS = [
  "pages",
  "symbols",
  "labels",
  "chunks",
  "tenants",
  "fields",
  "values",
  "lists",
  "hashes",
] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Where a section's parts are: part i holds items [i << shift, (i + 1) << shift) and lies at starts[i], lengths[i] bytes. */
export interface SectionTable {
  readonly items: number;
  readonly shift: number;
  readonly starts: Float64Array;
  readonly lengths: Uint32Array;
}

export function encodeHeader(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeU32(bytes, 0, MAGIC);
  writeU32(bytes, 4, BLOCK_VERSION);
  return bytes;
}

/** `tablesBytes` is the length of the tables' part before it. */
export function encodeFooter(tablesBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FOOTER_BYTES);
  writeU32(bytes, 0, tablesBytes);
  writeU32(bytes, 4, crc32c(bytes, 0, 4, crc32c(encodeHeader())));
  writeU32(bytes, 8, END_MAGIC);
  return bytes;
}

/** The length of the tables' part; a text where header and footer are not those of a block of this version. */
export function footerProblem(header: Uint8Array, footer: Uint8Array): string | undefined {
  if (readU32(header, 0) !== MAGIC) return "no block's data file";
  if (readU32(header, 4) !== BLOCK_VERSION) return `version ${readU32(header, 4)}`;
  if (readU32(footer, 8) !== END_MAGIC) return "no footer";
  return readU32(footer, 4) === crc32c(footer, 0, 4, crc32c(header))
    ? undefined
    : "the footer's checksum does not match";
}

/** Appends the tables of all sections. */
export function putTables(sink: ByteSink, tables: Readonly<Record<SectionName, SectionTable>>): void {
  for (const name of SECTIONS) {
    const { items, shift, starts, lengths } = tables[name];
    putVarint(sink, items);
    putByte(sink, shift);
    if (items === 0) continue;
    putColumn(sink, starts, starts.length, starts[0] as number, false);
    putColumn(sink, lengths, lengths.length, lengths[0] as number, false);
  }
}

/** Throws for what are no tables. */
export function readTables(content: Uint8Array): Record<SectionName, SectionTable> {
  const cursor: Cursor = { at: 0 };
  const tables = {} as Record<SectionName, SectionTable>;
  for (const name of SECTIONS) {
    const items = readVarint(content, cursor);
    const shift = content[cursor.at++] as number;
    if (!(shift <= 30)) throw new RangeError(`section ${name}: parts of 2^${shift} items`);
    const parts = Math.ceil(items / 2 ** shift);
    // Each part has one byte at least, if all are alike one run: no more memory than a file of this many parts may ask for.
    if (parts > 2 ** 26) throw new RangeError(`section ${name}: ${parts} parts`);
    const starts = new Float64Array(parts + 1);
    const lengths = new Uint32Array(parts + 1);
    if (items > 0) {
      readColumn(content, cursor, parts, starts);
      readColumn(content, cursor, parts, lengths);
    }
    tables[name] = { items, shift, starts: starts.subarray(1), lengths: lengths.subarray(1) };
  }
  if (cursor.at !== content.length) throw new RangeError(`tables end at ${cursor.at} of ${content.length} bytes`);
  return tables;
}

/** Items in a part. */
export function itemsOfPart(table: SectionTable, part: number): number {
  return Math.min(2 ** table.shift, table.items - part * 2 ** table.shift);
}
