import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { closeBlock, openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { iterateBlock } from "../../../src/storage/block/iterate.ts";
import { verifyBlock } from "../../../src/storage/block/verify.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { blocks, bufferOf, hashOf, textsOf, writeModel } from "./model-block.ts";

const MAX_T = 7_199_999;

describe("a block of raw samples", () => {
  test("gives back what was written, whatever span of time is asked for", async () => {
    await fc.assert(
      fc.asyncProperty(
        blocks(MAX_T),
        fc.constantFrom("fast" as const, "small" as const),
        fc.constantFrom(100, 1000, 15_000),
        fc.constantFrom(1, 7, 4096),
        fc.integer({ min: 0, max: MAX_T }),
        fc.integer({ min: 0, max: MAX_T }),
        async (all, effort, intervalMs, smallBlock, i, j) => {
          const disk = makeSimDisk();
          const meta = await writeModel(disk, "/b", all, { effort, intervalMs, smallBlock });
          if (meta === undefined) {
            expect(all).toEqual([]);
            expect(await disk.list("/b")).toEqual([]);
            return;
          }
          expect(await verifyBlock(disk, `/b/${meta.id}`)).toEqual([]);
          const cache = makeBlockCache(1 << 20);
          const block = await openBlock(disk, `/b/${meta.id}`, cache);
          expect(block.meta).toEqual(meta);
          const source = blockSource(block);
          expect(source.tenants()).toEqual([...new Set(all.map((s) => s.tenant))].sort());
          const out = makeSampleBuffer(1);
          const spans = [
            [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
            [Math.min(i, j), Math.max(i, j)],
            [i, i],
          ] as const;
          const identity = new Uint32Array(4);
          all.forEach((s, id) => {
            expect(source.labels(id)).toEqual(s.labels);
            source.identity(id, identity, 1);
            const { lo, hi, check } = hashOf(s.tenant, s.labels);
            expect([...identity]).toEqual([0, lo, hi, check]);
            for (const [minT, maxT] of spans) {
              source.read(id, minT, maxT, out);
              expect(textsOf(out)).toEqual(textsOf(bufferOf(s.samples.filter((x) => x.t >= minT && x.t <= maxT))));
            }
          });
          let n = 0;
          for (const series of iterateBlock(block)) {
            series.readSamples(out);
            expect({ tenant: series.tenant, labels: series.labels, samples: textsOf(out) }).toEqual({
              tenant: all[n]?.tenant,
              labels: all[n]?.labels,
              samples: textsOf(bufferOf(all[n]?.samples ?? [])),
            });
            n++;
          }
          expect(n).toBe(all.length);
          await closeBlock(block);
          expect(cache.bytes).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
