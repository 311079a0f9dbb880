/** Bytes of WAL segments and records; docs/format/wal.md describes them. Everything is little-endian. */
import { align8, readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";

/** "TSW1" and "TSWR". */
export const SEGMENT_MAGIC = 0x31575354;
export const RECORD_MAGIC = 0x52575354;
/** Version 1 had only frames and epochs; an epoch at the start of a later segment repeated the one before. */
export const VERSION = 2;
export const OLDEST_VERSION = 1;

export const SEGMENT_HEADER = 32;
export const RECORD_HEADER = 32;

/** A frame as it came from the stream. */
export const FRAME = 1;
/** Payload: the stream's identity; sequence: the last one of it that is of no concern (0 for a new stream). */
export const EPOCH = 2;
/** A frame that was read beside the newest ones: what it brings is older than what may be there already. */
export const BACKLOG = 3;
/** A command that deletes series; sequence 0 when it did not come from the stream. */
export const DELETE = 4;
/** At the start of a segment: the epoch, and the sequences that are in the log before the segment (log-state.ts). */
export const STATE = 5;
/** Payload: a set of sequences of the current epoch that are not to come: the stream does not have them any more. */
export const SKIP = 6;

/** What a caller appends and gets back. */
export type RecordKind = "frame" | "backlog" | "delete";

export const KIND_TYPES: Readonly<Record<RecordKind, number>> = { frame: FRAME, backlog: BACKLOG, delete: DELETE };

/** The kind of a record that is a caller's, undefined for the log's own. */
export function kindOf(type: number): RecordKind | undefined {
  if (type === FRAME) return "frame";
  if (type === BACKLOG) return "backlog";
  return type === DELETE ? "delete" : undefined;
}

/** Records are no larger, so that a damaged length is not believed. */
export const MAX_PAYLOAD = 64 << 20;

export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.wal`;
}

/** The number in a segment's file name, undefined for other files. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{8}\.wal$/.test(name) ? Number(name.slice(0, 8)) : undefined;
}

export function encodeSegmentHeader(number: number): Uint8Array {
  const b = new Uint8Array(SEGMENT_HEADER);
  writeU32(b, 0, SEGMENT_MAGIC);
  writeU32(b, 4, VERSION);
  writeU64(b, 8, number);
  writeU32(b, 28, crc32c(b, 0, 28));
  return b;
}

/** What is wrong with a segment's header, undefined when it is good. */
export function segmentHeaderProblem(
  b: Uint8Array,
  number: number,
):
  | { readonly ending: "partialHeader" | "damagedHeader" | "otherVersion" | "otherNumber"; readonly problem: string }
  | undefined {
  if (b.length < SEGMENT_HEADER) return { ending: "partialHeader", problem: "the segment header is cut short" };
  if (readU32(b, 0) !== SEGMENT_MAGIC || readU32(b, 28) !== crc32c(b, 0, 28)) {
    return { ending: "damagedHeader", problem: "no segment header with a matching checksum" };
  }
  if (readU32(b, 4) < OLDEST_VERSION || readU32(b, 4) > VERSION) {
    return { ending: "otherVersion", problem: `segment version ${readU32(b, 4)} is not known to this program` };
  }
  if (readU64(b, 8) === number) return undefined;
  return { ending: "otherNumber", problem: `the header says that this is segment ${readU64(b, 8)}` };
}

/** The version that a good segment header names. */
export function segmentVersion(b: Uint8Array): number {
  return readU32(b, 4);
}

/** Bytes that a record takes in the file: header, payload, zeros up to a multiple of 8. */
export function recordSize(payloadLength: number): number {
  return RECORD_HEADER + align8(payloadLength);
}

/**
 * Writes a record at b[at...], a multiple of 8, for `sealRecord` to finish: where its commit starts is only known when the
 * commit is written. Until then the checksum field has the payload's.
 */
export function encodeRecord(
  b: Uint8Array,
  at: number,
  type: number,
  ordinal: number,
  seq: number,
  payload: Uint8Array,
): void {
  const n = payload.length;
  writeU32(b, at, RECORD_MAGIC);
  writeU32(b, at + 4, n);
  writeU16(b, at + 8, type);
  writeU16(b, at + 10, ordinal);
  writeU64(b, at + 16, seq);
  writeU32(b, at + 24, crc32c(payload));
  writeU32(b, at + 28, 0);
  b.set(payload, at + RECORD_HEADER);
  b.fill(0, at + RECORD_HEADER + n, at + recordSize(n));
}

/**
 * Finishes the record at b[at...]. `commitStart` is the offset in the segment at which the commit that it belongs to
 * starts: everything before it is on disk when the record is written.
 */
export function sealRecord(b: Uint8Array, at: number, payloadChecksum: number, commitStart: number): void {
  writeU32(b, at + 12, commitStart);
  writeU32(b, at + 24, crc32c(b, at, at + 24, payloadChecksum));
}

/** Of the payload, then the first 24 bytes of the header. */
export function recordChecksum(b: Uint8Array, at: number, payloadLength: number): number {
  return crc32c(b, at, at + 24, crc32c(b, at + RECORD_HEADER, at + RECORD_HEADER + payloadLength));
}

/** Whether a header could be one; says nothing of its checksum. */
export function plausibleRecord(b: Uint8Array, at: number): boolean {
  const type = readU16(b, at + 8);
  return readU32(b, at) === RECORD_MAGIC && readU32(b, at + 4) <= MAX_PAYLOAD && type >= FRAME && type <= SKIP;
}

/** Whether b[at, end) starts with a whole record whose checksum matches. */
export function goodRecord(b: Uint8Array, at: number, end: number): boolean {
  if (end - at < RECORD_HEADER || !plausibleRecord(b, at)) return false;
  const length = readU32(b, at + 4);
  return recordSize(length) <= end - at && readU32(b, at + 24) === recordChecksum(b, at, length);
}
