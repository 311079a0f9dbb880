/** Reading a segment record by record, over what is damaged in it to the next good record. */
import { readU16, readU32, readU64 } from "../../lib/bytes.ts";
import type { DiskFile } from "../../lib/disk.ts";
import {
  goodRecord,
  kindOf,
  plausibleRecord,
  RECORD_HEADER,
  recordChecksum,
  recordSize,
  SEGMENT_HEADER,
  segmentHeaderProblem,
  segmentVersion,
} from "./format.ts";
import { isMediaError, type ReadableRest, readRest, readSegment, type SegmentBuffers } from "./segment-reader.ts";
import { type Behind, type Ending, type Verdict, verdict } from "./verdict.ts";

/** A part of a segment that holds no good record. */
export interface BadRegion {
  readonly offset: number;
  readonly bytes: number;
  readonly ending: Ending;
  readonly problem: string;
  /** False when by what is left of their headers only frames lay there. */
  readonly mayHoldDeletions: boolean;
}

export interface ScanHandlers {
  /**
   * Called with each good record; the payload is only valid during the call and starts at a multiple of 8 of its buffer.
   * `ordinal` is its epoch's, undefined in version 1; `first`: it is the first one in the segment.
   */
  readonly onRecord: (
    type: number,
    ordinal: number | undefined,
    seq: number,
    payload: Uint8Array,
    first: boolean,
  ) => void;
  /** Called where durable records are gone, between the records before and behind. */
  readonly onDamage: (region: BadRegion) => void;
}

export interface ScanEnd {
  /** What is to be done with the segment; salvage also when the damage is not at the end. */
  readonly verdict: Verdict;
  /** The first byte behind the last good record that counts. */
  readonly offset: number;
  readonly size: number;
  /** What is wrong at `offset`, "" when nothing is. */
  readonly problem: string;
  /** Of the segment's format; 0 when the header is damaged. */
  readonly version: number;
  /** End of the record at the start of the segment. */
  readonly firstEnd: number;
  /** Where the records of the last commit lie: everything before them was on disk when they were written. */
  readonly lastCommit: readonly FileRange[];
}

/** Bytes `from` to `to` (itself not included) of a file. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads a segment from its start. Errors of the disk other than unreadable parts are thrown; everything else is in the
 * result. Two windows and the largest record are in memory, except when something is wrong: then the rest of the segment is.
 */
export async function scanSegment(
  file: DiskFile,
  number: number,
  last: boolean,
  buffers: SegmentBuffers,
  handlers: ScanHandlers,
): Promise<ScanEnd> {
  const size = await file.size();
  const header = new Uint8Array(Math.min(size, SEGMENT_HEADER));
  let bad: ReturnType<typeof segmentHeaderProblem> | { readonly ending: "unreadable"; readonly problem: string };
  try {
    await file.read(header, 0);
    bad = segmentHeaderProblem(header, number);
  } catch (error) {
    if (!isMediaError(error)) throw error;
    bad = { ending: "unreadable", problem: error.message };
  }
  const context: Context = {
    ...{ file, size, last, number, handlers },
    version: bad === undefined ? segmentVersion(header) : 0,
    first: true,
    firstEnd: SEGMENT_HEADER,
    commitStart: -1,
    lastCommit: [],
  };
  if (bad !== undefined) return await pickUp(context, 0, bad);
  const reader = readSegment(file, SEGMENT_HEADER, size, buffers);
  try {
    while (true) {
      const offset = reader.base + reader.at;
      if (offset === size) return end(context, "done", offset, "");
      let need = RECORD_HEADER;
      if (reader.end - reader.at < need) {
        await reader.need(need);
        if (reader.end - reader.at < need) return await pickUp(context, offset);
      }
      const { bytes, at } = reader;
      if (!plausibleRecord(bytes, at)) return await pickUp(context, offset);
      const length = readU32(bytes, at + 4);
      need = recordSize(length);
      if (reader.end - at < need) {
        if (offset + need > size) return await pickUp(context, offset);
        await reader.need(need);
        if (reader.end - reader.at < need) return await pickUp(context, offset);
        continue;
      }
      if (readU32(bytes, at + 24) !== recordChecksum(bytes, at, length)) return await pickUp(context, offset);
      deliver(context, bytes, at, offset + need);
      reader.at = at + need;
    }
  } catch (error) {
    if (!isMediaError(error)) throw error;
    return await pickUp(context, reader.base + reader.at);
  } finally {
    await reader.stop();
  }
}

interface Context {
  readonly file: DiskFile;
  readonly size: number;
  readonly last: boolean;
  readonly number: number;
  readonly handlers: ScanHandlers;
  readonly version: number;
  first: boolean;
  firstEnd: number;
  commitStart: number;
  lastCommit: FileRange[];
}

function end(context: Context, v: Verdict, offset: number, problem: string): ScanEnd {
  const { size, version, firstEnd, lastCommit } = context;
  return { verdict: v, offset, size, problem, version, firstEnd, lastCommit };
}

function deliver(context: Context, bytes: Uint8Array, at: number, endOffset: number): void {
  const length = readU32(bytes, at + 4);
  const payload = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
  const { first } = context;
  if (first) context.firstEnd = endOffset;
  context.first = false;
  noteCommit(context, readU32(bytes, at + 12), { from: endOffset - recordSize(length), to: endOffset });
  const ordinal = context.version === 1 ? undefined : readU16(bytes, at + 10);
  context.handlers.onRecord(readU16(bytes, at + 8), ordinal, readU64(bytes, at + 16), payload, first);
}

function noteCommit(context: Context, commitStart: number, record: FileRange): void {
  const { lastCommit } = context;
  const before = lastCommit.at(-1);
  if (commitStart !== context.commitStart) context.lastCommit = [record];
  else if (before?.to === record.from) lastCommit[lastCommit.length - 1] = { from: before.from, to: record.to };
  else lastCommit.push(record);
  context.commitStart = commitStart;
}

type Bad = { readonly ending: Ending; readonly problem: string };

/** Goes on where something is wrong: decides what it is and reads the good records behind it. */
async function pickUp(context: Context, offset: number, header?: Bad): Promise<ScanEnd> {
  const { file, size, last, handlers } = context;
  const rest = await readRest(file, offset, size);
  const { bytes } = rest;
  const good = survey(bytes, header === undefined ? 0 : SEGMENT_HEADER);
  let salvaged = false;
  for (let at = 0, k = 0; ; k++) {
    const next = good[k];
    const to = next?.at ?? bytes.length;
    const wrong = at < to || (k === 0 && header !== undefined);
    if (wrong) {
      const behind = judgeBehind(good, k, offset + at);
      const bad = at === 0 && header !== undefined ? header : classify(rest, at, to, size - offset);
      const decision = verdict(last, bad.ending, behind);
      if (decision === "refuse") return end(context, decision, offset + at, bad.problem);
      if (decision !== "salvage") {
        return end(context, salvaged ? "salvage" : decision, offset + at, bad.problem);
      }
      salvaged = true;
      handlers.onDamage({ offset: offset + at, bytes: to - at, mayHoldDeletions: !areFrames(bytes, at, to), ...bad });
    }
    if (next === undefined) return end(context, salvaged ? "salvage" : "done", offset + to, "");
    deliver(context, bytes, next.at, offset + next.end);
    at = next.end;
  }
}

interface GoodRecord {
  readonly at: number;
  readonly end: number;
  readonly commitStart: number;
  /** The largest commit start of this and all later ones. */
  laterCommit: number;
}

/** All good records of b[from...], with whatever lies between. */
function survey(b: Uint8Array, from: number): GoodRecord[] {
  const out: GoodRecord[] = [];
  for (let at = from; at + RECORD_HEADER <= b.length; ) {
    if (!plausibleRecord(b, at)) {
      at += 8;
      continue;
    }
    const end = at + recordSize(readU32(b, at + 4));
    if (goodRecord(b, at, b.length)) {
      out.push({ at, end, commitStart: readU32(b, at + 12), laterCommit: 0 });
      at = end;
    } else {
      // Its length may be right all the same: what looks like a record inside a payload is not to be taken for one.
      at = end === b.length || goodRecord(b, end, b.length) ? end : at + 8;
    }
  }
  let most = 0;
  for (let i = out.length - 1; i >= 0; i--) {
    const record = out[i] as GoodRecord;
    most = Math.max(most, record.commitStart);
    record.laterCommit = most;
  }
  return out;
}

function judgeBehind(good: readonly GoodRecord[], from: number, offset: number): Behind {
  const next = good[from];
  if (next === undefined) return "nothing";
  return next.laterCommit > offset ? "laterCommit" : "sameCommit";
}

function classify({ bytes, unreadable }: ReadableRest, at: number, to: number, size: number): Bad {
  if (unreadable.some((u) => u.from < to && u.to > at)) {
    return { ending: "unreadable", problem: "the disk does not give back what it has" };
  }
  if (to === size && isZero(bytes, at, to)) return { ending: "zeros", problem: "only zeros to the end" };
  const plausible = size - at >= RECORD_HEADER && plausibleRecord(bytes, at);
  const need = plausible ? recordSize(readU32(bytes, at + 4)) : RECORD_HEADER;
  if (need > size - at) {
    return { ending: "partialRecord", problem: `a record of ${need} bytes has only ${size - at}` };
  }
  return { ending: "badRecord", problem: plausible ? "a record's checksum does not match" : "no record" };
}

/** Whether b[at, to) is a row of headers of frames with their payloads, whatever the checksums say. */
function areFrames(b: Uint8Array, at: number, to: number): boolean {
  let next = at;
  while (next + RECORD_HEADER <= to && plausibleRecord(b, next)) {
    const kind = kindOf(readU16(b, next + 8));
    if ((kind !== "frame" && kind !== "backlog") || readU64(b, next + 16) === 0) return false;
    next += recordSize(readU32(b, next + 4));
  }
  return next === to;
}

function isZero(b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (b[i] !== 0) return false;
  return true;
}
