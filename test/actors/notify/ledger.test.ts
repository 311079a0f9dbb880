import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../../src/actors/alert/group.core.ts";
import { type Intent, openLedger } from "../../../src/actors/notify/ledger.ts";
import { memoryDisk } from "../alert/fixtures.ts";

const PATH = "/notifications.log";
const intent = (id: string, groupKey: string, time: number, content = "c"): Intent => ({
  id,
  key: `key of ${id}`,
  content,
  groupKey,
  receiver: "r",
  integration: "webhook[0]",
  slot: "webhook[0]",
  time,
  firing: ["f"],
  resolved: [],
  keepMs: 1000,
  patienceMs: 1000,
  notification: {
    key: `key of ${id}`,
    receiver: "r",
    groupKey,
    groupLabels: [],
    externalUrl: "",
    alerts: [{ fingerprint: "f", labels: ["a", "b"], annotations: {}, startsAt: 1, endsAt: 0, generatorUrl: "" }],
    reason: "first notification",
  },
});
const entry = (groupKey: string, time: number): LogEntry => {
  const { firing, resolved, receiver, integration } = intent("", groupKey, time);
  return { groupKey, receiver, integration, time, firing, resolved, expiresAt: time + 1000 };
};
const ids = (ledger: { unfinished(): readonly Intent[] }) => ledger.unfinished().map((i) => i.id);

describe("notification ledger", () => {
  it("is read back to what was written, cut off at any byte", async () => {
    const disk = memoryDisk();
    const ledger = await openLedger(disk, PATH, 0);
    const ends: number[] = [];
    for (let i = 1; i <= 4; i++) {
      await ledger.intend(intent(`i${i}`, `g${i}`, i));
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
      for (const id of ids(again)) expect(length).toBeLessThan(ends[Number(id.slice(1)) - 1] as number);
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
    // That something fired is remembered for longer: its end has still to be told, and a repetition has another key.
    const { content } = intent("again", "g", 1);
    expect(ledger.unended("g", "r", "webhook[0]", 1500)?.time).toBe(99);
    expect(ledger.timesTold("g", "r", "webhook[0]", content, 1500)).toBe(100);
    const days = 5 * 86_400_000;
    ledger = await openLedger(disk, PATH, days + 1500);
    expect(ledger.unended("g", "r", "webhook[0]", days + 1500)).toBeUndefined();
    expect(ledger.unended("h", "r", "webhook[0]", days + 1500)?.time).toBe(2000);
    const kept = new TextDecoder().decode(disk.files.get(PATH)).trim().split("\n");
    expect(kept.filter((line) => line.includes('"told"')).length).toBe(1);
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

  it("keeps intents without a result over any number of restarts, with all that is needed to tell them again", async () => {
    const disk = memoryDisk();
    let ledger = await openLedger(disk, PATH, 0);
    await ledger.intend(intent("cut", "g", 1));
    await ledger.intend(intent("done", "h", 2));
    await ledger.record(entry("h", 3), intent("done", "h", 2));
    for (let life = 0; life < 3; life++) {
      ledger = await openLedger(disk, PATH, 4);
      expect(ledger.unfinished()).toEqual([intent("cut", "g", 1)]);
      expect(ledger.entryOf("h", "r", "webhook[0]", 4)?.time).toBe(3);
    }
    await ledger.recordFailure(intent("cut", "g", 1), "no", 5);
    expect(ids(await openLedger(disk, PATH, 6))).toEqual([]);
  });

  it("tells events that the bus does not have, in order, after restarts too, and each under one id", async () => {
    const disk = memoryDisk();
    let ledger = await openLedger(disk, PATH, 0);
    const heard: string[] = [];
    ledger.onEvent((e) => heard.push(`${e.seq} ${e.msgId}`));
    await ledger.intend(intent("a", "g", 1));
    ledger.attempted(intent("a", "g", 1), 1, "busy", 2);
    await ledger.record(entry("g", 3), intent("a", "g", 1));
    await ledger.intend(intent("b", "h", 4));
    expect(heard).toEqual([
      "1 notification-a-intent",
      "2 notification-a-attempt-1",
      "3 notification-a-result",
      "4 notification-b-intent",
    ]);
    ledger.published(2);
    await ledger.flush();
    for (let life = 0; life < 3; life++) {
      ledger = await openLedger(disk, PATH, 5);
      const again: string[] = [];
      ledger.onEvent((e) => again.push(`${e.seq} ${e.msgId}`));
      expect(again).toEqual(heard.slice(2));
    }
    ledger.published(4);
    await ledger.recordFailure(intent("b", "h", 4), "no", 6);
    ledger = await openLedger(disk, PATH, 7);
    const last: number[] = [];
    ledger.onEvent((e) => last.push(e.seq));
    expect(last).toEqual([5]);
    expect(ledger.stats()).toEqual({ unpublished: 1, dropped: 0 });
  });

  it("counts how often each content was told, and takes none that it forgot for new", async () => {
    const disk = memoryDisk();
    let ledger = await openLedger(disk, PATH, 0);
    const tell = (content: string) => ledger.record(entry("g", 1), intent("i", "g", 1, content));
    const times = (content: string) => ledger.timesTold("g", "r", "webhook[0]", content, 2);
    for (const content of ["x", "y", "x", "x"]) await tell(content);
    ledger = await openLedger(disk, PATH, 2);
    expect([times("x"), times("y"), times("z")]).toEqual([3, 1, 0]);
    for (let i = 0; i < 20; i++) await tell(`other ${i}`);
    ledger = await openLedger(disk, PATH, 2);
    expect(times("x")).toBeGreaterThanOrEqual(3);
    expect(times("other 19")).toBeGreaterThanOrEqual(1);
  });

  it("remembers the alerts that were told until they are saved elsewhere, or told to have ended", async () => {
    const disk = memoryDisk();
    let ledger = await openLedger(disk, PATH, 0);
    await ledger.intend(intent("a", "g", 10));
    await ledger.record(entry("g", 11), intent("a", "g", 10));
    ledger = await openLedger(disk, PATH, 12);
    expect([...ledger.recentAlerts()].map((r) => [r.alert.fingerprint, r.time])).toEqual([["f", 10]]);
    ledger.alertsSaved(10);
    expect([...ledger.recentAlerts()].length).toBe(1);
    ledger.alertsSaved(11);
    expect([...ledger.recentAlerts()]).toEqual([]);
    ledger = await openLedger(disk, PATH, 12);
    await ledger.record({ ...entry("g", 13), firing: [], resolved: ["f"] }, intent("b", "g", 13));
    ledger = await openLedger(disk, PATH, 14);
    expect([...ledger.recentAlerts()]).toEqual([]);
  });
});
