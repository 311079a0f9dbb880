import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readVarint, VarintError, varintLength, writeVarint } from "../../src/lib/varint.ts";

const number = fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, Number.MAX_SAFE_INTEGER));

describe("varint", () => {
  test("gives back what was written, whatever follows", () => {
    void fc.assert(
      fc.property(number, fc.nat(5), (value, at) => {
        const bytes = new Uint8Array(20).fill(0xff);
        const end = writeVarint(bytes, at, value);
        expect(end - at).toBe(varintLength(value));
        const cursor = { at };
        expect(readVarint(bytes, cursor)).toBe(value);
        expect(cursor.at).toBe(end);
        // Not even one byte less will do.
        expect(() => readVarint(bytes, { at }, end - 1)).toThrow(VarintError);
      }),
    );
  });

  test("is protobuf's", () => {
    expect(readVarint(Uint8Array.of(0x96, 0x01), { at: 0 })).toBe(150);
  });

  test.each([
    ["cut short", [0x80]],
    ["empty", []],
    ["above 2^53", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["ten bytes", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])("refuses %s and leaves the cursor", (_, bytes) => {
    const cursor = { at: 0 };
    expect(() => readVarint(Uint8Array.from(bytes), cursor)).toThrow(VarintError);
    expect(cursor.at).toBe(0);
  });
});
