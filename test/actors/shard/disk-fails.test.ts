import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FULL } from "../../../src/actors/shard/disk-space.ts";
import type { ShardPhase } from "../../../src/actors/shard/protocol.ts";
import { type Shard, startShard } from "../../../src/actors/shard/shard.actor.ts";
import { KEEP_ALL } from "../../../src/actors/shard/storage-settings.ts";
import { type Disk, DiskError, type DiskFile, realDisk } from "../../../src/lib/disk.ts";
import type { ShardClient, ShardRequest, ShardStats } from "../../../src/model/shard.ts";
import { WalError } from "../../../src/storage/wal/wal-error.ts";
import { connectBus } from "../../../src/streams/nats/bus.ts";
import { type JetStreamPublisher, jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { startNatsServer, type TestNats } from "../../streams/nats/with-nats-server.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";
import { expectAllInHead, expectOnceInWal, loadFrame } from "./shard-load.ts";

let nats: TestNats;
let publisher: JetStreamPublisher;
beforeAll(async () => {
  nats = await startNatsServer();
  publisher = jetStreamPublisher(await nats.bus({ partitions: 5 }));
}, 90_000);
afterAll(() => nats.stop());

/** What the disk does wrong; undefined when it works. */
interface Fault {
  write?: string | undefined;
  sync?: string | undefined;
}

/** The real disk, whose files fail as the fault says at the moment of the call. */
function faultyDisk(fault: Fault): Disk {
  const failing = (file: DiskFile): DiskFile => ({
    ...file,
    write: async (from, at) => {
      if (fault.write !== undefined) throw new DiskError("write", "x", fault.write, `${fault.write}: injected`);
      await file.write(from, at);
    },
    sync: async () => {
      if (fault.sync !== undefined) throw new DiskError("fdatasync", "x", fault.sync, `${fault.sync}: injected`);
      await file.sync();
    },
  });
  return { ...realDisk, open: async (path, mode) => failing(await realDisk.open(path, mode)) };
}

/** A shard in this thread. */
function startHere(partition: number, dir: string, disk: Disk) {
  const lines: string[] = [];
  let wake = () => {};
  let phase: ShardPhase = "replaying";
  let detail = "";
  const shard: Shard = startShard({
    partition,
    dir,
    storage: KEEP_ALL,
    runJob: () => Promise.reject(new Error("no jobs")),
    disk,
    connect: (signal) => connectBus(nats.url, { signal }),
    outOfOrderWindowMs: 3_600_000,
    maxParkedSamples: 1_000,
    say: (level, line) => {
      lines.push(`${level} ${line}`);
      wake();
    },
    onPhase: (p, why) => {
      phase = p;
      detail = why;
      wake();
    },
  });
  const ended = shard.done.then(
    () => undefined,
    (e: unknown) => e,
  );
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const stats = () => shard.answer({ kind: "stats" }, () => false).value as ShardStats;
  const consumed = async (sequence: number) => {
    while (stats().consumedSequence < sequence) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const ready = () => until(() => phase === "ready");
  return { shard, ended, lines, until, stats, consumed, detail: () => detail, ready };
}

test("a failed fsync ends the shard, and the next one has everything once", { timeout: 300_000 }, () =>
  withTempDir(async (dir) => {
    const walDir = join(dir, "wal");
    const fault: Fault = {};
    const first = startHere(0, dir, faultyDisk(fault));
    await first.ready();
    for (let n = 0; n < 10; n++) await publisher.publish(0, loadFrame(n, n === 0), `eio-${n}`);
    fault.sync = "EIO";
    for (let n = 10; n < 20; n++) await publisher.publish(0, loadFrame(n, false), `eio-${n}`);
    // The stream is idle now: the failure itself must end it.
    const error = await first.ended;
    expect(error).toBeInstanceOf(WalError);
    expect(String(error)).toContain("fsync failed");
    expect((await streamIdentity(await nats.bus(), 0)).lastSequence).toBe(20);

    const second = runShard({ partition: 0, dir, busUrl: nats.url });
    await consumed(second, 20);
    await expectAllInHead(second.client, 20);
    await second.stop();
    await expectOnceInWal(walDir, 20);
  }),
);

test("a full disk stops nothing but storing: it goes on when there is space again", { timeout: 300_000 }, () =>
  withTempDir(async (dir) => {
    const walDir = join(dir, "wal");
    const fault: Fault = {};
    const it = startHere(1, dir, faultyDisk(fault));
    await it.ready();
    await publisher.publish(1, loadFrame(0, true), "full-0");
    fault.write = "ENOSPC";
    for (let n = 1; n < 10; n++) await publisher.publish(1, loadFrame(n, false), `full-${n}`);
    await it.until(() => it.lines.some((l) => l.startsWith("error") && l.includes("no space")));
    const { consumedSequence, storage } = it.stats();
    expect(consumedSequence).toBeLessThan(10);
    expect(storage?.walFailures).toBeGreaterThan(0);
    fault.write = undefined;
    await it.until(() => it.lines.some((l) => l.includes("the disk has space again")));
    it.shard.stop();
    expect(await it.ended).toBeUndefined();
    expect(it.stats().consumedSequence).toBe(10);
    await expectOnceInWal(walDir, 10);
  }),
);

test(
  "a start on a full disk serves what there is, stores nothing, and goes on when there is space",
  {
    timeout: 300_000,
  },
  () =>
    withTempDir(async (dir) => {
      const walDir = join(dir, "wal");
      const first = startHere(4, dir, realDisk);
      await first.ready();
      for (let n = 0; n < 10; n++) await publisher.publish(4, loadFrame(n, n === 0), `start-${n}`);
      await first.consumed(10);
      first.shard.stop();
      await first.ended;

      const fault: Fault = { write: "ENOSPC" };
      const it = startHere(4, dir, faultyDisk(fault));
      await it.until(() => it.detail() === FULL);
      for (let n = 10; n < 20; n++) await publisher.publish(4, loadFrame(n, false), `start-${n}`);
      const client = { partition: 4, request: async (r: ShardRequest) => it.shard.answer(r, () => false).value };
      await expectAllInHead(client as ShardClient, 10, [
        expect.stringMatching(
          /^the disk of shard 4 is full since .*: what was sent since its newest sample may be missing$/,
        ),
      ]);
      expect(it.stats()).toMatchObject({ ready: false, storage: { diskFull: 1 } });
      expect(it.lines.join("\n")).toMatch(/error .*ENOSPC: injected: nothing is stored until there is space/);
      fault.write = undefined;
      await it.ready();
      await it.consumed(20);
      expect(it.stats()).toMatchObject({ ready: true, storage: { diskFull: 0 } });
      it.shard.stop();
      expect(await it.ended).toBeUndefined();
      await expectOnceInWal(walDir, 20);
    }),
);

test(
  "an unfinished write at the end is cut off and said; the stream has those messages still",
  { timeout: 300_000 },
  () =>
    withTempDir(async (dir) => {
      const walDir = join(dir, "wal");
      const first = runShard({ partition: 2, dir, busUrl: nats.url });
      await publisher.publish(2, loadFrame(0, true), "torn-0");
      await consumed(first, 1);
      await first.stop();
      const segment = join(walDir, (await readdir(walDir))[0] as string);
      await appendFile(segment, Buffer.alloc(100, 7));
      await publisher.publish(2, loadFrame(1, false), "torn-1");
      const second = runShard({ partition: 2, dir, busUrl: nats.url });
      await consumed(second, 2);
      expect(second.lines.filter((l) => l.startsWith("warn"))).toMatchObject([
        expect.stringMatching(/cut off the last 100 bytes/),
      ]);
      await expectAllInHead(second.client, 2);
      await second.stop();
      await expectOnceInWal(walDir, 2);
    }),
);

test("what a damaged WAL has lost is read again from the stream, and all of it is named", { timeout: 300_000 }, () =>
  withTempDir(async (dir) => {
    const walDir = join(dir, "wal");
    const first = runShard({ partition: 3, dir, busUrl: nats.url });
    for (let n = 0; n < 3; n++) {
      await publisher.publish(3, loadFrame(n, n === 0), `bad-${n}`);
      await consumed(first, n + 1);
    }
    await first.stop();
    const segment = join(walDir, (await readdir(walDir))[0] as string);
    const bytes = await readFile(segment);
    // Behind the first record, which names the stream.
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    await writeFile(segment, bytes);
    const second = runShard({ partition: 3, dir, busUrl: nats.url });
    await second.ready();
    expect(second.lines.filter((l) => l.startsWith("error"))).toMatchObject([
      expect.stringMatching(/bytes at \d+ cannot be read .* message 1 is missing, .* copied to .*quarantine/),
    ]);
    await consumed(second, 3);
    // What was read again is no longer missed.
    await expectAllInHead(second.client, 3);
    await second.stop();
    // It is in the log again: nothing has to be read of the stream any more.
    const third = runShard({ partition: 3, dir, busUrl: nats.url });
    await third.ready();
    expect(third.lines.join("\n")).toMatch(/read 3 frames of the WAL/);
    expect(third.lines.filter((l) => l.startsWith("error"))).toEqual([]);
    await expectAllInHead(third.client, 3);
    await third.stop();
  }),
);
