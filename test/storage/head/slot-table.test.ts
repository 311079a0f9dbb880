import { describe, expect, test } from "vitest";
import { withCapacityFor, withMoreCapacity, worthShrinking } from "../../../src/storage/head/capacity.ts";
import {
  addSlot,
  makeSlotTable,
  NUMBER_MASK,
  PART_SHIFT,
  type SlotTable,
  START_SHIFT,
  slotTableBytes,
} from "../../../src/storage/head/slot-table.ts";

const mix = (n: number): number => {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

function numbersAt(table: SlotTable, hash: number): number[] {
  const slots = table.parts[hash >>> PART_SHIFT] as Uint32Array;
  const found: number[] = [];
  for (
    let slot = (hash >>> START_SHIFT) & (slots.length - 1);
    slots[slot] !== 0;
    slot = (slot + 1) & (slots.length - 1)
  ) {
    found.push(((slots[slot] as number) & NUMBER_MASK) - 1);
  }
  return found;
}

describe("slots of a hash table", () => {
  test.each([
    ["evenly spread", mix],
    ["all in one part", (n: number) => (mix(n) >>> 8) | 0x1200_0000],
    ["all alike", () => 0x8123_4567 | 0],
  ])("every number is found from its hash, %s", (_, hashOf) => {
    for (const expected of [0, 3000]) {
      const table = makeSlotTable(expected);
      for (let n = 0; n < 3000; n++) {
        expect(numbersAt(table, hashOf(n))).not.toContain(n);
        addSlot(table, hashOf(n), n, hashOf);
      }
      for (let n = 0; n < 3000; n += 7) expect(numbersAt(table, hashOf(n))).toContain(n);
    }
  });

  test("what is expected does not make it grow, and an empty one takes nothing", () => {
    expect(slotTableBytes(makeSlotTable())).toBeLessThan(2048);
    const table = makeSlotTable(200_000);
    const bytes = slotTableBytes(table);
    for (let n = 0; n < 200_000; n++) addSlot(table, mix(n), n, mix);
    expect(slotTableBytes(table)).toBe(bytes);
    expect(bytes / 200_000).toBeLessThan(12);
  });

  test("has a limit, and says so", () => {
    expect(() => addSlot(makeSlotTable(), 1, NUMBER_MASK, mix)).toThrow("134 million");
  });
});

describe("capacities", () => {
  test("small arrays double, larger ones are reserved, and where that is refused they double", () => {
    const make = (n: number): number => n;
    const poor = (n: number): number => {
      if (n > 1e6) throw new RangeError("Array buffer allocation failed");
      return n;
    };
    expect(withMoreCapacity(256, make)).toBe(512);
    expect(withMoreCapacity(1 << 14, make)).toBe(1 << 24);
    expect(withMoreCapacity(1 << 24, make)).toBe(1 << 25);
    expect(withMoreCapacity(1 << 15, poor)).toBe(1 << 16);
    expect(() => withMoreCapacity(1 << 23, poor)).toThrow(RangeError);
    expect(withCapacityFor(0, make)).toBe(256);
    expect(withCapacityFor(300, make)).toBe(512);
    expect(withCapacityFor(1e6, make)).toBe(1 << 24);
    expect(withCapacityFor(1 << 24, make)).toBe(1 << 25);
    expect(withCapacityFor(1e5, poor)).toBe(1 << 17);
  });

  test("little is left of much", () => {
    expect(worthShrinking(10, 1000)).toBe(false);
    expect(worthShrinking(10_000, 15_000)).toBe(false);
    expect(worthShrinking(10_000, 30_000)).toBe(true);
  });
});
