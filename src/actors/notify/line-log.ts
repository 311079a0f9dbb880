import type { Disk } from "../../lib/disk.ts";
import { openLineFile } from "../../lib/line-file.ts";

/**
 * A file of JSON objects, one a line, that is appended to and rewritten at times with what still counts.
 *
 * Invariants:
 * - `sync` resolves when all that was pushed before it is on disk. What the disk refused is written again, at the same place, with
 *   the next: a failed fsync may have lost it although it can be read.
 * - A torn last line is what a crash left and is cut off; a damaged line elsewhere is skipped and counted.
 * - On a disk that takes nothing for now it opens all the same: the file of before goes on, once there is space.
 */
export interface LineLog {
  push(line: object): void;
  /** Callers that come while a write is under way share the next one. Rejects with the disk's error. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface LineLogOptions {
  readonly disk: Disk;
  readonly path: string;
  /** Takes a line that was read; false when it is none of its lines. */
  readonly apply: (line: unknown) => boolean;
  /** All that counts now, for a new file. */
  readonly live: () => Iterable<object>;
  /** Below this length the file is not made anew; COMPACT_BYTES where not given. */
  readonly compactBytes?: number;
}

/** The file is rewritten when it is this long and mostly past. */
const COMPACT_BYTES = 4 << 20;
/** Lines that wait for a disk that does not take them; the oldest go. */
const MAX_WAITING_LINES = 10_000;

/** Reads the file, all of it, and begins a new one, or goes on with it where that cannot be made. Rejects when it cannot be read. */
export async function openLineLog(options: LineLogOptions): Promise<{ log: LineLog; damagedLines: number }> {
  const { disk, path, apply, live, compactBytes = COMPACT_BYTES } = options;
  const file = await openLineFile({ disk, path, apply, live, compactBytes, keepDamaged: false });
  let buffer: object[] = [];
  /** Lines that were ever pushed, and how many of them are on disk. */
  let pushed = 0;
  let written = 0;
  let writing: Promise<void> | undefined;
  /** What `pushed` was when the write under way began. */
  let writingUpTo = 0;
  const write = async () => {
    // One that fails leaves the lines as they are, and it goes on there.
    if (file.isMostlyPast()) await file.rewrite(live()).catch(() => {});
    const lines = buffer;
    const upTo = pushed;
    buffer = [];
    writingUpTo = upTo;
    try {
      await file.append(lines);
      written = upTo;
    } catch (error) {
      buffer = [...lines, ...buffer].slice(-MAX_WAITING_LINES);
      throw error;
    }
  };
  const sync = async (): Promise<void> => {
    const upTo = pushed;
    // A caller whose lines are on disk is done, though others' wait: else the first would wait as long as any come.
    while (written < upTo) {
      if (writing !== undefined) {
        const mine = writing;
        const outcome = await mine.then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        // Each of those whose lines were refused hears of it, and none tries again by itself.
        if (outcome !== undefined && written < upTo && writingUpTo >= upTo) throw outcome.error;
        continue;
      }
      writing = write().finally(() => {
        writing = undefined;
      });
      await writing;
    }
  };
  const log: LineLog = {
    push: (line) => {
      buffer.push(line);
      pushed++;
    },
    sync,
    close: async () => {
      await sync();
      await file.close();
    },
  };
  return { log, damagedLines: file.damagedLines };
}
