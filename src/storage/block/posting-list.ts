/**
 * Lists of series numbers, ascending: groups of up to 128, each bit-packed by its own width; what tells where the groups are
 * stands before them, so that a reader skips those it has no candidates in. Docs: docs/format/block.md, "Posting list".
 */
import { firstWordAt } from "../../lib/search.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { type ByteSink, putByte, putVarint, reserveSink } from "./byte-sink.ts";
import { packBits, unpackBits } from "./number-column.ts";

const GROUP = 128;
const gaps = new Float64Array(GROUP);

/** Appends the list ids[from, to), of at least two. */
export function putList(sink: ByteSink, ids: Uint32Array, from: number, to: number): void {
  let before = 0;
  for (let start = from; start < to; start += GROUP) {
    const first = ids[start] as number;
    putVarint(sink, first - before);
    before = first;
    putByte(sink, groupWidth(ids, start, Math.min(start + GROUP, to)));
  }
  for (let start = from; start < to; start += GROUP) {
    const end = Math.min(start + GROUP, to);
    const width = groupWidth(ids, start, end);
    for (let i = start + 1; i < end; i++) gaps[i - start - 1] = (ids[i] as number) - (ids[i - 1] as number) - 1;
    reserveSink(sink, 4 * GROUP);
    sink.length = packBits(gaps, 0, end - start - 1, width, sink.bytes, sink.length);
  }
}

function groupWidth(ids: Uint32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start + 1; i < end; i++) most = Math.max(most, (ids[i] as number) - (ids[i - 1] as number) - 1);
  return 32 - Math.clz32(most);
}

let firsts = new Uint32Array(64);
let widths = new Uint8Array(64);
const group = new Uint32Array(GROUP);
const cursor: Cursor = { at: 0 };

/** Reads the firsts and widths of the groups of a list of `count`; leaves the cursor at the first group. */
function readDirectory(bytes: Uint8Array, at: number, count: number): number {
  const groups = Math.ceil(count / GROUP);
  if (firsts.length < groups) {
    firsts = new Uint32Array(2 * groups);
    widths = new Uint8Array(2 * groups);
  }
  cursor.at = at;
  let first = 0;
  for (let g = 0; g < groups; g++) {
    first += readVarint(bytes, cursor);
    firsts[g] = first;
    widths[g] = bytes[cursor.at++] as number;
    if (!((widths[g] as number) <= 32)) throw new RangeError(`a group of ${widths[g]} bits`);
  }
  return groups;
}

const groupBytes = (n: number, width: number): number => Math.ceil(((n - 1) * width) / 8);

/** Decodes the list of `count` ids that starts at byte `at` into out[to...]. Throws for what is no list. */
export function readList(bytes: Uint8Array, at: number, count: number, out: Uint32Array, to: number): void {
  const groups = readDirectory(bytes, at, count);
  let start = cursor.at;
  for (let g = 0; g < groups; g++) {
    const n = Math.min(GROUP, count - g * GROUP);
    const width = widths[g] as number;
    const o = to + g * GROUP;
    unpackBits(bytes, start, n - 1, width, out, o + 1);
    let id = firsts[g] as number;
    out[o] = id;
    for (let i = 1; i < n; i++) {
      id += (out[o + i] as number) + 1;
      out[o + i] = id;
    }
    start += groupBytes(n, width);
  }
  if (start > bytes.length) throw new RangeError("a list cut short");
}

/**
 * Sets hits[i] where ids[i] is in the list; the ids ascend. Groups without a candidate are not decoded, and those of numbers
 * without gaps need not be.
 */
export function hitList(bytes: Uint8Array, at: number, count: number, ids: Uint32Array, hits: Uint8Array): void {
  const groups = readDirectory(bytes, at, count);
  const n = ids.length;
  let start = cursor.at;
  let i = 0;
  for (let g = 0; g < groups; g++) {
    const first = firsts[g] as number;
    i = idFrom(ids, i, first);
    if (i === n) return;
    const size = Math.min(GROUP, count - g * GROUP);
    const width = widths[g] as number;
    const next = g + 1 < groups ? (firsts[g + 1] as number) : Number.POSITIVE_INFINITY;
    if ((ids[i] as number) < next) {
      if (width === 0) for (; i < n && (ids[i] as number) < first + size; i++) hits[i] = 1;
      else {
        unpackBits(bytes, start, size - 1, width, group, 1);
        let id = first;
        for (let k = 0; i < n; ) {
          const wanted = ids[i] as number;
          if (id < wanted) {
            if (++k === size) break;
            id += (group[k] as number) + 1;
          } else {
            if (id === wanted) hits[i++] = 1;
            i = idFrom(ids, i, id);
          }
        }
      }
    }
    start += groupBytes(size, width);
  }
}

/** The first of the ascending ids, from i on, that is not below the wanted one: found the faster the nearer it is. */
export function idFrom(ids: Uint32Array, i: number, wanted: number): number {
  const n = ids.length;
  if (i === n || (ids[i] as number) >= wanted) return i;
  let step = 1;
  let low = i;
  while (low + step < n && (ids[low + step] as number) < wanted) {
    low += step;
    step <<= 1;
  }
  return firstWordAt(ids, low + 1, Math.min(low + step, n), wanted);
}
