import { expect, test } from "vitest";
import { nameMissing } from "../../../src/storage/engine/name-missing.ts";

const { NEGATIVE_INFINITY: EVER, POSITIVE_INFINITY: ON } = Number;
const T = Date.UTC(2026, 10, 22);

test.each([
  [T, T + 7_200_000, "shard 3, 2026-11-22T00:00:00.000Z to 2026-11-22T02:00:00.000Z"],
  [EVER, T, "shard 3, up to 2026-11-22T00:00:00.000Z"],
  [T, ON, "shard 3, from 2026-11-22T00:00:00.000Z on"],
  [EVER, ON, "shard 3, of an unknown time"],
  // Samples may have times that no date has.
  [-9e15, 9e15, "shard 3, -9000000000000000 ms to 9000000000000000 ms"],
])("what is missing from %d to %d is named with shard and times", (minT, maxT, where) => {
  expect(nameMissing({ what: "a block is missing", minT, maxT }, "3")).toBe(`a block is missing (${where})`);
});
