/**
 * Damage at the end of a shard's log: it looks like a write that a crash cut short, and must not be taken for one where anything
 * tells them apart. And deletions that lay in a destroyed part, of which no sequence tells.
 */
import { describe, expect, test } from "vitest";
import { storageStats } from "../../src/actors/shard/storage-stats.ts";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { walEpoch, walSkip } from "../../src/storage/wal/wal.ts";
import { frameOf, testSeries } from "../actors/shard/frames.ts";
import { makeSimDisk, type SimDisk } from "../lib/sim-disk.ts";
import { DIR, type Lab, MINUTE, openLab, T0 } from "./lab.ts";
import { errors, metricsOf } from "./told.ts";

const SEGMENT = `${DIR}/wal/00000001.wal`;
const series = testSeries(["__name__", "m"]);
const now = () => T0 + 60 * MINUTE;
const all = { tenant: DEFAULT_TENANT, sets: [[]], minT: T0, maxT: T0 + MINUTE };

/** Commits of one message each, at T0 and every minute on; resolves to where the last one starts. */
async function filled(disk: SimDisk, messages: number): Promise<{ lab: Lab; last: number }> {
  const lab = await openLab({ disk, now });
  walEpoch(lab.keeper.wal, "stream");
  let last = 0;
  for (let n = 1; n <= messages; n++) {
    await lab.sync();
    last = lab.keeper.wal.offset;
    lab.take(n, frameOf([series], [[series, T0 + n * MINUTE, n]]));
  }
  await lab.sync();
  return { lab, last };
}

/** Where a person or a machine would hear of it: a line of the log, the metric, the status, a query's warnings. */
async function heard(lab: Lab, what: RegExp, minT: number, maxT: number): Promise<void> {
  expect(errors(lab)).toMatch(what);
  expect((await metricsOf(lab)).tocsin_storage_damages).toBeGreaterThan(0);
  expect(storageStats(lab.keeper).lost.join("\n")).toMatch(what);
  expect(lab.warnings(minT, maxT).join("\n")).toMatch(what);
}

describe("the last commit is damaged", () => {
  test("after a stop: the log says itself that it was on disk", async () => {
    const disk = makeSimDisk();
    const { lab, last } = await filled(disk, 5);
    await lab.close();
    disk.file(SEGMENT).fill(0xee, last + 40, last + 44);
    const again = await openLab({ disk, now });
    expect(again.lines.join("\n")).not.toContain("cut off");
    await heard(again, /message 5 is missing/, T0 + 5 * MINUTE, T0 + 5 * MINUTE);
    expect(again.keeper.wal.synced.applied.contiguousEnd()).toBe(4);
  });

  test("without a stop: the stream has it still and it is read again, and nothing is said of damage", async () => {
    const disk = makeSimDisk();
    const { last } = await filled(disk, 5);
    disk.file(SEGMENT).fill(0xee, last + 40, last + 44);
    const again = await openLab({ disk, now });
    expect(again.lines.join("\n")).toMatch(/warn .*cut off the last \d+ bytes .* an unfinished write/);
    expect(again.keeper.wal.synced.applied.contiguousEnd()).toBe(4);
    expect(storageStats(again.keeper)).toMatchObject({ damages: 0, lost: [] });
    expect(again.warnings()).toEqual([]);
  });

  test("without a stop, and the stream has forgotten it: so it was on disk, and is named as lost", async () => {
    const disk = makeSimDisk();
    const { last } = await filled(disk, 5);
    disk.file(SEGMENT).fill(0xee, last + 40, last + 44);
    const again = await openLab({ disk, now });
    again.keeper.noteGone({ from: 5, to: 5 });
    await heard(
      again,
      /the end of the write-ahead log was damaged.* messages 5 to 5/,
      T0 + 5 * MINUTE,
      T0 + 5 * MINUTE,
    );
    expect(again.warnings(T0 - 600 * MINUTE, T0 - 599 * MINUTE)).toEqual([]);
  });

  test("messages that expire while all of the log is there are no damage of it", async () => {
    const disk = makeSimDisk();
    await filled(disk, 5);
    const again = await openLab({ disk, now });
    again.keeper.noteGone({ from: 6, to: 9 });
    expect(storageStats(again.keeper).damages).toBe(0);
    // Nor are those far behind what could have lain in the bytes that were cut off.
    const torn = new Uint8Array(disk.file(SEGMENT).length + 20).fill(7);
    torn.set(disk.file(SEGMENT));
    disk.replace(SEGMENT, torn);
    const cut = await openLab({ disk, now });
    cut.keeper.noteGone({ from: 700, to: 900 });
    expect(storageStats(cut.keeper).damages).toBe(0);
  });
});

test("what the stream cannot give again stays named when the log goes on and the shard starts anew", async () => {
  const disk = makeSimDisk();
  const { lab, last } = await filled(disk, 5);
  lab.take(6, frameOf([series], [[series, T0 + 6 * MINUTE, 6]]));
  await lab.sync();
  disk.file(SEGMENT).fill(0xee, last + 40, last + 44);
  const again = await openLab({ disk, now });
  expect(again.warnings(T0 + 5 * MINUTE, T0 + 5 * MINUTE).join("\n")).toContain("message 5 is missing");
  // As the actor does it.
  walSkip(again.keeper.wal, 5, 5);
  again.keeper.noteGone({ from: 5, to: 5 });
  again.take(7, frameOf([series], [[series, T0 + 7 * MINUTE, 7]]));
  await again.sync();
  await again.close();
  const third = await openLab({ disk, now });
  await heard(third, /message 5 is missing/, T0 + 5 * MINUTE, T0 + 5 * MINUTE);
  expect(third.warnings(T0 + 7 * MINUTE, T0 + 7 * MINUTE)).toEqual([]);
});

describe("a deletion in a destroyed part of the log", () => {
  test("as the last commit, of a process that was killed: named", async () => {
    const disk = makeSimDisk();
    const { lab } = await filled(disk, 3);
    const at = lab.keeper.wal.offset;
    await lab.keeper.delete(all);
    disk.file(SEGMENT).fill(0xee, at + 40, at + 44);
    const again = await openLab({ disk, now });
    await heard(again, /no message is missing; deletions of series may have been there/, T0, T0 + MINUTE);
  });

  test("between others: named, and the sample that is back is warned of", async () => {
    const disk = makeSimDisk();
    const { lab } = await filled(disk, 3);
    const at = lab.keeper.wal.offset;
    await lab.keeper.delete(all);
    lab.take(4, frameOf([series], [[series, T0 + 4 * MINUTE, 4]]));
    await lab.sync();
    const [before] = lab.contents().values();
    expect([...(before?.keys() ?? [])]).toEqual([2, 3, 4].map((n) => T0 + n * MINUTE));
    disk.file(SEGMENT).fill(0, at, at + 64);
    const again = await openLab({ disk, now });
    const [after] = again.contents().values();
    expect([...(after?.keys() ?? [])]).toEqual([1, 2, 3, 4].map((n) => T0 + n * MINUTE));
    await heard(again, /deletions of series may have been there, and are undone then/, T0, T0 + MINUTE);
  });

  test("where only a frame lay, nothing is said of deletions", async () => {
    const disk = makeSimDisk();
    const { lab, last } = await filled(disk, 5);
    await lab.close();
    disk.file(SEGMENT).fill(0xee, last + 40, last + 44);
    const again = await openLab({ disk, now });
    expect(again.lines.join("\n")).toContain("message 5 is missing");
    expect(again.lines.join("\n")).not.toContain("deletions");
  });
});
