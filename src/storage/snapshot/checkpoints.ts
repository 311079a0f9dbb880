/**
 * A shard's checkpoints: a snapshot of its state and the log since it, two generations of them. An older snapshot, and the log
 * that it needs, goes only when two newer ones are on disk.
 */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import { type Wal, walBytesSince, walCheckpoint, walRemoveSegments } from "../wal/wal.ts";
import { snapshotIsDue } from "./decision.ts";
import { snapshotName } from "./format.ts";
import { headDir, type Recovered } from "./recovery.ts";
import type { WalkOptions } from "./tree-write.ts";
import { listSnapshots, type WrittenSnapshot, writeSnapshot } from "./write.ts";

export interface Checkpoints {
  /** Whether enough has come since the last snapshot. False while one is written. */
  isDue(): boolean;
  /** Bytes of log since the last snapshot. */
  bytesSince(): number;
  /**
   * Writes a snapshot of the state as it is now. Nothing may be applied or appended from the call until `released`, which
   * always resolves. `durable` resolves when the snapshot is on disk and what is older than the one before it is gone; it
   * rejects with DiskError or WalError, and then what was there before is still there. One at a time.
   */
  take(
    state: object,
    walk: WalkOptions,
  ): { readonly released: Promise<void>; readonly durable: Promise<WrittenSnapshot> };
}

export interface CheckpointOptions {
  readonly disk: Disk;
  /** The shard's folder. */
  readonly dir: string;
  readonly wal: Wal;
  /** What the start found. */
  readonly recovered: Pick<Recovered, "kept" | "damaged">;
}

/** Bytes of log that must come after a snapshot that failed before the next one is tried. */
const AFTER_FAILURE = 16 << 20;

export function makeCheckpoints({ disk, dir, wal, recovered }: CheckpointOptions): Checkpoints {
  const kept = [...recovered.kept];
  // One that could not be loaded is to be replaced before long.
  let wanted = recovered.damaged.length > 0;
  let busy = false;
  let notBefore = 0;

  const write = async (state: object, walk: WalkOptions, release: () => void): Promise<WrittenSnapshot> => {
    busy = true;
    try {
      const position = await walCheckpoint(wal);
      const folder = headDir(dir);
      const generation = ((await listSnapshots(disk, folder))[0] ?? 0) + 1;
      const writing = writeSnapshot(disk, folder, state, position, { ...walk, generation });
      void writing.released.then(release);
      const written = await writing.durable;
      wanted = false;
      notBefore = 0;
      kept.unshift({ generation, bytes: written.bytes, segment: position.segment });
      kept.length = Math.min(kept.length, 2);
      await removeOld(kept);
      return written;
    } catch (error) {
      // Not at once again: a disk that is full stays full for a while.
      notBefore = walBytesSince(wal, 1) + AFTER_FAILURE;
      throw error;
    } finally {
      release();
      busy = false;
    }
  };

  const removeOld = async (
    both: readonly { readonly generation: number; readonly segment: number }[],
  ): Promise<void> => {
    const older = both[1];
    if (older === undefined) return;
    const folder = headDir(dir);
    const needed = new Set(both.map(({ generation }) => generation));
    const old = (await listSnapshots(disk, folder)).filter((generation) => !needed.has(generation));
    for (const generation of old) await disk.remove(join(folder, snapshotName(generation)));
    if (old.length > 0) await disk.syncDir(folder);
    await walRemoveSegments(wal, older.segment);
  };

  const bytesSince = (): number => walBytesSince(wal, kept[0]?.segment ?? 1);
  return {
    isDue: () => {
      if (busy || walBytesSince(wal, 1) < notBefore) return false;
      return wanted || snapshotIsDue(bytesSince(), kept[0]?.bytes ?? 0);
    },
    bytesSince,
    take: (state, walk) => {
      if (busy) throw new Error("a snapshot is being written");
      const { promise, resolve } = Promise.withResolvers<void>();
      return { durable: write(state, walk, resolve), released: promise };
    },
  };
}
