import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addToSketch, makeBottomK, type SketchedSet, takeSketch, unionCount } from "../../src/lib/bottom-k.ts";
import { seededRandom } from "./sim-disk.ts";

const K = 1024;

function sketched(set: Iterable<number>, k = K): SketchedSet {
  const sketch = makeBottomK(k);
  let count = 0;
  for (const n of set) {
    const bytes = Buffer.from(`value-${n}`);
    addToSketch(sketch, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
    count++;
  }
  return { count, smallest: takeSketch(sketch) };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("a sketch", () => {
  it("has the smallest hashes, ascending, whatever the order", () => {
    const all = sketched(range(0, 5000), 10_000).smallest;
    expect(all).toHaveLength(5000);
    expect([...all]).toEqual([...new Set(all)].sort((a, b) => a - b));
    expect(all.at(-1)).toBeLessThan(2 ** 53);
    expect(sketched(range(0, 5000).reverse(), 100).smallest).toEqual(all.slice(0, 100));
  });
});

describe("the count of a union", () => {
  it("is exact for sketches that are whole sets", () => {
    const set = fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 64 });
    fc.assert(
      fc.property(fc.array(set, { maxLength: 6 }), (sets) => {
        const union = unionCount(sets.map((s) => sketched(s, 64)));
        expect(union).toEqual({ count: new Set(sets.flat()).size, exact: true });
      }),
    );
  });

  it("of one set is its count, and of large sets with everything or nothing in common right as well", () => {
    const large = sketched(range(0, 50_000));
    expect(unionCount([large, sketched([])])).toEqual({ count: 50_000, exact: true });
    expect(unionCount([large, large, large]).count).toBe(50_000);
    expect(unionCount([large, sketched(range(50_000, 90_000)), sketched(range(90_000, 90_010))]).count).toBe(90_010);
  });

  it("of others is right within four standard errors", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 12; round++) {
      const sets = Array.from({ length: 2 + (round % 4) }, () => {
        const share = random();
        return range(0, 20_000).filter(() => random() < share);
      });
      const truth = new Set(sets.flat()).size;
      const { count } = unionCount(sets.map((s) => sketched(s)));
      const error = (4 * Math.sqrt(sets.length)) / (2 * Math.sqrt(K));
      expect(Math.abs(count - truth) / truth, `${sets.length} sets, round ${round}`).toBeLessThan(error);
    }
  });

  it("is a lower bound where a set has no sketch", () => {
    const bare = { count: 700, smallest: new Float64Array(0) };
    expect(unionCount([bare, sketched(range(0, 10))])).toEqual({ count: 700, exact: false });
  });
});
