import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Decision, decide, type Found, snapshotIsDue } from "../../../src/storage/snapshot/decision.ts";
import { walClose, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { makeFaultyDisk } from "../faulty-disk.ts";
import { checkpoint, DIR, feed, openToy, seqsOf } from "./toy-shard.ts";

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Where the log begins: with the shard, at the older or the newest snapshot's position, behind it, or there is none. */
type Log = "start" | "older" | "newest" | "behind" | "none";
const logs: Log[] = ["start", "older", "newest", "behind", "none"];
const finds: Found[] = ["ok", "damaged", "absent"];

const nothing: Decision = { load: "nothing", loss: "nothing" };
const before: Decision = { load: "nothing", loss: "before" };
const newest: Decision = { load: "newest", loss: "nothing" };
const newestGap: Decision = { load: "newest", loss: "between" };
const older: Decision = { load: "older", loss: "nothing" };
const olderGap: Decision = { load: "older", loss: "between" };
const all = (d: Decision, rest: Partial<Record<Log, Decision>>): Record<Log, Decision> => ({
  ...{ start: d, older: d, newest: d, behind: d, none: d },
  ...rest,
});

/** Every combination; an older snapshot without a newest one is that newest one. */
const table: Record<Found, Record<Found, Record<Log, Decision>>> = {
  ok: {
    ok: all(newest, { behind: newestGap, none: newestGap }),
    damaged: all(newest, { behind: newestGap, none: newestGap }),
    absent: all(newest, { behind: newestGap, none: newestGap }),
  },
  damaged: {
    ok: all(older, { newest: olderGap, behind: olderGap, none: olderGap }),
    damaged: all(before, { start: nothing }),
    absent: all(before, { start: nothing }),
  },
  absent: {
    ok: all(older, { newest: olderGap, behind: olderGap, none: olderGap }),
    damaged: all(before, { start: nothing }),
    absent: all(before, { start: nothing }),
  },
};

const cases = finds.flatMap((n) => finds.flatMap((o) => logs.map((log) => ({ newest: n, older: o, log }))));

/** 1 to 10, checkpoint, 11 to 20, checkpoint, 21 to 30; the log is whole: no third checkpoint has shortened it. */
async function threeStretches(): Promise<SimDisk> {
  const disk = makeSimDisk();
  const shard = await openToy(disk, 1 << 20);
  walEpoch(shard.wal, "stream");
  for (const seq of range(1, 10)) feed(shard, seq);
  await checkpoint(shard).durable;
  const firstSegment = disk.file(segmentPath(1)).slice();
  for (const seq of range(11, 20)) feed(shard, seq);
  await checkpoint(shard).durable;
  for (const seq of range(21, 30)) feed(shard, seq);
  await walClose(shard.wal);
  disk.replace(segmentPath(1), firstSegment);
  return disk;
}

const snapshotPath = (n: number): string => join(DIR, "head", `0000000${n}.head`);
const segmentPath = (n: number): string => join(DIR, "wal", `0000000${n}.wal`);

describe("recovery of a shard", () => {
  test.each(cases)("newest $newest, older $older, log from $log", async (c) => {
    const expected = table[c.newest][c.older][c.log];
    const reaches = {
      start: c.log === "start",
      older: c.log === "start" || c.log === "older",
      newest: c.log === "start" || c.log === "older" || c.log === "newest",
    };
    expect(decide({ newest: c.newest, older: c.older, logReaches: reaches })).toEqual(expected);
    if (c.newest === "absent" && c.older !== "absent") return;

    const disk = await threeStretches();
    for (const [n, found] of [
      [2, c.newest],
      [1, c.older],
    ] as const) {
      if (found === "absent") await disk.remove(snapshotPath(n));
      if (found === "damaged") flip(disk, n);
    }
    const first = { start: 1, older: 2, newest: 3, behind: 4, none: 4 }[c.log];
    for (let n = 1; n < first; n++) await disk.remove(segmentPath(n));
    if (c.log === "behind") {
      // A segment after the last one, as if it had gone on; what was in between is lost.
      const other = await threeStretches();
      const shard = await openToy(other, 1 << 20);
      await checkpoint(shard).durable;
      for (const seq of range(31, 33)) feed(shard, seq);
      await walClose(shard.wal);
      disk.replace(segmentPath(4), other.file(segmentPath(4)));
    }
    await disk.makeDir(join(DIR, "wal"));
    for (const name of await disk.list(join(DIR, "head")))
      disk.replace(join(DIR, "head", `${name}.tmp`), new Uint8Array(9));

    const shard = await openToy(disk);
    const { recovered } = shard;
    expect(recovered.decision).toEqual(
      c.newest === "absent" && c.older === "absent" && c.log === "none" ? nothing : expected,
    );
    const loaded = expected.load === "newest" ? 20 : expected.load === "older" ? 10 : 0;
    const log = { start: range(1, 30), older: range(11, 30), newest: range(21, 30), behind: range(31, 33), none: [] }[
      c.log
    ];
    const there = [...range(1, loaded), ...log.filter((seq) => seq > loaded)];
    expect(seqsOf(shard.state)).toEqual(there);
    const lost = recovered.opened.damage.flatMap((d) => d.lost.flatMap(({ from, to }) => range(from, to)));
    // What is lost is known from what the log says of itself; without a log nobody knows.
    const known = c.log === "none" ? [] : range(1, log.at(-1) ?? 0).filter((seq) => !there.includes(seq));
    expect(lost).toEqual(known);
    expect(recovered.damaged.length).toBe(
      [c.newest, ...(c.newest === "ok" ? [] : [c.older])].filter((f) => f === "damaged").length,
    );
    for (const { quarantined, error } of recovered.damaged) {
      expect(error.kind).toBe("damaged");
      expect(disk.file(quarantined as string).length).toBeGreaterThan(0);
    }
    expect((await disk.list(join(DIR, "head"))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    // And it goes on.
    const next = (there.at(-1) ?? 0) + 10;
    feed(shard, next);
    await checkpoint(shard).durable;
    await walClose(shard.wal);
    const again = await openToy(disk);
    expect(seqsOf(again.state)).toEqual([...there, next]);
    expect(again.recovered.decision).toEqual(newest);
  });

  test("a snapshot of another version, or another layout, is not taken for damage", async () => {
    const disk = await threeStretches();
    const files = await disk.list(join(DIR, "head"));
    const content = disk.file(snapshotPath(2));
    content[4] = 9;
    const { crc32c } = await import("../../../src/lib/crc32c.ts");
    new DataView(content.buffer).setUint32(28, crc32c(content, 0, 28), true);
    await expect(openToy(disk)).rejects.toMatchObject({ kind: "version" });
    expect(await disk.list(join(DIR, "head"))).toEqual(files);
  });

  test("two generations are kept, with the log since the older one", async () => {
    const disk = makeSimDisk();
    const shard = await openToy(disk);
    for (let n = 1; n <= 5; n++) {
      for (let seq = n * 100; seq < n * 100 + 40; seq++) feed(shard, seq);
      const { position } = await checkpoint(shard).durable;
      const heads = await disk.list(join(DIR, "head"));
      expect(heads).toEqual(n === 1 ? ["00000001.head"] : [`0000000${n - 1}.head`, `0000000${n}.head`]);
      const firstSegment = Number((await disk.list(join(DIR, "wal")))[0]?.slice(0, 8));
      if (n === 1) expect(firstSegment).toBe(1);
      else expect(firstSegment).toBeLessThan(position.segment);
    }
    const before = seqsOf(shard.state);
    await walClose(shard.wal);
    flip(disk, 5);
    expect(seqsOf((await openToy(disk)).state)).toEqual(before);
  });

  test("a delete command is carried out once, in its place", async () => {
    const disk = makeSimDisk();
    const shard = await openToy(disk);
    feed(shard, 1);
    feed(shard, 0, "delete");
    await checkpoint(shard).durable;
    feed(shard, 2);
    feed(shard, 0, "delete");
    feed(shard, 3, "backlog");
    await walClose(shard.wal);
    const again = await openToy(disk);
    expect(again.state).toStrictEqual(shard.state);
    expect(again.state.deleted).toEqual(["1", "2"]);
  });

  test("when the next one is due", () => {
    const MB = 1 << 20;
    expect(snapshotIsDue(64 * MB, 0)).toBe(false);
    expect(snapshotIsDue(64 * MB + 1, 10)).toBe(true);
    expect(snapshotIsDue(900 * MB, 901 * MB)).toBe(false);
    expect(snapshotIsDue(902 * MB, 901 * MB)).toBe(true);
  });
});

function flip(disk: SimDisk, n: number): void {
  const content = disk.file(snapshotPath(n));
  content[60] = (content[60] as number) ^ 1;
}

describe("a disk that fails while a snapshot is taken", () => {
  const codes = ["ENOSPC", "EIO"] as const;
  const modes = codes.flatMap((code) => [true, false].map((lasting) => ({ code, lasting })));

  test.each(modes)(
    "$code at every operation (lasting: $lasting)",
    async ({ code, lasting }) => {
      for (let at = 0; ; at++) {
        const sim = makeSimDisk();
        const disk = makeFaultyDisk(sim);
        const shard = await openToy(disk);
        for (const seq of range(1, 20)) feed(shard, seq);
        await checkpoint(shard).durable;
        for (const seq of range(21, 40)) feed(shard, seq);
        await checkpoint(shard).durable;
        for (const seq of range(41, 60)) feed(shard, seq);
        await walSync(shard.wal);
        const begin = disk.operations;
        Object.assign(disk, { failAt: begin + at, lasting, code });
        const { released, durable } = checkpoint(shard);
        const outcome = await durable.then(
          () => "done",
          (error: unknown) => String(error),
        );
        await released;
        const over = disk.operations <= begin + at;
        disk.failAt = Number.POSITIVE_INFINITY;
        disk.lasting = false;
        expect(outcome === "done", outcome).toBe(over);
        // The log may have been stopped by an EIO; if not, it and the next snapshot work.
        if (shard.wal.failure === undefined) {
          feed(shard, 61);
          await checkpoint(shard).durable;
          expect((await sim.list(join(DIR, "head"))).length).toBe(2);
        }
        const expected = seqsOf(shard.state);
        // Whatever the kernel still has, and what a power cut leaves.
        const again = await openToy(sim.snapshot());
        expect(seqsOf(again.state)).toEqual(expected);
        expect(again.recovered.decision.loss).toBe("nothing");
        const cut = await openToy(sim.crash(() => 0.3));
        expect(seqsOf(cut.state)).toEqual(expected);
        if (over) break;
      }
    },
    60_000,
  );

  test("a failed one is not tried again at once", async () => {
    const sim = makeSimDisk();
    const shard = await openToy(sim, 1 << 20);
    feed(shard, 1);
    sim.failNext("open", "ENOSPC");
    await expect(checkpoint(shard).durable).rejects.toThrow(/ENOSPC/);
    expect(shard.checkpoints.isDue()).toBe(false);
    await checkpoint(shard).durable;
  });
});
