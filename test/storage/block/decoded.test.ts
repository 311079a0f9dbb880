import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { closeBlock, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { cacheForget, makeBlockCache } from "../../../src/storage/block/cache.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { blocks, bufferOf, textsOf, writeModel } from "./model-block.ts";

const MAX_T = 7_199_999;

test("reading in any order and any span gives what was written, whatever of it is still in the cache", () =>
  fc.assert(
    fc.asyncProperty(
      blocks(MAX_T),
      fc.constantFrom(0, 2000, 20_000, 1 << 20),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: MAX_T }), fc.integer({ min: 0, max: MAX_T })), {
        minLength: 20,
        maxLength: 60,
      }),
      async (all, cacheBytes, reads) => {
        const disk = makeSimDisk();
        const meta = await writeModel(disk, "/b", all);
        if (meta === undefined) return;
        const cache = makeBlockCache(cacheBytes);
        const block = await openBlock(disk, `/b/${meta.id}`, cache);
        const source = blockSource(block);
        const out = makeSampleBuffer(1);
        for (const [n, a, b] of reads) {
          const id = n % all.length;
          const [minT, maxT] = [Math.min(a, b), Math.max(a, b)];
          source.read(id, minT, maxT, out);
          const want = (all[id]?.samples ?? []).filter((s) => s.t >= minT && s.t <= maxT);
          expect(textsOf(out)).toEqual(textsOf(bufferOf(want)));
          expect(cache.bytes).toBeLessThanOrEqual(cacheBytes);
        }
        await closeBlock(block);
        expect(cache.bytes).toBe(0);
      },
    ),
    { numRuns: 60 },
  ));

test("what was read once is not decoded again, and times that series share are kept once", async () => {
  const samples = Array.from({ length: 100 }, (_, i) => ({
    t: i * 15_000,
    v: [i, 0x3ff0_0000] as const,
    start: 0,
  }));
  const disk = makeSimDisk();
  const series = ["a", "b", "c"].map((job) => ({ tenant: "default", labels: ["job", job], samples }));
  const meta = await writeModel(disk, "/b", series);
  const cache = makeBlockCache(1 << 20);
  const block = await openBlock(disk, `/b/${meta?.id}`, cache);
  const source = blockSource(block);
  const out = makeSampleBuffer(1);
  const grown = [0, 1, 2].map((id) => {
    const before = cache.bytes;
    source.read(id, 0, MAX_T, out);
    return cache.bytes - before;
  });
  // The first brings parts of the index and the page along.
  expect(grown[1]).toBeLessThan(16 * 100);
  expect(grown[2]).toBe(grown[1]);
  cacheForget(cache, block.pages.slots);
  const before = cache.bytes;
  source.read(1, 30_000, 60_000, out);
  expect(textsOf(out)).toEqual(textsOf(bufferOf(samples.slice(2, 5))));
  expect(cache.bytes).toBe(before);
  await closeBlock(block);
});
