/**
 * Samples whose series' labels are unknown here wait, in the order they came, until a frame brings the labels.
 *
 * Invariants:
 * - at most `capacity` samples wait; beyond, some other series' go, which the caller counts (policy: drop any; what the labels never
 *   come of must not keep out what they do come of). Which ones follows from what is here alone, so a replay drops the same;
 * - the samples of a series leave all at once, in the order they came, bit-exact;
 * - nothing is allocated a sample: rows are columns of typed arrays, chained by row number, and freed rows are used again;
 * - histograms wait as bytes of their own, at most MAX_HISTOGRAM_MEMORY; what samples that left had is squeezed out now and then.
 */
import { copyHistogram, histogramSize, makeHistogramBytes } from "../../model/histogram-code.ts";
import {
  type HistogramBytes,
  histogramRef,
  histogramRefOf,
  isHistogramAt,
  isHistogramWord,
  ORDINARY_NAN_HI,
  ORDINARY_NAN_LO,
  reserveSamples,
  type SampleBuffer,
  type SampleColumns,
  writeHistogramRef,
} from "../../model/sample.ts";

const NONE = -1;
const MAX_HISTOGRAM_MEMORY = 64 << 20;
const SQUEEZE_FROM = 1 << 20;

export interface ParkedSamples {
  readonly capacity: number;
  /** Samples and series that wait. */
  length: number;
  seriesCount: number;
  // Rows. `next` chains the rows of a series, and the free rows.
  ts: Float64Array;
  words: Uint32Array;
  /** Start times, 0 unknown; without entries until one is known. */
  startTs: Float64Array;
  /** How each is to be taken, as the caller says it. */
  rules: Uint8Array;
  next: Int32Array;
  rows: number;
  freeRow: number;
  /** What the tagged ones of the values point into, and how much of it nothing points to. */
  readonly histograms: HistogramBytes;
  deadHistogramBytes: number;
  /** Rules of the samples that `unpark` gave back last. */
  takenRules: Uint8Array;
  // Series, an open-addressing table on the hash; a slot is taken when `first` is not NONE.
  hashLo: Uint32Array;
  hashHi: Uint32Array;
  first: Int32Array;
  last: Int32Array;
}

/** Makes room for nothing yet; grows by doubling up to `capacity` samples (29 bytes each, and 32 a series). */
export function makeParkedSamples(capacity: number): ParkedSamples {
  return {
    capacity,
    length: 0,
    seriesCount: 0,
    ts: new Float64Array(0),
    words: new Uint32Array(0),
    startTs: new Float64Array(0),
    rules: new Uint8Array(0),
    next: new Int32Array(0),
    rows: 0,
    freeRow: NONE,
    histograms: makeHistogramBytes(),
    deadHistogramBytes: 0,
    takenRules: new Uint8Array(64),
    ...makeTable(16),
  };
}

function makeTable(size: number) {
  return {
    hashLo: new Uint32Array(size),
    hashHi: new Uint32Array(size),
    first: new Int32Array(size).fill(NONE),
    last: new Int32Array(size).fill(NONE),
  };
}

/** The slot of the hash, or the free slot where it belongs. The hash is well mixed, so its low bits will do. */
function slotOf(p: ParkedSamples, lo: number, hi: number): number {
  const { hashLo, hashHi, first } = p;
  const mask = first.length - 1;
  let slot = (lo ^ (hi << 7)) & mask;
  while (first[slot] !== NONE && (hashLo[slot] !== lo || hashHi[slot] !== hi)) slot = (slot + 1) & mask;
  return slot;
}

/** Whether samples of the series wait. */
export function isParked(p: ParkedSamples, lo: number, hi: number): boolean {
  return p.first[slotOf(p, lo, hi)] !== NONE;
}

function growTable(p: ParkedSamples): void {
  const { hashLo, hashHi, first, last } = p;
  Object.assign(p, makeTable(first.length * 2));
  for (let i = 0; i < first.length; i++) {
    if (first[i] === NONE) continue;
    const slot = slotOf(p, hashLo[i]!, hashHi[i]!);
    p.hashLo[slot] = hashLo[i]!;
    p.hashHi[slot] = hashHi[i]!;
    p.first[slot] = first[i]!;
    p.last[slot] = last[i]!;
  }
}

function growRows(p: ParkedSamples): void {
  const size = Math.min(p.capacity, Math.max(1024, p.rows * 2));
  const ts = new Float64Array(size);
  const words = new Uint32Array(2 * size);
  const rules = new Uint8Array(size);
  const next = new Int32Array(size);
  ts.set(p.ts.subarray(0, p.rows));
  words.set(p.words.subarray(0, 2 * p.rows));
  rules.set(p.rules.subarray(0, p.rows));
  next.set(p.next.subarray(0, p.rows));
  p.ts = ts;
  p.words = words;
  p.rules = rules;
  p.next = next;
  if (p.startTs.length > 0) reserveStarts(p);
}

function reserveStarts(p: ParkedSamples): void {
  const startTs = new Float64Array(p.ts.length);
  startTs.set(p.startTs);
  p.startTs = startTs;
}

/**
 * Parks rows of a batch.
 * @param rows row numbers in `columns`, ascending; the first `count` entries are used
 * @param rules a number below 256 that comes back with the samples
 * @returns how many, of these or of others that waited, were dropped because the capacity is reached
 */
export function parkRows(
  p: ParkedSamples,
  columns: SampleColumns,
  rows: Uint32Array,
  count: number,
  rules = 0,
): number {
  const { hashLo, hashHi, values } = columns;
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * columns.length);
  let dropped = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    const lo = hashLo[row]!;
    const hi = hashHi[row]!;
    if (p.length === p.capacity) dropped += dropOther(p, lo, hi);
    if (p.length === p.capacity || !park(p, lo, hi, columns, words, row, rules)) dropped++;
  }
  return dropped;
}

/** Drops the samples of another series than this one; returns how many, 0 when there is no other. */
function dropOther(p: ParkedSamples, lo: number, hi: number): number {
  const { first } = p;
  const mask = first.length - 1;
  const own = slotOf(p, lo, hi);
  let slot = (own + 1) & mask;
  while (slot !== own && first[slot] === NONE) slot = (slot + 1) & mask;
  if (slot === own) return 0;
  let n = 0;
  for (let row = first[slot]!; row !== NONE; row = p.next[row]!, n++) {
    if (isHistogramAt(p.words, row))
      p.deadHistogramBytes += histogramSize(p.histograms.bytes, histogramRef(p.words, row));
  }
  takeOut(p, slot, n);
  return n;
}

function park(
  p: ParkedSamples,
  lo: number,
  hi: number,
  columns: SampleColumns,
  words: Uint32Array,
  from: number,
  rules: number,
): boolean {
  let wordLo = words[2 * from]!;
  let wordHi = words[2 * from + 1]!;
  let histogram = -1;
  if (isHistogramWord(wordHi) && columns.histograms === undefined) {
    wordLo = ORDINARY_NAN_LO;
    wordHi = ORDINARY_NAN_HI;
  } else if (columns.histograms !== undefined && isHistogramWord(wordHi)) {
    const at = histogramRefOf(wordLo, wordHi);
    if (p.histograms.length + histogramSize(columns.histograms, at) > MAX_HISTOGRAM_MEMORY) return false;
    histogram = copyHistogram(columns.histograms, at, p.histograms);
  }
  let row = p.freeRow;
  if (row !== NONE) p.freeRow = p.next[row]!;
  else {
    if (p.rows === p.ts.length) growRows(p);
    row = p.rows++;
  }
  p.ts[row] = columns.ts[from]!;
  p.words[2 * row] = wordLo;
  p.words[2 * row + 1] = wordHi;
  if (histogram >= 0) writeHistogramRef(p.words, row, histogram);
  const start = columns.startTs?.[from] ?? 0;
  if (start !== 0 && p.startTs.length === 0) reserveStarts(p);
  if (p.startTs.length > 0) p.startTs[row] = start;
  p.rules[row] = rules;
  p.next[row] = NONE;
  p.length++;

  const slot = slotOf(p, lo, hi);
  if (p.first[slot] !== NONE) {
    p.next[p.last[slot]!] = row;
    p.last[slot] = row;
    return true;
  }
  p.hashLo[slot] = lo;
  p.hashHi[slot] = hi;
  p.first[slot] = row;
  p.last[slot] = row;
  p.seriesCount++;
  if (2 * p.seriesCount > p.first.length) growTable(p);
  return true;
}

/**
 * Moves the samples of a series, in the order they came, to the front of `out`, histograms and start times with them; false when
 * none wait. `p.takenRules` says how each is to be taken.
 */
export function unpark(p: ParkedSamples, lo: number, hi: number, out: SampleBuffer): boolean {
  if (p.length === 0) return false;
  const slot = slotOf(p, lo, hi);
  const first = p.first[slot]!;
  if (first === NONE) return false;
  if (out.histograms !== undefined) out.histograms.length = 0;
  let n = 0;
  for (let row = first; row !== NONE; row = p.next[row]!) {
    out.length = n;
    reserveSamples(out, n + 1);
    out.ts[n] = p.ts[row]!;
    out.words[2 * n] = p.words[2 * row]!;
    out.words[2 * n + 1] = p.words[2 * row + 1]!;
    if (isHistogramAt(p.words, row)) takeHistogram(p, row, out, n);
    if (p.startTs.length > 0) setStart(out, n, p.startTs[row]!);
    if (n === p.takenRules.length) {
      const more = new Uint8Array(2 * n);
      more.set(p.takenRules);
      p.takenRules = more;
    }
    p.takenRules[n] = p.rules[row]!;
    n++;
  }
  out.length = n;
  takeOut(p, slot, n);
  return true;
}

/** Frees the slot of a series and its `n` rows. */
function takeOut(p: ParkedSamples, slot: number, n: number): void {
  p.length -= n;
  p.seriesCount--;
  p.next[p.last[slot]!] = p.freeRow;
  p.freeRow = p.first[slot]!;
  freeSlot(p, slot);
  if (p.length === 0) {
    p.histograms.length = 0;
    p.deadHistogramBytes = 0;
  } else if (p.deadHistogramBytes > SQUEEZE_FROM && 2 * p.deadHistogramBytes >= p.histograms.length) squeeze(p);
}

function takeHistogram(p: ParkedSamples, row: number, out: SampleBuffer, n: number): void {
  const at = histogramRef(p.words, row);
  out.histograms ??= makeHistogramBytes(1024);
  writeHistogramRef(out.words, n, copyHistogram(p.histograms.bytes, at, out.histograms));
  p.deadHistogramBytes += histogramSize(p.histograms.bytes, at);
}

function setStart(out: SampleBuffer, n: number, start: number): void {
  if (out.startTs === undefined || out.startTs.length < out.ts.length) {
    const startTs = new Float64Array(out.ts.length);
    if (out.startTs !== undefined) startTs.set(out.startTs);
    out.startTs = startTs;
  }
  out.startTs[n] = start;
}

/** Moves the histograms that still wait together. */
function squeeze(p: ParkedSamples): void {
  const live = makeHistogramBytes(p.histograms.length - p.deadHistogramBytes);
  for (let slot = 0; slot < p.first.length; slot++) {
    for (let row = p.first[slot]!; row !== NONE; row = p.next[row]!) {
      if (!isHistogramAt(p.words, row)) continue;
      writeHistogramRef(p.words, row, copyHistogram(p.histograms.bytes, histogramRef(p.words, row), live));
    }
  }
  Object.assign(p.histograms, live);
  p.deadHistogramBytes = 0;
}

/** Empties a slot and moves later entries of its run forward, so that no search meets a hole. */
function freeSlot(p: ParkedSamples, slot: number): void {
  const { hashLo, hashHi, first, last } = p;
  const mask = first.length - 1;
  let hole = slot;
  let i = slot;
  while (true) {
    i = (i + 1) & mask;
    if (first[i] === NONE) break;
    const home = (hashLo[i]! ^ (hashHi[i]! << 7)) & mask;
    // The entry may move to the hole unless its home lies after the hole (cyclically).
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    hashLo[hole] = hashLo[i]!;
    hashHi[hole] = hashHi[i]!;
    first[hole] = first[i]!;
    last[hole] = last[i]!;
    hole = i;
  }
  first[hole] = NONE;
  last[hole] = NONE;
}

/** Hashes of all series that wait for their labels: [lo0, hi0, lo1, hi1, ...]. */
export function parkedHashes(p: ParkedSamples): Uint32Array {
  const out = new Uint32Array(2 * p.seriesCount);
  let n = 0;
  for (let slot = 0; slot < p.first.length; slot++) {
    if (p.first[slot] === NONE) continue;
    out[n++] = p.hashLo[slot]!;
    out[n++] = p.hashHi[slot]!;
  }
  return out;
}
