import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../../src/actors/alert/group.core.ts";
import { type Intent, openLedger } from "../../../src/actors/notify/ledger.ts";
import { memoryDisk } from "../alert/fixtures.ts";

const PATH = "/notifications.log";
const intent = (id: string, groupKey: string, time: number): Intent => ({
  id,
  groupKey,
  receiver: "r",
  integration: "webhook[0]",
  time,
  firing: ["f"],
  resolved: [],
});
const entry = (groupKey: string, time: number): LogEntry => {
  const { id: _, ...rest } = intent("", groupKey, time);
  return { ...rest, expiresAt: time + 1000 };
};

describe("notification ledger", () => {
  it("is read back to what was written, cut off at any byte", async () => {
    const disk = memoryDisk();
    const ledger = await openLedger(disk, PATH, 0);
    const ends: number[] = [];
    for (let i = 1; i <= 4; i++) {
      ledger.intend(intent(`i${i}`, `g${i}`, i));
      if (i === 3) await ledger.recordFailure(intent("i3", "g3", 3), "no", 3);
      else await ledger.record(entry(`g${i}`, i), intent(`i${i}`, `g${i}`, i));
      ends.push((disk.files.get(PATH) as Uint8Array).length);
    }
    const whole = disk.files.get(PATH) as Uint8Array;
    for (let length = 0; length <= whole.length; length++) {
      disk.files.set(PATH, whole.slice(0, length));
      const again = await openLedger(disk, PATH, 10);
      const there = [1, 2, 3, 4].filter((i) => again.entryOf(`g${i}`, "r", "webhook[0]", 10) !== undefined);
      // Everything that was acknowledged before the cut is there, and nothing that was not written.
      expect(there).toEqual([1, 2, 4].filter((i) => length >= (ends[i - 1] as number)));
      expect(again.damagedLines).toBe(0);
      // What was begun and has no result yet is known to be so.
      for (const open of again.unfinished) expect(length).toBeLessThan(ends[Number(open.id.slice(1)) - 1] as number);
    }
  });

  it("skips and counts damaged lines, forgets expired entries, and stays small", async () => {
    const disk = memoryDisk();
    let ledger = await openLedger(disk, PATH, 0);
    for (let i = 0; i < 100; i++) await ledger.record(entry("g", i), intent(`i${i}`, "g", i));
    await ledger.record(entry("h", 2000), intent("h", "h", 2000));
    const text = new TextDecoder().decode(disk.files.get(PATH)).split("\n");
    text[50] = "{damaged";
    disk.files.set(PATH, new TextEncoder().encode(text.join("\n")));
    ledger = await openLedger(disk, PATH, 1500);
    expect(ledger.damagedLines).toBe(1);
    expect(ledger.entryOf("g", "r", "webhook[0]", 1500)).toBeUndefined();
    expect(ledger.entryOf("h", "r", "webhook[0]", 1500)?.time).toBe(2000);
    expect(new TextDecoder().decode(disk.files.get(PATH)).trim().split("\n").length).toBe(1);
  });

  it("tells a failing disk, keeps what was told in memory, and recovers", async () => {
    const disk = memoryDisk();
    const ledger = await openLedger(disk, PATH, 0);
    disk.fail = "ENOSPC";
    await expect(ledger.record(entry("g", 1), intent("i", "g", 1))).rejects.toThrow("ENOSPC");
    expect(ledger.entryOf("g", "r", "webhook[0]", 2)).toBeDefined();
    disk.fail = undefined;
    await ledger.record(entry("h", 2), intent("j", "h", 2));
    const again = await openLedger(disk, PATH, 3);
    expect(again.entryOf("h", "r", "webhook[0]", 3)).toBeDefined();
    // What the disk refused then is written with the next.
    expect(again.entryOf("g", "r", "webhook[0]", 3)).toBeDefined();
  });

  it("shares writes between callers that come at once", async () => {
    const disk = memoryDisk();
    const ledger = await openLedger(disk, PATH, 0);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => ledger.record(entry(`g${i}`, i), intent(`i${i}`, `g${i}`, i))),
    );
    const again = await openLedger(disk, PATH, 1);
    for (let i = 0; i < 50; i++) expect(again.entryOf(`g${i}`, "r", "webhook[0]", 1)?.time).toBe(i);
  });
});
