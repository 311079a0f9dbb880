import fc from "fast-check";
import { expect, test } from "vitest";
import { firstAfter, firstAt, firstWordAt } from "../../src/lib/search.ts";

const numbers = fc
  .array(fc.integer({ min: -20, max: 20 }), { maxLength: 40 })
  .map((list) => list.sort((a, b) => a - b));

test("the first number at or above the wanted one, and above it, within a range", () => {
  fc.assert(
    fc.property(numbers, fc.nat(40), fc.nat(40), fc.integer({ min: -21, max: 21 }), (list, a, b, wanted) => {
      const to = Math.min(Math.max(a, b), list.length);
      const from = Math.min(a, b, to);
      const expected = (passes: (x: number) => boolean) => {
        const i = list.slice(from, to).findIndex(passes);
        return i < 0 ? to : from + i;
      };
      expect(firstAt(Float64Array.from(list), from, to, wanted)).toBe(expected((x) => x >= wanted));
      expect(firstAfter(Float64Array.from(list), from, to, wanted)).toBe(expected((x) => x > wanted));
      const words = Uint32Array.from(list, (x) => x + 20);
      expect(firstWordAt(words, from, to, wanted + 20)).toBe(expected((x) => x >= wanted));
    }),
    { numRuns: 1000 },
  );
});

test("infinite bounds", () => {
  const times = Float64Array.of(1, 2, 3);
  expect(firstAt(times, 0, 3, Number.NEGATIVE_INFINITY)).toBe(0);
  expect(firstAfter(times, 0, 3, Number.POSITIVE_INFINITY)).toBe(3);
});
