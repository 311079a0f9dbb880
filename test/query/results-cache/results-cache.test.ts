import { describe, expect, it } from "vitest";
import { type Kept, makeResultsCache } from "../../../src/query/results-cache/results-cache.ts";

/** A result of one series and so many points, 9 bytes each. */
function kept(points: number): Kept {
  const rows = {
    steps: points,
    labels: [["__name__", "up"]],
    values: new Float64Array(points),
    present: new Uint8Array(points),
  };
  return { start: 0, step: 1, spanMs: points - 1, rows, validSteps: points, at: [] };
}

describe("the memory of kept results", () => {
  it("is bounded: what was used least recently goes first", () => {
    const cache = makeResultsCache(() => 100_000);
    for (const key of ["a", "b", "c", "d"]) expect(cache.set(key, kept(2_500))).toBe(true);
    expect(cache.get("a")).toBeDefined();
    expect(cache.set("e", kept(2_500))).toBe(true);
    expect(["a", "b", "c", "d", "e"].filter((key) => cache.get(key) !== undefined)).toEqual(["a", "c", "d", "e"]);
    const { bytes, entries } = cache.stats();
    expect(entries).toBe(4);
    expect(bytes).toBeGreaterThan(4 * 22_500);
    expect(bytes).toBeLessThanOrEqual(100_000);
  });

  it("is given back by what is replaced or taken out", () => {
    const cache = makeResultsCache(() => 100_000);
    cache.set("a", kept(2_000));
    const { bytes } = cache.stats();
    cache.set("a", kept(1_000));
    expect(cache.stats().bytes).toBe(bytes - 9_000);
    cache.delete("a");
    cache.delete("a");
    expect(cache.stats()).toMatchObject({ bytes: 0, entries: 0 });
  });

  it("is not taken by one result alone; what was kept under its key goes all the same", () => {
    const cache = makeResultsCache(() => 100_000);
    cache.set("a", kept(10));
    expect(cache.set("a", kept(3_000))).toBe(false);
    expect(cache.get("a")).toBeUndefined();
    expect(cache.stats().bytes).toBe(0);
  });

  it("may become less or none while it runs, and be there again", () => {
    let room = 100_000;
    const cache = makeResultsCache(() => room);
    for (const key of ["a", "b", "c"]) cache.set(key, kept(2_500));
    expect(cache.hasRoom()).toBe(true);
    expect(cache.stats().entries).toBe(3);
    room = 60_000;
    expect(cache.hasRoom()).toBe(true);
    expect(["a", "b", "c"].filter((key) => cache.get(key) !== undefined)).toEqual(["b", "c"]);
    room = 0;
    expect(cache.hasRoom()).toBe(false);
    expect(cache.stats()).toMatchObject({ bytes: 0, entries: 0 });
    expect(cache.set("d", kept(1))).toBe(false);
    room = 100_000;
    expect(cache.set("d", kept(1))).toBe(true);
  });
});
