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
