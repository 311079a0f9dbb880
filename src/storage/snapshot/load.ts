/** Reading a snapshot: everything is read and checked before anything of the state is touched. */
import { join } from "node:path";
import { align8, readU32 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Disk, DiskError, type DiskFile } from "../../lib/disk.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { decodeLogState } from "../wal/log-state.ts";
import { isMediaError } from "../wal/segment-reader.ts";
import type { WalPosition } from "../wal/wal.ts";
import { decodeTrailer, HEADER_SIZE, headerVersion, snapshotName, TRAILER_SIZE, VERSION } from "./format.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { graft, LayoutMismatch, readTree } from "./tree-read.ts";

export interface LoadedSnapshot {
  readonly generation: number;
  readonly path: string;
  readonly bytes: number;
  readonly position: WalPosition;
}

/** Reads in flight at a time. */
const DEPTH = 4;

/**
 * Puts the content of a snapshot in the place of what a fresh state has (see `graft`). Rejects with `SnapshotError` or, for
 * errors that say nothing of the file (rights, no memory), with DiskError; the state is untouched then.
 */
export async function loadSnapshot(
  disk: Disk,
  dir: string,
  generation: number,
  state: object,
  skip: ReadonlySet<string>,
): Promise<LoadedSnapshot> {
  const path = join(dir, snapshotName(generation));
  try {
    const file = await disk.open(path, "read");
    try {
      const { position, content, bytes } = await readAll(file, path, generation);
      graft(state, content, skip);
      return { generation, path, bytes, position };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isMediaError(error)) throw new SnapshotError("damaged", path, error.message, error);
    if (error instanceof LayoutMismatch) throw new SnapshotError("layout", path, error.message, error);
    throw error;
  }
}

interface Section {
  readonly memory: number;
  readonly offset: number;
  readonly length: number;
  readonly checksum: number;
  readonly at: number;
}

async function readAll(
  file: DiskFile,
  path: string,
  generation: number,
): Promise<{ position: WalPosition; content: object; bytes: number }> {
  const damaged = (what: string): SnapshotError => new SnapshotError("damaged", path, what);
  const size = await file.size();
  const header = new Uint8Array(HEADER_SIZE);
  await exactly(file, header, 0, damaged);
  const version = headerVersion(header, generation);
  if (version === undefined) throw damaged("no header of this snapshot");
  if (version !== VERSION) throw new SnapshotError("version", path, `version ${version} is not known to this program`);
  const end = new Uint8Array(TRAILER_SIZE);
  await exactly(file, end, Math.max(0, size - TRAILER_SIZE), damaged);
  const trailer = decodeTrailer(end, size);
  if (trailer === undefined) throw damaged("no trailer at its end");
  const table = new Uint8Array(trailer.length);
  await exactly(file, table, trailer.at, damaged);
  if (crc32c(table) !== trailer.checksum) throw damaged("the checksum of its table does not match");
  try {
    const cursor: Cursor = { at: 0 };
    const segment = readVarint(table, cursor);
    const logLength = readVarint(table, cursor);
    const state = decodeLogState(table.subarray(cursor.at, cursor.at + logLength));
    cursor.at += logLength;
    const { sizes, sections } = readSections(table, cursor);
    const memory = sizes.map((bytes) => new ArrayBuffer(bytes));
    await readMemory(file, memory, sections, damaged);
    const content = readTree(table, cursor, memory);
    if (typeof content !== "object" || content === null) throw damaged("its tree is no object");
    return { position: { segment, state }, content, bytes: size };
  } catch (error) {
    if (error instanceof SnapshotError || error instanceof DiskError) throw error;
    // The table's checksum is right, so this is a fault of a program, but no reason to look no further.
    throw new SnapshotError("damaged", path, `its table cannot be read: ${String(error)}`, error);
  }
}

function readSections(table: Uint8Array, cursor: Cursor): { sizes: number[]; sections: Section[] } {
  const sizes: number[] = [];
  const sections: Section[] = [];
  let at = HEADER_SIZE;
  const memories = readVarint(table, cursor);
  for (let m = 0; m < memories; m++) {
    sizes.push(readVarint(table, cursor));
    const count = readVarint(table, cursor);
    let offset = 0;
    for (let i = 0; i < count; i++) {
      offset += readVarint(table, cursor);
      const length = readVarint(table, cursor);
      sections.push({ memory: m, offset, length, checksum: readU32(table, cursor.at), at });
      cursor.at += 4;
      at += align8(length);
    }
  }
  return { sizes, sections };
}

/** Reads all sections to their places, some at a time, and checks each while others are on their way. */
async function readMemory(
  file: DiskFile,
  memory: readonly ArrayBuffer[],
  sections: readonly Section[],
  damaged: (what: string) => SnapshotError,
): Promise<void> {
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < sections.length) {
      const s = sections[next++] as Section;
      const into = new Uint8Array(memory[s.memory] as ArrayBuffer, s.offset, s.length);
      try {
        await exactly(file, into, s.at, damaged);
        if (crc32c(into) !== s.checksum) throw damaged(`the checksum of the section at byte ${s.at} does not match`);
      } catch (error) {
        next = sections.length;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: DEPTH }, reader));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function exactly(
  file: DiskFile,
  into: Uint8Array,
  at: number,
  damaged: (what: string) => SnapshotError,
): Promise<void> {
  const count = await file.read(into, at);
  if (count < into.length) throw damaged(`it ends at byte ${at + count}`);
}
