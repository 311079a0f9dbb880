/**
 * The WAL alone: frames of 64 KiB, 16 a commit, then replay; MB/s, and CPU seconds a GB.
 *
 * Run: node_modules/.bin/node bench/storage/wal.ts [folder]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDisk } from "../../src/lib/disk.ts";
import { openWal } from "../../src/storage/wal/open.ts";
import { walAppend, walClose, walSync } from "../../src/storage/wal/wal.ts";

const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), "tocsin-bench-wal-"));
const frame = new Uint8Array(64 << 10).map((_, i) => (i * 31) >>> 3);
const FRAMES = 6400;
const megabytes = (FRAMES * frame.length) / 1e6;

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
function report(what: string, start: number, cpuStart: number): void {
  const seconds = (performance.now() - start) / 1000;
  const perGb = ((cpu() - cpuStart) / megabytes) * 1000;
  console.log(`${what.padEnd(8)} ${(megabytes / seconds).toFixed(0)} MB/s, ${perGb.toFixed(2)} CPU-s a GB`);
}

try {
  const { wal } = await openWal(dir, realDisk, { replay: () => undefined });
  let [start, used] = [performance.now(), cpu()];
  let syncing: Promise<void> = Promise.resolve();
  for (let seq = 1; seq <= FRAMES; seq++) {
    walAppend(wal, seq, frame);
    if (seq % 16 === 0) {
      await syncing;
      syncing = walSync(wal);
    }
  }
  await walClose(wal);
  report("append", start, used);
  const { fsyncCount, fsyncSeconds } = wal.stats;
  console.log(`         ${fsyncCount} fsyncs, ${((fsyncSeconds / fsyncCount) * 1000).toFixed(2)} ms each`);
  [start, used] = [performance.now(), cpu()];
  const opened = await openWal(dir, realDisk, { replay: () => undefined });
  report("replay", start, used);
  await walClose(opened.wal);
} finally {
  rmSync(dir, { recursive: true });
}
