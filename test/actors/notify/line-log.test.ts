import { expect, test } from "vitest";
import { openLineLog } from "../../../src/actors/notify/line-log.ts";
import type { Disk, DiskFile } from "../../../src/lib/disk.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

/** The disk with syncs that end when the test says so, once it has said to hold them. */
function heldSyncs(disk: Disk): { disk: Disk; readonly waiting: (() => void)[]; hold(): void } {
  const waiting: (() => void)[] = [];
  let isHeld = false;
  const held = (file: DiskFile): DiskFile => ({
    ...file,
    sync: async () => {
      if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
      await file.sync();
    },
  });
  return {
    disk: { ...disk, open: async (path, how) => held(await disk.open(path, how)) },
    waiting,
    hold: () => {
      isHeld = true;
    },
  };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("each of three callers hears that its line is on disk once it is", async () => {
  const plain = makeSimDisk();
  const { disk, waiting, hold } = heldSyncs(plain);
  const { log } = await openLineLog({ disk, path: "/log", apply: () => true, live: () => [] });
  hold();
  const done: number[] = [];
  const told = [1, 2, 3].map((n) => {
    log.push({ n });
    return log.sync().then(() => void done.push(n));
  });
  await turns();
  expect(waiting).toHaveLength(1);
  waiting.shift()?.();
  await turns();
  // The second write has the lines of the two others.
  expect(waiting).toHaveLength(1);
  expect(done).toEqual([1]);
  waiting.shift()?.();
  await Promise.all(told);
  expect(done).toEqual([1, 2, 3]);
  const lines: unknown[] = [];
  const apply = (line: unknown): boolean => lines.push(line) > 0;
  await openLineLog({ disk: plain, path: "/log", apply, live: () => [] });
  expect(lines).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("a caller waits for two writes at most, though others come with each", async () => {
  const { disk, waiting, hold } = heldSyncs(makeSimDisk());
  const { log } = await openLineLog({ disk, path: "/log", apply: () => true, live: () => [] });
  hold();
  const done: number[] = [];
  const come = (n: number) => {
    log.push({ n });
    return log.sync().then(() => void done.push(n));
  };
  // While the first is written three more come, and then one with each write.
  const told = [0, 1, 2, 3].map(come);
  await turns();
  for (let n = 4; n < 8; n++) {
    told.push(come(n));
    waiting.shift()?.();
    await turns();
    if (n === 4) expect(done).toEqual([0]);
    if (n === 5) expect(done).toEqual(expect.arrayContaining([0, 1, 2, 3]));
  }
  for (let i = 0; i < 8; i++) {
    waiting.shift()?.();
    await turns();
  }
  await Promise.all(told);
});

test("a disk that takes nothing at the start: the file of before goes on, without what a crash tore", async () => {
  const disk = makeSimDisk();
  const first = await disk.open("/log", "create");
  await first.write(new TextEncoder().encode('{"n":1}\n{"n":2}\n{"n":'), 0);
  await first.sync();
  await first.close();
  let isFull = true;
  const full: Disk = {
    ...disk,
    open: async (path, how) => {
      if (isFull && how === "create") throw new Error("ENOSPC");
      const file = await disk.open(path, how);
      return {
        ...file,
        write: async (from, at) => {
          if (isFull) throw new Error("ENOSPC");
          await file.write(from, at);
        },
      };
    },
  };
  const read: unknown[] = [];
  const apply = (line: unknown): boolean => read.push(line) > 0;
  const { log } = await openLineLog({ disk: full, path: "/log", apply, live: () => read as object[] });
  expect(read).toEqual([{ n: 1 }, { n: 2 }]);
  log.push({ n: 3 });
  await expect(log.sync()).rejects.toThrow("ENOSPC");
  isFull = false;
  await log.sync();
  const again: unknown[] = [];
  await openLineLog({ disk, path: "/log", apply: (line) => again.push(line) > 0, live: () => [] });
  expect(again).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});
