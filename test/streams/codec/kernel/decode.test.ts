import fc from "fast-check";
import { compress } from "snappyjs";
import { describe, expect, test, vi } from "vitest";
import { MalformedBody } from "../../../../src/model/ingest.ts";
import { makeArena } from "../../../../src/streams/codec/byte-arena.ts";
import { FREE_MEMORY, READ_SLACK } from "../../../../src/streams/codec/kernel/kernel.ts";
import { decodeSnappy, elementsStart, snappySize } from "../../../../src/streams/codec/snappy.ts";
import { freshKernel } from "../../support/kernel.ts";
import { elementLists, encodeElements } from "../../support/snappy-elements.ts";

// Properties are many runs, and machines are shared: time is no criterion here.
vi.setConfig({ testTimeout: 120_000 });

const kernel = freshKernel();
kernel.memory.grow(15);
const memory = new Uint8Array(kernel.memory.buffer);
const arena = makeArena(16);
const GUARD = 0xa5;

/** What the kernel makes of a block: undefined when it refuses. Fails when a byte outside of the result was touched. */
function decodeFast(input: Uint8Array, size: number, start: number): Uint8Array | undefined {
  const from = FREE_MEMORY;
  const to = from + input.length + READ_SLACK + 64;
  memory.fill(GUARD, FREE_MEMORY, to + size + 256);
  memory.set(input, from);
  const status = kernel.decode(from + start, from + input.length, to, to + size);
  expect(Buffer.compare(memory.subarray(from, from + input.length), input)).toBe(0);
  for (let k = from + input.length; k < to; k++) if (memory[k] !== GUARD) throw new Error(`wrote ${k - to} before`);
  for (let k = to + size; k < to + size + 256; k++) if (memory[k] !== GUARD) throw new Error(`wrote ${k - to} behind`);
  return status === 0 ? memory.slice(to, to + size) : undefined;
}

/** What TypeScript makes of it: undefined when it refuses. */
function decodePlain(input: Uint8Array): Uint8Array | undefined {
  try {
    const size = decodeSnappy(input, arena, 1 << 19);
    return arena.bytes.slice(0, size);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBody);
    return undefined;
  }
}

function agree(input: Uint8Array): Uint8Array | undefined {
  let size: number;
  try {
    size = snappySize(input, 1 << 19);
  } catch {
    return undefined;
  }
  const got = decodeFast(input, size, elementsStart());
  expect(got).toEqual(decodePlain(input));
  return got;
}

function edited(bytes: Uint8Array, edits: readonly (readonly [number, number])[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const [i, b] of edits) copy[i % Math.max(1, copy.length)] = b;
  return copy;
}
const edits = fc.array(fc.tuple(fc.nat(1 << 20), fc.nat(255)), { minLength: 1, maxLength: 4 });

describe("the kernel's Snappy", () => {
  test("decodes every element, offset and length as the format says", () => {
    fc.assert(
      fc.property(elementLists, (elements) => {
        const { packed, plain } = encodeElements(elements);
        expect(agree(packed)).toEqual(plain);
      }),
      { numRuns: 2000 },
    );
  });

  test("decodes what an independent encoder makes", () => {
    const words = fc.array(fc.constantFrom("a", "ab", "instance", "10.0.0.1:9100", "\0\0\0\0", "x".repeat(70)), {
      maxLength: 3000,
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      words.map((w) => new TextEncoder().encode(w.join(""))),
    );
    fc.assert(
      fc.property(bytes, (plain) => {
        expect(agree(new Uint8Array(compress(plain)))).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });

  test("takes a changed or cut block exactly when TypeScript does, and touches nothing outside", () => {
    let taken = 0;
    fc.assert(
      fc.property(elementLists, edits, fc.nat(), (elements, list, cut) => {
        const { packed } = encodeElements(elements);
        if (agree(edited(packed, list)) !== undefined) taken++;
        agree(packed.subarray(0, cut % (packed.length + 1)));
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  test("any bytes are taken exactly when TypeScript takes them", () => {
    const claimed = fc.tuple(fc.nat(2000), fc.uint8Array({ maxLength: 300 })).map(([size, rest]) => {
      return Uint8Array.from([(size & 0x7f) | 0x80, size >> 7, ...rest]);
    });
    fc.assert(
      fc.property(claimed, (bytes) => {
        agree(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([1, 2, 3, 4])("a literal whose length takes %i bytes", (extra) => {
    const plain = new Uint8Array(200).map((_, i) => i);
    const tag = (59 + extra) << 2;
    const bytes = Uint8Array.from([200, 1, tag, 199, ...new Uint8Array(extra - 1), ...plain]);
    expect(agree(bytes)).toEqual(plain);
    for (const b of [1, 0x80, 0xff]) agree(edited(bytes, [[2 + extra, b]]));
  });
});
