import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataDirError, openDataDir } from "../../src/cli/data-dir.ts";
import { readLayout, writeLayout } from "../../src/cli/data-layout.ts";
import { inspectStorage, repairStorage, verifyStorage } from "../../src/cli/storage.ts";
import { realDisk } from "../../src/lib/disk.ts";
import { makeSimDisk } from "../lib/sim-disk.ts";
import { said } from "./said.ts";

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tocsin-layout-"));
  file = join(root, "tocsin.json");
});
afterEach(() => rmSync(root, { recursive: true }));

/** What the start says, undefined when it goes on; then with how many partitions. */
const start = async (): Promise<string | number> => {
  try {
    const dir = await openDataDir(root, 2);
    await dir.release();
    return dir.partitions;
  } catch (error) {
    if (!(error instanceof DataDirError)) throw error;
    return error.message;
  }
};
const edit = (from: string, to: string) => writeFileSync(file, readFileSync(file, "utf8").replace(from, to));
const shards = (numbers: readonly number[]) => {
  rmSync(join(root, "shards"), { recursive: true, force: true });
  for (const n of numbers) mkdirSync(join(root, "shards", String(n), "blocks"), { recursive: true });
};

describe("the number of partitions in tocsin.json", () => {
  it("that was edited is refused, with what it says, what is there and what to do", async () => {
    expect(await start()).toBe(2);
    for (const other of ["1", "3"]) {
      edit('"partitions": 2', `"partitions": ${other}`);
      const why = (await start()) as string;
      expect(why).toContain(`${file} says ${other} partitions, but its checksum does not match`);
      expect(why).toContain(`There are 2 shards (0, 1) in ${join(root, "shards")}`);
      expect(why).toContain('put {"format":1,"partitions":2} into it');
      edit(`"partitions": ${other}`, '"partitions": 2');
      expect(await start()).toBe(2);
    }
  });

  it("without a checksum is taken when the folders agree, and gets one", async () => {
    shards([0, 1, 2]);
    writeFileSync(file, '{"format":1,"partitions":3}');
    expect(await start()).toBe(3);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ partitions: 3, checksum: expect.any(String) });
    expect(await start()).toBe(3);
    expect(readdirSync(join(root, "shards/1"))).toEqual(["blocks"]);
  });

  it.each([
    [1, [0, 1], "says 1 partitions, but there are 2 shards (0, 1) in"],
    [3, [0, 1], "says 3 partitions, but there are 2 shards (0, 1) in"],
    [2, [1], "says 2 partitions, but there is 1 shard (1) in"],
    [2, [0, 2], "says 2 partitions, but there are 2 shards (0, 2) in"],
  ])("of %d, without a checksum, is refused over the folders %j", async (partitions, there, why) => {
    shards(there);
    const text = `{"format":1,"partitions":${partitions}}`;
    writeFileSync(file, text);
    expect(await start()).toContain(why);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(readdirSync(join(root, "shards"))).toEqual(there.map(String));
  });

  it("is refused when a shard's folder is gone, until there is one", async () => {
    expect(await start()).toBe(2);
    rmSync(join(root, "shards/1"), { recursive: true });
    expect(await start()).toContain("put back the missing folders (1)");
    rmSync(join(root, "shards"), { recursive: true });
    expect(await start()).toContain("There are no shards".toLowerCase());
    for (const n of [0, 1]) mkdirSync(join(root, `shards/${n}`), { recursive: true });
    expect(await start()).toBe(2);
  });

  it("of an earlier version is taken over an empty folder, and where nothing can be written", async () => {
    writeFileSync(file, '{"format":1,"partitions":4}');
    expect(await start()).toBe(4);
    expect(readdirSync(join(root, "shards")).sort()).toEqual(["0", "1", "2", "3"]);
  });

  it("is there or the data dir is as new, whenever the process ends while it is made", async () => {
    let operations = 0;
    for (let cut = 0; ; cut++) {
      const disk = makeSimDisk();
      let seen = 0;
      disk.before = () => (seen++ === cut ? Promise.reject(new Error("cut")) : Promise.resolve());
      const whole = await disk
        .makeDir("/d")
        .then(() => writeLayout(disk, "/d", 3))
        .then(
          () => true,
          () => false,
        );
      disk.before = () => Promise.resolve();

      const layout = await readLayout(disk, "/d");
      expect(layout.kind, `after ${cut} operations: ${JSON.stringify(layout)}`).not.toBe("bad");
      if (layout.kind === "good") expect(layout.partitions).toBe(3);
      else
        await writeLayout(disk, "/d", 5).then(async () =>
          expect(await readLayout(disk, "/d")).toMatchObject({ partitions: 5 }),
        );
      operations = cut;
      if (whole) break;
    }
    expect(operations).toBeGreaterThan(5);
  });

  it("is looked at by storage verify, inspect and repair", async () => {
    expect(await start()).toBe(2);
    expect(await said(() => verifyStorage(root))).toMatchObject({
      code: 0,
      text: expect.stringContaining("are whole"),
    });
    edit('"partitions": 2', '"partitions": 1');
    const problem = expect.stringContaining(`${file} says 1 partitions, but its checksum does not match`);
    expect(await said(() => verifyStorage(root))).toMatchObject({ code: 1, text: problem });
    expect(await said(() => inspectStorage(root, {}))).toMatchObject({ text: problem });
    expect(await said(() => repairStorage(root))).toMatchObject({ code: 1, text: problem });
    rmSync(file);
    expect(await said(() => verifyStorage(root))).toMatchObject({ code: 1, text: `${file} is missing\n1 problems` });
  });

  it("is nothing that the repair of one shard's folder makes", async () => {
    const held = await openDataDir(root, 2);
    const shard = held.shard(0);
    for (const tier of ["raw", "1m", "1h"]) await realDisk.makeDir(join(shard, "blocks", tier));
    expect(await said(() => repairStorage(shard))).toMatchObject({ code: 1, text: expect.stringContaining("another") });
    await held.release();
    expect(await said(() => repairStorage(shard))).toMatchObject({ code: 0 });
    expect(readdirSync(shard)).toEqual(["blocks"]);
  });
});
