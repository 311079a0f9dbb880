/** Bytes of a snapshot file; docs/format/head-snapshot.md describes them. Everything is little-endian. */
import { readU32, readU64, writeU32, writeU64 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";

/** "TSH1" and "TSHE". */
const HEADER_MAGIC = 0x31485354;
const TRAILER_MAGIC = 0x45485354;
export const VERSION = 1;

export const HEADER_SIZE = 32;
export const TRAILER_SIZE = 32;

/** A section has at most so many bytes; so a checksum is never far, and no write holds the disk for long. */
export const SECTION_BYTES = 1 << 20;

export function encodeHeader(generation: number): Uint8Array {
  const b = new Uint8Array(HEADER_SIZE);
  writeU32(b, 0, HEADER_MAGIC);
  writeU32(b, 4, VERSION);
  writeU64(b, 8, generation);
  writeU32(b, 28, crc32c(b, 0, 28));
  return b;
}

export interface Trailer {
  /** Where the table is, behind the sections. */
  readonly at: number;
  readonly length: number;
  readonly checksum: number;
}

export function encodeTrailer({ at, length, checksum }: Trailer): Uint8Array {
  const b = new Uint8Array(TRAILER_SIZE);
  writeU32(b, 0, TRAILER_MAGIC);
  writeU32(b, 4, checksum);
  writeU64(b, 8, at);
  writeU64(b, 16, length);
  writeU32(b, 28, crc32c(b, 0, 28));
  return b;
}

/** The version that a header names, undefined when it is no header of this file. */
export function headerVersion(b: Uint8Array, generation: number): number | undefined {
  if (b.length < HEADER_SIZE || readU32(b, 0) !== HEADER_MAGIC || readU32(b, 28) !== crc32c(b, 0, 28)) return undefined;
  return readU64(b, 8) === generation || readU32(b, 4) !== VERSION ? readU32(b, 4) : undefined;
}

/** Undefined when it is no trailer of a file of this size. */
export function decodeTrailer(b: Uint8Array, size: number): Trailer | undefined {
  if (b.length < TRAILER_SIZE || readU32(b, 0) !== TRAILER_MAGIC || readU32(b, 28) !== crc32c(b, 0, 28))
    return undefined;
  const trailer = { at: readU64(b, 8), length: readU64(b, 16), checksum: readU32(b, 4) };
  return trailer.at + trailer.length + TRAILER_SIZE === size ? trailer : undefined;
}

export function snapshotName(generation: number): string {
  return `${String(generation).padStart(8, "0")}.head`;
}

/** The number in a snapshot's file name, undefined for other files. */
export function snapshotGeneration(name: string): number | undefined {
  return /^\d{8,}\.head$/.test(name) ? Number(name.slice(0, -5)) : undefined;
}

/** Whether the file is what a writer left that did not come to its end. */
export function isLeftover(name: string): boolean {
  return /^\d{8,}\.head\.tmp$/.test(name);
}
