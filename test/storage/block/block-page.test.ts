import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { openBlock } from "../../../src/storage/block/block.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { iterateBlock } from "../../../src/storage/block/iterate.ts";
import { encodeTombstones } from "../../../src/storage/block/tombstones.ts";
import { verifyBlock } from "../../../src/storage/block/verify.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";
import { type ModelSeries, writeModel } from "./model-block.ts";

const page = readFileSync(new URL("../../../docs/format/block.md", import.meta.url), "utf8");

/** The bytes of the page's hex blocks, whose lines are offset, up to 16 bytes, remark. */
const [data, tombstones] = [...page.matchAll(/```hex\n([\s\S]*?)```/g)].map(([, text]) => {
  const lines = (text ?? "").trimEnd().split("\n");
  return Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      const bytes = line.slice(6, 53).trim().split(" ");
      return bytes.map((b) => Number.parseInt(b, 16));
    }),
  );
}) as [Uint8Array, Uint8Array];
const meta = /```json\n([\s\S]*?\n)```/.exec(page)?.[1] ?? "";
const id = (JSON.parse(meta) as { id: string }).id;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const bits = (value: number): readonly [number, number] => {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return [words[0] as number, words[1] as number];
};
const series: ModelSeries[] = [
  ["a", 1],
  ["b", 0],
  ["c", 2.5],
].map(([host, value]) => ({
  tenant: "default",
  labels: ["__name__", "up", "host", host as string],
  samples: [1000, 16_000].map((t) => ({ t, v: bits(value as number), start: 0 })),
}));

describe("docs/format/block.md", () => {
  const files = new Map([
    [`/b/${id}/data`, data],
    [`/b/${id}/meta.json`, new TextEncoder().encode(meta)],
  ]);

  test("the example is read as the page says", async () => {
    const disk = makeSimDisk(files);
    expect(await verifyBlock(disk, `/b/${id}`)).toEqual([]);
    const out = makeSampleBuffer(1);
    const found = [...iterateBlock(await openBlock(disk, `/b/${id}`, makeBlockCache(1 << 20)))].map((s) => {
      s.readSamples(out);
      return [s.tenant, ...s.labels, ...out.ts.subarray(0, out.length), ...out.values.subarray(0, out.length)];
    });
    expect(found).toEqual([
      ["default", "__name__", "up", "host", "a", 1000, 16_000, 1, 1],
      ["default", "__name__", "up", "host", "b", 1000, 16_000, 0, 0],
      ["default", "__name__", "up", "host", "c", 1000, 16_000, 2.5, 2.5],
    ]);
  });

  test("the example is what is written", async () => {
    const disk = makeSimDisk();
    await writeModel(disk, "/b", series, { id, smallBlock: 1 });
    expect(hex(disk.file(`/b/${id}/data`))).toBe(hex(data));
    expect(new TextDecoder().decode(disk.file(`/b/${id}/meta.json`))).toBe(meta);
  });

  test("so are the tombstones, both ways", async () => {
    const matchers = [{ name: "host", op: "=~" as const, value: "a|b" }];
    const list = [{ tenant: "default", matchers, minT: Number.NEGATIVE_INFINITY, maxT: 5000 }];
    expect(hex(encodeTombstones(list))).toBe(hex(tombstones));
    const disk = makeSimDisk(new Map([...files, [`/b/${id}/tombstones`, tombstones]]));
    const block = await openBlock(disk, `/b/${id}`, makeBlockCache(1 << 20));
    expect(block.tombstones.list).toEqual(list);
    const out = makeSampleBuffer(1);
    const counts = [...iterateBlock(block)].map((s) => {
      s.readSamples(out);
      return out.length;
    });
    expect(counts).toEqual([1, 1, 2]);
  });
});
