/**
 * Which series have which label: for each (tenant, name, value) the ids of its series, ascending.
 *
 * Invariants:
 * - a field is a (tenant, name); a list is a (field, value symbol); both are integers from 0 upwards;
 * - ids are added in ascending order, so every list is sorted without doing anything for it;
 * - a list of one id lives in its record (most values of a high-cardinality label have one series); longer ones in a chain
 *   of blocks that double up to 1024 words: word 0 names the next block, then ids.
 */
import { allocateBlock, SLAB_MASK, SLAB_SHIFT, type WordPool } from "./word-pool.ts";

const FIRST_ORDER = 3;
const LAST_ORDER = 10;

export interface Postings {
  readonly pool: WordPool;
  fieldCount: number;
  readonly fields: Map<number, number>;
  /** Per field: its first list + 1, and the number of lists. */
  fieldFirst: Uint32Array;
  fieldLists: Uint32Array;
  listCount: number;
  /** Per list: field, value symbol, next list of the field + 1, number of ids. */
  listField: Uint32Array;
  listValue: Uint32Array;
  listNext: Uint32Array;
  listLength: Uint32Array;
  /** The only id of a list of one, else the first block of the chain; and the last block. */
  listHead: Uint32Array;
  listTail: Uint32Array;
  /** Open addressing on (field, value): list + 1, 0 empty. */
  slots: Uint32Array;
}

export function makePostings(pool: WordPool): Postings {
  return {
    pool,
    fieldCount: 0,
    fields: new Map(),
    fieldFirst: new Uint32Array(64),
    fieldLists: new Uint32Array(64),
    listCount: 0,
    listField: new Uint32Array(256),
    listValue: new Uint32Array(256),
    listNext: new Uint32Array(256),
    listLength: new Uint32Array(256),
    listHead: new Uint32Array(256),
    listTail: new Uint32Array(256),
    slots: new Uint32Array(512),
  };
}

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
  return (p.slots[slotOf(p, field, value)] as number) - 1;
}

export function obtainList(p: Postings, field: number, value: number): number {
  const slot = slotOf(p, field, value);
  const found = p.slots[slot] as number;
  if (found !== 0) return found - 1;
  const list = p.listCount++;
  if (list === p.listField.length) growLists(p);
  p.slots[slot] = list + 1;
  p.listField[list] = field;
  p.listValue[list] = value;
  p.listNext[list] = p.fieldFirst[field] as number;
  p.fieldFirst[field] = list + 1;
  p.fieldLists[field] = (p.fieldLists[field] as number) + 1;
  if (p.listCount * 3 > p.slots.length * 2) growSlots(p);
  return list;
}

/** Adds an id that is above all ids of the list. */
export function pushPosting(p: Postings, list: number, id: number): void {
  const n = p.listLength[list] as number;
  p.listLength[list] = n + 1;
  if (n === 0) {
    p.listHead[list] = id;
    return;
  }
  const { pool } = p;
  if (n === 1) {
    const block = allocateBlock(pool, FIRST_ORDER);
    const words = pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const at = block & SLAB_MASK;
    words[at] = 0;
    words[at + 1] = p.listHead[list] as number;
    words[at + 2] = id;
    p.listHead[list] = block;
    p.listTail[list] = block;
    return;
  }
  const tail = p.listTail[list] as number;
  const used = usedInTail(n);
  if (used < 1 << tailOrder) {
    (pool.slabs[tail >>> SLAB_SHIFT] as Int32Array)[(tail & SLAB_MASK) + used] = id;
    return;
  }
  const block = allocateBlock(pool, Math.min(tailOrder + 1, LAST_ORDER));
  (pool.slabs[tail >>> SLAB_SHIFT] as Int32Array)[tail & SLAB_MASK] = block;
  const words = pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
  words[block & SLAB_MASK] = 0;
  words[(block & SLAB_MASK) + 1] = id;
  p.listTail[list] = block;
}

let tailOrder = 0;

/** Words used in the last block of a chain of n ids (its link included); leaves that block's order in tailOrder. */
function usedInTail(n: number): number {
  let before = 0;
  let order = FIRST_ORDER;
  while (order < LAST_ORDER) {
    const holds = (1 << order) - 1;
    if (n - before <= holds) break;
    before += holds;
    order++;
  }
  tailOrder = order;
  const rest = n - before;
  if (order < LAST_ORDER) return rest + 1;
  return ((rest - 1) % ((1 << LAST_ORDER) - 1)) + 2;
}

/** Copies the list's ids to out[at...] and returns the position after them. */
export function copyList(p: Postings, list: number, out: Uint32Array, at: number): number {
  const n = p.listLength[list] as number;
  if (n === 0) return at;
  let block = p.listHead[list] as number;
  if (n === 1) {
    out[at] = block;
    return at + 1;
  }
  const end = at + n;
  let to = at;
  let order = FIRST_ORDER;
  while (to < end) {
    const words = p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const from = block & SLAB_MASK;
    const take = Math.min((1 << order) - 1, end - to);
    out.set(words.subarray(from + 1, from + 1 + take), to);
    to += take;
    block = words[from] as number;
    if (order < LAST_ORDER) order++;
  }
  return end;
}

/** Sets the bit of each of the list's ids. */
export function markList(p: Postings, list: number, bits: Uint32Array): void {
  let left = p.listLength[list] as number;
  let block = p.listHead[list] as number;
  if (left === 1) {
    bits[block >>> 5] = (bits[block >>> 5] as number) | (1 << (block & 31));
    return;
  }
  let order = FIRST_ORDER;
  while (left > 0) {
    const words = p.pool.slabs[block >>> SLAB_SHIFT] as Int32Array;
    const from = (block & SLAB_MASK) + 1;
    const end = from + Math.min((1 << order) - 1, left);
    for (let i = from; i < end; i++) {
      const id = words[i] as number;
      bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
    }
    left -= end - from;
    block = words[from - 1] as number;
    if (order < LAST_ORDER) order++;
  }
}

/** Bytes of the tables; the pool is counted by its owner. */
export function postingsBytes(p: Postings): number {
  return p.slots.byteLength + 6 * p.listField.byteLength + 2 * p.fieldFirst.byteLength;
}

function slotOf(p: Postings, field: number, value: number): number {
  const { slots, listField, listValue } = p;
  const mask = slots.length - 1;
  const h = Math.imul(value ^ Math.imul(field, 0x85ebca6b), 0x9e3779b1);
  let slot = (h ^ (h >>> 15)) & mask;
  while (true) {
    const list = slots[slot] as number;
    if (list === 0 || (listValue[list - 1] === value && listField[list - 1] === field)) return slot;
    slot = (slot + 1) & mask;
  }
}

function growLists(p: Postings): void {
  p.listField = doubled(p.listField);
  p.listValue = doubled(p.listValue);
  p.listNext = doubled(p.listNext);
  p.listLength = doubled(p.listLength);
  p.listHead = doubled(p.listHead);
  p.listTail = doubled(p.listTail);
}

function growSlots(p: Postings): void {
  p.slots = new Uint32Array(p.slots.length * 2);
  for (let list = 0; list < p.listCount; list++) {
    p.slots[slotOf(p, p.listField[list] as number, p.listValue[list] as number)] = list + 1;
  }
}

function doubled(old: Uint32Array): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(old.length * 2);
  next.set(old);
  return next;
}
