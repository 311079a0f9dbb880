/**
 * A table from a hash to the number of the entry that has it, for up to 16.7 million entries at 5 to 7 bytes each.
 *
 * Invariants:
 * - it consists of 256 segments, chosen by the high byte of the entry's word `segmentWord`; each grows by itself, so that
 *   neither the time nor the memory of growing is felt;
 * - a segment is an open addressing table, at most 4/5 full, of 32-bit slots: 0, or the entry's number + 1 in the low 24 bits
 *   and the low byte of its word `tagWord` above, so that nearly all slots of other entries are told without a look at them;
 * - where a probe starts is proportional to the entry's word `slotWord`; a slot is never empty between there and the entry.
 */
export interface SeriesIndex {
  readonly segmentWord: number;
  readonly slotWord: number;
  readonly tagWord: number;
  readonly segments: Uint32Array[];
  readonly counts: Uint32Array;
}

/** Words of an entry, and where entries are: pages of 2^PAGE_BITS entries. */
export const STRIDE = 8;
export const PAGE_BITS = 15;
export const PAGE_MASK = (1 << PAGE_BITS) - 1;

/** Entries have numbers below this: 24 bits, of which 0 says that a slot is empty. */
export const MAX_ENTRIES = 0xffffff;

const SEGMENTS = 256;
const FIRST_SLOTS = 16;
const DOUBLES_BELOW = 1024;
const SCALE = 2 ** -32;

export type Pages = readonly Uint32Array[];

export function makeSeriesIndex(segmentWord: number, slotWord: number, tagWord: number): SeriesIndex {
  return {
    segmentWord,
    slotWord,
    tagWord,
    segments: Array.from({ length: SEGMENTS }, () => new Uint32Array(FIRST_SLOTS)),
    counts: new Uint32Array(SEGMENTS),
  };
}

/** Adds an entry, which must not be there. */
export function addEntry(index: SeriesIndex, pages: Pages, entry: number): void {
  const s = word(pages, entry, index.segmentWord) >>> 24;
  let slots = index.segments[s] as Uint32Array;
  const count = (index.counts[s] as number) + 1;
  if (5 * count > 4 * slots.length) slots = growSegment(index, pages, s);
  index.counts[s] = count;
  put(slots, home(index, pages, entry, slots.length), slotOf(index, pages, entry));
}

/** Takes an entry out, whose words must be as they were when it was added. */
export function removeEntry(index: SeriesIndex, pages: Pages, entry: number): void {
  const s = word(pages, entry, index.segmentWord) >>> 24;
  const slots = index.segments[s] as Uint32Array;
  const n = slots.length;
  const value = slotOf(index, pages, entry);
  let hole = home(index, pages, entry, n);
  for (; slots[hole] !== value; hole = next(hole, n)) if (slots[hole] === 0) return;
  // What a probe would no longer reach over the hole moves into it.
  for (let i = next(hole, n); slots[i] !== 0; i = next(i, n)) {
    const start = home(index, pages, ((slots[i] as number) & MAX_ENTRIES) - 1, n);
    const reachable = hole < i ? start > hole && start <= i : start > hole || start <= i;
    if (reachable) continue;
    slots[hole] = slots[i] as number;
    hole = i;
  }
  slots[hole] = 0;
  index.counts[s] = (index.counts[s] as number) - 1;
}

/** Memory of the index in bytes. */
export function indexBytes(index: SeriesIndex): number {
  return index.segments.reduce((sum, s) => sum + s.byteLength, index.counts.byteLength);
}

/** Twice as large, later half as large again: a table that doubled would on average stand emptier. */
function growSegment(index: SeriesIndex, pages: Pages, s: number): Uint32Array {
  const old = index.segments[s] as Uint32Array;
  const slots = new Uint32Array(old.length < DOUBLES_BELOW ? 2 * old.length : Math.ceil(1.5 * old.length));
  for (const value of old) {
    if (value !== 0) put(slots, home(index, pages, (value & MAX_ENTRIES) - 1, slots.length), value);
  }
  index.segments[s] = slots;
  return slots;
}

function put(slots: Uint32Array, start: number, value: number): void {
  let i = start;
  while (slots[i] !== 0) i = next(i, slots.length);
  slots[i] = value;
}

function next(i: number, n: number): number {
  return i + 1 === n ? 0 : i + 1;
}

function word(pages: Pages, entry: number, k: number): number {
  return (pages[entry >>> PAGE_BITS] as Uint32Array)[(entry & PAGE_MASK) * STRIDE + k] as number;
}

function home(index: SeriesIndex, pages: Pages, entry: number, n: number): number {
  return startSlot(word(pages, entry, index.slotWord), n);
}

function slotOf(index: SeriesIndex, pages: Pages, entry: number): number {
  return ((word(pages, entry, index.tagWord) << 24) | (entry + 1)) >>> 0;
}

/** Slot of `n` at which the probe for a word starts. */
export function startSlot(slotWord: number, n: number): number {
  return Math.floor(slotWord * n * SCALE);
}
