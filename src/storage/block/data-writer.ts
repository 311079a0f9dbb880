/** Writing a block's data file: pages and parts are appended, and it is remembered where each section's parts went. */
import { writeU32 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import type { DiskFile } from "../../lib/disk.ts";
import { type ByteSink, makeSink, putBytes, sinkBytes } from "./byte-sink.ts";
import { encodeFooter, encodeHeader, putTables, SECTIONS, type SectionName, type SectionTable } from "./layout.ts";
import { CHECKSUM_BYTES, type PartEffort, sealPart } from "./part-code.ts";
import type { Pause } from "./sort-strings.ts";

/** Bytes that are collected for one write. */
const WRITE = 1 << 20;

interface Growing {
  items: number;
  shift: number;
  parts: number;
  starts: Float64Array;
  lengths: Uint32Array;
}

export interface DataWriter {
  readonly file: DiskFile;
  /** Bytes written and waiting. */
  offset: number;
  pending: ByteSink;
  /** The buffer that is being written out, and when it is done. */
  spare: ByteSink;
  writing: Promise<void> | undefined;
  readonly sections: Record<SectionName, Growing>;
}

export function makeDataWriter(file: DiskFile): DataWriter {
  const sections = {} as Record<SectionName, Growing>;
  for (const name of SECTIONS) {
    sections[name] = { items: 0, shift: 0, parts: 0, starts: new Float64Array(16), lengths: new Uint32Array(16) };
  }
  const w: DataWriter = {
    file,
    offset: 0,
    pending: makeSink(),
    spare: makeSink(),
    writing: undefined,
    sections,
  };
  append(w, encodeHeader());
  return w;
}

function append(w: DataWriter, bytes: Uint8Array): void {
  putBytes(w.pending, bytes);
  w.offset += bytes.length;
}

function remember(w: DataWriter, name: SectionName, start: number, length: number, items: number): void {
  const s = w.sections[name];
  if (s.parts === s.starts.length) {
    const starts = new Float64Array(2 * s.parts);
    const lengths = new Uint32Array(2 * s.parts);
    starts.set(s.starts);
    lengths.set(s.lengths);
    s.starts = starts;
    s.lengths = lengths;
  }
  s.starts[s.parts] = start;
  s.lengths[s.parts] = length;
  s.parts++;
  s.items += items;
}

/** Appends a page with its checksum; its number is `page`, which may come in any order. */
export function appendPage(w: DataWriter, page: number, bytes: Uint8Array): void {
  const start = w.offset;
  const checksum = new Uint8Array(CHECKSUM_BYTES);
  writeU32(checksum, 0, crc32c(bytes));
  append(w, bytes);
  append(w, checksum);
  const s = w.sections.pages;
  while (s.parts <= page) remember(w, "pages", 0, 0, 1);
  s.starts[page] = start;
  s.lengths[page] = bytes.length + CHECKSUM_BYTES;
}

/** Appends the next part of a section, with this many items. */
export function appendPart(
  w: DataWriter,
  name: SectionName,
  content: Uint8Array,
  items: number,
  effort: PartEffort,
): void {
  const part = sealPart(content, effort);
  remember(w, name, w.offset, part.length, items);
  append(w, part);
}

/** Begins to write what is waiting where that is worth it; resolves when there is room again, undefined when there is. */
export function drain(w: DataWriter): Promise<void> | undefined {
  return w.pending.length >= WRITE ? writeOut(w) : undefined;
}

/** Lets writes catch up and others run. */
export async function rest(data: DataWriter, pause: Pause | undefined): Promise<void> {
  const write = drain(data);
  if (write !== undefined) await write;
  const wait = pause?.();
  if (wait !== undefined) await wait;
}

async function writeOut(w: DataWriter): Promise<void> {
  // One write at a time: the next is prepared meanwhile.
  if (w.writing !== undefined) await w.writing;
  const batch = w.pending;
  if (batch.length === 0) return;
  w.pending = w.spare;
  w.pending.length = 0;
  w.spare = batch;
  w.writing = w.file.write(sinkBytes(batch), w.offset - batch.length);
  // Whoever waits for it next gets the failure; nobody may.
  w.writing.catch(() => undefined);
}

/** Writes tables and footer and everything that waits; resolves to the checksum of both when all is on disk. */
export async function finishData(w: DataWriter, effort: PartEffort): Promise<number> {
  const tables = {} as Record<SectionName, SectionTable>;
  for (const name of SECTIONS) {
    const { items, shift, parts, starts, lengths } = w.sections[name];
    tables[name] = { items, shift, starts: starts.subarray(0, parts), lengths: lengths.subarray(0, parts) };
  }
  const sink = makeSink(4096);
  putTables(sink, tables);
  const part = sealPart(sinkBytes(sink), effort);
  const footer = encodeFooter(part.length);
  append(w, part);
  append(w, footer);
  await writeOut(w);
  await w.writing;
  await w.file.sync();
  return crc32c(footer, 0, footer.length, crc32c(part));
}
