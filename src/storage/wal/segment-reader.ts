/**
 * Reading a segment from its start in large windows, the next one on its way while the records of this one are used. A disk
 * that does not give back a part of a file is asked again for ever smaller parts, so that all the rest is had.
 */
import { DiskError, type DiskFile } from "../../lib/disk.ts";

/** What the two windows need in front for the record that lies across their boundary. */
const CARRY = 1 << 20;
const WINDOW = 4 << 20;

export interface SegmentBuffers {
  current: Uint8Array;
  other: Uint8Array;
}

export function makeSegmentBuffers(): SegmentBuffers {
  return { current: new Uint8Array(0), other: new Uint8Array(0) };
}

export interface SegmentReader {
  /** The bytes that are there: bytes[at, end). `at` is the user's to move, in multiples of 8. */
  bytes: Uint8Array;
  at: number;
  end: number;
  /** Offset in the file of bytes[0]. */
  base: number;
  /** Makes at least `n` bytes available at `at`, if the file has them; rejects with DiskError. */
  need(n: number): Promise<void>;
  /** To be called when no more is read before the end. */
  stop(): Promise<void>;
}

/** Reads file[start, size). */
export function readSegment(file: DiskFile, start: number, size: number, buffers: SegmentBuffers): SegmentReader {
  const room = CARRY + Math.min(WINDOW, Math.max(0, size - start));
  if (buffers.current.length < room) buffers.current = new Uint8Array(room);
  if (buffers.other.length < room && size - start > WINDOW) buffers.other = new Uint8Array(room);
  let nextFrom = start;
  let ahead: Promise<number | DiskError> | undefined;
  const fetch = (): void => {
    const into = buffers.other.subarray(CARRY, CARRY + Math.min(WINDOW, size - nextFrom));
    ahead = into.length === 0 ? undefined : attempt(file, into, nextFrom);
  };
  const reader: SegmentReader = {
    bytes: buffers.current,
    at: CARRY,
    end: CARRY,
    base: start - CARRY,
    need: async (n) => {
      if (nextFrom === start) {
        const into = reader.bytes.subarray(CARRY, CARRY + Math.min(WINDOW, size - start));
        const count = await file.read(into, start);
        reader.end = CARRY + count;
        nextFrom = start + into.length;
        if (nextFrom < size) fetch();
      }
      if (reader.end - reader.at >= n) return;
      if (n > CARRY) await whole(n);
      else await advance();
    },
    stop: async () => {
      await ahead;
      ahead = undefined;
    },
  };
  const advance = async (): Promise<void> => {
    if (ahead === undefined) return;
    const count = await ahead;
    if (typeof count !== "number") throw count;
    const rest = reader.end - reader.at;
    buffers.other.set(reader.bytes.subarray(reader.at, reader.end), CARRY - rest);
    [buffers.current, buffers.other] = [buffers.other, buffers.current];
    const offset = reader.base + reader.at;
    reader.bytes = buffers.current;
    reader.at = CARRY - rest;
    reader.end = CARRY + count;
    reader.base = offset - reader.at;
    nextFrom += count;
    if (nextFrom < size && count > 0) fetch();
    else ahead = undefined;
  };
  /** A record that does not fit in front of a window gets a buffer of its own; the window after it is read from its end on. */
  const whole = async (n: number): Promise<void> => {
    await reader.stop();
    const offset = reader.base + reader.at;
    const bytes = new Uint8Array(Math.min(n, size - offset));
    const count = await file.read(bytes, offset);
    reader.bytes = bytes;
    reader.at = 0;
    reader.end = count;
    reader.base = offset;
    nextFrom = offset + count;
    if (nextFrom < size && count > 0) fetch();
  };
  return reader;
}

async function attempt(file: DiskFile, into: Uint8Array, at: number): Promise<number | DiskError> {
  try {
    return await file.read(into, at);
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

/** The disk or its file system says that it lost what it had; other errors (rights, too many open files) pass. */
export function isMediaError(error: unknown): error is DiskError {
  return error instanceof DiskError && MEDIA.has(error.code);
}

const MEDIA = new Set(["EIO", "EUCLEAN", "EBADMSG", "ENODATA", "EREMOTEIO", "EILSEQ"]);

const SMALLEST = 4096;
/** A disk that is gone altogether is not asked for every block. */
const MAX_BAD_BLOCKS = 256;

export interface ReadableRest {
  /** Zeros where the disk gave nothing. */
  readonly bytes: Uint8Array;
  /** What it did not give: [from, to) in `bytes`, ascending. */
  readonly unreadable: readonly { readonly from: number; readonly to: number }[];
}

/** Reads what can be read of file[from, size). */
export async function readRest(file: DiskFile, from: number, size: number): Promise<ReadableRest> {
  const bytes = new Uint8Array(size - from);
  const unreadable: { from: number; to: number }[] = [];
  let bad = 0;
  const lost = (a: number, b: number): void => {
    const last = unreadable.at(-1);
    if (last?.to === a) last.to = b;
    else unreadable.push({ from: a, to: b });
  };
  const read = async (a: number, b: number): Promise<void> => {
    if (bad >= MAX_BAD_BLOCKS) {
      lost(a, b);
      return;
    }
    try {
      await file.read(bytes.subarray(a, b), from + a);
    } catch (error) {
      if (!isMediaError(error)) throw error;
      bytes.fill(0, a, b);
      if (b - a <= SMALLEST) {
        bad++;
        lost(a, b);
        return;
      }
      // Boundaries are those of the file's blocks.
      const middle = Math.floor((from + ((a + b) >> 1)) / SMALLEST) * SMALLEST - from;
      const cut = middle > a ? middle : a + SMALLEST;
      await read(a, cut);
      await read(cut, b);
    }
  };
  const STEP = 8 << 20;
  for (let a = 0; a < bytes.length; a += STEP) await read(a, Math.min(a + STEP, bytes.length));
  return { bytes, unreadable };
}
