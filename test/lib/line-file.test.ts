import { expect, test } from "vitest";
import type { Disk } from "../../src/lib/disk.ts";
import { type LineFile, openLineFile } from "../../src/lib/line-file.ts";
import { makeSimDisk } from "./sim-disk.ts";

interface Opened {
  readonly file: LineFile;
  readonly lines: unknown[];
}

async function open(disk: Disk, compactBytes = 1 << 20): Promise<Opened> {
  const lines: unknown[] = [];
  const apply = (line: unknown): boolean => {
    lines.push(line);
    return typeof line === "object";
  };
  const live = () => lines as object[];
  return { file: await openLineFile({ disk, path: "/lines", apply, live, compactBytes, keepDamaged: true }), lines };
}

async function put(disk: Disk, text: string): Promise<void> {
  const file = await disk.open("/lines", "create");
  await file.write(new TextEncoder().encode(text), 0);
  await file.sync();
  await file.close();
}

interface Fillable extends Disk {
  isFull: boolean;
}

/** The disk, with every write and every new file refused while it is full; half of what was to be written may be there. */
function fillable(disk: Disk): Fillable {
  const full: Fillable = {
    ...disk,
    isFull: false,
    open: async (path, how) => {
      if (full.isFull && how === "create") throw new Error("ENOSPC");
      const file = await disk.open(path, how);
      return {
        ...file,
        write: async (bytes, at) => {
          if (!full.isFull) return file.write(bytes, at);
          await file.write(bytes.subarray(0, bytes.length >> 1), at);
          throw new Error("ENOSPC");
        },
      };
    },
  };
  return full;
}

test("what was appended is there after a crash, without the torn line", async () => {
  const disk = makeSimDisk();
  await put(disk, '{"n":1}\n{"n":2}\n{"n":');
  const { file, lines } = await open(disk);
  expect(lines).toEqual([{ n: 1 }, { n: 2 }]);
  expect(file.damagedLines).toBe(0);
  await file.append([{ n: 3 }, { n: 4 }]);
  expect((await open(disk.crash(() => 0))).lines).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
});

test("a damaged line is passed over and counted, and the file of before is kept beside", async () => {
  const disk = makeSimDisk();
  const text = '{"n":1}\n{"n\n7\n{"n":2}\n';
  await put(disk, text);
  const { file, lines } = await open(disk);
  expect(file.damagedLines).toBe(2);
  expect(lines.filter((line) => typeof line === "object")).toEqual([{ n: 1 }, { n: 2 }]);
  const kept = await disk.open("/lines.damaged", "read");
  const bytes = new Uint8Array(await kept.size());
  await kept.read(bytes, 0);
  expect(new TextDecoder().decode(bytes)).toBe(text);
});

test("on a disk that is full at the start it opens with what was there, and goes on once there is space", async () => {
  const plain = makeSimDisk();
  await put(plain, '{"n":1}\n{"n":2}\n{"n":');
  const full = fillable(plain);
  full.isFull = true;
  const { file, lines } = await open(full);
  expect(lines).toEqual([{ n: 1 }, { n: 2 }]);
  await expect(file.append([{ long: "a line that is torn when the disk is full" }])).rejects.toThrow("ENOSPC");
  full.isFull = false;
  await file.append([{ n: 3 }]);
  expect((await open(plain)).lines).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("what a refused append has left behind does not show after a shorter line", async () => {
  const plain = makeSimDisk();
  const full = fillable(plain);
  const { file } = await open(full);
  await file.append([{ n: 1 }]);
  full.isFull = true;
  await expect(file.append([{ lost: 1 }, { lost: 2 }, { lost: 3 }, { lost: 4 }])).rejects.toThrow("ENOSPC");
  full.isFull = false;
  await file.append([{ n: 2 }]);
  const again = await open(plain);
  expect(again.lines).toEqual([{ n: 1 }, { n: 2 }]);
  expect(again.file.damagedLines).toBe(0);
});

test("it is mostly past when it is long and four times what was live, and is then made anew", async () => {
  const disk = makeSimDisk();
  const { file } = await open(disk, 64);
  for (let n = 0; !file.isMostlyPast(); n++) await file.append([{ n }]);
  await file.rewrite([{ n: "the one that counts" }]);
  expect(file.isMostlyPast()).toBe(false);
  await file.append([{ n: "and one more" }]);
  expect((await open(disk)).lines).toEqual([{ n: "the one that counts" }, { n: "and one more" }]);
});

test("a rewrite that the disk refuses leaves the lines of before", async () => {
  const plain = makeSimDisk();
  const full = fillable(plain);
  const { file } = await open(full);
  await file.append([{ n: 1 }]);
  full.isFull = true;
  await expect(file.rewrite([])).rejects.toThrow("ENOSPC");
  full.isFull = false;
  await file.append([{ n: 2 }]);
  expect((await open(plain)).lines).toEqual([{ n: 1 }, { n: 2 }]);
});
