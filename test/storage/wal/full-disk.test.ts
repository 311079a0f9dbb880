import { describe, expect, test } from "vitest";
import { type Disk, DiskError, type DiskFile } from "../../../src/lib/disk.ts";
import { openWal } from "../../../src/storage/wal/open.ts";
import { walAppend, walCheckpoint, walClose, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { isWantOfSpace } from "../../../src/storage/wal/wal-error.ts";
import { makeSimDisk, seededRandom } from "../../lib/sim-disk.ts";

const DIR = "/shard/wal";
const NAME = (n: number) => `${DIR}/${String(n).padStart(8, "0")}.wal`;
const payload = (seq: number) => new Uint8Array(600).fill(seq);

/** A disk that takes no write while `full` is set. */
function fillable(disk: Disk) {
  const state = { full: false };
  const refuse = (path: string) => new DiskError("write", path, "ENOSPC", "no space left on device");
  const wrapped: Disk = {
    ...disk,
    open: async (path, mode): Promise<DiskFile> => {
      const file = await disk.open(path, mode);
      const write: DiskFile["write"] = (from, at) => (state.full ? Promise.reject(refuse(path)) : file.write(from, at));
      return { ...file, write };
    },
  };
  return { disk: wrapped, state };
}

async function open(disk: Disk) {
  const replayed: number[] = [];
  const opened = await openWal(DIR, disk, { replay: (seq) => void replayed.push(seq) });
  return { ...opened, replayed };
}

async function log(disk: Disk): Promise<void> {
  const { wal } = await open(disk);
  walEpoch(wal, "stream");
  for (const seq of [1, 2]) walAppend(wal, seq, payload(seq));
  await walSync(wal);
  await walCheckpoint(wal);
  for (const seq of [3, 4]) walAppend(wal, seq, payload(seq));
  await walSync(wal);
  await walClose(wal);
}

const SEGMENT = NAME(2);
const shapes: [string, number[], (disk: ReturnType<typeof makeSimDisk>) => Promise<void>][] = [
  ["a whole log", [1, 2, 3, 4], async () => undefined],
  ["a log whose last write was cut short", [1, 2, 3], async (disk) => cut(disk, 600)],
  ["a log whose next segment was being made", [1, 2], async (disk) => disk.replace(SEGMENT, new Uint8Array())],
  ["a log that is empty", [], async (disk) => disk.removeDir(DIR)],
];

/** Without the mark that a clean stop leaves, and without the end of the last commit but one. */
function cut(disk: ReturnType<typeof makeSimDisk>, bytes: number): void {
  const content = disk.file(SEGMENT);
  disk.replace(SEGMENT, content.slice(0, content.length - bytes));
}

describe("a log that is opened on a full disk", () => {
  test.each(shapes)("is read, and takes records when there is space: %s", async (_, there, shape) => {
    const sim = makeSimDisk();
    await log(sim);
    await shape(sim);
    const { disk, state } = fillable(sim);
    state.full = true;
    const { wal, replayed } = await open(disk);
    expect(replayed).toEqual(there);
    // Nothing that was read counts as stored anew before it could be written.
    const waits = await walSync(wal).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(isWantOfSpace(waits)).toBe(true);
    if (there.length === 0) walEpoch(wal, "stream");
    walAppend(wal, 9, payload(9));
    expect(
      isWantOfSpace(
        await walSync(wal).then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    ).toBe(true);
    state.full = false;
    await walSync(wal);
    const crashed = sim.crash(seededRandom(7));
    expect((await open(crashed)).replayed).toEqual([...there, 9]);
    await walCheckpoint(wal);
    await walClose(wal);
    const again = await open(sim.snapshot());
    expect(again.replayed).toEqual([...there, 9]);
    expect(again.damage).toEqual([]);
  });

  test("is as it was when it is closed while the disk is full", async () => {
    const sim = makeSimDisk();
    await log(sim);
    sim.replace(SEGMENT, new Uint8Array());
    const { disk, state } = fillable(sim);
    state.full = true;
    const { wal } = await open(disk);
    await walClose(wal).catch((error: unknown) => expect(isWantOfSpace(error)).toBe(true));
    const again = await open(sim);
    expect(again.replayed).toEqual([1, 2]);
    expect(again.damage).toEqual([]);
  });
});
