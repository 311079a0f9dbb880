/**
 * Series that have gone silent leave the head, with whatever only they used: rows, postings, label values, symbols.
 *
 * The series that stay get new ids, without gaps and in their old order; lists, fields, shapes and symbols are renumbered as
 * well. So nothing outside of the head may hold any of these numbers across a call: the ids that a SeriesSource gave out, the
 * cursors of a cut. Whoever names series by hash (gateways, parked samples, exemplars, the WAL) is not concerned; a series that
 * comes back is unknown, and its labels are asked for.
 */
import { keepPostings } from "./collect-postings.ts";
import type { Head } from "./head.ts";
import { notePastChanged } from "./past-changes.ts";
import { LAST_T_F64, listSeries, ROW_SHIFT, ROW_WORDS, SHAPE, shrinkRows, VALUES } from "./series-table.ts";
import type { Shape } from "./shapes.ts";
import { makeSlotTable } from "./slot-table.ts";
import { COMPANION, companionOf } from "./start-times.ts";
import { keepSymbols } from "./symbols.ts";
import { SLAB_MASK, SLAB_SHIFT, SLAB_WORDS } from "./word-pool.ts";

/**
 * Removes the series without any sample in the head whose newest one was older than `idleBefore` (Unix ms), when there are at
 * least `least` of them. Returns how many went. One pass over everything, without a pause: bench/storage/head-collect.ts says
 * how long it takes. Not during a cut.
 */
export function collectSeries(head: Head, idleBefore: number, least = 1, may?: Uint8Array): number {
  if (head.cut !== undefined) throw new Error("series cannot be collected during a cut");
  const { series } = head;
  const before = series.count - head.starts.count;
  const ids = numberSeries(head, idleBefore, may);
  const after = ids.series;
  if (before - after < least) return 0;
  notePastChanged(head.past);
  const shapes = new Uint8Array(head.shapes.length);
  const symbols = keepSymbols(head.symbols, usedSymbols(head, ids.renamed, shapes));
  const postings = keepPostings(head.postings, ids.renamed, symbols);
  const shapeNumbers = keepShapes(head, shapes, symbols, postings.lists, postings.fields);
  keepValues(head, ids.renamed, symbols, shapeNumbers);
  keepRows(head, ids.renamed, ids.count);
  keepCompanions(head, ids.renamed);
  keepHashes(head, keepCollisions(head, ids.renamed));
  head.matched.found.clear();
  head.matched.size = 0;
  return before - after;
}

interface NewIds {
  /** New id of each old one, -1: it goes. */
  readonly renamed: Int32Array;
  /** Rows that stay, and how many of them are no companions. */
  readonly count: number;
  readonly series: number;
}

function numberSeries(head: Head, idleBefore: number, may: Uint8Array | undefined): NewIds {
  const { count, rows, times, firstT } = head.series;
  const renamed = new Int32Array(count);
  const empty = (id: number): boolean => firstT[id] === Number.POSITIVE_INFINITY;
  const leaves = (id: number): boolean => {
    if (may !== undefined && may[id] !== 1) return false;
    if (!empty(id) || !((times[(id << (ROW_SHIFT - 1)) + LAST_T_F64] as number) < idleBefore)) return false;
    const companion = companionOf(head.starts, id);
    return companion < 0 || empty(companion);
  };
  let n = 0;
  let real = 0;
  for (let id = 0; id < count; id++) {
    const row = id << ROW_SHIFT;
    const companion = rows[row + SHAPE] === COMPANION;
    // A companion has no samples at times when its series has none; it stays with its series, or goes when it is of no use.
    if (companion ? empty(id) || leaves(rows[row + VALUES] as number) : leaves(id)) {
      renamed[id] = -1;
      continue;
    }
    renamed[id] = n++;
    if (!companion) real++;
  }
  return { renamed, count: n, series: real };
}

/** Marks the symbols that the series that stay use, and their shapes. */
function usedSymbols(head: Head, renamed: Int32Array, shapes: Uint8Array): Uint8Array {
  const used = new Uint8Array(head.symbols.count);
  const { rows } = head.series;
  const { slabs } = head.values;
  for (let id = 0; id < renamed.length; id++) {
    const row = id << ROW_SHIFT;
    const shape = rows[row + SHAPE] as number;
    if ((renamed[id] as number) < 0 || shape === COMPANION) continue;
    shapes[shape] = 1;
    const at = (rows[row + VALUES] as number) >>> 0;
    const slab = slabs[at >>> SLAB_SHIFT] as Int32Array | undefined;
    const from = at & SLAB_MASK;
    const end = from + (head.shapes[shape] as Shape).names.length;
    for (let i = from; i < end; i++) used[(slab as Int32Array)[i] as number] = 1;
  }
  for (let s = 0; s < shapes.length; s++) {
    if (shapes[s] === 0) continue;
    const { tenant, names } = head.shapes[s] as Shape;
    used[tenant] = 1;
    for (const name of names) used[name] = 1;
  }
  return used;
}

function keepShapes(
  head: Head,
  used: Uint8Array,
  symbols: Uint32Array,
  lists: Int32Array,
  fields: Int32Array,
): Int32Array {
  const numbers = new Int32Array(used.length).fill(-1);
  const old = head.shapes.splice(0);
  old.forEach((shape, s) => {
    if (used[s] === 0) return;
    const renamed: Shape = {
      tenant: symbols[shape.tenant] as number,
      names: shape.names.map((name) => symbols[name] as number),
      fields: shape.fields.map((field) => fields[field] as number),
      everything: lists[shape.everything] as number,
    };
    numbers[s] = head.shapes.push(renamed) - 1;
  });
  for (const [key, s] of [...head.shapesByKey]) {
    if (numbers[s] === -1) head.shapesByKey.delete(key);
    else head.shapesByKey.set(key, numbers[s] as number);
  }
  return numbers;
}

/** Moves label values to the front of their slabs, never past one that is still to be moved, and names shapes anew. */
function keepValues(head: Head, renamed: Int32Array, symbols: Uint32Array, shapes: Int32Array): void {
  const { rows } = head.series;
  const { values } = head;
  let next = 0;
  for (let id = 0; id < renamed.length; id++) {
    if ((renamed[id] as number) < 0) continue;
    const row = id << ROW_SHIFT;
    if (rows[row + SHAPE] === COMPANION) {
      rows[row + VALUES] = renamed[rows[row + VALUES] as number] as number;
      continue;
    }
    const shape = shapes[rows[row + SHAPE] as number] as number;
    rows[row + SHAPE] = shape;
    const n = (head.shapes[shape] as Shape).names.length;
    if ((next & SLAB_MASK) + n > SLAB_WORDS) next = ((next >>> SLAB_SHIFT) + 1) * SLAB_WORDS;
    const at = (rows[row + VALUES] as number) >>> 0;
    rows[row + VALUES] = next;
    if (n > 0) {
      const from = values.slabs[at >>> SLAB_SHIFT] as Int32Array;
      const to = values.slabs[next >>> SLAB_SHIFT] as Int32Array;
      const source = at & SLAB_MASK;
      const target = next & SLAB_MASK;
      for (let i = 0; i < n; i++) to[target + i] = symbols[from[source + i] as number] as number;
    }
    next += n;
  }
  values.next = next;
  values.slabs.length = Math.ceil(next / SLAB_WORDS);
}

function keepRows(head: Head, renamed: Int32Array, left: number): void {
  const { series } = head;
  const { rows, firstT, checks, followers, count } = series;
  series.peak = Math.max(series.peak, count);
  for (let id = 0; id < count; id++) {
    const to = renamed[id] as number;
    if (to < 0) continue;
    const follower = followers[id] as number;
    const next = follower < count ? (renamed[follower] as number) : -1;
    followers[to] = next < 0 ? to + 1 : next;
  }
  for (let from = 0; from < count; from++) {
    const to = renamed[from] as number;
    if (to < 0) continue;
    let end = from + 1;
    while (end < count && (renamed[end] as number) >= 0) end++;
    if (to !== from) {
      rows.copyWithin(to << ROW_SHIFT, from << ROW_SHIFT, end << ROW_SHIFT);
      firstT.copyWithin(to, from, end);
      checks.copyWithin(to, from, end);
    }
    from = end;
  }
  // A new row is taken to be zeros.
  rows.fill(0, left * ROW_WORDS, count * ROW_WORDS);
  series.count = left;
  shrinkRows(series);
}

function keepCompanions(head: Head, renamed: Int32Array): void {
  const { starts } = head;
  const old = starts.companions;
  let end = 0;
  for (let id = 0; id < old.length && id < renamed.length; id++) {
    const companion = (old[id] as number) - 1;
    const owner = renamed[id] as number;
    if (companion < 0 || owner < 0) continue;
    // In place: an id never grows.
    old.fill(0, end, owner);
    end = owner + 1;
    old[owner] = (renamed[companion] as number) + 1;
  }
  starts.companions = old.slice(0, end);
  starts.count = 0;
  for (const companion of starts.companions) if (companion !== 0) starts.count++;
}

/** Hashes of several label sets stay such as long as one of these is left. Returns the series that the hash table does not have. */
function keepCollisions(head: Head, renamed: Int32Array): Set<number> {
  const { ambiguous } = head.series;
  const unlisted = new Set<number>();
  ambiguous.clear();
  for (const [key, collision] of [...head.collisions]) {
    const ids = collision.ids.map((id) => renamed[id] as number).filter((id) => id >= 0);
    if (ids.length === 0) {
      head.collisions.delete(key);
      continue;
    }
    collision.ids.splice(0, collision.ids.length, ...ids);
    collision.frame = -1;
    ambiguous.add(ids[0] as number);
    for (const id of ids.slice(1)) unlisted.add(id);
  }
  return unlisted;
}

function keepHashes(head: Head, unlisted: ReadonlySet<number>): void {
  const { series } = head;
  series.slots = makeSlotTable(series.count);
  for (let id = 0; id < series.count; id++) {
    if (series.rows[(id << ROW_SHIFT) + SHAPE] !== COMPANION && !unlisted.has(id)) listSeries(series, id);
  }
}
