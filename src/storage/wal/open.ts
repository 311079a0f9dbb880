/**
 * Opening a WAL: every record is read back, what a crash cut short at the end is cut off, and where durable records are
 * damaged the rest is used and the loss named.
 */
import { join } from "node:path";
import { readU32 } from "../../lib/bytes.ts";
import { type Disk, DiskError, type DiskFile } from "../../lib/disk.ts";
import { WAL_FSYNC_BUCKETS } from "../../model/shard.ts";
import { makeBatch } from "./batch.ts";
import {
  EPOCH,
  goodRecord,
  kindOf,
  type RecordKind,
  recordSize,
  SEGMENT_HEADER,
  SKIP,
  STATE,
  segmentName,
  segmentNumber,
  VERSION,
} from "./format.ts";
import { afterRecord, cloneLog, decodeLogState, emptyLog, type LogState } from "./log-state.ts";
import { type FoundDamage, type Losses, NOWHERE, trackLosses, type WalDamage } from "./losses.ts";
import { quarantineFile } from "./quarantine.ts";
import { type ScanEnd, type ScanHandlers, scanSegment } from "./scan.ts";
import { isMediaError, makeSegmentBuffers } from "./segment-reader.ts";
import { makeSequenceSet, type SequenceSet } from "./sequence-set.ts";
import { createSegment, type Wal, type WalPosition } from "./wal.ts";
import { isWantOfSpace, WalError } from "./wal-error.ts";

export interface OpenOptions {
  /** Called with each record once, in the log's order; the payload is only valid during the call, its start 8-byte aligned. */
  readonly replay: (seq: number, payload: Uint8Array, kind: RecordKind) => void;
  /** Called when the frames that follow belong to a new stream, whose sequences start again. */
  readonly onEpoch?: (epoch: string) => void;
  /** Begin here: everything before is known (a snapshot has it). */
  readonly from?: WalPosition | undefined;
  /** Folder for damaged segments; without it they are only kept where they are. */
  readonly quarantine?: string | undefined;
  /** The time (Unix ms) of what was replayed last; asked beside damage, to say of when the lost data is. */
  readonly timeOf?: () => number | undefined;
  /** A segment that has this size or more is finished. */
  readonly segmentBytes?: number;
  /** Seconds; the default is the process's monotonic clock. */
  readonly now?: () => number;
}

export interface OpenedWal {
  readonly wal: Wal;
  /** Highest sequence in the log, 0 for none; of the stream with identity `epoch`. */
  readonly lastSeq: number;
  readonly epoch: string | undefined;
  /** What of the epoch was taken; the WAL's own, to be cloned by who keeps it. */
  readonly applied: SequenceSet;
  readonly replayed: number;
  /** Records with a sequence that was there before: not replayed. */
  readonly skipped: number;
  /** What was cut off at the end: bytes that no `walSync` had promised to be on disk. */
  readonly truncated:
    | { readonly segment: string; readonly offset: number; readonly bytes: number; readonly problem: string }
    | undefined;
  /** Places where durable records are gone, oldest first. The segments stay as they are. */
  readonly damage: readonly WalDamage[];
}

export const SEGMENT_BYTES = 128 << 20;

interface Opening {
  readonly disk: Disk;
  readonly dir: string;
  readonly options: OpenOptions;
  readonly losses: Losses;
  state: LogState;
  replayed: number;
  skipped: number;
  version: number;
  /** The last record says what was in the log before it; so does a log without any. */
  marked: boolean;
}

/**
 * Opens the WAL in a folder, making it when there is none. Rejects with `WalError` (kind version; nothing was changed
 * then) or `DiskError`.
 */
export async function openWal(dir: string, disk: Disk, options: OpenOptions): Promise<OpenedWal> {
  await disk.makeDir(dir);
  const numbers = (await disk.list(dir)).flatMap((name) => segmentNumber(name) ?? []);
  const { from } = options;
  const state = from === undefined ? emptyLog() : cloneLog(from.state);
  const losses = trackLosses(options.timeOf);
  const opening: Opening = {
    disk,
    dir,
    options,
    losses,
    state,
    replayed: 0,
    skipped: 0,
    version: VERSION,
    marked: true,
  };
  const wal = emptyWal(dir, disk, options);
  const buffers = makeSegmentBuffers();
  let truncated: OpenedWal["truncated"];
  let expected = from?.segment ?? 1;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    const path = join(dir, segmentName(number));
    const last = i === numbers.length - 1;
    if (number < (from?.segment ?? 1)) {
      await passOver(wal, path, number);
      continue;
    }
    if (number > expected) sayMissing(opening, expected, number);
    expected = number + 1;
    const file = await openSegment(opening, path, last);
    if (file === undefined) continue;
    let keep = false;
    try {
      const end = await readSegmentFile(opening, file, path, number, last, buffers);
      // A segment without the state at its start was being made: nothing was written to it yet.
      const unmade = last && number > 1 && end.verdict !== "salvage" && end.offset <= SEGMENT_HEADER;
      const cut = end.verdict === "truncate" || end.verdict === "remake";
      if (cut && end.size > end.offset) {
        truncated = { segment: path, offset: end.offset, bytes: end.size - end.offset, problem: end.problem };
      }
      wal.synced = opening.state;
      if (!last) {
        wal.segments.push({ number, bytes: end.offset });
        wal.stats.bytes += end.offset;
      } else if (end.verdict === "remake" || unmade) {
        await orLater(wal, () => begin(wal, number));
      } else {
        await orLater(wal, async () => {
          if (end.verdict === "truncate") await file.truncate(end.offset);
          await writeAgain(file, path, end);
          await disk.syncDir(dir);
        });
        continueIn(wal, file, number, end.offset, number === 1 ? SEGMENT_HEADER : end.firstEnd);
        wal.finish = end.verdict === "salvage" || end.version !== VERSION;
        keep = true;
      }
    } finally {
      if (!keep) await file.close();
    }
  }
  if (from !== undefined && expected === from.segment) sayMissing(opening, expected, expected + 1);
  wal.synced = opening.state;
  if (wal.number === 0 && wal.unfinished === undefined) await orLater(wal, () => begin(wal, expected));
  wal.synced = opening.state;
  wal.state = cloneLog(opening.state);
  wal.marked = opening.marked;
  const { epoch, applied } = wal.state;
  const { replayed, skipped } = opening;
  const damage = losses.end(opening.state);
  return { wal, lastSeq: applied.last(), epoch, applied, replayed, skipped, truncated, damage };
}

/** Does it, or leaves it for the first sync when there is no space: what was read can be served all the same. */
async function orLater(wal: Wal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isWantOfSpace(error)) throw error;
    wal.unfinished = work;
  }
}

/**
 * Makes durable what was read at the end of the last segment: it counts as on disk from here on. A killed process may have left
 * it in the machine's memory only. A sync alone is not enough: where an earlier one has failed, Linux still shows the pages
 * and believes that they are on disk. So the last commit, all that can be concerned, is written again as it was read.
 */
async function writeAgain(file: DiskFile, path: string, end: ScanEnd): Promise<void> {
  // The header is on disk before the first record is written.
  const ranges = end.lastCommit.length > 0 ? end.lastCommit : [{ from: 0, to: Math.min(SEGMENT_HEADER, end.offset) }];
  for (const { from, to } of ranges) {
    const bytes = new Uint8Array(to - from);
    const count = await file.read(bytes, from);
    if (count < bytes.length || (end.lastCommit.length > 0 && !areRecords(bytes))) {
      throw new DiskError("read", path, "EIO", `what was at byte ${from} just now is not there any more`);
    }
    await file.write(bytes, from);
  }
  await file.sync();
}

function areRecords(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && goodRecord(bytes, at, bytes.length)) at += recordSize(readU32(bytes, at + 4));
  return at === bytes.length;
}

/** Older than what is needed: only to be removed. */
async function passOver(wal: Wal, path: string, number: number): Promise<void> {
  let bytes = 0;
  try {
    const file = await wal.disk.open(path, "read");
    bytes = await file.size().finally(() => file.close());
  } catch (error) {
    if (!isMediaError(error)) throw error;
  }
  wal.segments.push({ number, bytes });
  wal.stats.bytes += bytes;
}

function sayMissing(opening: Opening, first: number, next: number): void {
  const segment = join(opening.dir, segmentName(first));
  const problem = next === first + 1 ? `segment ${first} is missing` : `segments ${first} to ${next - 1} are missing`;
  opening.losses.found({ segment, ...NOWHERE, problem }, opening.state);
}

/** Undefined for one that the disk does not give back; that is noted. */
async function openSegment(opening: Opening, path: string, last: boolean): Promise<DiskFile | undefined> {
  try {
    return await opening.disk.open(path, last ? "write" : "read");
  } catch (error) {
    if (!isMediaError(error)) throw error;
    opening.losses.found({ segment: path, ...NOWHERE, problem: error.message }, opening.state);
    return undefined;
  }
}

async function readSegmentFile(
  opening: Opening,
  file: DiskFile,
  path: string,
  number: number,
  last: boolean,
  buffers: ReturnType<typeof makeSegmentBuffers>,
): Promise<ScanEnd> {
  const { disk, options, losses } = opening;
  const damages: FoundDamage[] = [];
  const handlers: ScanHandlers = {
    onRecord: (type, ordinal, seq, payload, first) => {
      if (ordinal !== undefined && type !== STATE && type !== EPOCH) noteOrdinal(opening, ordinal);
      takeRecord(opening, path, number, { type, seq, payload, first });
    },
    onDamage: ({ offset, bytes, problem, mayHoldDeletions }) => {
      const where = { segment: path, offset, bytes, problem };
      const damage: FoundDamage = { ...where, mayHoldDeletions, quarantined: undefined };
      damages.push(damage);
      losses.found(damage, opening.state);
    },
  };
  const end = await scanSegment(file, number, last, buffers, handlers);
  if (end.verdict === "refuse") throw new WalError("version", path, end.offset, end.problem);
  if (damages.length > 0 && options.quarantine !== undefined) {
    const copy = await quarantineFile(disk, path, options.quarantine, segmentName(number));
    for (const damage of damages) damage.quarantined = copy;
  }
  return end;
}

/** A record of an epoch whose own record is gone: its sequences have nothing to do with those before. */
function noteOrdinal(opening: Opening, ordinal: number): void {
  if (ordinal === opening.state.ordinal) return;
  enterEpoch(opening, { epoch: undefined, ordinal, base: 0, applied: makeSequenceSet() });
}

interface LogRecord {
  readonly type: number;
  readonly seq: number;
  readonly payload: Uint8Array;
  readonly first: boolean;
}

function takeRecord(opening: Opening, path: string, number: number, record: LogRecord): void {
  const { options, losses } = opening;
  const { type, seq, payload, first } = record;
  const kind = kindOf(type);
  opening.marked = type === STATE;
  if (kind !== undefined) {
    if (seq > 0 && !opening.state.applied.add(seq)) {
      opening.skipped++;
      return;
    }
    opening.replayed++;
    options.replay(seq, payload, kind);
    losses.record(seq, kind === "backlog");
    return;
  }
  if (type === STATE) {
    stated(opening, path, decodeLogState(payload));
  } else if (type === EPOCH) {
    const next = afterRecord(opening.state, type, seq, payload);
    // Version 1 repeated the epoch, with the last sequence, at the start of each segment but the first.
    if (first && number > 1 && next.epoch === opening.state.epoch)
      stated(opening, path, { ...opening.state, applied: next.applied });
    else if (next.epoch !== opening.state.epoch) enterEpoch(opening, next);
  } else if (type === SKIP) {
    opening.state = afterRecord(opening.state, type, seq, payload);
  }
}

function stated(opening: Opening, path: string, said: LogState): void {
  const { state, losses } = opening;
  losses.stated(said, state, path);
  if (said.ordinal !== state.ordinal) {
    // The record that began this epoch is gone, with everything up to here. What was lost may be asked for again.
    enterEpoch(opening, { ...said, applied: makeSequenceSet(said.base) });
  } else if (said.epoch !== state.epoch) {
    state.applied.addRange(0, said.base);
    enterEpoch(opening, { ...said, applied: state.applied });
  }
}

function enterEpoch(opening: Opening, next: LogState): void {
  // The name of one that is known by its number is news, but no new epoch.
  if (next.ordinal !== opening.state.ordinal) opening.losses.newEpoch();
  opening.state = next;
  if (next.epoch !== undefined) opening.options.onEpoch?.(next.epoch);
}

async function begin(wal: Wal, number: number): Promise<void> {
  const { file, offset } = await createSegment(wal, number);
  continueIn(wal, file, number, offset, offset);
}

function continueIn(wal: Wal, file: DiskFile, number: number, offset: number, first: number): void {
  wal.file = file;
  wal.number = number;
  wal.offset = offset;
  wal.begin = first;
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
    stats: { bytes: 0, failures: 0, fsyncCount: 0, fsyncSeconds: 0, fsyncBuckets: WAL_FSYNC_BUCKETS.map(() => 0) },
    segments: [],
    file: closedFile,
    number: 0,
    offset: 0,
    begin: 0,
    finish: false,
    marked: true,
    state: emptyLog(),
    synced: emptyLog(),
    pending: makeBatch(),
    spare: makeBatch(),
    writing: undefined,
    next: undefined,
    failure: undefined,
    unfinished: undefined,
  };
}
