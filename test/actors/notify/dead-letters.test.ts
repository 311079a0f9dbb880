import { describe, expect, it } from "vitest";
import { openDeadLetters } from "../../../src/actors/notify/dead-letters.ts";
import type { Intent } from "../../../src/actors/notify/ledger.ts";
import { memoryDisk } from "../alert/fixtures.ts";

const PATH = "/dead-letters.log";
const intent = (key: string, groupKey = "g", firing: readonly string[] = ["f"]): Intent => ({
  id: `id of ${key}`,
  key,
  content: "c",
  groupKey,
  receiver: "r",
  integration: "webhook[0]",
  slot: "webhook[0]",
  time: 1,
  firing,
  resolved: [],
  keepMs: 1,
  patienceMs: 1,
  notification: { key, receiver: "r", groupKey, groupLabels: [], externalUrl: "", alerts: [], reason: "" },
});

describe("dead letters", () => {
  it("are kept over restarts, one for each key, until they arrived or were removed", async () => {
    const disk = memoryDisk();
    let letters = await openDeadLetters(disk, PATH);
    await letters.add(intent("a"), "no", 1);
    await letters.add(intent("b"), "no", 2);
    await letters.add(intent("c", "h"), "no", 3);
    await letters.add(intent("a"), "still no", 4);
    letters = await openDeadLetters(disk, PATH);
    expect(letters.list().map((l) => [l.intent.key, l.reason, l.since, l.last, l.failures])).toEqual([
      ["b", "no", 2, 2, 1],
      ["c", "no", 3, 3, 1],
      ["a", "still no", 1, 4, 2],
    ]);
    expect(letters.maybeTold("g", "r", "webhook[0]")).toEqual(["f", "f"]);
    await letters.arrived(intent("d"));
    letters = await openDeadLetters(disk, PATH);
    expect(letters.list().map((l) => l.intent.key)).toEqual(["c"]);
    expect(letters.maybeTold("g", "r", "webhook[0]")).toBeUndefined();
    await letters.remove(["c", "unknown"]);
    expect((await openDeadLetters(disk, PATH)).list()).toEqual([]);
  });

  it("are bounded: the oldest go and are counted", async () => {
    const disk = memoryDisk();
    let letters = await openDeadLetters(disk, PATH, 3);
    for (let i = 0; i < 10; i++) await letters.add(intent(`k${i}`, `g${i}`), "no", i);
    const keys = ["k7", "k8", "k9"];
    expect(letters.list().map((l) => l.intent.key)).toEqual(keys);
    expect(letters.stats()).toEqual({ waiting: 3, added: 10, dropped: 7 });
    letters = await openDeadLetters(disk, PATH, 3);
    expect(letters.list().map((l) => l.intent.key)).toEqual(keys);
  });

  it("are listed although the disk does not take them, and written with the next", async () => {
    const disk = memoryDisk();
    const letters = await openDeadLetters(disk, PATH);
    disk.fail = "ENOSPC";
    await expect(letters.add(intent("a"), "no", 1)).rejects.toThrow("ENOSPC");
    expect(letters.list().length).toBe(1);
    disk.fail = undefined;
    await letters.add(intent("b"), "no", 2);
    expect((await openDeadLetters(disk, PATH)).list().map((l) => l.intent.key)).toEqual(["a", "b"]);
  });
});
