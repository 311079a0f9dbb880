/**
 * Sealed chunks, one behind another in 1 MiB slabs in the order in which they were sealed.
 *
 * A chunk is named by the number of its first word over all slab slots (never 0). It is a header and the chunk code's words:
 *
 *   0  the series' chunk before it, 0: none
 *   1  number of samples | words of chunk code << 16
 *   2  newest time, float64 (words 2 and 3)
 *   4  chunk code (its first two words are the oldest time)
 *
 * A chunk that leaves its chain is released (`releaseChunk`); a slab goes when all of its chunks were. So every link leads to
 * a chunk that is there.
 */
import { chunkStart } from "../chunk/decode.ts";
import { SLAB_MASK, SLAB_SHIFT, SLAB_WORDS } from "./word-pool.ts";

export const CHUNK_HEADER_WORDS = 4;
export const CHUNK_COUNT = 1;

const SLOTS = 1 << (32 - SLAB_SHIFT);

export interface ChunkArena {
  readonly slabs: (Int32Array | undefined)[];
  /** Chunks in each slab that have not been released. */
  readonly live: number[];
  /** Slots of slabs that went, to be taken again. */
  readonly freeSlots: number[];
  /** The slab being filled, and its next unused word. */
  current: number;
  next: number;
  chunks: number;
}

export function makeChunkArena(): ChunkArena {
  return { slabs: [], live: [], freeSlots: [], current: -1, next: 0, chunks: 0 };
}

/** Room for a chunk of `words` words of code (at most a slab's); returns its name. The header is the caller's to fill. */
export function allocateChunk(arena: ChunkArena, words: number): number {
  const size = CHUNK_HEADER_WORDS + words;
  // The decoder reads one word beyond a chunk.
  if (arena.current < 0 || arena.next + size >= SLAB_WORDS) startSlab(arena);
  const at = arena.next;
  arena.next += size;
  arena.chunks++;
  arena.live[arena.current] = (arena.live[arena.current] as number) + 1;
  return ((arena.current << SLAB_SHIFT) | at) >>> 0;
}

function startSlab(arena: ChunkArena): void {
  const before = arena.current;
  const slot = arena.freeSlots.pop() ?? arena.slabs.length;
  if (slot === SLOTS) throw new RangeError("chunk arena is full (16 GiB)");
  arena.slabs[slot] = new Int32Array(SLAB_WORDS);
  arena.live[slot] = 0;
  arena.current = slot;
  // Word 0 of slab 0 would be the name that means none.
  arena.next = 2;
  if (before >= 0 && arena.live[before] === 0) dropSlab(arena, before);
}

/** The chunk is out of its chain: nothing leads to it any more. */
export function releaseChunk(arena: ChunkArena, chunk: number): void {
  const slot = chunk >>> SLAB_SHIFT;
  const left = (arena.live[slot] as number) - 1;
  arena.live[slot] = left;
  arena.chunks--;
  if (left > 0) return;
  if (slot !== arena.current) dropSlab(arena, slot);
  else arena.next = 2;
}

function dropSlab(arena: ChunkArena, slot: number): void {
  arena.slabs[slot] = undefined;
  arena.freeSlots.push(slot);
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
): void {
  const slab = arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array;
  const at = chunk & SLAB_MASK;
  time[0] = maxT;
  slab[at] = before;
  slab[at + CHUNK_COUNT] = count | (words << 16);
  slab[at + 2] = timeWords[0] as number;
  slab[at + 3] = timeWords[1] as number;
}

/** The chunk before this one in its chain, 0 when there is none. */
export function chunkBefore(arena: ChunkArena, chunk: number): number {
  return ((arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array)[chunk & SLAB_MASK] as number) >>> 0;
}

export function setChunkBefore(arena: ChunkArena, chunk: number, before: number): void {
  (arena.slabs[chunk >>> SLAB_SHIFT] as Int32Array)[chunk & SLAB_MASK] = before;
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

export function arenaBytes(arena: ChunkArena): number {
  const used = arena.slabs.reduce((n, s) => n + (s === undefined ? 0 : 1), 0);
  return used * SLAB_WORDS * 4;
}
