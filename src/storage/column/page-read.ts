import { zstdDecompressSync } from "node:zlib";
import { type Cursor, readVarint, VarintError } from "../../lib/varint.ts";
import { contextsBy } from "./contexts.ts";
import { applyExceptions, type Exceptions, readFloatBits } from "./float-column.ts";
import { readNumbers } from "./numbers-read.ts";
import { type ColumnEntry, type NumbersSource, readDirectory } from "./page-directory.ts";
import { PageError } from "./page-error.ts";
import {
  CODE_BITS,
  CODE_BYTES,
  CODE_CONSTANT,
  CODE_NUMBERS,
  CODE_PART,
  CODE_REFERENCES,
  KIND_BYTES,
  KIND_FLOAT,
  KIND_TIME,
  MAX_BLOB,
  MAX_COLUMNS,
  MAX_DIRECTORY,
  PADDING,
  PAGE_VERSION,
  REFERENCE_HI,
} from "./page-layout.ts";
import { unscale } from "./scale.ts";
import { joinTicks, quarters } from "./ticks.ts";
import { readTimePart } from "./time-part.ts";

/** An opened page. It refers to the bytes it was opened on. */
export interface Page {
  readonly columns: readonly ColumnEntry[];
  readonly view: DataView;
  /** Where the bodies begin in the view. */
  readonly bodies: number;
  readonly blob: Uint8Array;
  /** Whole numbers of columns that others need, by column: those that were read lately, up to `MAX_KEPT` of them. */
  readonly whole: Map<number, Float64Array>;
}

/** Columns whose whole numbers are kept with a page: one follows from up to `MAX_DEPTH` others, and those of a series lie together. */
const MAX_KEPT = 32;

let scratch = new Float64Array(4096);
let offTicks = new Float64Array(4096);
let contexts = new Uint8Array(4096);

function reserveContexts(n: number): void {
  if (offTicks.length >= n) return;
  offTicks = new Float64Array(2 * n);
  contexts = new Uint8Array(2 * n);
}

function reserve(n: number): void {
  if (scratch.length < n) scratch = new Float64Array(Math.max(n, 2 * scratch.length));
}

/** Reads a page's directory and checks it. Throws `PageError`. */
export function openPage(bytes: Uint8Array): Page {
  const cursor: Cursor = { at: 1 };
  if (bytes[0] !== PAGE_VERSION) throw new PageError("an unknown version");
  const columns = headNumber(bytes, cursor, MAX_COLUMNS);
  const directoryLength = headNumber(bytes, cursor, MAX_DIRECTORY);
  const directoryStored = headNumber(bytes, cursor, bytes.length);
  const bodies = headNumber(bytes, cursor, bytes.length);
  const blobLength = headNumber(bytes, cursor, MAX_BLOB);
  const blobStored = headNumber(bytes, cursor, bytes.length);
  const at = cursor.at;
  if (at + bodies + directoryStored + blobStored !== bytes.length)
    throw new PageError("the parts do not make up the page");
  const directoryAt = at + bodies;
  const directory = unpack(bytes.subarray(directoryAt, directoryAt + directoryStored), directoryLength);
  const blob = unpack(bytes.subarray(directoryAt + directoryStored), blobLength);
  const entries = readDirectory(directory, columns, bodies, blob.length);
  if (bytes.length - directoryAt >= PADDING) {
    return {
      columns: entries,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      bodies: at,
      blob,
      whole: new Map(),
    };
  }
  const padded = new Uint8Array(bodies + PADDING);
  padded.set(bytes.subarray(at, directoryAt));
  return { columns: entries, view: new DataView(padded.buffer), bodies: 0, blob, whole: new Map() };
}

function headNumber(bytes: Uint8Array, cursor: Cursor, limit: number): number {
  try {
    const n = readVarint(bytes, cursor);
    if (n <= limit) return n;
  } catch (error) {
    if (!(error instanceof VarintError)) throw error;
  }
  throw new PageError("the head is damaged");
}

function unpack(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  if (bytes.length > length) throw new PageError("a part is longer packed than unpacked");
  let unpacked: Uint8Array;
  try {
    // Room for all at once: by default each call takes 16 KiB, which is more than most directories need.
    unpacked = zstdDecompressSync(bytes, { maxOutputLength: length, chunkSize: length + 64 });
  } catch (error) {
    throw new PageError(`a part cannot be unpacked: ${(error as Error).message}`);
  }
  if (unpacked.length !== length) throw new PageError("a part does not have its length");
  return unpacked;
}

/** The whole numbers of a column that others need; they are kept with the page. */
function keptWhole(page: Page, column: number): Float64Array {
  const { whole } = page;
  let y = whole.get(column);
  if (y !== undefined) return y;
  const { rows, source } = page.columns[column] as ColumnEntry;
  y = new Float64Array(rows);
  readWhole(page, source as NumbersSource, rows, y, 0);
  for (const oldest of whole.keys()) {
    if (whole.size < MAX_KEPT) break;
    whole.delete(oldest);
  }
  whole.set(column, y);
  return y;
}

/** The whole numbers of a column into out[at, at + rows). */
function readWhole(page: Page, source: NumbersSource, rows: number, out: Float64Array, at: number): void {
  const by = source.contexts;
  if (by === undefined) readNumbers(page.view, page.bodies, source.numbers, rows, out, at);
  else {
    const y = keptWhole(page, by.column);
    reserveContexts(rows);
    contextsBy(y, rows, by.level, by.cuts, contexts);
    readNumbers(page.view, page.bodies, source.numbers, rows, out, at, contexts);
  }
  if (source.ticks !== undefined) {
    const { tick, off } = source.ticks;
    reserveContexts(rows);
    quarters(out, at, rows, tick, contexts);
    readNumbers(page.view, page.bodies, off, rows, offTicks, 0, contexts);
    joinTicks(out, at, offTicks, rows, tick);
  }
  for (const { column, num, den } of source.terms) addTerm(keptWhole(page, column), num, den, rows, out, at);
}

function addTerm(y: Float64Array, num: number, den: number, rows: number, out: Float64Array, at: number): void {
  const y0 = y[0] as number;
  if (den === 1 && num === 1) {
    for (let i = 0; i < rows; i++) out[at + i] = (out[at + i] as number) + ((y[i] as number) - y0);
    return;
  }
  for (let i = 0; i < rows; i++) out[at + i] = (out[at + i] as number) + num * (((y[i] as number) - y0) / den);
}

/** The numbers of a column into out[at, at + rows), as floats where they have a scaling. */
function readScaled(page: Page, entry: ColumnEntry, source: NumbersSource, out: Float64Array, at: number): void {
  const { column, rows, referenced } = entry;
  if (referenced) out.set(keptWhole(page, column), at);
  else readWhole(page, source, rows, out, at);
  if (source.scaled !== undefined) unscale(source.scaled, out, at, rows);
}

function entryOf(page: Page, column: number, kind: number): ColumnEntry {
  const entry = page.columns[column];
  if (entry === undefined || entry.kind !== kind) throw new PageError(`column ${column} is not of the kind asked for`);
  return entry;
}

/** How many rows a column has. Throws `PageError` when there is no such column. */
export function pageRows(page: Page, column: number): number {
  const entry = page.columns[column];
  if (entry === undefined) throw new PageError(`there is no column ${column}`);
  return entry.rows;
}

/** Reads a column of times into out from `at` on, which has room for `pageRows` of them; returns how many there are. */
export function pageTimes(page: Page, column: number, out: Float64Array, at: number): number {
  const entry = entryOf(page, column, KIND_TIME);
  const { rows, source } = entry;
  if (rows === 0) return 0;
  if (source.code === CODE_NUMBERS) readScaled(page, entry, source, out, at);
  else if (source.code === CODE_BITS) readFloatBits(page.view, page.bodies, source.bits, rows, wordsOf(out), at);
  else if (source.code === CODE_PART) readTimePart(source.part, keptWhole(page, source.part.column), out, at);
  else throw new PageError("an unknown code of times");
  return rows;
}

/** The same of a column of floats, whose bits are as they were written. */
export function pageFloats(page: Page, column: number, out: Float64Array, at: number): number {
  const entry = entryOf(page, column, KIND_FLOAT);
  const { rows, source } = entry;
  if (rows === 0) return 0;
  if (source.code === CODE_CONSTANT) fillFloats(out, at, rows, source.lo, source.hi);
  else if (source.code === CODE_NUMBERS && source.scaled !== undefined) {
    const { exceptions } = source.scaled;
    readScaled(page, entry, source, out, at);
    if (exceptions.rows.length > 0) applyExceptions(exceptions, wordsOf(out), at);
  } else if (source.code === CODE_BITS) {
    readFloatBits(page.view, page.bodies, source.bits, rows, wordsOf(out), at);
  } else if (source.code === CODE_REFERENCES) readReferences(source.exceptions, rows, wordsOf(out), at);
  else throw new PageError("an unknown code of floats");
  return rows;
}

function wordsOf(floats: Float64Array): Uint32Array {
  return new Uint32Array(floats.buffer, floats.byteOffset, 2 * floats.length);
}

const one = new Float64Array(1);
const oneWords = wordsOf(one);

function fillFloats(out: Float64Array, at: number, rows: number, lo: number, hi: number): void {
  oneWords[0] = lo;
  oneWords[1] = hi;
  const value = one[0] as number;
  // A NaN that is moved as a number may lose its bits.
  if (!Number.isNaN(value)) {
    out.fill(value, at, at + rows);
    return;
  }
  const words = wordsOf(out);
  for (let i = 2 * at; i < 2 * (at + rows); i += 2) {
    words[i] = lo;
    words[i + 1] = hi;
  }
}

function readReferences(exceptions: Exceptions, rows: number, words: Uint32Array, at: number): void {
  let next = 0;
  let k = 0;
  for (let i = 0; i < rows; i++) {
    if (k < exceptions.rows.length && exceptions.rows[k] === i) {
      k++;
      continue;
    }
    words[2 * (at + i)] = next++;
    words[2 * (at + i) + 1] = REFERENCE_HI;
  }
  applyExceptions(exceptions, words, at);
}

/** Reads a column of byte strings: row i is bytes[ends[i - 1] (0 for row 0), ends[i]). The bytes are the page's own. */
export function pageBytes(page: Page, column: number): { bytes: Uint8Array; ends: Uint32Array } {
  const { rows, source } = entryOf(page, column, KIND_BYTES);
  const ends = new Uint32Array(rows);
  if (rows === 0) return { bytes: new Uint8Array(0), ends };
  if (source.code !== CODE_BYTES) throw new PageError("an unknown code of byte strings");
  reserve(rows);
  readNumbers(page.view, page.bodies, source.numbers, rows, scratch, 0);
  const length = source.to - source.from;
  let end = 0;
  for (let i = 0; i < rows; i++) {
    const l = scratch[i] as number;
    if (!(l >= 0 && l <= length - end)) throw new PageError("byte strings are outside of their column");
    end += l;
    ends[i] = end;
  }
  return { bytes: page.blob.subarray(source.from, source.to), ends };
}
