/** Posting lists after a collection: the series that are left, under their new ids. */
import {
  BLOCK_SHIFT,
  EVERYTHING,
  FIRST_IDS,
  FIRST_ORDER,
  LAST_ORDER,
  linkList,
  listLength,
  OTHER_IDS,
  type Postings,
  SINGLE,
  shrinkLists,
} from "./postings.ts";
import { makeSlotTable } from "./slot-table.ts";
import { freeBlock, SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

export interface RenumberedPostings {
  /** New number of each old list and field, -1: gone. */
  readonly lists: Int32Array;
  readonly fields: Int32Array;
}

/** Renumbers ids (`ids`: new id of each old one, -1: gone) and symbols in all lists; lists and fields without ids go. */
export function keepPostings(p: Postings, ids: Int32Array, symbols: Uint32Array): RenumberedPostings {
  const lists = new Int32Array(p.listCount).fill(-1);
  const fields = new Int32Array(p.fieldCount).fill(-1);
  const withoutValue = new Uint8Array(p.fieldCount);
  for (const [key, field] of p.fields) if (key % 0x1_0000_0000 === EVERYTHING) withoutValue[field] = 1;
  p.peak = Math.max(p.peak, p.listCount);
  let kept = 0;
  for (let list = 0; list < p.listCount; list++) {
    if (keepIds(p, list, ids) === 0) continue;
    const field = p.listField[list] as number;
    const value = p.listValue[list] as number;
    p.listField[kept] = field;
    p.listValue[kept] = withoutValue[field] === 1 ? value : (symbols[value] as number);
    p.listHead[kept] = p.listHead[list] as number;
    fields[field] = 0;
    lists[list] = kept++;
  }
  p.listCount = kept;
  keepFields(p, fields, symbols);
  shrinkLists(p);
  p.slots = makeSlotTable(kept);
  // In their order, so that each field's lists are chained from the newest again.
  for (let list = 0; list < kept; list++) {
    p.listField[list] = fields[p.listField[list] as number] as number;
    linkList(p, list);
  }
  return { lists, fields };
}

/** Numbers the fields that are not -1, and names them by the new symbols. */
function keepFields(p: Postings, fields: Int32Array, symbols: Uint32Array): void {
  const known = [...p.fields];
  p.fields.clear();
  p.fieldFirst.fill(0, 0, p.fieldCount);
  p.fieldLists.fill(0, 0, p.fieldCount);
  p.fieldCount = 0;
  for (const [key, field] of known) {
    if (fields[field] === -1) continue;
    fields[field] = p.fieldCount++;
    const tenant = symbols[Math.floor(key / 0x1_0000_0000)] as number;
    const name = key % 0x1_0000_0000;
    p.fields.set(
      tenant * 0x1_0000_0000 + (name === EVERYTHING ? name : (symbols[name] as number)),
      fields[field] as number,
    );
  }
}

/** Renumbers a list's ids where they are and frees the blocks behind them; returns how many are left. */
function keepIds(p: Postings, list: number, ids: Int32Array): number {
  const head = p.listHead[list] as number;
  if (head === 0) return 0;
  if (head >= SINGLE) {
    const id = ids[head & ~SINGLE] as number;
    p.listHead[list] = id < 0 ? 0 : (SINGLE | id) >>> 0;
    return id < 0 ? 0 : 1;
  }
  const { slabs } = p.pool;
  const first = head << BLOCK_SHIFT;
  const firstWords = slabs[first >>> SLAB_SHIFT] as Int32Array;
  const firstAt = first & SLAB_MASK;
  const tail = firstWords[firstAt + 1] as number;
  let left = listLength(p, list);
  let block = first;
  let order = FIRST_ORDER;
  let begin = FIRST_IDS;
  let to = first;
  let toOrder = FIRST_ORDER;
  let toWords = firstWords;
  let at = firstAt + FIRST_IDS;
  let toEnd = firstAt + (1 << FIRST_ORDER);
  let kept = 0;
  while (left > 0) {
    const words = slabs[block >>> SLAB_SHIFT] as Int32Array;
    const start = block & SLAB_MASK;
    const end = start + Math.min(1 << order, begin + left);
    left -= end - start - begin;
    for (let i = start + begin; i < end; i++) {
      const id = ids[words[i] as number] as number;
      if (id < 0) continue;
      if (at === toEnd) {
        to = toWords[to & SLAB_MASK] as number;
        if (toOrder < LAST_ORDER) toOrder++;
        toWords = slabs[to >>> SLAB_SHIFT] as Int32Array;
        at = (to & SLAB_MASK) + OTHER_IDS;
        toEnd = (to & SLAB_MASK) + (1 << toOrder);
      }
      toWords[at++] = id;
      kept++;
    }
    block = words[start] as number;
    begin = OTHER_IDS;
    if (order < LAST_ORDER) order++;
  }
  // Links are signed words, as `first` is.
  for (let surplus = to === tail ? 0 : (toWords[to & SLAB_MASK] as number); surplus !== 0; ) {
    const next = surplus === tail ? 0 : ((slabs[surplus >>> SLAB_SHIFT] as Int32Array)[surplus & SLAB_MASK] as number);
    if (toOrder < LAST_ORDER) toOrder++;
    freeBlock(p.pool, surplus >>> 0, toOrder);
    surplus = next;
  }
  toWords[to & SLAB_MASK] = 0;
  firstWords[firstAt + 1] = to;
  firstWords[firstAt + 2] = kept;
  if (kept > 1) return kept;
  p.listHead[list] = kept === 0 ? 0 : (SINGLE | (firstWords[firstAt + FIRST_IDS] as number)) >>> 0;
  freeBlock(p.pool, first >>> 0, FIRST_ORDER);
  return kept;
}
