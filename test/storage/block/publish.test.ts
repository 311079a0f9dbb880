import { describe, expect, test } from "vitest";
import { DiskError } from "../../../src/lib/disk.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { openBlock } from "../../../src/storage/block/block.ts";
import { blockSource } from "../../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../../src/storage/block/cache.ts";
import { listBlocks } from "../../../src/storage/block/list-blocks.ts";
import { verifyBlock } from "../../../src/storage/block/verify.ts";
import { makeBlockWriter } from "../../../src/storage/block/writer.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { baseOptions, bufferOf, hashOf, type ModelSeries, writeModel } from "./model-block.ts";

const series: ModelSeries[] = Array.from({ length: 30 }, (_, i) => ({
  tenant: "default",
  labels: ["__name__", `m${String(i).padStart(2, "0")}`, "host", `h${i % 4}`],
  samples: Array.from({ length: 200 }, (_, k) => ({ t: k * 15_000, v: [i * 7919 + k * k, 0] as const, start: 0 })),
}));

/** Runs `work` on disks that are cut off before the first, second, ... operation, until it gets through. */
async function cutEverywhere(
  work: (disk: SimDisk) => Promise<unknown>,
  check: (after: SimDisk, done: boolean) => Promise<void>,
) {
  for (let steps = 0; ; steps++) {
    const disk = makeSimDisk(new Map([["/t/keep", new Uint8Array(1)]]));
    let left = steps;
    let cut = false;
    disk.before = async () => {
      if (left-- > 0) return;
      cut = true;
      throw new Error("power cut");
    };
    await work(disk).catch(() => undefined);
    for (let seed = 0; seed < 6; seed++) await check(disk.crash(seededRandom(1000 * steps + seed)), !cut);
    if (!cut) return steps;
  }
}

describe("publishing a block", () => {
  test("a power cut at any step leaves the block whole or not at all", async () => {
    let whole = 0;
    const steps = await cutEverywhere(
      (disk) => writeModel(disk, "/t", series),
      async (after, done) => {
        const { blocks, others } = await listBlocks(after, "/t");
        expect(others).toEqual(["keep"]);
        for (const id of blocks) expect(await verifyBlock(after, `/t/${id}`)).toEqual([]);
        if (done) expect(blocks.length).toBe(1);
        whole += blocks.length;
      },
    );
    expect(steps).toBeGreaterThan(8);
    expect(whole).toBeGreaterThan(6);
  });

  test("a failing write, sync or rename leaves nothing, and the disk's error is told", async () => {
    for (const [op, code] of [
      ["write", "ENOSPC"],
      ["sync", "EIO"],
      ["open", "EMFILE"],
    ] as const) {
      const disk = makeSimDisk();
      await disk.makeDir("/t");
      disk.partial = 100;
      disk.failNext(op, code);
      await expect(writeModel(disk, "/t", series)).rejects.toThrow(DiskError);
      expect(await listBlocks(disk, "/t")).toMatchObject({ blocks: [] });
    }
  });

  test("nothing is left when it is given up, or has no series", async () => {
    const disk = makeSimDisk();
    const writer = await makeBlockWriter(disk, "/t", baseOptions);
    const [first] = series as [ModelSeries];
    await writer.addRaw("default", first.labels, hashOf("default", first.labels), bufferOf(first.samples));
    expect(await listBlocks(disk, "/t")).toEqual({ blocks: [], leftovers: [`tmp-${writer.id}`], others: [] });
    await writer.abort();
    await writer.abort();
    expect(await writeModel(disk, "/t", [])).toBeUndefined();
    expect(await disk.list("/t")).toEqual([]);
  });

  test("series out of order or twice, and samples outside of the range, are errors of the program", async () => {
    const writer = await makeBlockWriter(makeSimDisk(), "/t", baseOptions);
    const add = (tenant: string, name: string, t: number) =>
      writer.addRaw(tenant, ["a", name], hashOf(tenant, ["a", name]), bufferOf([{ t, v: [0, 0], start: 0 }]));
    await add("m", "b", 0);
    expect(() => add("m", "a", 0)).toThrow("comes after");
    expect(() => add("m", "b", 0)).toThrow("comes after");
    expect(() => add("l", "z", 0)).toThrow("comes after");
    expect(() => add("m", "c", 7_200_000)).toThrow("in a block of");
    expect(() => add("m", "d", -1)).toThrow("in a block of");
  });
});

describe("damage in a small block", () => {
  const some = series.slice(0, 5).map((s) => ({ ...s, samples: s.samples.slice(0, 20) }));
  const read = async (disk: SimDisk, dir: string): Promise<string[]> => {
    const block = await openBlock(disk, dir, makeBlockCache(1 << 20));
    const source = blockSource(block);
    const out = makeSampleBuffer(1);
    const rows: string[] = [];
    for (const id of source.select("default", [{ name: "host", op: "=~", value: "h.*" }], 0, 7_200_000)) {
      source.read(id, 0, 7_200_000, out);
      rows.push(`${source.labels(id)} ${out.ts.subarray(0, out.length)} ${out.words.subarray(0, 2 * out.length)}`);
    }
    return rows;
  };

  test.each([1, 4096])(
    "every flipped byte is noticed, and nothing wrong is served (small up to %i)",
    async (smallBlock) => {
      const disk = makeSimDisk();
      const meta = await writeModel(disk, "/t", some, { smallBlock });
      const dir = `/t/${meta?.id}`;
      const expected = await read(disk, dir);
      expect(expected.length).toBe(5);
      for (const file of ["data", "meta.json"]) {
        const { length } = disk.file(`${dir}/${file}`);
        for (let at = 0; at < length; at++) {
          const damaged = disk.snapshot();
          const bytes = damaged.file(`${dir}/${file}`);
          bytes[at] = (bytes[at] as number) ^ (1 << (at & 7));
          const problems = await verifyBlock(damaged, dir);
          expect(problems.length, `${file} ${at}`).toBeGreaterThan(0);
          const rows = await read(damaged, dir).catch((error: Error) => {
            expect(error.name).toBe("BlockError");
            return expected;
          });
          expect(rows).toEqual(expected);
        }
      }
    },
  );

  test("every shorter file is noticed, and a missing one", async () => {
    const disk = makeSimDisk();
    const meta = await writeModel(disk, "/t", some);
    const dir = `/t/${meta?.id}`;
    for (const file of ["data", "meta.json"]) {
      const content = disk.file(`${dir}/${file}`);
      for (let length = 0; length < content.length; length += 1 + (length >> 2)) {
        const damaged = disk.snapshot();
        damaged.replace(`${dir}/${file}`, content.slice(0, length));
        expect((await verifyBlock(damaged, dir)).length).toBeGreaterThan(0);
      }
      const damaged = disk.snapshot();
      await damaged.remove(`${dir}/${file}`);
      expect(await verifyBlock(damaged, dir)).toMatchObject([
        { file: `${dir}/${file}`, problem: "the file is missing" },
      ]);
    }
  });

  test("a page that cannot be read fails its series only, and as long as it cannot", async () => {
    const disk = makeSimDisk();
    const many = series.map((s) => ({ ...s, samples: s.samples.map((x, k) => ({ ...x, t: k * 100 })) }));
    const meta = await writeModel(disk, "/t", many, { intervalMs: 1 });
    const dir = `/t/${meta?.id}`;
    const block = await openBlock(disk, dir, makeBlockCache(1 << 20));
    const source = blockSource(block);
    const bytes = disk.file(`${dir}/data`);
    const at = (block.pages.table.starts[0] as number) + 3;
    bytes[at] = (bytes[at] as number) ^ 255;
    const out = makeSampleBuffer(1);
    for (let i = 0; i < 2; i++) {
      expect(() => source.read(0, 0, 10, out)).toThrow(
        expect.objectContaining({ name: "BlockError", block: meta?.id, file: `${dir}/data`, offset: at - 3 }) as Error,
      );
      expect(out.length).toBe(0);
    }
    bytes[at] = (bytes[at] as number) ^ 255;
    source.read(0, 0, 10, out);
    expect(out.length).toBe(1);
    const uncached = blockSource(await openBlock(disk, dir, makeBlockCache(0)));
    disk.failNext("read", "EIO");
    expect(() => uncached.read(1, 0, 7_200_000, out)).toThrow(
      expect.objectContaining({
        name: "BlockError",
        cause: expect.objectContaining({ code: "EIO" }) as Error,
      }) as Error,
    );
    uncached.read(1, 0, 7_200_000, out);
    expect(out.length).toBe(200);
  });
});
