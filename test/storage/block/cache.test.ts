import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { closeBlock, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { type CacheSlots, cacheForget, cachePut, makeBlockCache } from "../../../src/storage/block/cache.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { bufferOf, type ModelSeries, textsOf, writeModel } from "./model-block.ts";

describe("the cache of blocks", () => {
  test("stays within its bound and keeps what is used", () => {
    const cache = makeBlockCache(1000);
    const owners: CacheSlots[] = [[], [], []];
    const random = seededRandom(7);
    cachePut(cache, owners[0] as CacheSlots, 99, "hot", 50);
    for (let i = 0; i < 5000; i++) {
      const owner = owners[Math.floor(random() * 3)] as CacheSlots;
      const index = Math.floor(random() * 50);
      if (owner[index] === undefined) cachePut(cache, owner, index, i, 1 + Math.floor(random() * 300));
      const hot = owners[0]?.[99];
      expect(hot?.value).toBe("hot");
      if (hot !== undefined) hot.used = true;
      const held = owners.flat().filter((e) => e !== undefined);
      expect(cache.bytes).toBe(held.reduce((sum, e) => sum + e.bytes, 0));
      expect(cache.bytes).toBeLessThanOrEqual(1000);
      expect(cache.ring.length).toBe(held.length);
    }
    for (const owner of owners) cacheForget(cache, owner);
    expect(cache).toMatchObject({ bytes: 0, ring: [] });
  });

  test("reads of a few minutes take one page of a day", async () => {
    const all: ModelSeries[] = Array.from({ length: 40 }, (_, i) => ({
      tenant: "default",
      labels: ["a", `${10 + i}`],
      samples: Array.from({ length: 5760 }, (_, k) => ({ t: k * 15_000, v: [k * i, k & 7] as const, start: 0 })),
    }));
    const disk = makeSimDisk();
    const meta = await writeModel(disk, "/b", all, { rangeEnd: 86_400_000 });
    const cache = makeBlockCache(64 << 20);
    const block = await openBlock(disk, `/b/${meta?.id}`, cache);
    expect(block.pages.table.items).toBeGreaterThan(2);
    const source = blockSource(block);
    const out = makeSampleBuffer(1);
    const [minT, maxT] = [50_000_000, 50_600_000];
    source.read(17, minT, maxT, out);
    // A part of the chunks' table and a page.
    expect(cache.misses).toBe(2);
    const expected = (all[17] as ModelSeries).samples.filter((s) => s.t >= minT && s.t <= maxT);
    expect(textsOf(out)).toEqual(textsOf(bufferOf(expected)));
    source.read(18, minT, maxT, out);
    expect(cache.misses).toBe(2);
    await closeBlock(block);
    expect(cache.bytes).toBe(0);
  });

  test("a block is read through a cache that holds nothing", async () => {
    const all: ModelSeries[] = Array.from({ length: 300 }, (_, i) => ({
      tenant: "default",
      labels: ["a", `${1000 + i}`],
      samples: [{ t: i, v: [i, 0] as const, start: 0 }],
    }));
    const disk = makeSimDisk();
    const meta = await writeModel(disk, "/b", all, { smallBlock: 1 });
    const cache = makeBlockCache(0);
    const source = blockSource(await openBlock(disk, `/b/${meta?.id}`, cache));
    const out = makeSampleBuffer(1);
    for (const id of source.select("default", [{ name: "a", op: "=~", value: "12.*" }], 0, 300)) {
      source.read(id, 0, 300, out);
      expect([...out.ts.subarray(0, out.length)]).toEqual([id]);
      expect(source.labels(id)).toEqual(["a", `${1000 + id}`]);
    }
    expect(cache.bytes).toBe(0);
  });
});
