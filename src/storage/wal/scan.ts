/** Reading a segment record by record, and judging the place where that ends. */
import { readU32, readU64 } from "../../lib/bytes.ts";
import type { DiskFile } from "../../lib/disk.ts";
import {
  plausibleRecord,
  RECORD_HEADER,
  recordChecksum,
  recordSize,
  SEGMENT_HEADER,
  segmentHeaderProblem,
} from "./format.ts";
import type { Behind, Ending } from "./verdict.ts";

export interface ScanEnd {
  readonly ending: Ending;
  /** Where reading ended: the first byte that is no part of a good record. */
  readonly offset: number;
  readonly size: number;
  readonly behind: Behind;
  readonly problem: string;
}

/** Called with each good record; the payload is only valid during the call and starts at a multiple of 8 of its buffer. */
export type OnRecord = (type: number, seq: number, payload: Uint8Array) => void;

const WINDOW = 8 << 20;

/**
 * Reads a segment from its start. Errors of the disk are thrown; everything else is in the result. At most the window and the
 * largest record are in memory, except when something is wrong: then the rest of the segment is.
 */
export async function scanSegment(file: DiskFile, number: number, onRecord: OnRecord): Promise<ScanEnd> {
  const size = await file.size();
  const header = new Uint8Array(Math.min(size, SEGMENT_HEADER));
  await file.read(header, 0);
  const bad = segmentHeaderProblem(header, number);
  if (bad !== undefined) return { ...bad, offset: 0, size, behind: await lookBehind(file, 0, SEGMENT_HEADER, size) };
  let window = new Uint8Array(Math.min(WINDOW, Math.max(size - SEGMENT_HEADER, RECORD_HEADER)));
  let start = SEGMENT_HEADER;
  let filled = await file.read(window, start);
  let at = 0;
  while (true) {
    const offset = start + at;
    if (offset === size) return { ending: "end", offset, size, behind: "nothing", problem: "" };
    let need = RECORD_HEADER;
    if (filled - at >= RECORD_HEADER && plausibleRecord(window, at)) need = recordSize(readU32(window, at + 4));
    if (filled - at < need) {
      if (offset + need > size) return await damage(file, offset, size, need);
      // Move on in the file; offsets in the window stay multiples of 8.
      if (need > window.length) window = new Uint8Array(need);
      start = offset;
      at = 0;
      filled = await file.read(window, start);
      if (filled < need && filled < size - start) return await damage(file, offset, size, need);
      continue;
    }
    if (!plausibleRecord(window, at)) return await damage(file, offset, size, 0);
    const length = readU32(window, at + 4);
    if (readU32(window, at + 24) !== recordChecksum(window, at, length)) return await damage(file, offset, size, 0);
    const payload = window.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    onRecord(readU32(window, at + 8), readU64(window, at + 16), payload);
    at += need;
  }
}

/** `needed` is the size of a record that goes beyond the end of the file, 0 for one that is wrong inside it. */
async function damage(file: DiskFile, offset: number, size: number, needed: number): Promise<ScanEnd> {
  const behind = await lookBehind(file, offset, offset + 8, size);
  const rest = new Uint8Array(size - offset);
  await file.read(rest, offset);
  if (rest.every((b) => b === 0)) {
    return { ending: "zeros", offset, size, behind, problem: `only zeros from byte ${offset} on` };
  }
  if (needed > 0) {
    const problem = `a record of ${needed} bytes has only ${size - offset}`;
    return { ending: "partialRecord", offset, size, behind, problem };
  }
  const sane = size - offset >= RECORD_HEADER && plausibleRecord(rest, 0);
  const problem = sane ? "a record's checksum does not match" : "no record";
  return { ending: "badRecord", offset, size, behind, problem };
}

/** Looks from byte `from` on for good records, and for one that says that what is at `offset` was on disk. */
async function lookBehind(file: DiskFile, offset: number, from: number, size: number): Promise<Behind> {
  if (from >= size) return "nothing";
  const rest = new Uint8Array(size - from);
  await file.read(rest, from);
  let behind: Behind = "nothing";
  for (let at = 0; at + RECORD_HEADER <= rest.length; ) {
    const length = plausibleRecord(rest, at) ? readU32(rest, at + 4) : -1;
    if (
      length < 0 ||
      at + recordSize(length) > rest.length ||
      readU32(rest, at + 24) !== recordChecksum(rest, at, length)
    ) {
      at += 8;
      continue;
    }
    if (readU32(rest, at + 12) > offset) return "laterCommit";
    behind = "sameCommit";
    at += recordSize(length);
  }
  return behind;
}
