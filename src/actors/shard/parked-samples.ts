/**
 * Samples whose series' labels are unknown here wait, in the order they came, until a frame brings the labels.
 *
 * Invariants:
 * - at most `capacity` samples wait; what does not fit is refused and the caller counts it (policy: drop newest);
 * - the samples of a series leave all at once, in the order they came, bit-exact;
 * - nothing is allocated a sample: rows are columns of typed arrays, chained by row number, and freed rows are used again.
 */
import { reserveSamples, type SampleBuffer, type SampleColumns } from "../../model/sample.ts";

const NONE = -1;

export interface ParkedSamples {
  readonly capacity: number;
  /** Samples and series that wait. */
  length: number;
  seriesCount: number;
  // Rows. `next` chains the rows of a series, and the free rows.
  ts: Float64Array;
  words: Uint32Array;
  next: Int32Array;
  rows: number;
  freeRow: number;
  // Series, an open-addressing table on the hash; a slot is taken when `first` is not NONE.
  hashLo: Uint32Array;
  hashHi: Uint32Array;
  first: Int32Array;
  last: Int32Array;
}

/** Makes room for nothing yet; grows by doubling up to `capacity` samples (28 bytes each, and 32 a series). */
export function makeParkedSamples(capacity: number): ParkedSamples {
  return {
    capacity,
    length: 0,
    seriesCount: 0,
    ts: new Float64Array(0),
    words: new Uint32Array(0),
    next: new Int32Array(0),
    rows: 0,
    freeRow: NONE,
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
  const next = new Int32Array(size);
  ts.set(p.ts.subarray(0, p.rows));
  words.set(p.words.subarray(0, 2 * p.rows));
  next.set(p.next.subarray(0, p.rows));
  p.ts = ts;
  p.words = words;
  p.next = next;
}

/**
 * Parks rows of a batch.
 * @param rows row numbers in `columns`, ascending; the first `count` entries are used
 * @returns how many were refused because the capacity is reached
 */
export function parkRows(p: ParkedSamples, columns: SampleColumns, rows: Uint32Array, count: number): number {
  const { hashLo, hashHi, ts, values } = columns;
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * columns.length);
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    if (!park(p, hashLo[row]!, hashHi[row]!, ts[row]!, words[2 * row]!, words[2 * row + 1]!)) return count - i;
  }
  return 0;
}

function park(p: ParkedSamples, lo: number, hi: number, ts: number, wordLo: number, wordHi: number): boolean {
  if (p.length === p.capacity) return false;
  let row = p.freeRow;
  if (row !== NONE) p.freeRow = p.next[row]!;
  else {
    if (p.rows === p.ts.length) growRows(p);
    row = p.rows++;
  }
  p.ts[row] = ts;
  p.words[2 * row] = wordLo;
  p.words[2 * row + 1] = wordHi;
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

/** Moves the samples of a series, in the order they came, to the front of `out`; false when none wait. */
export function unpark(p: ParkedSamples, lo: number, hi: number, out: SampleBuffer): boolean {
  if (p.length === 0) return false;
  const slot = slotOf(p, lo, hi);
  const first = p.first[slot]!;
  if (first === NONE) return false;
  let n = 0;
  for (let row = first; row !== NONE; row = p.next[row]!) {
    out.length = n;
    reserveSamples(out, n + 1);
    out.ts[n] = p.ts[row]!;
    out.words[2 * n] = p.words[2 * row]!;
    out.words[2 * n + 1] = p.words[2 * row + 1]!;
    n++;
  }
  out.length = n;
  p.length -= n;
  p.seriesCount--;
  p.next[p.last[slot]!] = p.freeRow;
  p.freeRow = first;
  freeSlot(p, slot);
  return true;
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

/**
 * Hashes of series that wait for their labels, for a request to the gateways.
 * @param limit at most so many
 * @returns [lo0, hi0, lo1, hi1, ...]
 */
export function parkedHashes(p: ParkedSamples, limit: number): Uint32Array {
  const out = new Uint32Array(2 * Math.min(limit, p.seriesCount));
  let n = 0;
  for (let slot = 0; n < out.length && slot < p.first.length; slot++) {
    if (p.first[slot] === NONE) continue;
    out[n++] = p.hashLo[slot]!;
    out[n++] = p.hashHi[slot]!;
  }
  return out;
}
