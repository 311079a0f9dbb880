import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quantileOf } from "../../../src/query/execute/quantile.ts";

/** By sorting all: NaN first, -0 before 0. */
function bySorting(q: number, values: readonly number[]): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const numbers = Float64Array.from(values.filter((v) => !Number.isNaN(v))).sort();
  const sorted = [...new Array(n - numbers.length).fill(Number.NaN), ...numbers];
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const weight = rank - Math.floor(rank);
  return sorted[lower] * (1 - weight) + sorted[Math.min(n - 1, lower + 1)] * weight;
}

function check(q: number, values: readonly number[]): void {
  // Room behind the values must not be looked at.
  const scratch = new Float64Array(values.length + 3).fill(-1e300);
  scratch.set(values);
  expect(quantileOf(q, scratch, values.length)).toBe(bySorting(q, values));
}

const quantile = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double(), fc.constantFrom(0, 0.5, 0.9, 1));
const value = fc.oneof(
  fc.double(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);

describe("quantileOf", () => {
  test("is what sorting gives, whatever the values", () => {
    fc.assert(fc.property(quantile, fc.array(value, { maxLength: 300 }), check), { numRuns: 500 });
  });

  test("is what sorting gives for many values, ordered ones and ones that repeat among them", () => {
    const shapes: ((i: number, n: number, random: () => number) => number)[] = [
      (i) => i,
      (i, n) => n - i,
      (i, n) => Math.min(i, n - i),
      (i) => i % 7,
      () => 4,
      (_, __, random) => random(),
      (_, __, random) => Math.floor(random() * 50),
    ];
    let seed = 7;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed / 2 ** 32;
    };
    for (const shape of shapes) {
      for (const n of [24, 25, 26, 400, 5_000]) {
        const values = Array.from({ length: n }, (_, i) => shape(i, n, random));
        for (const q of [0, 0.01, 0.5, 0.9, 0.999, 1]) check(q, values);
      }
    }
  });

  test("is what sorting gives where each division takes off next to nothing", () => {
    // Musser's sequence against the median of three.
    const k = 2_000;
    const values = new Array(2 * k);
    for (let i = 1; i <= k; i++) {
      values[i - 1] = i % 2 === 1 ? i : k + i - 1;
      values[k + i - 1] = 2 * i;
    }
    for (const q of [0.1, 0.5, 0.75, 0.999]) check(q, values);
  });
});
