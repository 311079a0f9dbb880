/**
 * What is deleted of a block: a small file beside it, replaced as a whole. A tombstone names series by tenant and matchers and a
 * span of time; which series these are is worked out when the block is read. Docs: docs/format/block.md, "Tombstones".
 */
import { join } from "node:path";
import { readF64, readU32, writeF64 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Disk, readWhole, replaceFile } from "../../lib/disk.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import type { Matcher, MatchOp } from "../../model/matcher.ts";
import { BlockError } from "./block-error.ts";
import { makeSink, putByte, putBytes, putU32, putVarint, sinkBytes } from "./byte-sink.ts";
import { TOMBSTONES_FILE } from "./layout.ts";
import { CHECKSUM_BYTES, checksumHolds } from "./part-code.ts";

/** Deleted: samples (of rollups: buckets whose start is) in [minT, maxT] of the tenant's series that satisfy every matcher. */
export interface Tombstone {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  /** Unix ms; infinite where there is no bound. */
  readonly minT: number;
  readonly maxT: number;
}

/** The tombstones of a block, and the series of each, ascending, when they have been looked up. */
export interface Tombstones {
  readonly list: readonly Tombstone[];
  series: readonly Uint32Array[] | undefined;
}

const MAGIC = 0x58425354; // "TSBX"
const VERSION = 1;
const OPS: readonly MatchOp[] = ["=", "!=", "=~", "!~"];
const HEAD = 8;

/** The block's tombstones, none without a file. Rejects with `BlockError` for a damaged one. */
export async function readTombstones(disk: Disk, dir: string, id: string): Promise<Tombstones> {
  const path = join(dir, TOMBSTONES_FILE);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return { list: [], series: undefined };
  const fail = (problem: string, cause?: unknown): BlockError => new BlockError(id, path, 0, problem, cause);
  if (bytes.length < HEAD + CHECKSUM_BYTES || readU32(bytes, 0) !== MAGIC) throw fail("no tombstones");
  if (!checksumHolds(bytes)) throw fail("the checksum does not match");
  if (readU32(bytes, 4) !== VERSION) throw fail(`version ${readU32(bytes, 4)}`);
  try {
    return { list: decode(bytes), series: undefined };
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error), error);
  }
}

function decode(bytes: Uint8Array): Tombstone[] {
  const cursor: Cursor = { at: HEAD };
  const end = bytes.length - CHECKSUM_BYTES;
  const text = (): string => {
    const length = readVarint(bytes, cursor, end);
    if (length > end - cursor.at) throw new RangeError("a text cut short");
    cursor.at += length;
    return new TextDecoder().decode(bytes.subarray(cursor.at - length, cursor.at));
  };
  const list: Tombstone[] = [];
  for (let left = readVarint(bytes, cursor, end); left > 0; left--) {
    if (cursor.at + 16 > end) throw new RangeError("a tombstone cut short");
    const minT = readF64(bytes, cursor.at);
    const maxT = readF64(bytes, cursor.at + 8);
    cursor.at += 16;
    const tenant = text();
    const matchers: Matcher[] = [];
    for (let n = readVarint(bytes, cursor, end); n > 0; n--) {
      const op = OPS[bytes[cursor.at++] as number];
      if (op === undefined) throw new RangeError("a matcher without an operator");
      const name = text();
      matchers.push({ name, op, value: text() });
    }
    list.push({ tenant, matchers, minT, maxT });
  }
  if (cursor.at !== end) throw new RangeError(`tombstones end at ${cursor.at} of ${end} bytes`);
  return list;
}

/** Replaces the file; what it says is durable when this resolves. Rejects with `DiskError`. */
export async function writeTombstones(disk: Disk, dir: string, list: readonly Tombstone[]): Promise<void> {
  await replaceFile(disk, join(dir, TOMBSTONES_FILE), encodeTombstones(list));
}

export function encodeTombstones(list: readonly Tombstone[]): Uint8Array {
  const sink = makeSink();
  const encoder = new TextEncoder();
  const putText = (text: string): void => {
    const bytes = encoder.encode(text);
    putVarint(sink, bytes.length);
    putBytes(sink, bytes);
  };
  const times = new Uint8Array(16);
  putU32(sink, MAGIC);
  putU32(sink, VERSION);
  putVarint(sink, list.length);
  for (const { tenant, matchers, minT, maxT } of list) {
    writeF64(times, 0, minT);
    writeF64(times, 8, maxT);
    putBytes(sink, times);
    putText(tenant);
    putVarint(sink, matchers.length);
    for (const m of matchers) {
      putByte(sink, OPS.indexOf(m.op));
      putText(m.name);
      putText(m.value);
    }
  }
  putU32(sink, crc32c(sinkBytes(sink)));
  return sinkBytes(sink);
}
