/** The order of series in a block: by tenant, then by labels as compareLabels (src/model/labels.ts) orders them. */
import type { Head } from "./head.ts";
import { ROW_SHIFT, SHAPE, VALUES } from "./series-table.ts";
import type { Shape } from "./shapes.ts";
import { KEY_LIMIT, type Pause, sortInSlices } from "./sliced-sort.ts";
import { COMPANION } from "./start-times.ts";
import type { Symbols } from "./symbols.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

/**
 * Ids of the series that are there when it is called, in order. Takes seconds for millions, in slices; series may be defined
 * and samples appended meanwhile, but none collected. Keys from `limit` on are split.
 */
export async function seriesInLabelOrder(head: Head, pause: Pause, limit = KEY_LIMIT): Promise<Uint32Array> {
  const { count } = head.series;
  const ids = new Uint32Array(count);
  let n = 0;
  for (let id = 0; id < count; id++) {
    if (head.series.rows[(id << ROW_SHIFT) + SHAPE] !== COMPANION) ids[n++] = id;
    if ((id & 0xffff) === 0xffff) await pause();
  }
  const order = ids.subarray(0, n);
  const ranks = await symbolRanks(head.symbols, pause);
  const names = nameNumbers(head.shapes, ranks);
  // Strings are compared by their symbols' ranks: a key is that of a value, the tenant's at first, and of the name behind it.
  const room = names.count + 1;
  const keyAt = (id: number, depth: number): number => {
    const { rows } = head.series;
    const row = id << ROW_SHIFT;
    const shape = rows[row + SHAPE] as number;
    const next = names.ofShape[shape] as Int32Array;
    if (depth === 0) return ((ranks[(head.shapes[shape] as Shape).tenant] as number) + 1) * room + (next[0] as number);
    if (depth >= next.length) return 0;
    const at = ((rows[row + VALUES] as number) >>> 0) + depth - 1;
    const value = (head.values.slabs[at >>> SLAB_SHIFT] as Int32Array)[at & SLAB_MASK] as number;
    return ((ranks[value] as number) + 1) * room + (next[depth] as number);
  };
  if ((ranks.length + 1) * room <= limit) await sortInSlices(order, keyAt, pause);
  else {
    // Too many for one number: the value at even depths, the name behind it at odd ones.
    const half = (id: number, depth: number): number => {
      const key = keyAt(id, depth >> 1);
      return (depth & 1) === 0 ? Math.floor(key / room) : key % room;
    };
    await sortInSlices(order, half, pause);
  }
  return order;
}

/** The names of each shape's labels, numbered from 1 in their order; behind the last one 0. */
function nameNumbers(shapes: readonly Shape[], ranks: Uint32Array): { ofShape: Int32Array[]; count: number } {
  const used = new Set<number>();
  for (const { names } of shapes) for (const name of names) used.add(name);
  const sorted = [...used].sort((a, b) => (ranks[a] as number) - (ranks[b] as number));
  const numbers = new Map(sorted.map((name, i) => [name, i + 1]));
  const ofShape = shapes.map(({ names }) => Int32Array.from([...names, -1], (name) => numbers.get(name) ?? 0));
  return { ofShape, count: sorted.length };
}

/** The rank of each symbol among all, in the order of UTF-16 code units, as JavaScript compares strings. */
async function symbolRanks(symbols: Symbols, pause: Pause): Promise<Uint32Array> {
  const { count } = symbols;
  const order = new Uint32Array(count);
  for (let s = 0; s < count; s++) order[s] = s;
  await sortInSlices(order, (s, depth) => threeBytes(symbols, s, 3 * depth), pause);
  const ranks = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    ranks[order[i] as number] = i;
    if ((i & 0xffff) === 0xffff) await pause();
  }
  return ranks;
}

function threeBytes(symbols: Symbols, symbol: number, offset: number): number {
  const { bytes, starts } = symbols;
  const end = starts[symbol + 1] as number;
  let at = (starts[symbol] as number) + offset;
  let key = 0;
  for (let i = 0; i < 3; i++, at++) key = key * 257 + (at < end ? codeUnitOrder(bytes[at] as number) + 1 : 0);
  return key;
}

/**
 * UTF-8 bytes sort as code points do. In UTF-16 the code points beyond 0xffff (first byte 0xf0 to 0xf4) begin with surrogates,
 * which are below 0xe000 to 0xffff (first byte 0xee or 0xef).
 */
function codeUnitOrder(byte: number): number {
  return byte === 0xee || byte === 0xef ? byte + 7 : byte;
}
