/**
 * Which series have which label: for each (tenant, name, value) the ids of its series, ascending.
 *
 * Invariants:
 * - a field is a (tenant, name); a list is a (field, value symbol); both are integers from 0 upwards;
 * - ids are added in ascending order, so every list is sorted without doing anything for it;
 * - a list of one id is its record alone (most values of a high-cardinality label have one series); longer ones are a chain of
 *   blocks that double up to 1024 words: the first is [next block, last block, number of ids, ids], the others [next, ids].
 */
import { doubled } from "../../lib/grow.ts";
import { firstWordAt } from "../../lib/search.ts";
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
import { allocateBlock, SLAB_MASK, SLAB_SHIFT, type WordPool } from "./word-pool.ts";

export const FIRST_ORDER = 3;
export const LAST_ORDER = 10;
/** Where the ids begin in the first block of a chain, and in the others. */
export const FIRST_IDS = 3;
export const OTHER_IDS = 1;
/** In `listHead`: the other bits are the only id. Otherwise they are the number of the first block / 8, 0: no ids. */
export const SINGLE = 0x8000_0000;
export const BLOCK_SHIFT = 3;

export interface Postings {
  readonly pool: WordPool;
  fieldCount: number;
  readonly fields: Map<number, number>;
  /** Per field: its newest list + 1, and the number of lists. */
  fieldFirst: Uint32Array;
  fieldLists: Uint32Array;
  listCount: number;
  /** The largest number of lists that the arrays have held. */
  peak: number;
  /** Per list: field, value symbol, next older list of the field + 1, ids (see SINGLE). */
  listField: Uint32Array;
  listValue: Uint32Array;
  listNext: Uint32Array;
  listHead: Uint32Array;
  /** Lists by (field, value). */
  slots: SlotTable;
}

export function makePostings(pool: WordPool): Postings {
  return {
    pool,
    fieldCount: 0,
    fields: new Map(),
    fieldFirst: new Uint32Array(64),
    fieldLists: new Uint32Array(64),
    listCount: 0,
    peak: 0,
    ...makeLists(256),
    slots: makeSlotTable(),
  };
}

/** As a name: the field of a tenant that has one list, value 0, with all of its series. */
export const EVERYTHING = 0xffff_ffff;

const fieldKey = (tenant: number, name: number): number => tenant * 0x1_0000_0000 + name;

/** The field of a tenant's label name (symbols), -1 when no series has it. */
export function findField(p: Postings, tenant: number, name: number): number {
  return p.fields.get(fieldKey(tenant, name)) ?? -1;
}

export function obtainField(p: Postings, tenant: number, name: number): number {
  const key = fieldKey(tenant, name);
  const known = p.fields.get(key);
  if (known !== undefined) return known;
  const field = p.fieldCount++;
  p.fields.set(key, field);
  if (field === p.fieldFirst.length) {
    p.fieldFirst = doubled(p.fieldFirst);
    p.fieldLists = doubled(p.fieldLists);
  }
  return field;
}

/** The list of a value, -1 when there is none. */
export function findList(p: Postings, field: number, value: number): number {
  const { listField, listValue } = p;
  const hash = listHash(field, value);
  const slots = p.slots.parts[hash >>> PART_SHIFT] as Uint32Array;
  const mask = slots.length - 1;
  let slot = (hash >>> START_SHIFT) & mask;
  while (true) {
    const entry = slots[slot] as number;
    if (entry === 0) return -1;
    if (entry >>> TAG_SHIFT === (hash & TAG_MASK)) {
      const list = (entry & NUMBER_MASK) - 1;
      if (listValue[list] === value && listField[list] === field) return list;
    }
    slot = (slot + 1) & mask;
  }
}

function listHash(field: number, value: number): number {
  let h = Math.imul(value ^ Math.imul(field, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function obtainList(p: Postings, field: number, value: number): number {
  const found = findList(p, field, value);
  if (found >= 0) return found;
  const list = p.listCount++;
  if (list === p.listField.length) growLists(p);
  p.listField[list] = field;
  p.listValue[list] = value;
  p.listHead[list] = 0;
  linkList(p, list);
  return list;
}

/** Puts a list into the hash table, and before the other lists of its field. */
export function linkList(p: Postings, list: number): void {
  const field = p.listField[list] as number;
  p.listNext[list] = p.fieldFirst[field] as number;
  p.fieldFirst[field] = list + 1;
  p.fieldLists[field] = (p.fieldLists[field] as number) + 1;
  const hashOf = (n: number): number => listHash(p.listField[n] as number, p.listValue[n] as number);
  addSlot(p.slots, hashOf(list), list, hashOf);
}

/** Number of ids in a list. */
export function listLength(p: Postings, list: number): number {
  const head = p.listHead[list] as number;
  if (head === 0) return 0;
  if (head >= SINGLE) return 1;
  const block = head << BLOCK_SHIFT;
  return (p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array)[(block & SLAB_MASK) + 2] as number;
}

/** Adds an id that is above all ids of the list. */
export function pushPosting(p: Postings, list: number, id: number): void {
  const head = p.listHead[list] as number;
  const { pool } = p;
  if (head === 0) {
    p.listHead[list] = (SINGLE | id) >>> 0;
    return;
  }
  if (head >= SINGLE) {
    const block = allocateBlock(pool, FIRST_ORDER);
    const words = pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const at = block & SLAB_MASK;
    words[at] = 0;
    words[at + 1] = block;
    words[at + 2] = 2;
    words[at + FIRST_IDS] = head & ~SINGLE;
    words[at + FIRST_IDS + 1] = id;
    p.listHead[list] = block >>> BLOCK_SHIFT;
    return;
  }
  const first = head << BLOCK_SHIFT;
  const words = pool.slabs[first >>> SLAB_SHIFT] as Int32Array;
  const at = first & SLAB_MASK;
  const n = words[at + 2] as number;
  words[at + 2] = n + 1;
  const tail = words[at + 1] as number;
  const used = usedInTail(n);
  if (used < 1 << tailOrder) {
    (pool.slabs[tail >>> SLAB_SHIFT] as Int32Array)[(tail & SLAB_MASK) + used] = id;
    return;
  }
  const block = allocateBlock(pool, Math.min(tailOrder + 1, LAST_ORDER));
  (pool.slabs[tail >>> SLAB_SHIFT] as Int32Array)[tail & SLAB_MASK] = block;
  const last = pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
  last[block & SLAB_MASK] = 0;
  last[(block & SLAB_MASK) + OTHER_IDS] = id;
  words[at + 1] = block;
}

let tailOrder = 0;

/** Ids in a chain before its blocks are of the last order: one word less a block, and those of the first block's head. */
const LARGE = (1 << LAST_ORDER) - (1 << FIRST_ORDER) - (LAST_ORDER - FIRST_ORDER) * OTHER_IDS - FIRST_IDS + OTHER_IDS;

/** Words used in the last block of a chain of n ids (its head included); leaves that block's order in tailOrder. */
function usedInTail(n: number): number {
  if (n > LARGE) {
    tailOrder = LAST_ORDER;
    return ((n - LARGE - 1) % ((1 << LAST_ORDER) - 1)) + 2;
  }
  let before = 0;
  let order = FIRST_ORDER;
  let ids = FIRST_IDS;
  while (order < LAST_ORDER) {
    const holds = (1 << order) - ids;
    if (n - before <= holds) break;
    before += holds;
    ids = OTHER_IDS;
    order++;
  }
  tailOrder = order;
  return n - before + ids;
}

/** Copies the list's ids to out[at...] and returns the position after them. */
export function copyList(p: Postings, list: number, out: Uint32Array, at: number): number {
  const head = p.listHead[list] as number;
  if (head === 0) return at;
  if (head >= SINGLE) {
    out[at] = head & ~SINGLE;
    return at + 1;
  }
  const end = at + listLength(p, list);
  let block = head << BLOCK_SHIFT;
  let to = at;
  let order = FIRST_ORDER;
  let ids = FIRST_IDS;
  while (to < end) {
    const words = p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const from = block & SLAB_MASK;
    const take = Math.min((1 << order) - ids, end - to);
    out.set(words.subarray(from + ids, from + ids + take), to);
    to += take;
    block = words[from] as number;
    ids = OTHER_IDS;
    if (order < LAST_ORDER) order++;
  }
  return end;
}

/** Sets the bit of each of the list's ids. */
export function markList(p: Postings, list: number, bits: Uint32Array): void {
  const head = p.listHead[list] as number;
  if (head === 0) return;
  if (head >= SINGLE) {
    const id = head & ~SINGLE;
    bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
    return;
  }
  let left = listLength(p, list);
  let block = head << BLOCK_SHIFT;
  let order = FIRST_ORDER;
  let ids = FIRST_IDS;
  while (left > 0) {
    const words = p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const at = block & SLAB_MASK;
    const from = at + ids;
    const end = from + Math.min((1 << order) - ids, left);
    for (let i = from; i < end; i++) {
      const id = words[i] as number;
      bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
    }
    left -= end - from;
    block = words[at] as number;
    ids = OTHER_IDS;
    if (order < LAST_ORDER) order++;
  }
}

/**
 * Of the ascending ids[0..n), sets hits[i] = 1 where the list has ids[i]; the others are left as they are. Blocks between
 * two ids are passed over by their last id, and inside of a block the search gallops: the cost goes with the shorter side.
 */
export function hitList(p: Postings, list: number, ids: Uint32Array, n: number, hits: Uint8Array): void {
  const head = p.listHead[list] as number;
  if (head === 0 || n === 0) return;
  if (head >= SINGLE) {
    const i = firstWordAt(ids, 0, n, head & ~SINGLE);
    if (i < n && ids[i] === (head & ~SINGLE)) hits[i] = 1;
    return;
  }
  let left = listLength(p, list);
  let block = head << BLOCK_SHIFT;
  let order = FIRST_ORDER;
  let first = FIRST_IDS;
  let i = 0;
  while (left > 0 && i < n) {
    const words = p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const at = block & SLAB_MASK;
    const from = at + first;
    const end = from + Math.min((1 << order) - first, left);
    if ((words[end - 1] as number) >= (ids[i] as number)) i = hitBlock(words, from, end, ids, i, n, hits);
    left -= end - from;
    block = words[at] as number;
    first = OTHER_IDS;
    if (order < LAST_ORDER) order++;
  }
}

/** The same for the ascending ids words[from..end); returns the first i whose id is above all of them. */
function hitBlock(
  words: Int32Array,
  from: number,
  end: number,
  ids: Uint32Array,
  start: number,
  n: number,
  hits: Uint8Array,
): number {
  const last = words[end - 1] as number;
  let at = from;
  let i = start;
  while (i < n) {
    const id = ids[i] as number;
    if (id > last) return i;
    let step = 1;
    let low = at;
    while (low + step < end && (words[low + step] as number) < id) {
      low += step;
      step <<= 1;
    }
    let high = Math.min(low + step, end - 1);
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((words[mid] as number) < id) low = mid + 1;
      else high = mid;
    }
    at = low;
    if (words[at] === id) hits[i] = 1;
    i++;
  }
  return i;
}

/** Bytes of the tables in use; the pool is counted by its owner. */
export function postingsBytes(p: Postings): number {
  return slotTableBytes(p.slots) + 16 * p.listCount + 8 * p.fieldCount;
}

type ListArrays = Pick<Postings, "listField" | "listValue" | "listNext" | "listHead">;

function makeLists(capacity: number): ListArrays {
  return {
    listField: new Uint32Array(capacity),
    listValue: new Uint32Array(capacity),
    listNext: new Uint32Array(capacity),
    listHead: new Uint32Array(capacity),
  };
}

function growLists(p: Postings): void {
  replaceLists(p, withMoreCapacity(p.listField.length, makeLists));
}

/** Gives back the memory of lists that are gone. */
export function shrinkLists(p: Postings): void {
  if (!worthShrinking(p.listCount, p.peak)) return;
  p.listField = p.listField.subarray(0, p.listCount);
  p.listValue = p.listValue.subarray(0, p.listCount);
  p.listNext = p.listNext.subarray(0, p.listCount);
  p.listHead = p.listHead.subarray(0, p.listCount);
  replaceLists(p, withCapacityFor(p.listCount, makeLists));
  p.peak = p.listCount;
}

function replaceLists(p: Postings, next: ListArrays): void {
  next.listField.set(p.listField);
  next.listValue.set(p.listValue);
  next.listNext.set(p.listNext);
  next.listHead.set(p.listHead);
  Object.assign(p, next);
}
