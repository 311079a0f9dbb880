import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ALIAS,
  AMBIGUOUS,
  ANNOUNCED,
  evictIdle,
  insertSeries,
  lookupAll,
  lookupRaw,
  lookupSeries,
  makeSeriesCache,
  NOT_FOUND,
  PLACE,
  STATE,
  STRIDE,
  setState,
  speaker,
  USED,
} from "../../../src/streams/ingest/series-cache.ts";

const small = fc.integer({ min: 0, max: 3 });

describe("series cache", () => {
  test("finds what was put in, and nothing else, however it grows and whatever collides", () => {
    const entry = fc.record({
      a: small,
      b: small,
      c: fc.nat(20),
      low: small,
      high: small,
      check: fc.nat(2),
      used: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 200 }), fc.nat(5), (list, since) => {
        let cache = makeSeriesCache(1);
        const raw = new Map<string, { entry: number; series: string }>();
        const speaks = new Map<string, number>();
        const first = new Map<string, string>();
        const used = new Map<number, number>();
        for (const e of list) {
          const key = [e.a, e.b, e.c].join();
          if (raw.has(key)) continue;
          const hash = [e.low, e.high].join();
          const series = `${hash},${e.check}`;
          const n = insertSeries(cache, e, e.low, e.high, e.check, 7);
          raw.set(key, { entry: n, series });
          cache.words[n * STRIDE + USED] = e.used;
          used.set(n, e.used);
          if (!first.has(hash)) {
            first.set(hash, series);
            speaks.set(hash, n);
          }
          const flags = cache.words[n * STRIDE + PLACE]!;
          expect(flags & 0xffff).toBe(7);
          if (first.get(hash) !== series) {
            // Another label set: both are marked, neither speaks for the other.
            expect(flags & AMBIGUOUS).not.toBe(0);
            expect(cache.words[speaks.get(hash)! * STRIDE + PLACE]! & AMBIGUOUS).not.toBe(0);
            expect(speaker(cache, n)).toBe(n);
          } else {
            expect(speaker(cache, n)).toBe(speaks.get(hash));
            expect((flags & ALIAS) !== 0).toBe(speaks.get(hash) !== n);
          }
        }
        const keys = [...raw.keys()].map((k) => k.split(",").map(Number)).concat([[9, 9, 9]]);
        const out = new Int32Array(keys.length);
        lookupAll(cache, Uint32Array.from(keys.flat()), keys.length, out);
        expect([...out]).toEqual([...[...raw.values()].map((r) => r.entry), NOT_FOUND]);
        for (const [hash, n] of speaks)
          expect(lookupSeries(cache, ...(hash.split(",").map(Number) as [number, number]))).toBe(n);
        expect(lookupSeries(cache, 9, 9)).toBe(NOT_FOUND);

        const before = cache;
        cache = evictIdle(cache, since);
        for (const [key, r] of raw) {
          const found = lookupRaw(cache, Uint32Array.from(key.split(",").map(Number)), 0);
          const alias = (before.words[r.entry * STRIDE + PLACE]! & ALIAS) !== 0;
          expect(found !== NOT_FOUND).toBe(!alias && used.get(r.entry)! >= since);
          if (found !== NOT_FOUND) {
            expect(cache.checks[found]).toBe(before.checks[r.entry]);
            const [low, high] = r.series.split(",").map(Number) as [number, number];
            expect(lookupSeries(cache, low, high)).not.toBe(NOT_FOUND);
          }
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test("the state of a series is that of the entry that speaks for it", () => {
    const cache = makeSeriesCache();
    const one = insertSeries(cache, { a: 1, b: 2, c: 3 }, 10, 11, 5, 0);
    const alias = insertSeries(cache, { a: 4, b: 5, c: 6 }, 10, 11, 5, 0);
    setState(cache, 10, 11, ANNOUNCED);
    setState(cache, 99, 99, ANNOUNCED);
    expect(cache.words[speaker(cache, alias) * STRIDE + STATE]).toBe(ANNOUNCED);
    expect(speaker(cache, one)).toBe(one);
  });
});
