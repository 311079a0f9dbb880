import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFixed, formatFloat, formatFloatG, formatSampleValue } from "../../src/lib/float-format.ts";

describe("float formats", () => {
  it.each([
    // value, 'f', API, %v
    [0, "0", "0", "0"],
    [-0, "-0", "-0", "-0"],
    [1, "1", "1", "1"],
    [0.1, "0.1", "0.1", "0.1"],
    [123456, "123456", "123456", "123456"],
    [1234567, "1234567", "1234567", "1.234567e+06"],
    [1e8, "100000000", "100000000", "1e+08"],
    [-1.234e-5, "-0.00001234", "-0.00001234", "-1.234e-05"],
    [-0.0001234, "-0.0001234", "-0.0001234", "-0.0001234"],
    [1e-6, "0.000001", "0.000001", "1e-06"],
    [1e-7, "0.0000001", "1e-07", "1e-07"],
    [1e21, "1000000000000000000000", "1e+21", "1e+21"],
    [1.5e300, `15${"0".repeat(299)}`, "1.5e+300", "1.5e+300"],
    [5e-324, `0.${"0".repeat(323)}5`, "5e-324", "5e-324"],
    [Number.NaN, "NaN", "NaN", "NaN"],
    [Number.POSITIVE_INFINITY, "+Inf", "+Inf", "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf", "-Inf", "-Inf"],
  ])("%d", (v, f, api, g) => {
    expect([formatFloat(v), formatSampleValue(v), formatFloatG(v)]).toEqual([f, api, g]);
  });

  it("reads back to the same value and never has an exponent in 'f'", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (v) => {
        expect(formatFloat(v)).toMatch(/^-?\d+(\.\d+)?$/);
        for (const format of [formatFloat, formatSampleValue, formatFloatG]) expect(Number(format(v))).toBe(v);
      }),
    );
  });

  it("has a fixed number of digits where asked", () => {
    expect(formatFixed(1.0005, 3)).toBe("1.000");
    expect(formatFixed(-0, 3)).toBe("-0.000");
    expect(formatFixed(1e30, 6)).toBe("1000000000000000019884624838656.000000");
    expect(formatFixed(Number.NaN, 6)).toBe("NaN");
  });
});
