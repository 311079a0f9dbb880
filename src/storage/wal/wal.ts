/**
 * A shard's write-ahead log: the frames of its stream as they came, in order, on disk before they are acknowledged.
 *
 * Invariants:
 * - a commit (one write, then one fdatasync) starts only when the one before it is on disk; a segment is made only when
 *   all of the one before is; so only the last commit can be damaged by a crash (verdict.ts);
 * - a promise of `walSync` never resolves before its records are on disk, whatever the disk says;
 * - after a failed write or fsync, except for want of space, the WAL is poisoned: every call fails until it is opened
 *   again, since a second fsync may report success for pages that were dropped;
 * - within an epoch (one identity of the stream) no sequence is there twice; they come in any order, since a shard reads its
 *   backlog beside the newest messages;
 * - each segment but the first starts with the state of the log before it (log-state.ts): so old segments can be removed, and
 *   of a damaged or missing one it is known what it held.
 */
import { join } from "node:path";
import { readU16 } from "../../lib/bytes.ts";
import type { Disk, DiskFile } from "../../lib/disk.ts";
import { WAL_FSYNC_BUCKETS } from "../../model/shard.ts";
import { addRecord, type Batch, emptyBatch, makeBatch, moveRecords, sealBatch, stateAfter } from "./batch.ts";
import {
  EPOCH,
  encodeSegmentHeader,
  KIND_TYPES,
  MAX_PAYLOAD,
  type RecordKind,
  SEGMENT_HEADER,
  SKIP,
  STATE,
  segmentName,
} from "./format.ts";
import { cloneLog, encodeLogState, type LogState, nextEpoch } from "./log-state.ts";
import { makeSequenceSet } from "./sequence-set.ts";
import { isWantOfSpace, WalError } from "./wal-error.ts";

export interface WalStats {
  /** Bytes of all segments that are on disk. */
  bytes: number;
  /** Writes and fsyncs that failed. */
  failures: number;
  fsyncCount: number;
  fsyncSeconds: number;
  /** Cumulative, for the bounds in WAL_FSYNC_BUCKETS. */
  readonly fsyncBuckets: number[];
}

export interface WalSegment {
  readonly number: number;
  readonly bytes: number;
}

/** Where in a log a copy of everything before it was made: replay goes on with the first record of `segment`. */
export interface WalPosition {
  readonly segment: number;
  /** Of the log before the segment. */
  readonly state: LogState;
}

export interface Wal {
  readonly disk: Disk;
  readonly dir: string;
  readonly segmentBytes: number;
  /** Seconds, for the fsync latencies. */
  readonly now: () => number;
  readonly stats: WalStats;
  /** Finished segments, oldest first. */
  readonly segments: WalSegment[];
  file: DiskFile;
  /** The segment being written, and its bytes that are on disk: the next commit starts there. */
  number: number;
  offset: number;
  /** Where the segment's first record of a commit is: behind the header and the state. */
  begin: number;
  /** The next commit goes to a new segment: this one is damaged, of an old version, or one behind it was begun. */
  finish: boolean;
  /** Nothing that anyone was told of lies in the last commit: a later one, or a mark, says that it was on disk. */
  marked: boolean;
  /** What was appended, and what of it is on disk. */
  state: LogState;
  synced: LogState;
  pending: Batch;
  spare: Batch;
  writing: Promise<void> | undefined;
  next: Promise<void> | undefined;
  failure: WalError | undefined;
  /** What opening could not write for want of space, to be done before anything else; until then no commit counts as on disk. */
  unfinished: (() => Promise<void>) | undefined;
}

const text = new TextEncoder();

/**
 * Adds a record to the next commit; the payload is copied. `seq` must not be in `wal.state.applied` (the caller drops
 * redelivered messages); a "delete" that did not come from the stream has 0. Throws `WalError` when the WAL is poisoned or
 * closed.
 */
export function walAppend(wal: Wal, seq: number, payload: Uint8Array, kind: RecordKind = "frame"): void {
  if (wal.failure !== undefined) throw wal.failure;
  if (payload.length > MAX_PAYLOAD) throw new RangeError(`WAL record of ${payload.length} bytes`);
  const numbered = seq > 0 || kind !== "delete";
  if (numbered && !wal.state.applied.add(seq)) throw new RangeError(`WAL sequence ${seq} is there already`);
  addRecord(wal.pending, KIND_TYPES[kind], wal.state.ordinal, seq, payload);
}

/**
 * From here on sequences are those of the stream with this identity (its `created` time), from `base` + 1 on: those up to it
 * are of no concern. No-op when the identity is the current one.
 */
export function walEpoch(wal: Wal, epoch: string, base = 0): void {
  if (wal.failure !== undefined) throw wal.failure;
  if (wal.state.epoch === epoch) return;
  wal.state = nextEpoch(wal.state, epoch, base);
  addRecord(wal.pending, EPOCH, wal.state.ordinal, base, text.encode(epoch));
}

/** Notes that these messages are not to come, since the stream does not have them any more: they count as applied. */
export function walSkip(wal: Wal, from: number, to: number): void {
  if (wal.failure !== undefined) throw wal.failure;
  const skipped = makeSequenceSet();
  skipped.addRange(from, to);
  addRecord(wal.pending, SKIP, wal.state.ordinal, 0, skipped.encode());
  wal.state.applied.addRange(from, to);
}

/**
 * Resolves when everything appended before the call is on disk; rejects with `WalError`. Callers that wait at the same time
 * share a commit: one is written at a time, and what is appended meanwhile goes with the next.
 */
export function walSync(wal: Wal): Promise<void> {
  if (wal.failure !== undefined) return Promise.reject(wal.failure);
  const isDone = wal.pending.length === 0 && wal.unfinished === undefined;
  if (wal.writing === undefined) return isDone ? Promise.resolve() : startCommit(wal);
  if (wal.pending.length === 0) return wal.writing;
  const proceed = (): Promise<void> => {
    wal.next = undefined;
    return walSync(wal);
  };
  wal.next ??= wal.writing.then(proceed, proceed);
  return wal.next;
}

/**
 * Writes a commit that only says what is in the log, unless there is one: damage of the commit before it is then known for what
 * it is, while damage of the last commit cannot be told from a write that a crash cut short. Rejects with `WalError`; what was
 * appended before is on disk nevertheless when an earlier `walSync` said so.
 */
export async function walMark(wal: Wal): Promise<void> {
  await walSync(wal);
  // A commit that is under way says the same. A damaged segment is not written to, and a new one is begun only for data.
  if (wal.marked || wal.finish || wal.writing !== undefined || wal.pending.length > 0) return;
  addRecord(wal.pending, STATE, wal.state.ordinal, 0, encodeLogState(wal.state));
  await walSync(wal);
}

function startCommit(wal: Wal): Promise<void> {
  const batch = wal.pending;
  wal.pending = wal.spare;
  wal.writing = commit(wal, batch).then(
    () => {
      emptyBatch(batch);
      wal.spare = batch;
      wal.writing = undefined;
    },
    (error: unknown) => {
      // Kept in order for the next try; of no use when the WAL is poisoned.
      moveRecords(wal.pending, batch);
      wal.spare = wal.pending;
      wal.pending = batch;
      wal.writing = undefined;
      throw error;
    },
  );
  return wal.writing;
}

async function commit(wal: Wal, batch: Batch): Promise<void> {
  if (wal.unfinished !== undefined) {
    await wal.unfinished().catch((error: unknown) => {
      throw error instanceof WalError ? error : fail(wal, wal.number, wal.offset, "write failed", error, true);
    });
    wal.unfinished = undefined;
  }
  if (batch.length === 0) return;
  const full = wal.offset + batch.length > wal.segmentBytes;
  if (wal.finish || (full && wal.offset > wal.begin)) await nextSegment(wal);
  await writeDurably(wal, wal.file, wal.number, sealBatch(batch, wal.offset), wal.offset);
  wal.offset += batch.length;
  wal.stats.bytes += batch.length;
  wal.synced = stateAfter(wal.synced, batch);
  wal.marked = isMark(batch);
}

function isMark(batch: Batch): boolean {
  return batch.checksums.length === 1 && readU16(batch.buffer, 8) === STATE;
}

/**
 * Makes everything appended so far durable and goes on in a new segment: a copy of what was made of the log until now and the
 * returned position belong together. Nothing may be appended until it has resolved. Rejects with `WalError`.
 */
export async function walCheckpoint(wal: Wal): Promise<WalPosition> {
  await walSync(wal);
  if (wal.finish || wal.offset > wal.begin) {
    // If that fails, the file of the next segment may be there already: nothing more may be written to this one.
    wal.finish = true;
    wal.writing = nextSegment(wal).finally(() => {
      wal.writing = undefined;
    });
    await wal.writing;
  }
  return { segment: wal.number, state: cloneLog(wal.synced) };
}

/** Bytes on disk from the start of a segment on: what a replay from there would read. */
export function walBytesSince(wal: Wal, segment: number): number {
  return wal.segments.reduce((n, s) => (s.number >= segment ? n + s.bytes : n), wal.offset);
}

/** Writes and syncs, or fails as this WAL's errors do: for want of space it can be tried again, otherwise never. */
async function writeDurably(wal: Wal, file: DiskFile, number: number, bytes: Uint8Array, at: number): Promise<void> {
  try {
    await file.write(bytes, at);
  } catch (error) {
    // Best effort: what was written of it must not stay, but does no harm if it does (it counts as a cut-off commit).
    await file.truncate(at).catch(() => undefined);
    throw fail(wal, number, at, "write failed", error, true);
  }
  const start = wal.now();
  try {
    await file.sync();
  } catch (error) {
    throw fail(wal, number, at, "fsync failed", error, false);
  }
  countFsync(wal.stats, wal.now() - start);
}

function fail(wal: Wal, number: number, at: number, what: string, cause: unknown, retryable: boolean): WalError {
  wal.stats.failures++;
  const path = join(wal.dir, segmentName(number));
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (retryable && isWantOfSpace(cause)) {
    return new WalError("no_space", path, at, `no space: ${detail}`, cause);
  }
  wal.failure = new WalError("failed", path, at, `${what}, nothing more is taken: ${detail}`, cause);
  return wal.failure;
}

/** Makes the segment after the current one, with its header and epoch on disk, and goes on in it. */
async function nextSegment(wal: Wal): Promise<void> {
  const number = wal.number + 1;
  const segment: WalSegment = { number: wal.number, bytes: wal.offset };
  const { file, offset } = await createSegment(wal, number);
  const old = wal.file;
  wal.segments.push(segment);
  wal.file = file;
  wal.number = number;
  wal.offset = offset;
  wal.begin = offset;
  wal.finish = false;
  wal.marked = true;
  wal.stats.bytes += offset;
  await old.close().catch(() => undefined);
}

/** Makes a segment; its name, header and, but for the first segment, the state of the log are on disk afterwards. */
export async function createSegment(wal: Wal, number: number): Promise<{ file: DiskFile; offset: number }> {
  let file: DiskFile;
  try {
    file = await wal.disk.open(join(wal.dir, segmentName(number)), "create");
  } catch (error) {
    throw fail(wal, number, 0, "cannot be made", error, true);
  }
  try {
    await writeDurably(wal, file, number, encodeSegmentHeader(number), 0);
    try {
      await wal.disk.syncDir(wal.dir);
    } catch (error) {
      throw fail(wal, number, 0, "fsync of the folder failed", error, false);
    }
    if (number === 1) return { file, offset: SEGMENT_HEADER };
    const batch = makeBatch();
    addRecord(batch, STATE, wal.synced.ordinal, 0, encodeLogState(wal.synced));
    await writeDurably(wal, file, number, sealBatch(batch, SEGMENT_HEADER), SEGMENT_HEADER);
    return { file, offset: SEGMENT_HEADER + batch.length };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

function countFsync(stats: WalStats, seconds: number): void {
  stats.fsyncCount++;
  stats.fsyncSeconds += seconds;
  for (let i = 0; i < WAL_FSYNC_BUCKETS.length; i++) {
    if (seconds <= (WAL_FSYNC_BUCKETS[i] as number)) stats.fsyncBuckets[i] = (stats.fsyncBuckets[i] ?? 0) + 1;
  }
}

/** Removes finished segments with a number below `before`; the one being written stays in any case. */
export async function walRemoveSegments(wal: Wal, before: number): Promise<void> {
  while (wal.segments.length > 0 && (wal.segments[0] as WalSegment).number < before) {
    const segment = wal.segments[0] as WalSegment;
    await wal.disk.remove(join(wal.dir, segmentName(segment.number)));
    wal.segments.shift();
    wal.stats.bytes -= segment.bytes;
  }
  await wal.disk.syncDir(wal.dir);
}

/** Commits what is pending and closes the file, even when the commit fails (then it rejects). Nothing works afterwards. */
export async function walClose(wal: Wal): Promise<void> {
  try {
    // A poisoned or full WAL has nothing that could still be saved.
    if (wal.failure === undefined) {
      await walSync(wal);
      // Without it nothing is lost, only less is known of damage.
      await walMark(wal).catch(() => undefined);
    }
  } finally {
    const path = join(wal.dir, segmentName(wal.number));
    const closed = wal.failure?.kind === "closed";
    wal.failure = new WalError("closed", path, wal.offset, "the WAL is closed");
    if (!closed) await wal.file.close();
  }
}
