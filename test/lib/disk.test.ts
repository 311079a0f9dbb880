import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Disk, DiskError, readWhole, realDisk, replaceFile } from "../../src/lib/disk.ts";
import { makeSimDisk, seededRandom } from "./sim-disk.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array | undefined): string | undefined => b && new TextDecoder().decode(b);

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "tocsin-disk-"));
});
afterAll(() => rm(dir, { recursive: true }));

/** What every disk does; the simulated one stands in for the real one in other tests, so it must do the same. */
describe.each<[string, () => { disk: Disk; root: string }]>([
  ["real disk", () => ({ disk: realDisk, root: dir })],
  ["simulated disk", () => ({ disk: makeSimDisk(), root: "/root" })],
])("%s", (_, make) => {
  test("files hold what is written where it is written", async () => {
    const { disk, root } = make();
    const home = join(root, "a", "b");
    await disk.makeDir(home);
    await disk.makeDir(home);
    const file = await disk.open(join(home, "f"), "create");
    await file.write(bytes("hello"), 0);
    await file.write(bytes("world"), 8);
    await file.sync();
    await disk.syncDir(home);
    expect(await file.size()).toBe(13);
    const all = new Uint8Array(20).fill(1);
    expect(await file.read(all, 0)).toBe(13);
    expect(text(all.subarray(0, 13))).toBe("hello\0\0\0world");
    expect(all[13]).toBe(1);
    expect(await file.read(all, 99)).toBe(0);
    await file.truncate(3);
    await file.close();
    const again = await disk.open(join(home, "f"), "write");
    await again.write(bytes("p"), 3);
    await again.close();
    expect(text(await readWhole(disk, join(home, "f")))).toBe("help");
    const emptied = await disk.open(join(home, "f"), "create");
    expect(await emptied.size()).toBe(0);
    await emptied.close();
    await disk.rename(join(home, "f"), join(home, "g"));
    const other = await disk.open(join(home, "e"), "create");
    await other.close();
    expect(await disk.list(home)).toEqual(["e", "g"]);
    await disk.remove(join(home, "g"));
    expect(await disk.list(home)).toEqual(["e"]);
  });

  test("failures say what, where and which errno", async () => {
    const { disk, root } = make();
    const path = join(root, "missing");
    for (const work of [() => disk.open(path, "read"), () => disk.remove(path), () => disk.rename(path, path)]) {
      const error = await work().then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(DiskError);
      expect(error).toMatchObject({ code: "ENOENT", path });
    }
    expect(await readWhole(disk, path)).toBeUndefined();
  });

  test("replaceFile leaves the new content and nothing else", async () => {
    const { disk, root } = make();
    const home = join(root, "replace");
    await disk.makeDir(home);
    for (const content of ["one", "second", ""]) {
      await replaceFile(disk, join(home, "state.json"), bytes(content));
      expect(text(await readWhole(disk, join(home, "state.json")))).toBe(content);
      expect(await disk.list(home)).toEqual(["state.json"]);
    }
  });
});

test("replaceFile: after a power cut at any moment there is the old or the new content, whole", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = makeSimDisk();
    await disk.makeDir("/d");
    await replaceFile(disk, "/d/state", bytes("old ".repeat(300)));
    let cut: Disk | undefined;
    let step = seed % 8;
    disk.before = async () => {
      if (step-- === 0) cut = disk.crash(seededRandom(seed));
    };
    await replaceFile(disk, "/d/state", bytes("new!".repeat(300)));
    const after = text(await readWhole(cut ?? disk.crash(seededRandom(seed)), "/d/state"));
    expect([`${"old ".repeat(300)}`, `${"new!".repeat(300)}`]).toContain(after);
    if (cut === undefined) expect(after).toBe("new!".repeat(300));
  }
});
