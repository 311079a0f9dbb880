/** Series numbers of rows of the values table. */
import type { Block } from "./block.ts";
import { BlockError } from "./block-error.ts";
import { VALUE_COUNT, VALUE_LIST, VALUE_SERIES } from "./index-tables.ts";
import { numberAt, startAt } from "./lookup.ts";
import { hitList, idFrom, readList } from "./posting-list.ts";
import { sectionPart } from "./section.ts";

/** The series of all these values of one label, ascending: no series has two of them. */
export function idsOfRows(block: Block, rows: readonly number[]): Uint32Array {
  const { values } = block;
  let total = 0;
  for (const row of rows) total += numberAt(values, VALUE_COUNT, row);
  if (total > block.meta.series) throw damaged(block, `${total} series have a label, of ${block.meta.series}`);
  const ids = new Uint32Array(total);
  let at = 0;
  for (const row of rows) {
    const count = numberAt(values, VALUE_COUNT, row);
    if (count === 1) ids[at] = numberAt(values, VALUE_SERIES, row);
    else readRow(block, row, (bytes) => readList(bytes, 0, count, ids, at));
    at += count;
  }
  if (rows.length <= 1) return ids;
  return total > 1024 && total > block.meta.series >>> 6 ? sortByBits(ids, block.meta.series) : ids.sort();
}

/** Those of the ascending ids that have one of the rows' values, or with `refused` none of them. */
export function filterByLists(block: Block, rows: readonly number[], ids: Uint32Array, refused: boolean): Uint32Array {
  const hits = new Uint8Array(ids.length);
  for (const row of rows) {
    const count = numberAt(block.values, VALUE_COUNT, row);
    if (count === 1) {
      const only = numberAt(block.values, VALUE_SERIES, row);
      const i = idFrom(ids, 0, only);
      if (ids[i] === only) hits[i] = 1;
    } else readRow(block, row, (bytes) => hitList(bytes, 0, count, ids, hits));
  }
  const wanted = refused ? 0 : 1;
  const kept = new Uint32Array(ids.length);
  let n = 0;
  for (let i = 0; i < ids.length; i++) if (hits[i] === wanted) kept[n++] = ids[i] as number;
  return kept.subarray(0, n);
}

function readRow(block: Block, row: number, read: (bytes: Uint8Array) => void): void {
  const bytes = listBytes(block, startAt(block.values, VALUE_LIST, row), numberAt(block.values, VALUE_LIST, row));
  try {
    read(bytes);
  } catch (error) {
    throw damaged(block, `list of value ${row}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Bytes [from, to) of all lists: a view where they lie in one part. */
function listBytes(block: Block, from: number, to: number): Uint8Array {
  const { lists } = block;
  const size = lists.mask + 1;
  const first = Math.floor(from / size);
  const head = sectionPart(lists, first);
  if (to <= (first + 1) * size) return head.subarray(from - first * size, to - first * size);
  const bytes = new Uint8Array(to - from);
  for (let part = first; part * size < to; part++) {
    const content = sectionPart(lists, part);
    const start = Math.max(from - part * size, 0);
    bytes.set(content.subarray(start, Math.min(to - part * size, content.length)), part * size + start - from);
  }
  return bytes;
}

function sortByBits(ids: Uint32Array, series: number): Uint32Array {
  const bits = new Uint32Array((series + 31) >>> 5);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
  }
  let at = 0;
  for (let w = 0; w < bits.length; w++) {
    for (let word = bits[w] as number; word !== 0; word &= word - 1)
      ids[at++] = (w << 5) + (31 - Math.clz32(word & -word));
  }
  return ids;
}

function damaged(block: Block, problem: string): BlockError {
  return new BlockError(block.meta.id, block.data.path, 0, problem);
}
