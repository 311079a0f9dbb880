/** Opening a WAL: every record is read back in order, and what a crash cut short at the end is cut off. */
import { join } from "node:path";
import type { Disk, DiskFile } from "../../lib/disk.ts";
import { WAL_FSYNC_BUCKETS } from "../../model/shard.ts";
import { makeBatch } from "./batch.ts";
import { EPOCH, segmentName, segmentNumber } from "./format.ts";
import { type ScanEnd, scanSegment } from "./scan.ts";
import { verdict } from "./verdict.ts";
import { createSegment, type Wal } from "./wal.ts";
import { WalError } from "./wal-error.ts";

export interface OpenOptions {
  /** Called with each frame in order, once; the payload is only valid during the call, its start 8-byte aligned. */
  readonly replay: (seq: number, payload: Uint8Array) => void;
  /** Called when the frames that follow belong to a new stream, whose sequences start again. */
  readonly onEpoch?: (epoch: string) => void;
  /** A segment that has this size or more is finished. */
  readonly segmentBytes?: number;
  /** Seconds; the default is the process's monotonic clock. */
  readonly now?: () => number;
}

export interface OpenedWal {
  readonly wal: Wal;
  /** Last sequence on disk, 0 for none; of the stream with identity `epoch`. */
  readonly lastSeq: number;
  readonly epoch: string | undefined;
  readonly replayed: number;
  /** Records with a sequence that was there before: not replayed. */
  readonly skipped: number;
  /** What was cut off at the end: bytes that no `walSync` had promised to be on disk. */
  readonly truncated:
    | { readonly segment: string; readonly offset: number; readonly bytes: number; readonly problem: string }
    | undefined;
}

export const SEGMENT_BYTES = 128 << 20;

/**
 * Opens the WAL in a folder, making it when there is none. Rejects with `WalError` (kind corrupt; nothing was changed
 * then) or `DiskError`.
 */
export async function openWal(dir: string, disk: Disk, options: OpenOptions): Promise<OpenedWal> {
  await disk.makeDir(dir);
  const numbers = (await disk.list(dir)).flatMap((name) => segmentNumber(name) ?? []);
  const state = { epoch: undefined as string | undefined, lastSeq: 0, replayed: 0, skipped: 0 };
  const onRecord = (type: number, seq: number, payload: Uint8Array): void => {
    if (type === EPOCH) {
      const epoch = new TextDecoder().decode(payload);
      if (epoch !== state.epoch) {
        state.epoch = epoch;
        state.lastSeq = seq;
        options.onEpoch?.(epoch);
      }
    } else if (seq <= state.lastSeq) {
      state.skipped++;
    } else {
      state.lastSeq = seq;
      state.replayed++;
      options.replay(seq, payload);
    }
  };
  const wal = emptyWal(dir, disk, options);
  let truncated: OpenedWal["truncated"];
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    const path = join(dir, segmentName(number));
    if (i > 0 && number !== (numbers[i - 1] as number) + 1) {
      throw new WalError("corrupt", path, 0, `segment ${(numbers[i - 1] as number) + 1} is missing`);
    }
    const last = i === numbers.length - 1;
    const file = await disk.open(path, last ? "write" : "read");
    let keep = false;
    try {
      const end = await scanSegment(file, number, onRecord);
      const decision = verdict(last, end.ending, end.behind);
      if (decision === "corrupt") throw corruption(path, end, last);
      if (decision !== "done") {
        truncated = { segment: path, offset: end.offset, bytes: end.size - end.offset, problem: end.problem };
      }
      if (decision === "truncate") {
        await file.truncate(end.offset);
        await file.sync();
      }
      wal.syncedEpoch = state.epoch;
      wal.syncedSeq = state.lastSeq;
      if (!last) {
        wal.segments.push({ number, bytes: end.offset, lastSeq: state.lastSeq, epoch: state.epoch });
        wal.stats.bytes += end.offset;
      } else if (decision !== "remake") {
        continueIn(wal, file, number, end.offset);
        keep = true;
      } else {
        await begin(wal, number);
      }
    } finally {
      if (!keep) await file.close();
    }
  }
  if (numbers.length === 0) await begin(wal, 1);
  wal.epoch = state.epoch;
  wal.lastSeq = state.lastSeq;
  const { lastSeq, epoch, replayed, skipped } = state;
  return { wal, lastSeq, epoch, replayed, skipped, truncated };
}

function corruption(path: string, end: ScanEnd, last: boolean): WalError {
  let why = "";
  if (!last) why = ", and later segments were written after it";
  else if (end.behind === "laterCommit") why = ", and a later commit says that it was on disk";
  return new WalError("corrupt", path, end.offset, `${end.problem}${why}`);
}

async function begin(wal: Wal, number: number): Promise<void> {
  const { file, offset } = await createSegment(wal, number);
  continueIn(wal, file, number, offset);
}

function continueIn(wal: Wal, file: DiskFile, number: number, offset: number): void {
  wal.file = file;
  wal.number = number;
  wal.offset = offset;
  wal.stats.bytes += offset;
}

const closedFile: DiskFile = {
  read: () => Promise.reject(new Error("no segment is open")),
  readSync: () => {
    throw new Error("no segment is open");
  },
  write: () => Promise.reject(new Error("no segment is open")),
  size: () => Promise.reject(new Error("no segment is open")),
  truncate: () => Promise.reject(new Error("no segment is open")),
  sync: () => Promise.reject(new Error("no segment is open")),
  close: () => Promise.resolve(),
};

function emptyWal(dir: string, disk: Disk, options: OpenOptions): Wal {
  return {
    disk,
    dir,
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    now: options.now ?? (() => performance.now() / 1000),
    stats: { bytes: 0, fsyncCount: 0, fsyncSeconds: 0, fsyncBuckets: WAL_FSYNC_BUCKETS.map(() => 0) },
    segments: [],
    file: closedFile,
    number: 0,
    offset: 0,
    epoch: undefined,
    lastSeq: 0,
    syncedSeq: 0,
    syncedEpoch: undefined,
    pending: makeBatch(),
    spare: makeBatch(),
    writing: undefined,
    next: undefined,
    failure: undefined,
  };
}
