/**
 * What the gateway knows of series: from the hash of the label bytes as they came to the series hash, the partition and
 * whether the shard knows the labels. No string, no object a series: 48 to 68 bytes each.
 *
 * Invariants:
 * - an entry is eight words, numbered from 0 in the order of insertion, and does not move until `evictIdle`;
 * - `rawIndex` finds entries by the seeded hash of their label bytes (96 bits), `seriesIndex` finds the entry that speaks for
 *   a series by the series hash; both are open addressing tables of entry number + 1, at most half full;
 * - the same labels in another order are another entry, an alias, whose LOW word names the entry that speaks for the series;
 * - `follows` is a guess only: the entry that was looked up after this one the last time. Senders repeat their order, so it
 *   nearly always holds, and the next entry lies where the processor has already looked;
 * - an entry with the AMBIGUOUS flag is of a series that shares its hash with another: its samples always go with labels.
 */
export interface SeriesCache {
  entries: number;
  words: Uint32Array;
  /** 32 more bits of the canonical text, by which two label sets with one series hash are told apart. */
  checks: Uint32Array;
  follows: Uint32Array;
  rawIndex: Uint32Array;
  seriesIndex: Uint32Array;
}

/** Words of an entry. */
export const STRIDE = 8;
const RAW = 0; // three words
export const LOW = 3;
export const HIGH = 4;
/** Partition in the low half, flags above. */
export const PLACE = 5;
/** Seconds since the cache's epoch at which the series was last seen. */
export const USED = 6;
/** 0: the shard may not know the labels; ANNOUNCED: it does; else the serial number of the open frame that has them. */
export const STATE = 7;

export const ALIAS = 1 << 16;
export const AMBIGUOUS = 1 << 17;
export const ANNOUNCED = 0xffffffff;

export const NOT_FOUND = -1;

export function makeSeriesCache(capacity = 1024): SeriesCache {
  return {
    entries: 0,
    words: new Uint32Array(STRIDE * capacity),
    checks: new Uint32Array(capacity),
    follows: new Uint32Array(capacity),
    rawIndex: new Uint32Array(2 * capacity),
    seriesIndex: new Uint32Array(2 * capacity),
  };
}

/** Entries of the `n` raw hashes (three words each), NOT_FOUND where there is none. A tight loop, so that cache misses overlap. */
export function lookupAll(cache: SeriesCache, hashes: Uint32Array, n: number, out: Int32Array): void {
  const { words, rawIndex, follows } = cache;
  const mask = rawIndex.length - 1;
  let before = NOT_FOUND;
  for (let s = 0; s < n; s++) {
    const a = hashes[3 * s] as number;
    const b = hashes[3 * s + 1] as number;
    const c = hashes[3 * s + 2] as number;
    let found = NOT_FOUND;
    if (before !== NOT_FOUND) {
      const guess = follows[before] as number;
      const w = guess * STRIDE;
      if (words[w] === a && words[w + 1] === b && words[w + 2] === c && guess < cache.entries) found = guess;
    }
    if (found === NOT_FOUND) {
      for (let slot = a & mask; ; slot = (slot + 1) & mask) {
        const e = (rawIndex[slot] as number) - 1;
        if (e < 0) break;
        const w = e * STRIDE;
        if (words[w] === a && words[w + 1] === b && words[w + 2] === c) {
          found = e;
          break;
        }
      }
      if (before !== NOT_FOUND && found !== NOT_FOUND) follows[before] = found;
    }
    out[s] = found;
    before = found;
  }
}

/** The entry of one raw hash, at `hashes[3 * s]`. */
export function lookupRaw(cache: SeriesCache, hashes: Uint32Array, s: number): number {
  lookupAll(cache, hashes.subarray(3 * s, 3 * s + 3), 1, single);
  return single[0] as number;
}

const single = new Int32Array(1);

/** The entry that speaks for a series hash. */
export function lookupSeries(cache: SeriesCache, low: number, high: number): number {
  const { words, seriesIndex } = cache;
  const mask = seriesIndex.length - 1;
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const e = (seriesIndex[slot] as number) - 1;
    if (e < 0) return NOT_FOUND;
    if (words[e * STRIDE + LOW] === low && words[e * STRIDE + HIGH] === high) return e;
  }
}

/**
 * Adds an entry for raw hash words a, b, c of the series `low`, `high`, `check`, and returns its number. When the series
 * hash is taken by another label set, both become ambiguous.
 */
export function insertSeries(
  cache: SeriesCache,
  raw: { readonly a: number; readonly b: number; readonly c: number },
  low: number,
  high: number,
  check: number,
  partition: number,
): number {
  if (cache.entries === cache.checks.length) grow(cache);
  const known = lookupSeries(cache, low, high);
  const e = cache.entries++;
  const w = e * STRIDE;
  const words = cache.words;
  words[w + RAW] = raw.a;
  words[w + RAW + 1] = raw.b;
  words[w + RAW + 2] = raw.c;
  words[w + LOW] = low;
  words[w + HIGH] = high;
  words[w + PLACE] = partition;
  words[w + USED] = 0;
  words[w + STATE] = 0;
  cache.checks[e] = check;
  cache.follows[e] = e + 1;
  if (known === NOT_FOUND) place(cache.seriesIndex, low, e);
  else if (cache.checks[known] === check) {
    words[w + PLACE] = partition | ALIAS;
    words[w + LOW] = known;
  } else {
    words[w + PLACE] = partition | AMBIGUOUS;
    words[known * STRIDE + PLACE] = (words[known * STRIDE + PLACE] as number) | AMBIGUOUS;
  }
  place(cache.rawIndex, raw.a, e);
  return e;
}

/** The entry that speaks for the series of `entry`. */
export function speaker(cache: SeriesCache, entry: number): number {
  const w = entry * STRIDE;
  return ((cache.words[w + PLACE] as number) & ALIAS) === 0 ? entry : (cache.words[w + LOW] as number);
}

/** Sets the STATE of a series, if it is known here. */
export function setState(cache: SeriesCache, low: number, high: number, state: number): void {
  const e = lookupSeries(cache, low, high);
  if (e !== NOT_FOUND) cache.words[e * STRIDE + STATE] = state;
}

/** Marks a series hash as shared by several label sets, if it is known here. */
export function setAmbiguous(cache: SeriesCache, low: number, high: number): void {
  const e = lookupSeries(cache, low, high);
  if (e !== NOT_FOUND) cache.words[e * STRIDE + PLACE] = (cache.words[e * STRIDE + PLACE] as number) | AMBIGUOUS;
}

/**
 * A smaller cache with only the series that were used at or after `since` (seconds since the epoch). Aliases are left out:
 * they come back by themselves. Entry numbers change.
 */
export function evictIdle(cache: SeriesCache, since: number): SeriesCache {
  let keep = 0;
  const kept = (e: number) => {
    const w = e * STRIDE;
    return ((cache.words[w + PLACE] as number) & ALIAS) === 0 && (cache.words[w + USED] as number) >= since;
  };
  for (let e = 0; e < cache.entries; e++) if (kept(e)) keep++;
  let capacity = 1024;
  while (capacity < keep) capacity *= 2;
  const next = makeSeriesCache(capacity);
  for (let e = 0; e < cache.entries; e++) {
    if (!kept(e)) continue;
    const w = e * STRIDE;
    const n = next.entries++;
    next.words.set(cache.words.subarray(w, w + STRIDE), n * STRIDE);
    next.checks[n] = cache.checks[e] as number;
    next.follows[n] = n + 1;
    place(next.rawIndex, cache.words[w] as number, n);
    // Of an ambiguous hash the first label set speaks, as before.
    const low = cache.words[w + LOW] as number;
    if (lookupSeries(next, low, cache.words[w + HIGH] as number) === NOT_FOUND) place(next.seriesIndex, low, n);
  }
  return next;
}

/** Memory of the cache in bytes. */
export function cacheBytes(cache: SeriesCache): number {
  const { words, checks, follows, rawIndex, seriesIndex } = cache;
  return words.byteLength + checks.byteLength + follows.byteLength + rawIndex.byteLength + seriesIndex.byteLength;
}

function place(index: Uint32Array, key: number, entry: number): void {
  const mask = index.length - 1;
  let slot = key & mask;
  while (index[slot] !== 0) slot = (slot + 1) & mask;
  index[slot] = entry + 1;
}

function grow(cache: SeriesCache): void {
  const capacity = 2 * cache.checks.length;
  const words = new Uint32Array(STRIDE * capacity);
  words.set(cache.words);
  const checks = new Uint32Array(capacity);
  checks.set(cache.checks);
  const follows = new Uint32Array(capacity);
  follows.set(cache.follows);
  const rawIndex = new Uint32Array(2 * capacity);
  const seriesIndex = new Uint32Array(2 * capacity);
  // The entries that speak are those in the old index: taken over in the order of entries, not of slots.
  const speaks = new Uint8Array(capacity);
  for (const e of cache.seriesIndex) if (e !== 0) speaks[e - 1] = 1;
  for (let e = 0; e < cache.entries; e++) {
    place(rawIndex, words[e * STRIDE] as number, e);
    if (speaks[e] === 1) place(seriesIndex, words[e * STRIDE + LOW] as number, e);
  }
  Object.assign(cache, { words, checks, follows, rawIndex, seriesIndex });
}
