import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { customBound, exponentialBound } from "../../../src/query/histogram/bounds.ts";
import { exp2, ldexp, log2 } from "../../../src/query/histogram/log-scale.ts";

describe("bounds of buckets", () => {
  it("are powers of two in every schema, at the indexes that have them", () => {
    for (let schema = 0; schema <= 8; schema++) {
      for (const power of [-1074, -1022, -3, 0, 1, 1023]) {
        expect(exponentialBound(power * 2 ** schema, schema)).toBe(2 ** power);
      }
    }
    expect([0, 1, 2, -1].map((i) => exponentialBound(i, -4))).toEqual([1, 2 ** 16, 2 ** 32, 2 ** -16]);
  });

  it("have the digits that Prometheus prints, not always the nearest", () => {
    expect(String(exponentialBound(1, 1))).toBe("1.414213562373095");
    expect(exponentialBound(1, 2)).toBe(2 * 0.5946035575013605);
    expect(exponentialBound(-1, 8)).toBe(0.9972960560854698);
  });

  it("end at the largest number, and at infinity after that", () => {
    for (let schema = -4; schema <= 8; schema++) {
      const last = 1024 * 2 ** schema;
      expect(exponentialBound(last, schema)).toBe(Number.MAX_VALUE);
      expect(exponentialBound(last + 1, schema)).toBe(Number.POSITIVE_INFINITY);
      expect(exponentialBound(last - 1, schema)).toBeLessThan(Number.MAX_VALUE);
    }
  });

  it("ascend, and every other bound is one of the next coarser schema", () => {
    void fc.assert(
      fc.property(fc.integer({ min: -3, max: 8 }), fc.integer({ min: -500, max: 500 }), (schema, index) => {
        fc.pre(Math.abs(index) < 1000 * 2 ** schema);
        expect(exponentialBound(index, schema)).toBeGreaterThan(exponentialBound(index - 1, schema));
        if (index % 2 === 0) expect(exponentialBound(index, schema)).toBe(exponentialBound(index / 2, schema - 1));
        const exact = 2 ** (index * 2 ** -schema);
        expect(Math.abs(exponentialBound(index, schema) / exact - 1)).toBeLessThan(1e-15);
      }),
    );
  });

  it("are given ones between infinities", () => {
    expect([-1, 0, 1, 2].map((i) => customBound(i, [5, 10]))).toEqual([-Infinity, 5, 10, Infinity]);
  });
});

describe("logarithm and power", () => {
  it("are exact at powers of two, near the platform's elsewhere", () => {
    for (const power of [-1074, -1060, -1022, -1, 0, 1, 52, 1023]) {
      expect(log2(2 ** power)).toBe(power);
      expect(exp2(power)).toBe(2 ** power);
    }
    void fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
        expect(Math.abs(log2(x) - Math.log2(x))).toBeLessThanOrEqual(2e-13);
        expect(Math.abs(exp2(log2(x)) / x - 1)).toBeLessThan(1e-12);
      }),
    );
    expect(String(exp2(0.5))).toBe("1.414213562373095");
    expect(exp2(2 / 3)).toBe(1.5874010519681994);
  });

  it("take what is not a finite number", () => {
    expect(exp2(Number.NEGATIVE_INFINITY)).toBe(0);
    expect(exp2(1025)).toBe(Number.POSITIVE_INFINITY);
    expect(exp2(-2000)).toBe(0);
    expect(exp2(Number.NaN)).toBeNaN();
    expect(log2(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(log2(-1)).toBeNaN();
    expect(log2(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(ldexp(1.5, 1024)).toBe(Number.POSITIVE_INFINITY);
    expect(ldexp(1.9, -1075)).toBe(5e-324);
  });
});
