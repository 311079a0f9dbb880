/**
 * What was read of blocks lately, decoded, within a bound of bytes: parts of the index and pages. One cache serves all blocks of
 * a shard.
 *
 * An entry lies in its owner's array, so finding it is one access; the cache keeps a ring of all entries, goes round it when it
 * is full and drops what was not used since it came by the last time. A failed read leaves nothing behind.
 */
export interface CacheEntry {
  /** Where the entry is found: owner[index]. */
  readonly owner: CacheSlots;
  readonly index: number;
  readonly value: unknown;
  readonly bytes: number;
  used: boolean;
  /** Place in the ring. */
  place: number;
}

export type CacheSlots = (CacheEntry | undefined)[];

export interface BlockCache {
  readonly maxBytes: number;
  bytes: number;
  hits: number;
  misses: number;
  /** Bytes of blocks that came from the disk for it, or went by. */
  bytesRead: number;
  readonly ring: CacheEntry[];
  hand: number;
}

/** A cache that holds about `maxBytes`, 0 for nothing. */
export function makeBlockCache(maxBytes: number): BlockCache {
  return { maxBytes, bytes: 0, hits: 0, misses: 0, bytesRead: 0, ring: [], hand: 0 };
}

/** Keeps a value, unless it alone is more than a quarter of what fits. */
export function cachePut(cache: BlockCache, owner: CacheSlots, index: number, value: unknown, bytes: number): void {
  if (bytes > cache.maxBytes / 4) return;
  while (cache.bytes + bytes > cache.maxBytes) {
    const { ring } = cache;
    if (cache.hand >= ring.length) cache.hand = 0;
    const entry = ring[cache.hand] as CacheEntry;
    if (entry.used) {
      entry.used = false;
      cache.hand++;
    } else cacheDrop(cache, entry);
  }
  const entry: CacheEntry = { owner, index, value, bytes, used: false, place: cache.ring.length };
  cache.ring.push(entry);
  cache.bytes += bytes;
  owner[index] = entry;
}

/** Forgets all entries of an owner. */
export function cacheForget(cache: BlockCache, owner: CacheSlots): void {
  for (const entry of owner) if (entry !== undefined) cacheDrop(cache, entry);
  owner.length = 0;
}

export function cacheDrop(cache: BlockCache, entry: CacheEntry): void {
  entry.owner[entry.index] = undefined;
  cache.bytes -= entry.bytes;
  const last = cache.ring.pop() as CacheEntry;
  if (last !== entry) {
    last.place = entry.place;
    cache.ring[entry.place] = last;
  }
}
