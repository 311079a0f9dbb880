import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

/** As `toStrictEqual`, which takes seconds for what is large: it is only asked to say what differs. */
export function expectEqual(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  expect(actual).toStrictEqual(expected);
  throw new Error("they differ in what toStrictEqual does not look at");
}
