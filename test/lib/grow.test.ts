import { expect, test } from "vitest";
import { doubled, grownBytes } from "../../src/lib/grow.ts";

test("words keep their places in twice the room", () => {
  expect([...doubled(Uint32Array.of(1, 2 ** 32 - 1))]).toEqual([1, 2 ** 32 - 1, 0, 0]);
});

test("the bytes in use go along, into twice the room or what is needed", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  expect([...grownBytes(bytes, 2, 3)]).toEqual([1, 2, 0, 0, 0, 0]);
  expect([...grownBytes(bytes, 3, 8)]).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
  expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
});
