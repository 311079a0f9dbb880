import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  align8,
  readF64,
  readU16,
  readU32,
  readU64,
  writeF64,
  writeU16,
  writeU32,
  writeU64,
} from "../../src/lib/bytes.ts";

test("numbers are those of a DataView, little-endian, at any offset", () => {
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  void fc.assert(
    fc.property(fc.nat(9), fc.nat(0xffff), u32, fc.maxSafeNat(), fc.double(), (at, a, b, c, d) => {
      const bytes = new Uint8Array(48).fill(0xee);
      const view = new DataView(bytes.buffer);
      writeU16(bytes, at, a);
      writeU32(bytes, at + 2, b);
      writeU64(bytes, at + 6, c);
      writeF64(bytes, at + 14, d);
      expect(view.getUint16(at, true)).toBe(a);
      expect(view.getUint32(at + 2, true)).toBe(b);
      expect(view.getBigUint64(at + 6, true)).toBe(BigInt(c));
      expect(view.getFloat64(at + 14, true)).toBe(d);
      expect(bytes[at + 22]).toBe(0xee);
      expect([readU16(bytes, at), readU32(bytes, at + 2), readU64(bytes, at + 6)]).toEqual([a, b, c]);
      expect(readF64(bytes, at + 14)).toBe(d);
    }),
  );
});

test("align8", () => {
  expect([0, 1, 7, 8, 9, 2 ** 40 + 1].map(align8)).toEqual([0, 8, 8, 8, 16, 2 ** 40 + 8]);
});
