import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allocateBlock, freeBlock, makeWordPool, poolBytes, SLAB_SHIFT } from "../../../src/storage/head/word-pool.ts";

test("blocks never overlap, are aligned to their size, stay in a slab and are used again", () => {
  const action = fc.record({ order: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constant(16)), free: fc.boolean() });
  void fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const pool = makeWordPool();
      const live: { block: number; order: number }[] = [];
      for (const { order, free } of actions) {
        if (free && live.length > 0) {
          const [victim] = live.splice(order % live.length, 1);
          if (victim !== undefined) freeBlock(pool, victim.block, victim.order);
          continue;
        }
        const block = allocateBlock(pool, order);
        expect(block).toBeGreaterThan(0);
        expect(block % (1 << order)).toBe(0);
        expect(block >>> SLAB_SHIFT).toBe((block + (1 << order) - 1) >>> SLAB_SHIFT);
        for (const other of live) {
          expect(block + (1 << order) <= other.block || other.block + (1 << other.order) <= block).toBe(true);
        }
        live.push({ block, order });
      }
      const bytes = poolBytes(pool);
      for (const { block, order } of live) freeBlock(pool, block, order);
      for (const { order } of live) allocateBlock(pool, order);
      expect(poolBytes(pool)).toBe(bytes);
    }),
  );
});
