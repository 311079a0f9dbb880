import { constants, zstdCompressSync } from "node:zlib";
import { writeVarint } from "../../lib/varint.ts";
import { histogramRef, isHistogramAt } from "../../model/sample.ts";
import { alignBits, type BitWriter } from "./bit-stream.ts";
import { clearEarlier, type Earlier, keepEarlier, makeEarlier } from "./derive.ts";
import { type DirectoryWriter, putNumber, reserveDirectory } from "./directory.ts";
import { putExceptions, putFloat, putScaling, writeFloatBits } from "./float-column.ts";
import { type Effort, makeNumberPlan, planNumbers, writeNumbers, writePlanned } from "./numbers.ts";
import {
  CODE_BITS,
  CODE_BYTES,
  CODE_CONSTANT,
  CODE_NUMBERS,
  CODE_PART,
  CODE_REFERENCES,
  CODE_SAME,
  KIND_BYTES,
  KIND_FLOAT,
  KIND_TIME,
  MAX_BLOB,
  MAX_COLUMNS,
  MAX_PAGE_ROWS,
  MAX_ROWS,
  PAGE_VERSION,
  SAME_ROWS,
} from "./page-layout.ts";
import { MAX_WHOLE, makeScaling, scaleFloats } from "./scale.ts";
import { type Learned, writeScaled } from "./scaled-write.ts";
import { findPart, putRuns } from "./time-part.ts";

/** One column as it comes in. The rows are [from, to) of the arrays; the arrays are only read. */
export type PageColumn =
  /** Times, ascending whole Unix milliseconds. */
  | { readonly kind: "time"; readonly ts: Float64Array; readonly from: number; readonly to: number }
  /** Bits of float64s, the low word of row i at 2 * i. */
  | { readonly kind: "float"; readonly words: Uint32Array; readonly from: number; readonly to: number }
  /** Byte strings: row i is bytes[ends[i - 1] (0 for row 0), ends[i]). */
  | {
      readonly kind: "bytes";
      readonly bytes: Uint8Array;
      readonly ends: Uint32Array;
      readonly from: number;
      readonly to: number;
    };

interface Writer {
  readonly effort: Effort;
  readonly directory: DirectoryWriter;
  readonly bodies: BitWriter;
  blob: Uint8Array;
  blobAt: number;
  /** What was learned from the columns so far. */
  readonly learned: Learned;
  /** Columns that a later one may equal, by a hash of kind, rows and content. */
  readonly seen: Map<number, number[]>;
  /** The last column of times that is not the same as the one before, -1 for none yet. */
  lastTime: number;
  /** Where the columns of times are among the earlier ones. */
  readonly times: number[];
}

const directoryScratch: DirectoryWriter = { bytes: new Uint8Array(1 << 14), at: 0 };
const bodiesScratch: BitWriter = { bytes: new Uint8Array(1 << 17), bit: 0 };
let blobScratch: Uint8Array = new Uint8Array(1 << 14);
const scaling = makeScaling();
const ownPlan = makeNumberPlan();
const learned: Learned = { earlier: makeEarlier(), tick: 0, ticksTried: 0 };
let whole = new Float64Array(4096);
let wholeWords = new Uint32Array(whole.buffer);

/** Encodes the columns, of any number of rows each (at most 2^20). "small" searches for longer than "fast"; both read alike. */
export function encodePage(columns: readonly PageColumn[], effort: Effort = "fast"): Uint8Array {
  if (columns.length > MAX_COLUMNS) throw new RangeError(`a page has at most ${MAX_COLUMNS} columns`);
  const w: Writer = {
    effort,
    directory: directoryScratch,
    bodies: bodiesScratch,
    blob: blobScratch,
    blobAt: 0,
    learned,
    seen: new Map(),
    times: [],
    lastTime: -1,
  };
  w.directory.at = columns.length;
  reserveDirectory(w.directory, 16);
  w.bodies.bit = 0;
  clearEarlier(learned.earlier);
  learned.tick = 0;
  learned.ticksTried = 0;
  let lastRows = -1;
  let all = 0;
  for (let c = 0; c < columns.length; c++) {
    const column = columns[c] as PageColumn;
    const rows = column.to - column.from;
    if (rows > MAX_ROWS || rows < 0) throw new RangeError(`a column has at most ${MAX_ROWS} rows`);
    all += rows;
    if (all > MAX_PAGE_ROWS) throw new RangeError(`a page has at most ${MAX_PAGE_ROWS} rows in all columns`);
    if (rows !== lastRows) putNumber(w.directory, rows);
    const code = rows === 0 ? emptyCode(column) : writeColumn(w, columns, c);
    w.directory.bytes[c] = code | (rows === lastRows ? SAME_ROWS : 0);
    lastRows = rows;
  }
  blobScratch = w.blob;
  return assemble(w, columns.length);
}

function emptyCode(column: PageColumn): number {
  return CODE_CONSTANT | (kindOf(column) << 4);
}

function kindOf(column: PageColumn): number {
  return column.kind === "time" ? KIND_TIME : column.kind === "float" ? KIND_FLOAT : KIND_BYTES;
}

function writeColumn(w: Writer, columns: readonly PageColumn[], c: number): number {
  const column = columns[c] as PageColumn;
  if (column.kind === "bytes") return writeBytesColumn(w, column) | (KIND_BYTES << 4);
  if (column.kind === "float" && isConstant(column.words, column.from, column.to)) {
    const at = 2 * column.from;
    putFloat(w.directory, column.words[at] as number, column.words[at + 1] as number);
    return CODE_CONSTANT | (KIND_FLOAT << 4);
  }
  const same = findSame(w, columns, c);
  if (same >= 0) {
    putNumber(w.directory, c - same - 1);
    return CODE_SAME | (kindOf(column) << 4);
  }
  return column.kind === "time"
    ? writeTimeColumn(w, column, c) | (KIND_TIME << 4)
    : writeFloatColumn(w, column, c) | (KIND_FLOAT << 4);
}

function isConstant(words: Uint32Array, from: number, to: number): boolean {
  const lo = words[2 * from] as number;
  const hi = words[2 * from + 1] as number;
  for (let i = to - 1; i > from; i--) if (words[2 * i] !== lo || words[2 * i + 1] !== hi) return false;
  return true;
}

/** An earlier column with the same content; remembers this one. */
function findSame(w: Writer, columns: readonly PageColumn[], c: number): number {
  const column = columns[c] as Exclude<PageColumn, { kind: "bytes" }>;
  const words = wordsOf(column);
  const rows = column.to - column.from;
  if (column.kind === "time" && w.lastTime >= 0) {
    const last = columns[w.lastTime] as Exclude<PageColumn, { kind: "bytes" }>;
    if (last.to - last.from === rows && sameWords(words, 2 * column.from, wordsOf(last), 2 * last.from, 2 * rows)) {
      return w.lastTime;
    }
  }
  if (column.kind === "time") w.lastTime = c;
  const key = hashRows(words, 2 * column.from, 2 * column.to, rows * 2 + (column.kind === "time" ? 1 : 0));
  const others = w.seen.get(key);
  if (others === undefined) {
    w.seen.set(key, [c]);
    return -1;
  }
  for (const o of others) {
    const other = columns[o] as Exclude<PageColumn, { kind: "bytes" }>;
    if (
      other.kind === column.kind &&
      other.to - other.from === rows &&
      sameWords(words, 2 * column.from, wordsOf(other), 2 * other.from, 2 * rows)
    ) {
      return o;
    }
  }
  others.push(c);
  return -1;
}

function wordsOf(column: Exclude<PageColumn, { kind: "bytes" }>): Uint32Array {
  return column.kind === "float"
    ? column.words
    : new Uint32Array(column.ts.buffer, column.ts.byteOffset, 2 * column.ts.length);
}

function hashRows(words: Uint32Array, from: number, to: number, seed: number): number {
  let a = seed | 0;
  let b = 0;
  for (let i = from; i < to; i += 2) {
    a = Math.imul(a ^ (words[i] as number), 0x9e3779b1);
    b = Math.imul(b ^ (words[i + 1] as number) ^ (a >>> 15), 0x85ebca6b);
  }
  return (a ^ (b >>> 13) ^ b) | 0;
}

function sameWords(a: Uint32Array, aAt: number, b: Uint32Array, bAt: number, n: number): boolean {
  for (let i = 0; i < n; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

function reserveWhole(n: number): void {
  if (whole.length >= n) return;
  whole = new Float64Array(2 * n);
  wholeWords = new Uint32Array(whole.buffer);
}

function writeTimeColumn(w: Writer, column: Extract<PageColumn, { kind: "time" }>, index: number): number {
  const n = column.to - column.from;
  reserveWhole(n);
  let fits = true;
  for (let i = 0; i < n; i++) {
    const t = column.ts[column.from + i] as number;
    whole[i] = t;
    if (!(t < MAX_WHOLE && t > -MAX_WHOLE) || t !== Math.floor(t) || Object.is(t, -0)) fits = false;
  }
  if (fits) {
    planNumbers(ownPlan, whole, n, w.effort);
    if (writePart(w, column, index)) return CODE_PART;
    keepEarlier(w.learned.earlier, index, whole, ownPlan, 0);
    w.times.push(w.learned.earlier.length - 1);
    writePlanned(w.directory, w.bodies, ownPlan, undefined);
    return CODE_NUMBERS;
  }
  writeFloatBits(w.directory, w.bodies, wholeWords, 0, n, w.effort);
  return CODE_BITS;
}

/** How many of the times before are looked at, and what a run is taken to cost. */
const TIMES = 4;
const RUN_BITS = 16;

/** Tries whether the times are a part of earlier ones. */
function writePart(w: Writer, column: Extract<PageColumn, { kind: "time" }>, index: number): boolean {
  for (let k = w.times.length - 1; k >= 0 && k >= w.times.length - TIMES; k--) {
    const other = w.learned.earlier.list[w.times[k] as number] as Earlier;
    const found = findPart(column.ts, column.from, column.to, other.whole, other.rows);
    if (found === undefined || found.length * RUN_BITS >= ownPlan.bits) continue;
    putNumber(w.directory, index - other.column - 1);
    putRuns(w.directory, found);
    return true;
  }
  return false;
}

function writeFloatColumn(w: Writer, column: Extract<PageColumn, { kind: "float" }>, index: number): number {
  const { from, to } = column;
  const n = to - from;
  let { words } = column;
  let start = from;
  if (isHistogramAt(words, from) && writeReferences(w, words, from, to)) return CODE_REFERENCES;
  let values: Float64Array;
  if (words.byteOffset % 8 === 0) values = new Float64Array(words.buffer, words.byteOffset, words.length >> 1);
  else {
    reserveWhole(n);
    wholeWords.set(words.subarray(2 * from, 2 * to));
    words = wholeWords;
    values = whole;
    start = 0;
  }
  if (scaleFloats(values, words, start, start + n, scaling)) {
    putScaling(w.directory, scaling, words, start);
    return writeScaled(w.directory, w.bodies, scaling, n, index, w.learned, w.effort);
  }
  writeFloatBits(w.directory, w.bodies, words, start, start + n, w.effort);
  return CODE_BITS;
}

/** Tagged NaNs that count 0, 1, 2, ..., with other values in between. */
function writeReferences(w: Writer, words: Uint32Array, from: number, to: number): boolean {
  let next = 0;
  for (let i = from; i < to; i++) if (isHistogramAt(words, i) && histogramRef(words, i) !== next++) return false;
  const others = new Uint32Array(to - from - next);
  let count = 0;
  for (let i = from; i < to; i++) if (!isHistogramAt(words, i)) others[count++] = i - from;
  putExceptions(w.directory, others, count, words, from);
  return true;
}

function writeBytesColumn(w: Writer, column: Extract<PageColumn, { kind: "bytes" }>): number {
  const { bytes, ends, from, to } = column;
  const n = to - from;
  reserveWhole(n);
  const first = from === 0 ? 0 : (ends[from - 1] as number);
  let start = first;
  for (let i = 0; i < n; i++) {
    const end = ends[from + i] as number;
    whole[i] = end - start;
    start = end;
  }
  const length = start - first;
  if (w.blobAt + length > MAX_BLOB) throw new RangeError(`a page has at most ${MAX_BLOB} bytes of byte strings`);
  if (w.blobAt + length > w.blob.length) {
    const grown = new Uint8Array(2 * (w.blobAt + length));
    grown.set(w.blob.subarray(0, w.blobAt));
    w.blob = grown;
  }
  w.blob.set(bytes.subarray(first, start), w.blobAt);
  w.blobAt += length;
  putNumber(w.directory, length);
  writeNumbers(w.directory, w.bodies, whole, n, w.effort);
  return CODE_BYTES;
}

function assemble(w: Writer, columns: number): Uint8Array {
  const bodies = alignBits(w.bodies);
  const directory = pack(w.directory.bytes.subarray(0, w.directory.at), w.effort);
  const blob = pack(w.blob.subarray(0, w.blobAt), w.effort);
  const head = new Uint8Array(64);
  let at = 0;
  head[at++] = PAGE_VERSION;
  for (const n of [columns, w.directory.at, directory.length, bodies, w.blobAt, blob.length])
    at = writeVarint(head, at, n);
  const page = new Uint8Array(at + bodies + directory.length + blob.length);
  page.set(head.subarray(0, at));
  page.set(w.bodies.bytes.subarray(0, bodies), at);
  page.set(directory, at + bodies);
  page.set(blob, at + bodies + directory.length);
  return page;
}

/** zstd, or the bytes themselves when that is not shorter. */
function pack(bytes: Uint8Array, effort: Effort): Uint8Array {
  if (bytes.length < 24) return bytes;
  const level = effort === "small" ? 12 : 3;
  const packed = zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  return packed.length < bytes.length ? packed : bytes;
}
