import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { realDisk } from "../../../src/lib/disk.ts";
import { WAL_FSYNC_BUCKETS } from "../../../src/model/shard.ts";
import type { RecordKind } from "../../../src/storage/wal/format.ts";
import { type OpenOptions, openWal } from "../../../src/storage/wal/open.ts";
import {
  type Wal,
  walAppend,
  walBytesSince,
  walCheckpoint,
  walClose,
  walEpoch,
  walRemoveSegments,
  walSkip,
  walSync,
} from "../../../src/storage/wal/wal.ts";
import { WalError } from "../../../src/storage/wal/wal-error.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../../lib/sim-disk.ts";
import { often } from "../../support/often.ts";

const DIR = "/shard/wal";

/** Payloads of awkward lengths whose content depends on the sequence. */
function payloadOf(seq: number): Uint8Array {
  const length = [0, 1, 7, 8, 9, 100, 600, 1500][seq % 8] as number;
  return Uint8Array.from({ length }, (_, i) => (seq * 31 + i * 7) & 255);
}

async function reopen(disk: SimDisk, options: Partial<OpenOptions> = {}) {
  const seen: number[] = [];
  const epochs: string[] = [];
  const opened = await openWal(DIR, disk, {
    replay: (seq, payload) => {
      if (payload.byteOffset % 8 !== 0) throw new Error("the payload is not aligned");
      if (Buffer.compare(payload, payloadOf(seq)) !== 0) throw new Error(`payload of ${seq}`);
      seen.push(seq);
    },
    onEpoch: (epoch) => epochs.push(epoch),
    ...options,
  });
  return { ...opened, seen, epochs };
}

function append(wal: Wal, from: number, to: number): void {
  for (let seq = from; seq <= to; seq++) walAppend(wal, seq, payloadOf(seq));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function rejection(promise: Promise<unknown>): Promise<WalError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(WalError);
  return error as WalError;
}

describe("write-ahead log", () => {
  test("gives back what was synced, in order, with epoch and last sequence", async () => {
    const disk = makeSimDisk();
    const first = await reopen(disk);
    expect(first).toMatchObject({ lastSeq: 0, epoch: undefined, replayed: 0, truncated: undefined });
    walEpoch(first.wal, "2026-01-02T03:04:05.678Z");
    append(first.wal, 1, 20);
    await walSync(first.wal);
    append(first.wal, 25, 30);
    await walClose(first.wal);
    const second = await reopen(disk);
    expect(second).toMatchObject({
      lastSeq: 30,
      epoch: "2026-01-02T03:04:05.678Z",
      replayed: 26,
      truncated: undefined,
    });
    expect(second.seen).toEqual([...range(1, 20), ...range(25, 30)]);
    expect(second.epochs).toEqual(["2026-01-02T03:04:05.678Z"]);
    append(second.wal, 31, 33);
    await walClose(second.wal);
    expect((await reopen(disk)).seen).toEqual([...range(1, 20), ...range(25, 33)]);
  });

  test("starts sequences again with another stream", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    walEpoch(wal, "old");
    append(wal, 1, 5);
    walEpoch(wal, "old");
    append(wal, 6, 6);
    walEpoch(wal, "new");
    append(wal, 1, 3);
    await walClose(wal);
    const again = await reopen(disk);
    expect(again.seen).toEqual([...range(1, 6), ...range(1, 3)]);
    expect(again.epochs).toEqual(["old", "new"]);
    expect(again).toMatchObject({ lastSeq: 3, epoch: "new" });
  });

  test("takes sequences in any order, each once, and gives back their kinds", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk, { segmentBytes: 300 });
    walEpoch(wal, "stream", 3);
    const written: [number, RecordKind][] = [
      ...([9, 10, 11] as const).map((seq): [number, RecordKind] => [seq, "frame"]),
      ...([4, 5] as const).map((seq): [number, RecordKind] => [seq, "backlog"]),
      [12, "delete"],
      [0, "delete"],
      [13, "frame"],
      [0, "delete"],
    ];
    for (const [seq, kind] of written) {
      walAppend(wal, seq, payloadOf(seq), kind);
      await walSync(wal);
    }
    for (const seq of [5, 3, 10]) expect(() => walAppend(wal, seq, payloadOf(seq))).toThrow(RangeError);
    walSkip(wal, 6, 7);
    await walSync(wal);
    expect(wal.segments.length).toBeGreaterThan(1);
    await walClose(wal);
    const kinds: [number, RecordKind][] = [];
    const again = await openWal(DIR, disk, { replay: (seq, _, kind) => kinds.push([seq, kind]) });
    expect(kinds).toEqual(written);
    expect(again.applied.gaps(20)).toEqual([
      { from: 8, to: 8 },
      { from: 14, to: 20 },
    ]);
    expect(again.damage).toEqual([]);
  });

  test("a checkpoint: replay from there gives what came after it, older segments can go", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    const start = await walCheckpoint(wal);
    expect(start.segment).toBe(1);
    walEpoch(wal, "stream");
    append(wal, 5, 9);
    const position = await walCheckpoint(wal);
    expect(position.segment).toBe(2);
    // Nothing came since: no new segment is needed.
    expect((await walCheckpoint(wal)).segment).toBe(2);
    append(wal, 1, 2);
    append(wal, 10, 12);
    walAppend(wal, 0, payloadOf(0), "delete");
    await walSync(wal);
    expect(walBytesSince(wal, 2)).toBe(wal.offset);
    expect(walBytesSince(wal, 1)).toBe(wal.stats.bytes);
    await walRemoveSegments(wal, position.segment);
    await walClose(wal);
    const again = await reopen(disk, { from: position });
    expect(again.seen).toEqual([1, 2, 10, 11, 12, 0]);
    expect(again.epochs).toEqual([]);
    expect(again).toMatchObject({ epoch: "stream", damage: [], skipped: 0 });
    expect(again.applied.gaps(13)).toEqual([
      { from: 3, to: 4 },
      { from: 13, to: 13 },
    ]);
    // Without the position it is known what was there before.
    await walClose(again.wal);
    const bare = await reopen(disk);
    expect(bare.damage).toMatchObject([{ problem: "segment 1 is missing", lost: [{ from: 5, to: 9 }] }]);
  });

  test("a checkpoint that cannot make its segment: nothing more goes to the old one", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    append(wal, 1, 3);
    disk.failNext("open", "ENOSPC");
    expect((await rejection(walCheckpoint(wal))).kind).toBe("no_space");
    append(wal, 4, 4);
    await walSync(wal);
    expect(wal.number).toBe(2);
    await walClose(wal);
    expect((await reopen(disk)).seen).toEqual([1, 2, 3, 4]);
  });

  test("a segment that was only begun is made anew", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    walEpoch(wal, "stream");
    append(wal, 1, 3);
    await walCheckpoint(wal);
    await walClose(wal);
    const path = join(DIR, "00000002.wal");
    const whole = disk.file(path).slice();
    for (let length = 0; length < whole.length; length++) {
      const cut = disk.snapshot();
      cut.replace(path, whole.slice(0, length));
      const again = await reopen(cut);
      expect(again).toMatchObject({ seen: [1, 2, 3], damage: [], epoch: "stream" });
      expect(Buffer.compare(cut.file(path), whole)).toBe(0);
      await walClose(again.wal);
    }
  });

  test("callers that wait together share one commit", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    const before = disk.counts.sync;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    disk.before = (op) => (op === "sync" ? held : Promise.resolve());
    append(wal, 1, 1);
    const done: string[] = [];
    const waiting = [walSync(wal).then(() => done.push("first"))];
    // With nothing new, the commit under way is the one to wait for.
    waiting.push(walSync(wal).then(() => done.push("same")));
    append(wal, 2, 2);
    waiting.push(walSync(wal).then(() => done.push("second")));
    append(wal, 3, 9);
    waiting.push(walSync(wal).then(() => done.push("third")));
    expect(wal.pending.length).toBeGreaterThan(0);
    expect(done).toEqual([]);
    release();
    await Promise.all(waiting);
    expect(done).toEqual(["first", "same", "second", "third"]);
    expect(disk.counts.sync - before).toBe(2);
    expect(wal.synced.applied.last()).toBe(9);
    await walSync(wal);
    expect(disk.counts.sync - before).toBe(2);
  });

  test("counts its fsyncs by latency", async () => {
    let clock = 0;
    const { wal } = await reopen(makeSimDisk(), { now: () => clock++ * 0.002 });
    const { fsyncCount, fsyncSeconds } = wal.stats;
    append(wal, 1, 1);
    await walSync(wal);
    expect(wal.stats.fsyncCount).toBe(fsyncCount + 1);
    expect(wal.stats.fsyncSeconds).toBeCloseTo(fsyncSeconds + 0.002);
    const bound = WAL_FSYNC_BUCKETS.indexOf(0.0025);
    expect(wal.stats.fsyncBuckets[bound]).toBe(wal.stats.fsyncCount);
    expect(wal.stats.fsyncBuckets[bound - 1]).toBe(0);
  });

  test("goes on in new segments; old ones can be removed, the epoch stays known", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk, { segmentBytes: 4096 });
    walEpoch(wal, "stream");
    for (let seq = 1; seq <= 40; seq++) {
      append(wal, seq, seq);
      await walSync(wal);
    }
    expect(wal.segments.length).toBeGreaterThan(3);
    const names = await disk.list(DIR);
    expect(names).toEqual(range(1, wal.number).map((n) => `${String(n).padStart(8, "0")}.wal`));
    const total = names.reduce((n, name) => n + disk.file(join(DIR, name)).length, 0);
    expect(wal.stats.bytes).toBe(total);
    await walRemoveSegments(wal, 3);
    await walClose(wal);
    const again = await reopen(disk, { segmentBytes: 4096 });
    const removed = 40 - again.seen.length;
    expect(removed).toBeGreaterThan(2);
    expect(again.seen).toEqual(range(removed + 1, 40));
    expect(again.damage).toMatchObject([{ epoch: "stream", exact: true, lost: [{ from: 1, to: removed }] }]);
    expect(again).toMatchObject({ epoch: "stream", lastSeq: 40 });
    expect(again.wal.stats.bytes).toBe(wal.stats.bytes);
    expect(again.wal.segments).toEqual(wal.segments);
    // All but the open segment can go, and the last sequence is still known.
    await walRemoveSegments(again.wal, Number.POSITIVE_INFINITY);
    await walClose(again.wal);
    expect((await reopen(disk)).lastSeq).toBe(40);
  });

  test("cut at any byte: what was whole is there, and writing goes on", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    walEpoch(wal, "e");
    const ends: { seq: number; offset: number }[] = [];
    for (let seq = 1; seq <= 9; seq++) {
      append(wal, seq, seq);
      await walSync(wal);
      ends.push({ seq, offset: wal.offset });
    }
    const path = join(DIR, "00000001.wal");
    const whole = disk.file(path).slice();
    for (let length = 0; length <= whole.length; length += often(3, 1)) {
      const cut = makeSimDisk(new Map([[path, whole.slice(0, length)]]));
      const opened = await reopen(cut);
      const kept = ends.filter((e) => e.offset <= length).map((e) => e.seq);
      expect(opened.seen).toEqual(kept);
      const clean = [0, 32, 72, ...ends.map((e) => e.offset)].includes(length);
      expect(opened.truncated === undefined).toBe(clean);
      append(opened.wal, 100, 101);
      await walClose(opened.wal);
      expect((await reopen(cut)).seen).toEqual([...kept, 100, 101]);
    }
  }, 30_000);

  test("one damaged byte anywhere: the rest is there and the loss is named, or in the last commit a cut", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    append(wal, 1, 4);
    await walSync(wal);
    const lastCommit = wal.offset;
    append(wal, 5, 8);
    await walSync(wal);
    const path = join(DIR, "00000001.wal");
    const whole = disk.file(path).slice();
    for (let at = 0; at < whole.length; at += often(3, 1)) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] as number) ^ 0x10;
      const damaged = makeSimDisk(new Map([[path, bytes]]));
      const seen: number[] = [];
      const opened = await openWal(DIR, damaged, { replay: (seq) => seen.push(seq), quarantine: "/shard/quarantine" });
      const [damage] = opened.damage;
      if (damage !== undefined) {
        expect(at).toBeLessThan(lastCommit);
        expect(damage.segment).toBe(path);
        expect(damage.offset).toBeLessThanOrEqual(at);
        expect(damage.offset + damage.bytes).toBeGreaterThan(at);
        const missing = range(1, 8).filter((seq) => !seen.includes(seq));
        expect(missing.length).toBe(at < 32 ? 0 : 1);
        expect(damage.lost).toEqual(missing.map((seq) => ({ from: seq, to: seq })));
        expect(Buffer.compare(damaged.file(path), bytes)).toBe(0);
        expect(Buffer.compare(damaged.file(damage.quarantined as string), bytes)).toBe(0);
      } else {
        // Padding is not covered; everything else of a synced commit is.
        expect(seen).toEqual(range(1, seen.length));
        if (seen.length < 8) expect(at).toBeGreaterThanOrEqual(lastCommit);
      }
      // Writing goes on, and the next start has all of it.
      append(opened.wal, 20, 21);
      await walClose(opened.wal);
      const again = await reopen(damaged);
      expect(again.seen).toEqual([...seen, 20, 21]);
    }
  }, 30_000);

  test("a full disk: callers hear of it, nothing is lost once there is space again", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk);
    append(wal, 1, 3);
    await walSync(wal);
    disk.partial = 100;
    disk.failNext("write", "ENOSPC");
    append(wal, 4, 6);
    const failed = walSync(wal);
    append(wal, 7, 7);
    const error = await rejection(failed);
    expect(error).toMatchObject({ kind: "no_space", segment: join(DIR, "00000001.wal") });
    expect(wal.synced.applied.last()).toBe(3);
    disk.failNext("write", "EDQUOT");
    expect((await rejection(walSync(wal))).kind).toBe("no_space");
    append(wal, 8, 8);
    await walSync(wal);
    expect(wal.synced.applied.last()).toBe(8);
    await walClose(wal);
    const again = await reopen(disk);
    expect(again.seen).toEqual(range(1, 8));
    expect(again.truncated).toBeUndefined();
  });

  test("a full disk while a segment is made", async () => {
    const disk = makeSimDisk();
    const { wal } = await reopen(disk, { segmentBytes: 2048 });
    for (const op of ["open", "write", "open"] as const) {
      for (let seq = wal.state.applied.last() + 1; wal.offset < 2048 - 700; seq++) {
        append(wal, seq, seq);
        await walSync(wal);
      }
      const number = wal.number;
      disk.failNext(op, "ENOSPC");
      const next = wal.state.applied.last() + 1;
      append(wal, next, next + 7);
      expect((await rejection(walSync(wal))).kind).toBe("no_space");
      await walSync(wal);
      expect(wal.number).toBe(number + 1);
    }
    const last = wal.state.applied.last();
    await walClose(wal);
    expect((await reopen(disk)).seen).toEqual(range(1, last));
  });

  test.each(["EIO on sync", "EIO on write"] as const)(
    "%s: nothing is taken any more, and the next start is right",
    async (fault) => {
      const disk = makeSimDisk();
      const { wal } = await reopen(disk);
      append(wal, 1, 3);
      await walSync(wal);
      disk.failNext(fault === "EIO on sync" ? "sync" : "write", "EIO");
      append(wal, 4, 6);
      const [a, b] = [walSync(wal), walSync(wal)];
      expect((await rejection(a)).kind).toBe("failed");
      expect((await rejection(b)).kind).toBe("failed");
      expect((await rejection(walSync(wal))).kind).toBe("failed");
      expect(() => append(wal, 7, 7)).toThrow(WalError);
      await walClose(wal);
      const again = await reopen(disk.crash(seededRandom(1)));
      expect(again.seen.slice(0, 3)).toEqual(range(1, 3));
      expect(again.seen).toEqual(range(1, again.seen.length));
    },
  );

  test("closed is closed", async () => {
    const { wal } = await reopen(makeSimDisk());
    await walClose(wal);
    expect(() => append(wal, 1, 1)).toThrow(WalError);
    expect((await rejection(walSync(wal))).kind).toBe("closed");
    await walClose(wal);
  });

  test("on the real disk", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tocsin-wal-"));
    try {
      const { wal } = await openWal(join(dir, "a", "wal"), realDisk, {
        replay: () => undefined,
        segmentBytes: 1 << 20,
      });
      walEpoch(wal, "stream");
      const large = new Uint8Array(300_000).map((_, i) => i * 7);
      for (let seq = 1; seq <= 12; seq++) {
        walAppend(wal, seq, large);
        if (seq % 2 === 0) await walSync(wal);
      }
      await walClose(wal);
      const seen: number[] = [];
      const again = await openWal(join(dir, "a", "wal"), realDisk, {
        replay: (seq, payload) => {
          expect(Buffer.compare(payload, large)).toBe(0);
          seen.push(seq);
        },
      });
      expect(seen).toEqual(range(1, 12));
      expect(again).toMatchObject({ lastSeq: 12, epoch: "stream", truncated: undefined });
      expect(again.wal.segments.length).toBeGreaterThan(1);
      await walClose(again.wal);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
