/**
 * Blocks of 2^k 32-bit words out of 1 MiB slabs, with a free list for each size. A block is named by the number of its
 * first word over all slabs (never 0, which means none); it never crosses a slab and starts at a multiple of its size, so
 * that a block of 16 words is one cache line. Slabs are made one at a time: nothing is ever copied to grow.
 */
export const SLAB_SHIFT = 18;
export const SLAB_WORDS = 1 << SLAB_SHIFT;
export const SLAB_MASK = SLAB_WORDS - 1;

export interface WordPool {
  readonly slabs: Int32Array[];
  /** Next unused word over all slabs. */
  next: number;
  /** First free block by log2 of the size; a free block's first word names the next one. */
  readonly free: Uint32Array;
}

export function makeWordPool(): WordPool {
  return { slabs: [], next: 0, free: new Uint32Array(SLAB_SHIFT + 1) };
}

/** A block of 2^order words (order up to SLAB_SHIFT), its content arbitrary. */
export function allocateBlock(pool: WordPool, order: number): number {
  const { free, slabs } = pool;
  const reused = free[order] as number;
  if (reused !== 0) {
    free[order] = (slabs[reused >>> SLAB_SHIFT] as Int32Array)[reused & SLAB_MASK] as number;
    return reused;
  }
  const size = 1 << order;
  // Split the way to the block's alignment into free blocks; that may end at the slab's end.
  while (((pool.next & (size - 1)) !== 0 || pool.next === 0) && pool.next < slabs.length * SLAB_WORDS) {
    const gap = pool.next === 0 ? 0 : 31 - Math.clz32(pool.next & -pool.next);
    if (pool.next !== 0) freeBlock(pool, pool.next, gap);
    pool.next += 1 << gap;
  }
  if (pool.next + size > slabs.length * SLAB_WORDS) {
    if (slabs.length === 1 << (32 - SLAB_SHIFT)) throw new RangeError("word pool is full (16 GiB)");
    slabs.push(new Int32Array(SLAB_WORDS));
    if (pool.next === 0) return allocateBlock(pool, order);
  }
  const block = pool.next;
  pool.next += size;
  return block;
}

export function freeBlock(pool: WordPool, block: number, order: number): void {
  (pool.slabs[block >>> SLAB_SHIFT] as Int32Array)[block & SLAB_MASK] = pool.free[order] as number;
  pool.free[order] = block;
}

export function poolBytes(pool: WordPool): number {
  return pool.slabs.length * SLAB_WORDS * 4;
}
