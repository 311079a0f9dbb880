import fc from "fast-check";
import { compress, uncompress } from "snappyjs";
import { describe, expect, it } from "vitest";
import { decodeBlock, encodeSteps, SnappyError } from "../../../src/api/remote-read/snappy-block.ts";

function encodeBlock(input: Uint8Array): Uint8Array {
  const steps = encodeSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // Repetitions, also over the bounds of a fragment.
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 6000 }))
    .map(([piece, times]) => new Uint8Array(Buffer.concat(Array.from({ length: times }, () => piece)))),
);

describe("Snappy's block format", () => {
  it("is read by another reader, and reads another writer's", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const block = encodeBlock(input);
        expect(Buffer.compare(uncompress(new Uint8Array(block)), input)).toBe(0);
        expect(Buffer.compare(decodeBlock(block, 1 << 20), input)).toBe(0);
        expect(Buffer.compare(decodeBlock(compress(input), 1 << 20), input)).toBe(0);
      }),
    );
  });

  it("compresses what repeats", () => {
    expect(encodeBlock(new Uint8Array(100_000)).length).toBeLessThan(6000);
  });

  it("refuses anything else, and more than the limit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
        try {
          decodeBlock(input, 1000);
        } catch (e) {
          expect(e).toBeInstanceOf(SnappyError);
        }
      }),
    );
    expect(() => decodeBlock(encodeBlock(new Uint8Array(1001)), 1000)).toThrow(SnappyError);
    expect(() => decodeBlock(new Uint8Array(0), 1000)).toThrow(SnappyError);
  });
});
