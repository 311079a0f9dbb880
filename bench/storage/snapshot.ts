/**
 * Snapshots of a head alone: a series has 7 labels and 6 samples. Writing (until the head may change again, and until it is on
 * disk) and loading; GB/s, and CPU seconds a GB of all threads.
 *
 * Run: node_modules/.bin/node bench/storage/snapshot.ts [series] [folder]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realDisk } from "../../src/lib/disk.ts";
import { appendColumns } from "../../src/storage/head/append.ts";
import { beginFrame, createHead, defineSeries, headStats } from "../../src/storage/head/head.ts";
import { headWalk } from "../../src/storage/snapshot/head-parts.ts";
import { loadSnapshot } from "../../src/storage/snapshot/load.ts";
import { writeSnapshot } from "../../src/storage/snapshot/write.ts";
import { emptyLog } from "../../src/storage/wal/log-state.ts";
import { hashHi, hashLo, labelsOf } from "../lib/numbered-series.ts";

const count = Number(process.argv[2] ?? 500_000);
const FRAME = 2000;
const dir = mkdtempSync(join(process.argv[3] ?? tmpdir(), "tocsin-bench-snapshot-"));
const options = { outOfOrderWindowMs: 3600_000 };

function fill() {
  const head = createHead(options);
  const cols = {
    ...{ length: FRAME, hashLo: new Uint32Array(FRAME), hashHi: new Uint32Array(FRAME) },
    ...{ ts: new Float64Array(FRAME), values: new Float64Array(FRAME) },
  };
  const unknown = new Uint32Array(FRAME);
  for (let r = 0; r < 6; r++) {
    for (let from = 0; from < count; from += FRAME) {
      beginFrame(head);
      for (let i = 0; i < FRAME; i++) {
        const n = from + i;
        const [lo, hi] = [hashLo(n), hashHi(n)];
        if (r === 0) {
          defineSeries(head, lo, hi, "default", labelsOf(n));
        }
        cols.hashLo[i] = lo;
        cols.hashHi[i] = hi;
        cols.ts[i] = 1.7e12 + r * 10_000;
        cols.values[i] = (n % 1000) * r;
      }
      appendColumns(head, cols, unknown);
    }
  }
  return head;
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

try {
  const head = fill();
  const position = { segment: 1, state: emptyLog() };
  for (let generation = 1; generation <= 3; generation++) {
    let [start, used] = [performance.now(), cpu()];
    const since = (): number => (performance.now() - start) / 1000;
    const { released, durable } = writeSnapshot(realDisk, dir, { head }, position, { ...headWalk(head), generation });
    await released;
    const paused = since();
    const pausedCpu = cpu() - used;
    const { bytes } = await durable;
    const gb = bytes / 1e9;
    console.log(
      `write ${(bytes / 1e6).toFixed(0)} MB: head free after ${paused.toFixed(2)} s (${(gb / paused).toFixed(2)} GB/s, ` +
        `${(pausedCpu / gb).toFixed(2)} CPU-s a GB), on disk after ${since().toFixed(2)} s`,
    );
    const fresh = createHead(options);
    [start, used] = [performance.now(), cpu()];
    await loadSnapshot(realDisk, dir, generation, { head: fresh }, headWalk(head).skip);
    console.log(
      `load ${headStats(fresh).series} series in ${since().toFixed(2)} s: ${(gb / since()).toFixed(2)} GB/s, ${((cpu() - used) / gb).toFixed(2)} CPU-s a GB`,
    );
  }
} finally {
  rmSync(dir, { recursive: true });
}
