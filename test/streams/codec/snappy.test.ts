import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { MalformedBody } from "../../../src/model/ingest.ts";
import { makeArena } from "../../../src/streams/codec/byte-arena.ts";
import { decodeSnappy } from "../../../src/streams/codec/snappy.ts";
import { elementLists, encodeElements } from "../support/snappy-elements.ts";
import { varint } from "../support/write-request-bytes.ts";

// Properties are many runs, and machines are shared: time is no criterion here.

const LIMIT = 1 << 20;
const arena = makeArena(16);
function decode(input: Uint8Array): Uint8Array {
  const size = decodeSnappy(input, arena, LIMIT);
  return arena.bytes.slice(0, size);
}
const block = (size: number, ...elements: readonly (readonly number[])[]) =>
  Uint8Array.from([...varint(size), ...elements.flat()]);

describe("decodeSnappy", () => {
  test("decodes what an independent encoder makes", () => {
    const repetitive = fc.array(fc.constantFrom("a", "ab", "instance", "10.0.0.1:9100", "\0\0\0\0"), {
      maxLength: 2000,
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      repetitive.map((p) => new TextEncoder().encode(p.join(""))),
    );
    fc.assert(
      fc.property(bytes, (plain) => {
        expect(decode(new Uint8Array(compress(plain)))).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });

  test("follows the format in every element, offset and length", () => {
    fc.assert(
      fc.property(elementLists, (elements) => {
        const { packed, plain } = encodeElements(elements);
        expect(decode(packed)).toEqual(plain);
      }),
      { numRuns: 1000 },
    );
  });

  test("an empty block is empty", () => {
    expect(decode(Uint8Array.from([0]))).toHaveLength(0);
  });

  test.each([
    ["nothing", [], "length cannot be read"],
    ["an endless length", [0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "length cannot be read"],
    ["a cut length", [0x80], "length cannot be read"],
    ["a length without data", [...varint(1000)], "claims 1000 bytes in 2"],
    ["too little", [...block(5, [0, 97])], "holds 1 bytes and claims 5"],
    ["a literal over the input", [...block(5, [16, 97])], "literal runs over"],
    ["a literal over the output", [...block(1, [4, 97, 98])], "literal runs over"],
    ["a literal of 4 GiB", [...block(9, [63 << 2, 255, 255, 255, 255, 97, 97, 97])], "literal runs over"],
    ["a cut literal length", [...block(9, [63 << 2, 1])], "length is cut off"],
    ["a copy before the start", [...block(9, [0, 97], [(3 << 2) | 2, 2, 0])], "points outside"],
    ["a copy of offset 0", [...block(9, [0, 97], [(3 << 2) | 2, 0, 0])], "points outside"],
    ["a copy over the output", [...block(3, [0, 97], [(3 << 2) | 2, 1, 0])], "points outside"],
    ["a far copy", [...block(9, [0, 97], [(3 << 2) | 3, 255, 255, 255, 255])], "points outside"],
    ["a cut copy of each kind", [...block(9, [0, 97], [1])], "copy is cut off"],
    ["", [...block(9, [0, 97], [2, 1])], "copy is cut off"],
    ["", [...block(9, [0, 97], [3, 1, 0, 0])], "copy is cut off"],
  ])("refuses %s", (_, bytes, message) => {
    const run = () => decode(Uint8Array.from(bytes));
    expect(run).toThrow(MalformedBody);
    expect(run).toThrow(message);
  });

  test("refuses a bomb before it takes memory for it", () => {
    const small = makeArena(16);
    const bomb = Uint8Array.from([...varint(2 ** 32 - 1), ...new Uint8Array(100)]);
    expect(() => decodeSnappy(bomb, small, 1 << 25)).toThrow(expect.objectContaining({ reason: "body_too_large" }));
    const withinLimit = Uint8Array.from([...varint(1 << 24), ...new Uint8Array(100)]);
    expect(() => decodeSnappy(withinLimit, small, 1 << 25)).toThrow(
      expect.objectContaining({ reason: "malformed_snappy" }),
    );
    expect(small.bytes.length).toBeLessThan(100);
  });

  test("any input decodes or is refused, and nothing beyond the slack is touched", () => {
    const good = new Uint8Array(compress(new TextEncoder().encode("abcabcabcabc, hello hello hello hello".repeat(5))));
    for (let n = 0; n < good.length; n++) expect(() => decode(good.subarray(0, n))).toThrow(MalformedBody);
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.oneof(edits, fc.uint8Array({ maxLength: 200 })), (input) => {
        let bytes = input as Uint8Array;
        if (Array.isArray(input)) {
          bytes = Uint8Array.from(good);
          for (const [i, b] of input) bytes[i] = b;
        }
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBody);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
