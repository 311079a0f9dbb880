/**
 * Series by their 64-bit hash, and what the append path must know of each: one row of 16 words, a cache line.
 *
 * Invariants:
 * - a series id is its row's number, given in order of first definition, never reused;
 * - a slot of the hash table is (low hash word, id + 1); the high hash word is in the row; 0 is an empty slot;
 * - the sign bit of a slot marks a hash that more than one label set has: its id must be asked for frame by frame.
 */
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
  rows: Int32Array;
  /** The same memory as rows. */
  times: Float64Array;
  /** Oldest time of each series, for selection; Infinity before the first sample. */
  firstT: Float64Array;
  slots: Int32Array;
  /** The series that came behind each one last time, at first the one defined after it. */
  followers: Int32Array;
  /** 32 - log2 of the number of slots. */
  shift: number;
  /** Whether any hash has more than one label set. */
  ambiguous: boolean;
}

export function makeSeriesTable(): SeriesTable {
  const capacity = 256;
  const rows = new Int32Array(capacity * ROW_WORDS);
  return {
    count: 0,
    rows,
    times: new Float64Array(rows.buffer),
    firstT: new Float64Array(capacity),
    slots: new Int32Array(2 * 512),
    followers: new Int32Array(capacity),
    shift: 32 - 9,
    ambiguous: false,
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
  const { slots, rows, shift, followers } = table;
  const mask = (slots.length >>> 1) - 1;
  // An ambiguous hash is only marked in the table.
  const end = table.ambiguous ? 0 : table.count;
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
    let slot = Math.imul(lo ^ hi, 0x9e3779b1) >>> shift;
    let id = UNKNOWN;
    while (true) {
      const entry = slots[2 * slot + 1] as number;
      if (entry === 0) break;
      if (slots[2 * slot] === lo) {
        const candidate = (entry & 0x7fff_ffff) - 1;
        if (rows[(candidate << ROW_SHIFT) + HASH_HI] === hi) {
          id = entry < 0 ? AMBIGUOUS : candidate;
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

/** The first series of a hash (ambiguous or not), or UNKNOWN. */
export function firstOfHash(table: SeriesTable, hashLo: number, hashHi: number): number {
  const entry = table.slots[2 * slotOf(table, hashLo | 0, hashHi | 0) + 1] as number;
  return (entry & 0x7fff_ffff) - 1;
}

export function markAmbiguous(table: SeriesTable, hashLo: number, hashHi: number): void {
  const at = 2 * slotOf(table, hashLo | 0, hashHi | 0) + 1;
  table.ambiguous = true;
  table.slots[at] = (table.slots[at] as number) | 0x8000_0000;
}

/** Adds a row; `listed` puts it into the hash table (the second label set of a hash is not). */
export function addSeries(table: SeriesTable, hashLo: number, hashHi: number, listed: boolean): number {
  const id = table.count++;
  if (table.count * ROW_WORDS > table.rows.length) growRows(table);
  const row = id << ROW_SHIFT;
  table.rows[row + HASH_LO] = hashLo;
  table.rows[row + HASH_HI] = hashHi;
  table.times[(row >> 1) + LAST_T_F64] = Number.NEGATIVE_INFINITY;
  table.firstT[id] = Number.POSITIVE_INFINITY;
  table.followers[id] = id + 1;
  if (!listed) return id;
  const slot = slotOf(table, hashLo | 0, hashHi | 0);
  table.slots[2 * slot] = hashLo;
  table.slots[2 * slot + 1] = id + 1;
  // At most two thirds full.
  if (table.count * 3 > table.slots.length) growSlots(table);
  return id;
}

export function seriesTableBytes(table: SeriesTable): number {
  return table.rows.byteLength + table.firstT.byteLength + table.slots.byteLength + table.followers.byteLength;
}

function slotOf(table: SeriesTable, lo: number, hi: number): number {
  const { slots, rows } = table;
  const mask = (slots.length >>> 1) - 1;
  let slot = Math.imul(lo ^ hi, 0x9e3779b1) >>> table.shift;
  while (true) {
    const entry = slots[2 * slot + 1] as number;
    if (entry === 0) return slot;
    if (slots[2 * slot] === lo && rows[(((entry & 0x7fff_ffff) - 1) << ROW_SHIFT) + HASH_HI] === hi) return slot;
    slot = (slot + 1) & mask;
  }
}

function growRows(table: SeriesTable): void {
  const rows = new Int32Array(table.rows.length * 2);
  rows.set(table.rows);
  table.rows = rows;
  table.times = new Float64Array(rows.buffer);
  const firstT = new Float64Array(table.firstT.length * 2);
  firstT.set(table.firstT);
  table.firstT = firstT;
  const followers = new Int32Array(table.followers.length * 2);
  followers.set(table.followers);
  table.followers = followers;
}

function growSlots(table: SeriesTable): void {
  const old = table.slots;
  const slots = new Int32Array(old.length * 2);
  const mask = (slots.length >>> 1) - 1;
  const shift = table.shift - 1;
  const { rows } = table;
  for (let i = 0; i < old.length; i += 2) {
    const entry = old[i + 1] as number;
    if (entry === 0) continue;
    const lo = old[i] as number;
    const hi = rows[(((entry & 0x7fff_ffff) - 1) << ROW_SHIFT) + HASH_HI] as number;
    let slot = Math.imul(lo ^ hi, 0x9e3779b1) >>> shift;
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = lo;
    slots[2 * slot + 1] = entry;
  }
  table.slots = slots;
  table.shift = shift;
}
