/** Series numbers of rows of the values table. */
import type { Block } from "./block.ts";
import { BlockError } from "./block-error.ts";
import { VALUE_COUNT, VALUE_LIST, VALUE_SERIES } from "./index-tables.ts";
import { numberAt, startAt } from "./lookup.ts";
import { hitList, idFrom, readList } from "./posting-list.ts";
import { sectionPart } from "./section.ts";
import { numbersOfBits } from "./value-rows.ts";

/** How many series have these values of one label, given ascending. */
export function countSeries(block: Block, rows: Uint32Array): number {
  const { values } = block;
  const { shift } = values.table;
  let series = 0;
  for (let i = 0; i < rows.length; ) {
    const part = (rows[i] as number) >>> shift;
    const counts = sectionPart(values, part)[VALUE_COUNT] as Float64Array;
    for (; i < rows.length && (rows[i] as number) >>> shift === part; i++)
      series += counts[((rows[i] as number) & values.mask) + 1] as number;
  }
  return series;
}

/** The series of all these values of one label, rows and series ascending: no series has two of them. */
export function idsOfRows(block: Block, rows: Uint32Array): Uint32Array {
  const total = countSeries(block, rows);
  const { series } = block.meta;
  if (total > series) throw damaged(block, `${total} series have a label, of ${series}`);
  const ids = new Uint32Array(total);
  // Of very many single series no list has to be sorted: they are marked, and read off in order.
  const bits =
    rows.length > 1 && total > 1024 && total > series >>> 6 ? new Uint32Array((series + 31) >>> 5) : undefined;
  collect(block, rows, ids, bits);
  if (bits === undefined) return rows.length <= 1 ? ids : ids.sort();
  const there = numbersOfBits(bits, 0, ids);
  if (there !== total) throw damaged(block, `${there} series have a label, their lists say ${total}`);
  return ids;
}

/** Writes the series of the rows behind one another to `ids`, or marks them in `bits`. */
function collect(block: Block, rows: Uint32Array, ids: Uint32Array, bits: Uint32Array | undefined): void {
  const { values } = block;
  const { shift } = values.table;
  let at = 0;
  for (let i = 0; i < rows.length; ) {
    const number = (rows[i] as number) >>> shift;
    const part = sectionPart(values, number);
    const counts = part[VALUE_COUNT] as Float64Array;
    const singles = part[VALUE_SERIES] as Float64Array;
    for (; i < rows.length && (rows[i] as number) >>> shift === number; i++) {
      const row = rows[i] as number;
      const k = (row & values.mask) + 1;
      const count = counts[k] as number;
      if (count !== 1) readRow(block, row, (bytes) => readList(bytes, 0, count, ids, at));
      else if (bits === undefined) ids[at] = singles[k] as number;
      else mark(bits, singles[k] as number);
      if (bits !== undefined && count !== 1) for (let j = at; j < at + count; j++) mark(bits, ids[j] as number);
      at += count;
    }
  }
}

function mark(bits: Uint32Array, id: number): void {
  bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
}

/** Those of the ascending ids that have one of the rows' values, or with `refused` none of them. */
export function filterByLists(block: Block, rows: Uint32Array, ids: Uint32Array, refused: boolean): Uint32Array {
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

function damaged(block: Block, problem: string): BlockError {
  return new BlockError(block.meta.id, block.data.path, 0, problem);
}
