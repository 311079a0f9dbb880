import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { seriesHash } from "../../../src/streams/codec/series-hash.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { blocks, hashOf, labelSets, type ModelSeries, writeModel } from "./model-block.ts";

describe("the identity of a series", () => {
  test("is the hash that it travels by", () => {
    void fc.assert(
      fc.property(fc.constantFrom("default", "t.1"), labelSets, (tenant, labels) => {
        expect(hashOf(tenant, labels)).toMatchObject(seriesHash(tenant, labels));
      }),
    );
  });

  test("is stored where it is not what the labels hash to", async () => {
    await fc.assert(
      fc.asyncProperty(blocks(0), fc.integer({ min: 0, max: 40 }), async (all, odd) => {
        const disk = makeSimDisk();
        const hash = (tenant: string, labels: ModelSeries["labels"]) => {
          const { lo, hi, check } = hashOf(tenant, labels);
          return labels === all[odd]?.labels ? { lo, hi, check: (check ^ 1) >>> 0 } : { lo, hi, check };
        };
        const meta = await writeModel(disk, "/b", all, {}, hash);
        if (meta === undefined) return;
        const block = await openBlock(disk, `/b/${meta.id}`, makeBlockCache(1 << 20));
        expect(block.hashes.table.items).toBe(odd < all.length ? all.length : 0);
        const words = new Uint32Array(3);
        all.forEach((s, id) => {
          blockSource(block).identity(id, words, 0);
          const { lo, hi, check } = hash(s.tenant, s.labels);
          expect([...words]).toEqual([lo, hi, check]);
        });
      }),
      { numRuns: 40 },
    );
  });
});
