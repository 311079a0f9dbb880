/**
 * The series of a writer, numbered from 0 in the order in which they were made. No object a series: columns, and the bytes
 * of its definition as frames carry it.
 *
 * Invariants:
 * - the same labels are the same number; `index` finds it by the series hash (open addressing, at most half full);
 * - two label sets with one hash are told apart by `check` and both marked ambiguous: their samples always go with labels;
 *   `index` has the first of them, `others` the rest.
 */
import type { Labels } from "../../model/labels.ts";
import { addDefinition, type FrameBuilder, makeFrameBuilder, reserveDefinition } from "../codec/frame-encode.ts";
import { partitionOf, seriesHash } from "../codec/series-hash.ts";

export interface SeriesBook {
  readonly partitions: number;
  count: number;
  lo: Uint32Array;
  hi: Uint32Array;
  check: Uint32Array;
  partition: Uint16Array;
  /** 0: the shard may not know the labels; ANNOUNCED: it does; else the serial number of the open frame that has them. */
  state: Uint32Array;
  /** Seconds at which the series was last written. */
  used: Uint32Array;
  ambiguous: Uint8Array;
  /** Where the definition of each starts in `definitions`; it ends where the next one starts. */
  definitionStart: Float64Array;
  /** Only its definitions are used. */
  readonly definitions: FrameBuilder;
  index: Int32Array;
  readonly others: number[];
}

export const ANNOUNCED = 0xffffffff;
const EMPTY = -1;

export function makeSeriesBook(partitions: number): SeriesBook {
  return {
    partitions,
    count: 0,
    ...columns(1024),
    index: new Int32Array(2048).fill(EMPTY),
    others: [],
    definitions: makeFrameBuilder(0),
  };
}

function columns(size: number) {
  return {
    lo: new Uint32Array(size),
    hi: new Uint32Array(size),
    check: new Uint32Array(size),
    partition: new Uint16Array(size),
    state: new Uint32Array(size),
    used: new Uint32Array(size),
    ambiguous: new Uint8Array(size),
    definitionStart: new Float64Array(size + 1),
  };
}

/** The number of a series, made when it is new. Throws RangeError for labels that a frame cannot hold. */
export function bookSeries(book: SeriesBook, tenant: string, labels: Labels): number {
  const hash = seriesHash(tenant, labels);
  const first = findSeries(book, hash.lo, hash.hi);
  if (first !== EMPTY) {
    if (book.check[first] === hash.check) return first;
    for (const s of book.others) {
      if (book.lo[s] === hash.lo && book.hi[s] === hash.hi && book.check[s] === hash.check) return s;
    }
  }
  if (book.count === book.lo.length) grow(book);
  addDefinition(book.definitions, hash, tenant, labels);
  const s = book.count++;
  book.lo[s] = hash.lo;
  book.hi[s] = hash.hi;
  book.check[s] = hash.check;
  book.partition[s] = partitionOf(hash.hi, book.partitions);
  book.definitionStart[s + 1] = book.definitions.definitionBytes;
  if (first === EMPTY) place(book, s);
  else {
    book.others.push(s);
    markAmbiguous(book, hash.lo, hash.hi);
  }
  return s;
}

/** The first series with this hash, -1 when there is none. */
export function findSeries(book: SeriesBook, lo: number, hi: number): number {
  const mask = book.index.length - 1;
  for (let slot = lo & mask; ; slot = (slot + 1) & mask) {
    const s = book.index[slot] as number;
    if (s === EMPTY || (book.lo[s] === lo && book.hi[s] === hi)) return s;
  }
}

/** From now on the samples of all series with this hash go with their labels. */
export function markAmbiguous(book: SeriesBook, lo: number, hi: number): void {
  for (const s of withHash(book, lo, hi)) book.ambiguous[s] = 1;
}

/** Sets the state of all series with this hash. */
export function setState(book: SeriesBook, lo: number, hi: number, state: number): void {
  for (const s of withHash(book, lo, hi)) book.state[s] = state;
}

function withHash(book: SeriesBook, lo: number, hi: number): number[] {
  const first = findSeries(book, lo, hi);
  if (first === EMPTY) return [];
  return [first, ...book.others.filter((s) => book.lo[s] === lo && book.hi[s] === hi)];
}

/** Appends the definition of a series to a frame; returns its number there. */
export function writeDefinition(book: SeriesBook, s: number, into: FrameBuilder): number {
  const start = book.definitionStart[s] as number;
  const end = book.definitionStart[s + 1] as number;
  const at = reserveDefinition(into, end - start);
  into.definitions.set(book.definitions.definitions.subarray(start, end), at);
  into.definitionBytes = at + end - start;
  return into.definitionCount++;
}

function place(book: SeriesBook, s: number): void {
  if (2 * book.count > book.index.length) {
    book.index = new Int32Array(2 * book.index.length).fill(EMPTY);
    const other = new Set(book.others);
    for (let i = 0; i < s; i++) if (!other.has(i)) put(book, i);
  }
  put(book, s);
}

function put(book: SeriesBook, s: number): void {
  const { index } = book;
  const mask = index.length - 1;
  let slot = (book.lo[s] as number) & mask;
  while (index[slot] !== EMPTY) slot = (slot + 1) & mask;
  index[slot] = s;
}

function grow(book: SeriesBook): void {
  const larger = columns(2 * book.lo.length);
  larger.lo.set(book.lo);
  larger.hi.set(book.hi);
  larger.check.set(book.check);
  larger.partition.set(book.partition);
  larger.state.set(book.state);
  larger.used.set(book.used);
  larger.ambiguous.set(book.ambiguous);
  larger.definitionStart.set(book.definitionStart);
  Object.assign(book, larger);
}
