import { expect, test } from "vitest";
import { watched } from "../../src/lib/work-at-hand.ts";
import { makeSampleBuffer } from "../../src/model/sample.ts";
import type { SeriesSource } from "../../src/model/series-source.ts";
import { closeBlock, openBlock } from "../../src/storage/block/block.ts";
import { blockSource } from "../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../src/storage/block/cache.ts";
import { createHead, defineSeries } from "../../src/storage/head/head.ts";
import { headSource } from "../../src/storage/head/head-source.ts";
import { makeSimDisk } from "../lib/sim-disk.ts";
import { writeModel } from "./block/model-block.ts";
import { appendRows, bitsOf, hashOf } from "./head/reference-head.ts";

/** One series of very many samples: reading it asks now and then whether to go on, and what was ended leaves nothing behind. */
const SAMPLES = 400_000;

function endsInTime(source: Pick<SeriesSource, "read">): void {
  const out = makeSampleBuffer(1);
  let asked = 0;
  watched(
    () => void asked++,
    () => source.read(0, 0, SAMPLES, out),
  );
  expect(out.length).toBe(SAMPLES);
  expect(asked).toBeGreaterThanOrEqual(2);
  const enough = new Error("enough");
  const end = () =>
    watched(
      () => {
        throw enough;
      },
      () => source.read(0, 0, SAMPLES, out),
    );
  expect(end).toThrow(enough);
  source.read(0, 0, SAMPLES, out);
  expect(out.length).toBe(SAMPLES);
  for (const i of [0, 1, SAMPLES >> 1, SAMPLES - 1]) expect(out.values[i]).toBe(i % 1000);
}

test("a long series of a block", async () => {
  const disk = makeSimDisk();
  const samples = Array.from({ length: SAMPLES }, (_, i) => {
    const { lo, hi } = bitsOf(i % 1000);
    return { t: i, v: [lo, hi] as const, start: 0 };
  });
  const meta = await writeModel(disk, "/b", [{ tenant: "default", labels: ["__name__", "load"], samples }]);
  const block = await openBlock(disk, `/b/${meta?.id}`, makeBlockCache(1 << 20));
  endsInTime(blockSource(block));
  await closeBlock(block);
});

test("a long series of the head", () => {
  const head = createHead({ outOfOrderWindowMs: 3_600_000 });
  const { lo, hi } = hashOf(0);
  defineSeries(head, lo, hi, "default", ["__name__", "load"]);
  for (let from = 0; from < SAMPLES; from += 10_000) {
    appendRows(
      head,
      Array.from({ length: 10_000 }, (_, i) => ({ hash: 0, t: from + i, ...bitsOf((from + i) % 1000) })),
    );
  }
  endsInTime(headSource(head));
});
