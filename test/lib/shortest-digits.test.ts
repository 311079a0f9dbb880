import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BELOW, findDigits, LEAST } from "../../src/lib/shortest-digits.ts";

const found = { high: 0, low: 0, exponent: 0 };

/** True when there was no doubt. */
function check(v: number): boolean {
  if (!(v >= LEAST && v < BELOW) || !findDigits(v, found)) return false;
  const [mantissa, exponent] = v.toExponential().split("e") as [string, string];
  const digits = String(found.high).padStart(9, "0") + String(found.low).padStart(8, "0");
  expect([digits.replace(/0+$/, ""), found.exponent]).toEqual([mantissa.replace(".", ""), Number(exponent)]);
  return true;
}

const bits = new BigInt64Array(1);
const float = new Float64Array(bits.buffer);

function neighbour(v: number, away: number): number {
  float[0] = v;
  bits[0] = (bits[0] as bigint) + BigInt(away);
  return float[0] as number;
}

test("the digits are those of the language's own conversion", () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double({ min: LEAST, max: BELOW, noNaN: true }),
        fc
          .tuple(fc.double({ min: 0, max: 10, noNaN: true }), fc.integer({ min: -5, max: 15 }))
          .map(([m, e]) => m * 10 ** e),
        fc.tuple(fc.nat(), fc.integer({ min: 1, max: 5_000 })).map(([n, d]) => n / d),
      ),
      (v) => void check(v),
    ),
    { numRuns: 20_000 },
  ));

test("they are so around powers of ten and of two too", () => {
  for (let e = -5; e <= 16; e++) {
    for (let away = -300; away <= 300; away++) check(neighbour(Number(`1e${e}`), away));
    for (let m = 1; m < 100; m++) check(m * Number(`1e${e}`));
  }
  for (let e = -17; e <= 53; e++) for (let away = -100; away <= 100; away++) check(neighbour(2 ** e, away));
});

test("there is seldom a doubt", () => {
  let told = 0;
  for (let i = 1; i <= 10_000; i++) if (check((i * 7919) / 10_007 / 3)) told++;
  expect(told).toBeGreaterThan(9_900);
});
