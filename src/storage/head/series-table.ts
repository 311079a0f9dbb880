/**
 * Series by their 64-bit hash, and what the append path must know of each: one row of 16 words, a cache line.
 *
 * Invariants:
 * - a series id is its row's number, given in order of first definition, new at every collection (collect.ts);
 * - a slot of the hash table is an id, the hash is in its row;
 * - of a hash that more than one label set has, the first series is in the hash table and in `ambiguous`: its id must be asked
 *   for frame by frame.
 */
import { withCapacityFor, withMoreCapacity, worthShrinking } from "./capacity.ts";
import {
  addSlot,
  makeSlotTable,
  NUMBER_MASK,
  PART_SHIFT,
  type SlotTable,
  START_SHIFT,
  slotTableBytes,
  TAG_MASK,
  TAG_SHIFT,
} from "./slot-table.ts";

export const ROW_SHIFT = 4;
export const ROW_WORDS = 1 << ROW_SHIFT;

export const HASH_LO = 0;
export const HASH_HI = 1;
/** Newest time, a float64 in words 2 and 3: index 1 of the row's eight float64. -Infinity before the first sample. */
export const LAST_T_F64 = 1;
/** Newest value. */
export const LAST_LO = 4;
export const LAST_HI = 5;
/** Open chunk: last delta of times. */
export const DELTA = 6;
/** Open chunk: value window (low 16 bits), number of samples (high 16 bits). */
export const WINDOW_COUNT = 7;
/** Open chunk: its last block, and the number of bits in that block. */
export const TAIL = 8;
export const TAIL_BITS = 9;
/** Open chunk: its first block; 0 when there is no open chunk. */
export const OPEN = 10;
/** The newest sealed chunk, 0: none. */
export const SEALED = 11;
/** Late samples (late.ts), 0: none ever came. */
export const LATE = 12;
/** The label values' first word, and the shape that has the names. */
export const VALUES = 13;
export const SHAPE = 14;
/** A sample this many ms or more after the newest one does not go to the open chunk. */
export const LEFT = 15;

export const UNKNOWN = -1;
export const AMBIGUOUS = -2;

export interface SeriesTable {
  count: number;
  /** The largest number of series that the arrays have held. */
  peak: number;
  rows: Int32Array;
  /** The same memory as rows. */
  times: Float64Array;
  /** Oldest time of each series, for selection; Infinity when it has no sample. */
  firstT: Float64Array;
  /** Third word of each series' hash: with the two in the row, what names it outside of this head. */
  checks: Uint32Array;
  /** The series that came behind each one last time, at first the one defined after it. */
  followers: Int32Array;
  slots: SlotTable;
  /** The listed series of hashes that have more than one label set. */
  readonly ambiguous: Set<number>;
}

export function makeSeriesTable(): SeriesTable {
  return { count: 0, peak: 0, ...makeArrays(256), slots: makeSlotTable(), ambiguous: new Set() };
}

type SeriesArrays = Pick<SeriesTable, "rows" | "times" | "firstT" | "checks" | "followers">;

function makeArrays(capacity: number): SeriesArrays {
  const rows = new Int32Array(capacity * ROW_WORDS);
  return {
    rows,
    times: new Float64Array(rows.buffer),
    firstT: new Float64Array(capacity),
    checks: new Uint32Array(capacity),
    followers: new Int32Array(capacity),
  };
}

/**
 * Looks up n hashes: ids[i] becomes the id, UNKNOWN or AMBIGUOUS.
 *
 * A sender sends its series in the same order each time. So the series that followed the one before last time is tried before
 * the hash table: its row is needed anyway (and mostly the next one in memory), the table's slot is one more cache miss.
 */
export function lookupHashes(
  table: SeriesTable,
  hashLo: Uint32Array,
  hashHi: Uint32Array,
  n: number,
  ids: Int32Array,
): void {
  const { rows, followers, ambiguous } = table;
  const { parts } = table.slots;
  // An ambiguous hash is not to be taken for its listed series.
  const end = ambiguous.size > 0 ? 0 : table.count;
  let before = 0;
  let expected = 0;
  for (let i = 0; i < n; i++) {
    const lo = (hashLo[i] as number) | 0;
    const hi = (hashHi[i] as number) | 0;
    if (expected < end) {
      const row = expected << ROW_SHIFT;
      if (rows[row] === lo && rows[row + HASH_HI] === hi) {
        ids[i] = expected;
        before = expected;
        expected = followers[before] as number;
        continue;
      }
    }
    const hash = slotHash(lo, hi);
    const slots = parts[hash >>> PART_SHIFT] as Uint32Array;
    const mask = slots.length - 1;
    let slot = (hash >>> START_SHIFT) & mask;
    let id = UNKNOWN;
    while (true) {
      const entry = slots[slot] as number;
      if (entry === 0) break;
      if (entry >>> TAG_SHIFT === (hash & TAG_MASK)) {
        const candidate = (entry & NUMBER_MASK) - 1;
        const row = candidate << ROW_SHIFT;
        if (rows[row] === lo && rows[row + HASH_HI] === hi) {
          id = end === 0 && ambiguous.has(candidate) ? AMBIGUOUS : candidate;
          break;
        }
      }
      slot = (slot + 1) & mask;
    }
    ids[i] = id;
    if (id >= 0) {
      if (i > 0) followers[before] = id;
      before = id;
      expected = followers[id] as number;
    }
  }
}

/** Where a series' slot is looked for; the partition has used up hi % P. */
function slotHash(lo: number, hi: number): number {
  const h = Math.imul(lo ^ hi, 0x9e3779b1);
  return h ^ (h >>> 15);
}

/** The first series of a hash (ambiguous or not), or UNKNOWN. */
export function firstOfHash(table: SeriesTable, hashLo: number, hashHi: number): number {
  const lo = hashLo | 0;
  const hi = hashHi | 0;
  const { rows } = table;
  const hash = slotHash(lo, hi);
  const slots = table.slots.parts[hash >>> PART_SHIFT] as Uint32Array;
  const mask = slots.length - 1;
  for (let slot = (hash >>> START_SHIFT) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
    const candidate = ((slots[slot] as number) & NUMBER_MASK) - 1;
    const row = candidate << ROW_SHIFT;
    if (rows[row] === lo && rows[row + HASH_HI] === hi) return candidate;
  }
  return UNKNOWN;
}

/** The listed series' hash has more than one label set. */
export function markAmbiguous(table: SeriesTable, listed: number): void {
  table.ambiguous.add(listed);
}

/** Adds a row; `listed` puts it into the hash table (the second label set of a hash is not). */
export function addSeries(table: SeriesTable, hashLo: number, hashHi: number, check: number, listed: boolean): number {
  const id = table.count++;
  if (id === table.firstT.length) growRows(table);
  const row = id << ROW_SHIFT;
  table.rows[row + HASH_LO] = hashLo;
  table.rows[row + HASH_HI] = hashHi;
  table.times[(row >> 1) + LAST_T_F64] = Number.NEGATIVE_INFINITY;
  table.firstT[id] = Number.POSITIVE_INFINITY;
  table.checks[id] = check;
  table.followers[id] = id + 1;
  if (listed) listSeries(table, id);
  return id;
}

/** Puts a series into the hash table. */
export function listSeries(table: SeriesTable, id: number): void {
  const hashOf = (series: number): number => {
    const row = series << ROW_SHIFT;
    return slotHash(table.rows[row] as number, table.rows[row + HASH_HI] as number);
  };
  addSlot(table.slots, hashOf(id), id, hashOf);
}

/** Bytes in use: memory that was reserved and never written costs nothing. */
export function seriesTableBytes(table: SeriesTable): number {
  return table.count * (4 * ROW_WORDS + 8 + 4 + 4) + slotTableBytes(table.slots);
}

function growRows(table: SeriesTable): void {
  replaceArrays(table, withMoreCapacity(table.firstT.length, makeArrays), table.firstT.length);
}

/** Gives back the memory of series that are gone. */
export function shrinkRows(table: SeriesTable): void {
  if (!worthShrinking(table.count, table.peak)) return;
  replaceArrays(table, withCapacityFor(table.count, makeArrays), table.count);
  table.peak = table.count;
}

function replaceArrays(table: SeriesTable, next: SeriesArrays, count: number): void {
  next.rows.set(table.rows.subarray(0, count * ROW_WORDS));
  next.firstT.set(table.firstT.subarray(0, count));
  next.checks.set(table.checks.subarray(0, count));
  next.followers.set(table.followers.subarray(0, count));
  Object.assign(table, next);
}
