import { describe, expect, it } from "vitest";
import { openAcceptedAlerts } from "../../../src/actors/alert/accepted-alerts.ts";
import { makePostedDoor } from "../../../src/actors/alert/posted-door.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { memoryDisk, posted } from "./fixtures.ts";

const PATH = "/alerting/accepted-alerts.log";

describe("the log of posted alerts", () => {
  it("gives back what the snapshot does not hold, in order", async () => {
    const disk = memoryDisk();
    const log = await openAcceptedAlerts(disk, PATH, 0);
    await Promise.all(["a", "b", "c"].map((name, i) => log.keep([posted({ alertname: name })], 1000 + i)));
    expect(log.last()).toBe(3);
    const next = await openAcceptedAlerts(disk, PATH, 1);
    expect(next.restored.map(({ seq, at, alerts }) => [seq, at, alerts[0]?.labels])).toEqual([
      [2, 1001, labelsFromObject({ alertname: "b" })],
      [3, 1002, labelsFromObject({ alertname: "c" })],
    ]);
    // It numbers on, also when all of it is in the snapshot.
    const later = await openAcceptedAlerts(disk, PATH, 7);
    expect(later.restored).toEqual([]);
    await later.keep([posted({ alertname: "d" })], 1003);
    expect(later.last()).toBe(8);
  });

  it("rejects while the disk takes nothing, and keeps what was acknowledged before", async () => {
    const disk = memoryDisk();
    const log = await openAcceptedAlerts(disk, PATH, 0);
    await log.keep([posted({ alertname: "a" })], 1000);
    disk.fail = "ENOSPC";
    await expect(log.keep([posted({ alertname: "b" })], 1001)).rejects.toThrow("ENOSPC");
    disk.fail = undefined;
    await log.keep([posted({ alertname: "c" })], 1002);
    const next = await openAcceptedAlerts(disk, PATH, 0);
    const names = next.restored.map(({ alerts }) => alerts[0]?.labels[1]);
    expect(names).toContain("a");
    expect(names).toContain("c");
  });
});

describe("the door of posted alerts", () => {
  const door = () => makePostedDoor({ waitMs: 20, capacity: 2 });
  const some = (n: number) => Array.from({ length: n }, (_, i) => posted({ alertname: String(i) }));

  it("answers with what came of the batch, in the order of arrival", async () => {
    const d = makePostedDoor({ waitMs: 60_000, capacity: 10 });
    const first = d.come(some(1));
    const second = d.come(some(2));
    const batches = [d.next(), d.next()];
    expect(batches.map((b) => b?.alerts.length)).toEqual([1, 2]);
    batches[0]?.answer(Promise.resolve());
    batches[1]?.answer(Promise.reject(new Error("full")));
    expect(await first).toBeUndefined();
    expect(await second).toContain("full");
    const third = d.come(some(1));
    d.next()?.answer(Promise.resolve());
    expect(await third).toBeUndefined();
    expect(d.next()).toBeUndefined();
  });

  it("refuses what does not fit and says so when it takes too long; a batch larger than all is taken alone", async () => {
    const d = door();
    const large = d.come(some(5));
    expect(await d.come(some(1))).toContain("not taken");
    expect(await large).toContain("not on disk after 20 ms");
  });
});
