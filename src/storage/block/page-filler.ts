/** Columns of neighbouring series of one stripe of time, collected until they make a page. */
import { grownBytes } from "../../lib/grow.ts";
import { encodePage, type PageColumn } from "../column/page.ts";

/** About the size of a page in the file. */
const PAGE_BYTES = 64 << 10;
const MAX_COLUMNS = 256;
/** Decoding a page's head costs by the column, encoding it stops the thread by the value. */
const MAX_VALUES = 1 << 18;
const FIRST_VALUES = 1 << 16;

const TIME = 0;
const FLOAT = 1;
const BYTES = 2;

export interface PageFiller {
  /** Number of the page that is being filled, given when its first column comes. */
  page: number;
  columns: number;
  readonly kind: Uint8Array;
  readonly from: Uint32Array;
  readonly to: Uint32Array;
  ts: Float64Array;
  times: number;
  words: Uint32Array;
  floats: number;
  bytes: Uint8Array;
  byteLength: number;
  ends: Uint32Array;
  strings: number;
  /** The last column of times: the next is likely to be equal. */
  lastFrom: number;
  lastTo: number;
  /** How many values are expected to make a page of the right size. */
  limit: number;
}

export function makePageFiller(): PageFiller {
  return {
    page: -1,
    columns: 0,
    kind: new Uint8Array(MAX_COLUMNS),
    from: new Uint32Array(MAX_COLUMNS),
    to: new Uint32Array(MAX_COLUMNS),
    ts: new Float64Array(1024),
    times: 0,
    words: new Uint32Array(2048),
    floats: 0,
    bytes: new Uint8Array(0),
    byteLength: 0,
    ends: new Uint32Array(0),
    strings: 0,
    lastFrom: 0,
    lastTo: 0,
    limit: FIRST_VALUES,
  };
}

/** True when the page has enough, so that it is encoded before `columns` more are put in. */
export function isFull(f: PageFiller, columns: number): boolean {
  return f.columns + columns > MAX_COLUMNS || valuesIn(f) >= f.limit;
}

/** Values that wait: a measure of memory and work. */
export function valuesIn(f: PageFiller): number {
  return f.times + f.floats + f.strings + (f.byteLength >>> 3);
}

function addColumn(f: PageFiller, kind: number, from: number, to: number): void {
  const c = f.columns++;
  f.kind[c] = kind;
  f.from[c] = from;
  f.to[c] = to;
}

/** Adds the times ts[from, to). */
export function fillTimes(f: PageFiller, ts: Float64Array, from: number, to: number): void {
  const n = to - from;
  if (!sameAsLast(f, ts, from, n)) {
    const need = f.times + n;
    if (need > f.ts.length) {
      const more = new Float64Array(Math.max(need, 2 * f.ts.length));
      more.set(f.ts.subarray(0, f.times));
      f.ts = more;
    }
    f.ts.set(ts.subarray(from, to), f.times);
    f.lastFrom = f.times;
    f.lastTo = need;
    f.times = need;
  }
  addColumn(f, TIME, f.lastFrom, f.lastTo);
}

function sameAsLast(f: PageFiller, ts: Float64Array, from: number, n: number): boolean {
  if (f.lastTo - f.lastFrom !== n) return false;
  const shift = from - f.lastFrom;
  for (let i = f.lastFrom; i < f.lastTo; i++) if (f.ts[i] !== ts[i + shift]) return false;
  return true;
}

/** Adds the float64s whose words are words[2 * from, 2 * to); returns where they went, as an index of `f.words`. */
export function fillFloats(f: PageFiller, words: Uint32Array, from: number, to: number): number {
  const at = f.floats;
  const need = at + to - from;
  if (2 * need > f.words.length) {
    const more = new Uint32Array(Math.max(2 * need, 2 * f.words.length));
    more.set(f.words.subarray(0, 2 * at));
    f.words = more;
  }
  f.words.set(words.subarray(2 * from, 2 * to), 2 * at);
  f.floats = need;
  addColumn(f, FLOAT, at, need);
  return at;
}

/** Begins a column of byte strings; `fillString` adds to it. */
export function beginStrings(f: PageFiller): void {
  addColumn(f, BYTES, f.strings, f.strings);
}

/** Adds the string bytes[from, to) to the column begun last. */
export function fillString(f: PageFiller, bytes: Uint8Array, from: number, to: number): void {
  const need = f.byteLength + to - from;
  if (need > f.bytes.length) f.bytes = grownBytes(f.bytes, f.byteLength, Math.max(need, 4096));
  if (f.strings === f.ends.length) {
    const more = new Uint32Array(Math.max(256, 2 * f.strings));
    more.set(f.ends);
    f.ends = more;
  }
  f.bytes.set(bytes.subarray(from, to), f.byteLength);
  f.byteLength = need;
  f.ends[f.strings++] = need;
  f.to[f.columns - 1] = f.strings;
}

/** Encodes what was collected and empties the filler. */
export function encodeFilled(f: PageFiller, effort: "fast" | "small"): Uint8Array {
  const columns: PageColumn[] = [];
  for (let c = 0; c < f.columns; c++) {
    const from = f.from[c] as number;
    const to = f.to[c] as number;
    if (f.kind[c] === TIME) columns.push({ kind: "time", ts: f.ts, from, to });
    else if (f.kind[c] === FLOAT) columns.push({ kind: "float", words: f.words, from, to });
    else columns.push({ kind: "bytes", bytes: f.bytes, ends: f.ends, from, to });
  }
  const values = valuesIn(f);
  const bytes = encodePage(columns, effort);
  f.limit = Math.min(MAX_VALUES, Math.max(FIRST_VALUES / 8, Math.floor((values * PAGE_BYTES) / bytes.length)));
  f.columns = 0;
  f.times = 0;
  f.floats = 0;
  f.byteLength = 0;
  f.strings = 0;
  f.lastFrom = 0;
  f.lastTo = 0;
  return bytes;
}
