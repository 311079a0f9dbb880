import {
  addEntry,
  indexBytes,
  MAX_ENTRIES,
  makeSeriesIndex,
  PAGE_BITS,
  PAGE_MASK,
  removeEntry,
  type SeriesIndex,
  STRIDE,
  startSlot,
} from "./series-index.ts";

/**
 * What the gateway knows of series: from the hash of the label bytes as they came to the series hash, the partition and
 * whether the shard knows the labels. No string, no object a series: about 53 bytes each, of up to 16.7 million.
 *
 * Invariants:
 * - an entry is eight words of a page; it does not move, and keeps its number until it is evicted (`evictSome`); numbers are
 *   given again, so none may be kept while others are made room for;
 * - nothing is ever copied as a whole: pages are added, and the indexes grow by segments;
 * - `rawIndex` finds entries by the seeded hash of their label bytes (96 bits), `seriesIndex` finds the entry that speaks for
 *   a series by the series hash;
 * - the same labels in another order are another entry, an alias, whose STATE word names the entry that speaks for the series
 *   (or spoke: it may have been evicted since, and its number given to another series, which `speaker` notices);
 * - `follows` is a guess only: the entry that was looked up after this one the last time. Senders repeat their order, so it
 *   nearly always holds, and the next entry lies where the processor has already looked;
 * - an entry with the AMBIGUOUS flag is of a series that shares its hash with another: its samples always go with labels. It
 *   is not evicted, since then its series would come back without the flag.
 */
export interface SeriesCache {
  /** Entries in use, and the numbers given so far. */
  live: number;
  entries: number;
  readonly words: Uint32Array[];
  /** 32 more bits of the canonical text, by which two label sets with one series hash are told apart. */
  readonly checks: Uint32Array[];
  readonly follows: Uint32Array[];
  readonly rawIndex: SeriesIndex;
  readonly seriesIndex: SeriesIndex;
  /** Number of a free entry + 1, whose LOW word has that of the next; 0: none. */
  free: number;
  /** Where the next eviction goes on. */
  hand: number;
}

/** Words of an entry. */
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
const FREE = 1 << 18;
export const ANNOUNCED = 0xffffffff;

export const NOT_FOUND = -1;

export function makeSeriesCache(): SeriesCache {
  return {
    live: 0,
    entries: 0,
    words: [],
    checks: [],
    follows: [],
    rawIndex: makeSeriesIndex(RAW, RAW + 1, RAW + 2),
    seriesIndex: makeSeriesIndex(LOW, HIGH, LOW),
    free: 0,
    hand: 0,
  };
}

/** The page of words that has an entry, which lie there from `wordAt` on. */
export function wordsOf(cache: SeriesCache, entry: number): Uint32Array {
  return cache.words[entry >>> PAGE_BITS] as Uint32Array;
}

export function wordAt(entry: number): number {
  return (entry & PAGE_MASK) * STRIDE;
}

export function checkOf(cache: SeriesCache, entry: number): number {
  return (cache.checks[entry >>> PAGE_BITS] as Uint32Array)[entry & PAGE_MASK] as number;
}

/** Entries of the `n` raw hashes (three words each), NOT_FOUND where there is none. A tight loop, so that cache misses overlap. */
export function lookupAll(cache: SeriesCache, hashes: Uint32Array, n: number, out: Int32Array): void {
  const { words, follows, entries } = cache;
  let before = NOT_FOUND;
  for (let s = 0; s < n; s++) {
    const a = hashes[3 * s] as number;
    const b = hashes[3 * s + 1] as number;
    const c = hashes[3 * s + 2] as number;
    let found = NOT_FOUND;
    if (before !== NOT_FOUND) {
      const guess = (follows[before >>> PAGE_BITS] as Uint32Array)[before & PAGE_MASK] as number;
      if (guess < entries) {
        const page = words[guess >>> PAGE_BITS] as Uint32Array;
        const w = (guess & PAGE_MASK) * STRIDE;
        if (page[w] === a && page[w + 1] === b && page[w + 2] === c && (page[w + PLACE] as number) < FREE)
          found = guess;
      }
    }
    if (found === NOT_FOUND) {
      found = findRaw(cache, a, b, c);
      if (before !== NOT_FOUND && found !== NOT_FOUND) {
        (follows[before >>> PAGE_BITS] as Uint32Array)[before & PAGE_MASK] = found;
      }
    }
    out[s] = found;
    before = found;
  }
}

function findRaw(cache: SeriesCache, a: number, b: number, c: number): number {
  const { words, rawIndex } = cache;
  const slots = rawIndex.segments[a >>> 24] as Uint32Array;
  const n = slots.length;
  const tag = c & 0xff;
  for (let i = startSlot(b, n); ; i = i + 1 === n ? 0 : i + 1) {
    const slot = slots[i] as number;
    if (slot === 0) return NOT_FOUND;
    if (slot >>> 24 !== tag) continue;
    const e = (slot & MAX_ENTRIES) - 1;
    const page = words[e >>> PAGE_BITS] as Uint32Array;
    const w = (e & PAGE_MASK) * STRIDE;
    if (page[w] === a && page[w + 1] === b && page[w + 2] === c) return e;
  }
}

/** The entry of one raw hash, at `hashes[3 * s]`. */
export function lookupRaw(cache: SeriesCache, hashes: Uint32Array, s: number): number {
  return findRaw(cache, hashes[3 * s] as number, hashes[3 * s + 1] as number, hashes[3 * s + 2] as number);
}

/** The entry that speaks for a series hash. */
export function lookupSeries(cache: SeriesCache, low: number, high: number): number {
  const { words, seriesIndex } = cache;
  const slots = seriesIndex.segments[low >>> 24] as Uint32Array;
  const n = slots.length;
  const tag = low & 0xff;
  for (let i = startSlot(high, n); ; i = i + 1 === n ? 0 : i + 1) {
    const slot = slots[i] as number;
    if (slot === 0) return NOT_FOUND;
    if (slot >>> 24 !== tag) continue;
    const e = (slot & MAX_ENTRIES) - 1;
    const page = words[e >>> PAGE_BITS] as Uint32Array;
    const w = (e & PAGE_MASK) * STRIDE;
    if (page[w + LOW] === low && page[w + HIGH] === high) return e;
  }
}

/**
 * Adds an entry for raw hash words a, b, c of the series `low`, `high`, `check`, and returns its number. When the series
 * hash is taken by another label set, both become ambiguous. There must be room (`makeRoom`): throws RangeError beyond the
 * 16.7 millionth.
 */
export function insertSeries(
  cache: SeriesCache,
  raw: { readonly a: number; readonly b: number; readonly c: number },
  low: number,
  high: number,
  check: number,
  partition: number,
): number {
  const e = takeNumber(cache);
  const words = wordsOf(cache, e);
  const w = wordAt(e);
  words[w + RAW] = raw.a;
  words[w + RAW + 1] = raw.b;
  words[w + RAW + 2] = raw.c;
  words[w + LOW] = low;
  words[w + HIGH] = high;
  words[w + PLACE] = partition;
  words[w + USED] = 0;
  words[w + STATE] = 0;
  (cache.checks[e >>> PAGE_BITS] as Uint32Array)[e & PAGE_MASK] = check;
  (cache.follows[e >>> PAGE_BITS] as Uint32Array)[e & PAGE_MASK] = e + 1;
  addEntry(cache.rawIndex, cache.words, e);
  const known = lookupSeries(cache, low, high);
  if (known !== NOT_FOUND && checkOf(cache, known) === check) {
    words[w + PLACE] = partition | ALIAS;
    words[w + STATE] = known;
  } else enterSpeaker(cache, e, known);
  return e;
}

/** Makes an entry speak for its series; `known` speaks for its hash already, with other labels, or is NOT_FOUND. */
function enterSpeaker(cache: SeriesCache, entry: number, known: number): void {
  if (known === NOT_FOUND) {
    addEntry(cache.seriesIndex, cache.words, entry);
    return;
  }
  for (const e of [entry, known]) wordsOf(cache, e)[wordAt(e) + PLACE]! |= AMBIGUOUS;
}

function takeNumber(cache: SeriesCache): number {
  cache.live++;
  if (cache.free > 0) {
    const e = cache.free - 1;
    cache.free = wordsOf(cache, e)[wordAt(e) + LOW] as number;
    return e;
  }
  if (cache.entries === MAX_ENTRIES) {
    cache.live--;
    throw new RangeError(`more than ${MAX_ENTRIES} series in the gateway's cache`);
  }
  const e = cache.entries++;
  if (e >>> PAGE_BITS === cache.words.length) {
    cache.words.push(new Uint32Array(STRIDE << PAGE_BITS));
    cache.checks.push(new Uint32Array(1 << PAGE_BITS));
    cache.follows.push(new Uint32Array(1 << PAGE_BITS));
  }
  return e;
}

/** The entry that speaks for the series of `entry`. */
export function speaker(cache: SeriesCache, entry: number): number {
  const words = wordsOf(cache, entry);
  const w = wordAt(entry);
  return ((words[w + PLACE] as number) & ALIAS) === 0 ? entry : speakerOfAlias(cache, entry, words, w);
}

function speakerOfAlias(cache: SeriesCache, entry: number, words: Uint32Array, w: number): number {
  const low = words[w + LOW] as number;
  const high = words[w + HIGH] as number;
  const named = words[w + STATE] as number;
  if (speaksFor(cache, named, low, high, checkOf(cache, entry))) return named;
  // It was evicted: another entry speaks now, or this one does.
  const known = lookupSeries(cache, low, high);
  if (known !== NOT_FOUND && checkOf(cache, known) === checkOf(cache, entry)) {
    words[w + STATE] = known;
    return known;
  }
  words[w + PLACE] = (words[w + PLACE] as number) & ~ALIAS;
  words[w + STATE] = 0;
  enterSpeaker(cache, entry, known);
  return entry;
}

function speaksFor(cache: SeriesCache, entry: number, low: number, high: number, check: number): boolean {
  const words = wordsOf(cache, entry);
  const w = wordAt(entry);
  return (
    words[w + LOW] === low &&
    words[w + HIGH] === high &&
    ((words[w + PLACE] as number) & (ALIAS | FREE)) === 0 &&
    checkOf(cache, entry) === check
  );
}

/** Sets the STATE of a series, if it is known here. */
export function setState(cache: SeriesCache, low: number, high: number, state: number): void {
  const e = lookupSeries(cache, low, high);
  if (e !== NOT_FOUND) wordsOf(cache, e)[wordAt(e) + STATE] = state;
}

/** Marks a series hash as shared by several label sets, if it is known here. */
export function setAmbiguous(cache: SeriesCache, low: number, high: number): void {
  const e = lookupSeries(cache, low, high);
  if (e !== NOT_FOUND) wordsOf(cache, e)[wordAt(e) + PLACE]! |= AMBIGUOUS;
}

/**
 * Looks at the next `budget` entries and evicts those that were not used at or after `since` (seconds since the epoch), at
 * most `most`; returns how many. Their series come back as new ones.
 */
export function evictSome(cache: SeriesCache, since: number, budget: number, most = budget): number {
  let evicted = 0;
  for (let k = Math.min(budget, cache.entries); k > 0 && evicted < most; k--) {
    if (cache.hand >= cache.entries) cache.hand = 0;
    const e = cache.hand++;
    const words = wordsOf(cache, e);
    const w = wordAt(e);
    const place = words[w + PLACE] as number;
    if ((place & (FREE | AMBIGUOUS)) !== 0 || usedAt(cache, e) >= since) continue;
    removeEntry(cache.rawIndex, cache.words, e);
    if ((place & ALIAS) === 0) removeEntry(cache.seriesIndex, cache.words, e);
    words[w + PLACE] = FREE;
    words[w + LOW] = cache.free;
    cache.free = e + 1;
    cache.live--;
    evicted++;
  }
  return evicted;
}

/** When the series of an entry was last used; never, for an alias whose speaker is gone. */
function usedAt(cache: SeriesCache, entry: number): number {
  const words = wordsOf(cache, entry);
  const w = wordAt(entry);
  if (((words[w + PLACE] as number) & ALIAS) === 0) return words[w + USED] as number;
  const named = words[w + STATE] as number;
  const known = speaksFor(cache, named, words[w + LOW]!, words[w + HIGH]!, checkOf(cache, entry));
  return known ? (wordsOf(cache, named)[wordAt(named) + USED] as number) : -1;
}

const IDLE_SECONDS = 900;
const RECENT_SECONDS = 60;

/**
 * Makes room for `wanted` more entries when the cache is to have no more than `max`: what was not used for a while goes, a few
 * entries a request once the cache is nearly full; when that is not enough, what was not used in the last minute, and then
 * what comes next. Entry numbers of before are not to be used after. `now`: seconds since the epoch.
 */
export function makeRoom(cache: SeriesCache, wanted: number, max: number, now: number): void {
  const limit = Math.min(max, MAX_ENTRIES);
  if (cache.live + wanted <= limit - limit / 16) return;
  evictSome(cache, now - IDLE_SECONDS, 4 * wanted + 1024);
  for (const since of [now - RECENT_SECONDS, Number.POSITIVE_INFINITY]) {
    const missing = Math.min(cache.live, cache.live + wanted - limit);
    if (missing <= 0) return;
    evictSome(cache, since, 8 * missing + 1024, missing);
  }
}

/** Memory of the cache in bytes. */
export function cacheBytes(cache: SeriesCache): number {
  const pages = cache.words.length * 4 * ((STRIDE + 2) << PAGE_BITS);
  return pages + indexBytes(cache.rawIndex) + indexBytes(cache.seriesIndex);
}
