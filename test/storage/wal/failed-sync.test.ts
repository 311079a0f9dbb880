/**
 * After a failed fsync Linux shows pages that are not on disk and believes that they are: a process that starts again without a
 * reboot reads them, and must not count them as durable as they are.
 */
import { describe, expect, test } from "vitest";
import { openWal } from "../../../src/storage/wal/open.ts";
import { walAppend, walClose, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";

const DIR = "/shard/wal";
const payload = (seq: number): Uint8Array => new Uint8Array((seq * 37) % 900).fill(seq & 255);

async function open(disk: SimDisk, segmentBytes = 1 << 20) {
  const seen: number[] = [];
  const opened = await openWal(DIR, disk, {
    segmentBytes,
    replay: (seq, bytes) => {
      if (Buffer.compare(bytes, payload(seq)) !== 0) throw new Error(`record ${seq} is not what was written`);
      seen.push(seq);
    },
  });
  return { ...opened, seen };
}

async function seenAfterPowerCut(disk: SimDisk, random = seededRandom(1)): Promise<number[]> {
  const { seen, damage } = await open(disk.crash(random));
  expect(damage).toEqual([]);
  return seen;
}

describe("a failed fsync, then a start without a reboot", () => {
  test("what the start counts as on disk survives a power cut", async () => {
    const disk = makeSimDisk();
    const { wal } = await open(disk);
    walEpoch(wal, "stream");
    walAppend(wal, 1, payload(1));
    await walSync(wal);
    walAppend(wal, 2, payload(2));
    walAppend(wal, 3, payload(3));
    disk.failNext("sync", "EIO");
    await expect(walSync(wal)).rejects.toMatchObject({ kind: "failed" });
    // Without a start nobody was told that 2 and 3 are on disk, and they are not.
    expect(await seenAfterPowerCut(disk)).toEqual([1]);
    const second = await open(disk);
    expect(second.seen).toEqual([1, 2, 3]);
    expect(second.wal.synced.applied.last()).toBe(3);
    expect(await seenAfterPowerCut(disk)).toEqual([1, 2, 3]);
    // Nothing of that is undone by what comes behind it.
    walAppend(second.wal, 4, payload(4));
    await walClose(second.wal);
    expect(await seenAfterPowerCut(disk)).toEqual([1, 2, 3, 4]);
  });

  test("the first header, too", async () => {
    const disk = makeSimDisk();
    disk.failNext("sync", "EIO");
    await expect(open(disk)).rejects.toMatchObject({ kind: "failed" });
    const { wal } = await open(disk);
    walAppend(wal, 1, payload(1));
    await walClose(wal);
    expect(await seenAfterPowerCut(disk)).toEqual([1]);
  });

  test("behind damage, where the segment is kept as it is", async () => {
    const disk = makeSimDisk();
    const { wal } = await open(disk);
    walEpoch(wal, "stream");
    for (let seq = 1; seq <= 3; seq++) {
      walAppend(wal, seq, payload(seq));
      await walSync(wal);
    }
    walAppend(wal, 4, payload(4));
    disk.failNext("sync", "EIO");
    await expect(walSync(wal)).rejects.toMatchObject({ kind: "failed" });
    const content = disk.file(`${DIR}/00000001.wal`);
    // The payload of record 1, behind the header and the record of the epoch.
    content.fill(0xee, 32 + 40 + 32 + 4, 32 + 40 + 32 + 8);
    const before = content.slice();
    const second = await open(disk);
    expect(second.seen).toEqual([2, 3, 4]);
    expect(disk.file(`${DIR}/00000001.wal`)).toEqual(before);
    const { seen } = await open(disk.crash(seededRandom(1)));
    expect(seen.slice(-3)).toEqual([2, 3, 4]);
  });

  test("pages that went between two looks at them end the start", async () => {
    const disk = makeSimDisk();
    const { wal } = await open(disk);
    walAppend(wal, 1, payload(1));
    await walSync(wal);
    walAppend(wal, 2, payload(2));
    await walClose(wal);
    let reads = 0;
    disk.before = async (op) => {
      // Header and records are two reads; the third is that of what is written again.
      if (op === "read" && ++reads === 3) disk.file(`${DIR}/00000001.wal`).fill(0, 120);
    };
    await expect(open(disk)).rejects.toMatchObject({ code: "EIO" });
  });

  test.each(Array.from({ length: 150 }, (_, i) => i + 1))("at random, seed %i", async (seed) => {
    const random = seededRandom(seed);
    let disk = makeSimDisk();
    let known = 0;
    for (let life = 0; life < 8; life++) {
      if (random() < 0.15) disk.failNext("sync", "EIO");
      let opened: Awaited<ReturnType<typeof open>>;
      try {
        opened = await open(disk, 3000);
      } catch (error) {
        expect(error).toMatchObject({ message: expect.stringContaining("EIO") });
        if (random() < 0.3) disk = disk.crash(random);
        continue;
      }
      const { wal, seen, damage } = opened;
      expect(damage).toEqual([]);
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i + 1));
      expect(seen.length).toBeGreaterThanOrEqual(known);
      known = seen.length;
      walEpoch(wal, "stream");
      let next = known + 1;
      for (let commits = Math.floor(random() * 8); commits > 0 && wal.failure === undefined; commits--) {
        for (let n = Math.floor(random() * 5); n > 0; n--, next++) walAppend(wal, next, payload(next));
        if (random() < 0.2) disk.failNext("sync", "EIO");
        await walSync(wal).then(
          () => {
            known = next - 1;
          },
          () => undefined,
        );
      }
      // The process ends, or the machine.
      if (random() < 0.5) disk = disk.crash(random);
    }
  });
});
