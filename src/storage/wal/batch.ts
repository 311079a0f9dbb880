/** Records that wait for their commit, encoded one behind another in a buffer that is reused. */
import { readU16, readU32, readU64 } from "../../lib/bytes.ts";
import { encodeRecord, RECORD_HEADER, recordSize, sealRecord } from "./format.ts";
import { afterRecord, type LogState } from "./log-state.ts";

export interface Batch {
  buffer: Uint8Array<ArrayBuffer>;
  length: number;
  /** Checksums of the payloads, in order. */
  readonly checksums: number[];
}

/** A buffer that one large commit has made larger than this is not kept. */
const KEEP = 16 << 20;
const FIRST = 64 << 10;

export function makeBatch(): Batch {
  return { buffer: new Uint8Array(FIRST), length: 0, checksums: [] };
}

export function addRecord(batch: Batch, type: number, ordinal: number, seq: number, payload: Uint8Array): void {
  const at = batch.length;
  reserve(batch, at + recordSize(payload.length));
  encodeRecord(batch.buffer, at, type, ordinal, seq, payload);
  batch.checksums.push(readU32(batch.buffer, at + 24));
  batch.length = at + recordSize(payload.length);
}

/** Finishes the records for a commit at this offset and returns their bytes. May be done again for another offset. */
export function sealBatch(batch: Batch, commitStart: number): Uint8Array {
  let at = 0;
  for (const checksum of batch.checksums) {
    sealRecord(batch.buffer, at, checksum, commitStart);
    at += recordSize(readU32(batch.buffer, at + 4));
  }
  return batch.buffer.subarray(0, batch.length);
}

/** The state of a log when the batch is in it. */
export function stateAfter(state: LogState, batch: Batch): LogState {
  const b = batch.buffer;
  let next = state;
  for (let at = 0; at < batch.length; ) {
    const n = readU32(b, at + 4);
    const payload = b.subarray(at + RECORD_HEADER, at + RECORD_HEADER + n);
    next = afterRecord(next, readU16(b, at + 8), readU64(b, at + 16), payload);
    at += recordSize(n);
  }
  return next;
}

/** Moves the records of `from` behind those of `to`. */
export function moveRecords(from: Batch, to: Batch): void {
  if (from.length === 0) return;
  reserve(to, to.length + from.length);
  to.buffer.set(from.buffer.subarray(0, from.length), to.length);
  to.length += from.length;
  for (const checksum of from.checksums) to.checksums.push(checksum);
  emptyBatch(from);
}

export function emptyBatch(batch: Batch): void {
  batch.length = 0;
  batch.checksums.length = 0;
  if (batch.buffer.length > KEEP) batch.buffer = new Uint8Array(FIRST);
}

function reserve(batch: Batch, length: number): void {
  if (length <= batch.buffer.length) return;
  const buffer = new Uint8Array(Math.max(length, batch.buffer.length * 2));
  buffer.set(batch.buffer.subarray(0, batch.length));
  batch.buffer = buffer;
}
