import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/lib/crc32c.ts";
import { makeFolder } from "../../src/lib/crc32c-wasm.ts";

const crc32cOfByte = (byte: number): number => {
  let crc = byte;
  for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
};

/** Bit by bit, from the polynomial. */
function slow(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const b of bytes) {
    crc ^= b;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe("CRC-32C", () => {
  // RFC 3720, appendix B.4.
  test.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["descending", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(), 0],
  ])("%s", (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test("is the same for long inputs, and folds them", () => {
    expect(makeFolder((crc) => (crc >>> 8) ^ crc32cOfByte(crc & 255))).toBeDefined();
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 13);
    // Around the lengths where the way changes, and beyond what is folded at a time.
    for (const length of [511, 512, 513, 639, 640, 641, 1000, 4096, (64 << 10) + 127, (64 << 10) + 129, 200_003]) {
      for (const start of [0, 1, 6]) {
        const part = bytes.subarray(start, start + length);
        const expected = slow(part);
        expect(crc32c(bytes, start, start + length)).toBe(expected);
        const cut = length >> 1;
        expect(crc32c(part, cut, length, crc32c(part, 0, cut))).toBe(expected);
      }
    }
  });

  test("is the same at every alignment, in parts and over a range", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), fc.nat(200), (bytes, shift, cut) => {
        const moved = new Uint8Array(bytes.length + shift + 3).fill(7);
        moved.set(bytes, shift);
        const view = moved.subarray(shift, shift + bytes.length);
        const expected = slow(bytes);
        expect(crc32c(view)).toBe(expected);
        expect(crc32c(moved, shift, shift + bytes.length)).toBe(expected);
        const at = Math.min(cut, bytes.length);
        expect(crc32c(view, at, bytes.length, crc32c(view, 0, at))).toBe(expected);
      }),
    );
  });
});
