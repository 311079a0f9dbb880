import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  ALIAS,
  AMBIGUOUS,
  ANNOUNCED,
  cacheBytes,
  evictSome,
  insertSeries,
  lookupAll,
  lookupRaw,
  lookupSeries,
  makeRoom,
  makeSeriesCache,
  NOT_FOUND,
  PLACE,
  type SeriesCache,
  STATE,
  setState,
  speaker,
  USED,
  wordAt,
  wordsOf,
} from "../../../src/streams/ingest/series-cache.ts";

// Properties are many runs, and machines are shared: time is no criterion here.
vi.setConfig({ testTimeout: 120_000 });

// Few values, so that segments, starts of probes, tags and series hashes collide; some of each in other segments.
const part = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0x01000001, 0xff000003, 0xffffffff, 0x80000000));

interface Known {
  readonly entry: number;
  readonly series: string;
}

const get = (cache: SeriesCache, entry: number, word: number) => wordsOf(cache, entry)[wordAt(entry) + word]!;
const set = (cache: SeriesCache, entry: number, word: number, value: number) => {
  wordsOf(cache, entry)[wordAt(entry) + word] = value;
};
const numbers = (key: string) => key.split(",").map(Number);

/** As `toBe`, which takes long for as often as it is asked here. */
const same = (actual: unknown, expected: unknown): void => {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
};

describe("series cache", () => {
  test("finds what is in it, and nothing else, whatever comes, goes and collides", () => {
    const insert = fc.record({
      a: part,
      b: part,
      c: fc.oneof(part, fc.nat(20)),
      low: part,
      high: part,
      check: fc.nat(2),
    });
    const evict = fc.record({ since: fc.nat(30), budget: fc.nat(40) });
    const step = fc.oneof({ weight: 8, arbitrary: insert }, evict);
    let evictions = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const cache = makeSeriesCache();
        const raw = new Map<string, Known>();
        let clock = 0;
        for (const s of steps) {
          clock++;
          if ("since" in s) {
            const before = cache.live;
            const n = evictSome(cache, clock - s.since, s.budget);
            same(cache.live, before - n);
            evictions += n;
            for (const [key, known] of raw) {
              const found = lookupRaw(cache, Uint32Array.from(numbers(key)), 0);
              if (found === NOT_FOUND) raw.delete(key);
              else same(found, known.entry);
            }
          } else {
            const key = [s.a, s.b, s.c].join();
            const known = raw.get(key);
            const series = `${s.low},${s.high},${s.check}`;
            const entry = known?.entry ?? insertSeries(cache, s, s.low, s.high, s.check, 7);
            if (known === undefined) raw.set(key, { entry, series });
            set(cache, speaker(cache, entry), USED, clock);
          }
          same(cache.live, raw.size);
        }

        // Each raw hash leads to its entry, and to one that speaks for the same series, of which there is one.
        const keys = [...raw.keys()].map(numbers).concat([[9, 9, 9]]);
        const out = new Int32Array(keys.length);
        for (const _ of [1, 2]) {
          lookupAll(cache, Uint32Array.from(keys.flat()), keys.length, out);
          expect([...out]).toEqual([...[...raw.values()].map((r) => r.entry), NOT_FOUND]);
        }
        const speakers = new Map<string, number>();
        for (const { entry, series } of raw.values()) {
          const speaks = speaker(cache, entry);
          // A label set that is not the first of its hash may have several.
          if ((get(cache, speaks, PLACE) & AMBIGUOUS) === 0) same(speakers.get(series) ?? speaks, speaks);
          speakers.set(series, speaks);
          same(get(cache, speaks, PLACE) & ALIAS, 0);
          same(get(cache, speaks, PLACE) & 0xffff, 7);
          same([...raw.values()].find((r) => r.entry === speaks)?.series, series);
        }
        // The first label set of a hash speaks for it; all are marked when there are several.
        for (const [series, entry] of speakers) {
          const [low, high] = numbers(series) as [number, number];
          const sets = [...speakers.keys()].filter((k) => k.startsWith(`${low},${high},`));
          const ambiguous = (get(cache, entry, PLACE) & AMBIGUOUS) !== 0;
          if (sets.length > 1) same(ambiguous, true);
          if (ambiguous) expect(lookupSeries(cache, low, high)).not.toBe(NOT_FOUND);
          else same(lookupSeries(cache, low, high), entry);
        }
        same(lookupSeries(cache, 9, 9), NOT_FOUND);
      }),
      { numRuns: 400, interruptAfterTimeLimit: 60_000, endOnFailure: true },
    );
    expect(evictions).toBeGreaterThan(1000);
  });

  test("the state of a series is that of the entry that speaks for it", () => {
    const cache = makeSeriesCache();
    const one = insertSeries(cache, { a: 1, b: 2, c: 3 }, 10, 11, 5, 0);
    const alias = insertSeries(cache, { a: 4, b: 5, c: 6 }, 10, 11, 5, 0);
    setState(cache, 10, 11, ANNOUNCED);
    setState(cache, 99, 99, ANNOUNCED);
    expect(get(cache, speaker(cache, alias), STATE)).toBe(ANNOUNCED);
    expect(speaker(cache, one)).toBe(one);
  });

  test("an alias whose speaker was evicted, its number given to another series, speaks itself", () => {
    const cache = makeSeriesCache();
    const one = insertSeries(cache, { a: 1, b: 2, c: 3 }, 10, 11, 5, 0);
    const alias = insertSeries(cache, { a: 4, b: 5, c: 6 }, 10, 11, 5, 0);
    expect(speaker(cache, alias)).toBe(one);
    expect(evictSome(cache, 1, 1)).toBe(1);
    expect(insertSeries(cache, { a: 7, b: 8, c: 9 }, 20, 21, 6, 0)).toBe(one);
    expect(speaker(cache, alias)).toBe(alias);
    expect(lookupSeries(cache, 10, 11)).toBe(alias);
    expect(lookupSeries(cache, 20, 21)).toBe(one);
  });

  test("series cost 58 bytes each at most, and are found in any order", () => {
    const cache = makeSeriesCache();
    const n = 1 << 17;
    const hashes = new Uint32Array(3 * n).map(
      (_, i) => Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(i ^ 0x5bd1, 0x85ebca77),
    );
    for (let s = 0; s < n; s++) {
      const [a, b, c] = [hashes[3 * s]!, hashes[3 * s + 1]!, hashes[3 * s + 2]!];
      same(lookupRaw(cache, hashes, s), NOT_FOUND);
      insertSeries(cache, { a, b, c }, b, a, c, 0);
    }
    expect(cacheBytes(cache) / n).toBeLessThan(58);
    const out = new Int32Array(n);
    lookupAll(cache, hashes, n, out);
    expect(out.every((e, s) => e === s)).toBe(true);
    const reversed = new Uint32Array(3 * n);
    for (let s = 0; s < n; s++) reversed.set(hashes.subarray(3 * s, 3 * s + 3), 3 * (n - 1 - s));
    lookupAll(cache, reversed, n, out);
    expect(out.every((e, s) => e === n - 1 - s)).toBe(true);
  });

  test("room is made among those in use least lately, and always", () => {
    const cache = makeSeriesCache();
    const add = (i: number, used: number) => {
      set(cache, insertSeries(cache, { a: i << 20, b: i, c: i }, i << 20, i, 0, 0), USED, used);
    };
    for (let i = 1; i <= 1000; i++) add(i, i % 2 === 0 ? 5000 : 10);
    makeRoom(cache, 100, 1000, 5010);
    expect(cache.live).toBeLessThanOrEqual(900);
    for (let i = 2; i <= 1000; i += 2) expect(lookupSeries(cache, (i << 20) >>> 0, i)).not.toBe(NOT_FOUND);
    for (let i = 2001; cache.live < 1000; i++) add(i, 5010);
    makeRoom(cache, 250, 1000, 5010);
    expect(cache.live).toBe(750);
    makeRoom(cache, 5000, 1000, 5010);
    expect(cache.live).toBe(0);
  });
});
