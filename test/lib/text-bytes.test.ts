import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatSampleValue } from "../../src/lib/float-format.ts";
import {
  makeStamps,
  makeTextBytes,
  putStamp,
  reserve,
  takeBytes,
  writeSampleValue,
  writeText,
} from "../../src/lib/text-bytes.ts";

function written(v: number): string {
  const out = makeTextBytes(1);
  writeSampleValue(out, v);
  return takeBytes(out).toString("latin1");
}

test.each([
  0,
  -0,
  1,
  -1,
  0.1,
  0.000001,
  9.9e-7,
  1e15,
  999_999_999_999_999,
  1e21,
  12_345_678,
  100_000_000,
  123_456_789.25,
  0.3,
  0.1 + 0.2,
  1 / 3,
  99.999999,
  1e-5,
  2 ** 53,
  -12.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
])("%d is written as it is formatted", (v) => expect(written(v)).toBe(formatSampleValue(v)));

test("every float is written as it is formatted", () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double(),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 12 })).map(([n, k]) => n / 10 ** k),
        fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([n, k]) => n / 10 ** k),
      ),
      (v) => {
        expect(written(v)).toBe(formatSampleValue(v));
      },
    ),
    { numRuns: 20_000 },
  ));

test("pieces of all kinds follow one another, whatever room there was", () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.oneof(fc.string(), fc.double())), (room, parts) => {
      const out = makeTextBytes(room);
      for (const part of parts) {
        if (typeof part === "number") writeSampleValue(out, part);
        else if (part.length % 2 === 0) writeText(out, part);
        else {
          const ascii = part.replace(/[^ -~]/g, "?").slice(0, 60);
          reserve(out, 64);
          out.length = putStamp(
            out,
            out.length,
            makeStamps(2, (i) => (i === 0 ? "other" : ascii)),
            1,
          );
        }
      }
      const textOf = (p: string | number): string => {
        if (typeof p === "number") return formatSampleValue(p);
        return p.length % 2 === 0 ? p : p.replace(/[^ -~]/g, "?").slice(0, 60);
      };
      const want = parts.map(textOf).join("");
      expect(takeBytes(out).toString()).toBe(want);
      expect(out.length).toBe(0);
    }),
  ));
