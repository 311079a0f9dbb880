/**
 * Sealed chunks, one behind another in 1 MiB slabs in the order in which they were sealed.
 *
 * A chunk is named by the number of its first word over all slab slots (never 0). It is a header and the chunk code's words:
 *
 *   0  the series' chunk before it, 0: none
 *   1  number of samples | words of chunk code << 16
 *   2  newest time, float64 (words 2 and 3)
 *   4  series id
 *   5  0: in order, 1: late samples
 *   6  chunk code (its first two words are the oldest time)
 *
 * Chunks go as whole slabs, oldest first. A chain only leads from a slab to itself or an older one, so a link to a slab that
 * is gone, or whose slot a younger one has taken, is the chain's end.
 */
import { chunkStart } from "../chunk/decode.ts";
import { SLAB_MASK, SLAB_SHIFT, SLAB_WORDS } from "./word-pool.ts";

export const CHUNK_HEADER_WORDS = 6;
export const CHUNK_COUNT = 1;
export const CHUNK_SERIES = 4;
export const CHUNK_KIND = 5;

const SLOTS = 1 << (32 - SLAB_SHIFT);

export interface ChunkArena {
  readonly slabs: (Int32Array | undefined)[];
  /** Age of the slab in each slot; grows by one a slab. */
  readonly ages: number[];
  /** Newest time in each slot's slab. */
  readonly newest: number[];
  /** Slots in use, oldest first: a ring from `oldest` to `current`. */
  oldest: number;
  current: number;
  age: number;
  /** Next unused word of the current slab. */
  next: number;
  chunks: number;
}

export function makeChunkArena(): ChunkArena {
  const arena: ChunkArena = { slabs: [], ages: [], newest: [], oldest: 0, current: -1, age: 0, next: 0, chunks: 0 };
  return arena;
}

/** Room for a chunk of `words` words of code (at most a slab's); returns its name. The header is the caller's to fill. */
export function allocateChunk(arena: ChunkArena, words: number): number {
  const size = CHUNK_HEADER_WORDS + words;
  // The decoder reads one word beyond a chunk.
  if (arena.current < 0 || arena.next + size >= SLAB_WORDS) startSlab(arena);
  const at = arena.next;
  arena.next += size;
  arena.chunks++;
  return ((arena.current << SLAB_SHIFT) | at) >>> 0;
}

function startSlab(arena: ChunkArena): void {
  const slot = (arena.current + 1) % SLOTS;
  if (arena.slabs[slot] !== undefined) throw new RangeError("chunk arena is full (16 GiB)");
  arena.slabs[slot] = new Int32Array(SLAB_WORDS);
  arena.ages[slot] = ++arena.age;
  arena.newest[slot] = Number.NEGATIVE_INFINITY;
  arena.current = slot;
  arena.next = 2;
}

const time = new Float64Array(1);
const timeWords = new Int32Array(time.buffer);

/** Fills the header and links the chunk behind `before`. */
export function finishChunk(
  arena: ChunkArena,
  chunk: number,
  before: number,
  count: number,
  words: number,
  maxT: number,
  series: number,
  kind: 0 | 1,
): void {
  const slot = chunk >>> SLAB_SHIFT;
  const slab = arena.slabs[slot] as Int32Array;
  const at = chunk & SLAB_MASK;
  time[0] = maxT;
  slab[at] = before;
  slab[at + CHUNK_COUNT] = count | (words << 16);
  slab[at + 2] = timeWords[0] as number;
  slab[at + 3] = timeWords[1] as number;
  slab[at + CHUNK_SERIES] = series;
  slab[at + CHUNK_KIND] = kind;
  if (maxT > (arena.newest[slot] as number)) arena.newest[slot] = maxT;
}

/** The chunk before this one in its chain, 0 when there is none (any more). */
export function chunkBefore(arena: ChunkArena, chunk: number): number {
  const slot = chunk >>> SLAB_SHIFT;
  const before = ((arena.slabs[slot] as Int32Array)[chunk & SLAB_MASK] as number) >>> 0;
  if (before === 0) return 0;
  const target = before >>> SLAB_SHIFT;
  if (arena.slabs[target] === undefined || (arena.ages[target] as number) > (arena.ages[slot] as number)) return 0;
  return before;
}

export function chunkMaxT(arena: ChunkArena, chunk: number): number {
  const slab = arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  timeWords[0] = slab[at + 2] as number;
  timeWords[1] = slab[at + 3] as number;
  return time[0] as number;
}

export function chunkMinT(arena: ChunkArena, chunk: number): number {
  return chunkStart(arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array, (chunk & SLAB_MASK) + CHUNK_HEADER_WORDS);
}

/**
 * Drops the oldest slabs while all of their samples are older than `before`, never the one being filled. Returns how many
 * went: if any, the caller clears what names chunks in them (`chunkIsGone`).
 */
export function dropOldSlabs(arena: ChunkArena, before: number): number {
  let dropped = 0;
  while (arena.current >= 0 && arena.oldest !== arena.current && (arena.newest[arena.oldest] as number) < before) {
    arena.chunks -= countChunks(arena.slabs[arena.oldest] as Int32Array);
    arena.slabs[arena.oldest] = undefined;
    arena.oldest = (arena.oldest + 1) % SLOTS;
    dropped++;
  }
  return dropped;
}

/** Whether a chunk's slab was dropped; to be asked right after dropping, before slots are taken again. */
export function chunkIsGone(arena: ChunkArena, chunk: number): boolean {
  return chunk !== 0 && arena.slabs[chunk >>> SLAB_SHIFT] === undefined;
}

function countChunks(slab: Int32Array): number {
  let n = 0;
  let at = 2;
  while (at < SLAB_WORDS) {
    const words = (slab[at + CHUNK_COUNT] as number) >>> 16;
    if (words === 0) break;
    n++;
    at += CHUNK_HEADER_WORDS + words;
  }
  return n;
}

export function arenaBytes(arena: ChunkArena): number {
  const used = arena.slabs.reduce((n, s) => n + (s === undefined ? 0 : 1), 0);
  return used * SLAB_WORDS * 4;
}
