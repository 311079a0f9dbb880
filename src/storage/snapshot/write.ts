/**
 * Writing a snapshot: the memory of the state's arrays goes to the disk from where it is, in sections; nothing is copied but
 * what is small. A crash at any moment leaves the snapshots that were there before.
 */
import { join } from "node:path";
import { align8 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import type { Disk, DiskFile } from "../../lib/disk.ts";
import { encodeLogState } from "../wal/log-state.ts";
import type { WalPosition } from "../wal/wal.ts";
import {
  encodeHeader,
  encodeTrailer,
  HEADER_SIZE,
  isLeftover,
  SECTION_BYTES,
  snapshotGeneration,
  snapshotName,
  TRAILER_SIZE,
} from "./format.ts";
import { type NamedMemory, putVarint, reserve, type Sink, type WalkOptions, writeTree } from "./tree-write.ts";

export interface WriteOptions extends WalkOptions {
  /** Above that of every snapshot in the folder. */
  readonly generation: number;
}

export interface WrittenSnapshot {
  readonly path: string;
  readonly generation: number;
  readonly bytes: number;
  readonly position: WalPosition;
}

export interface Writing {
  /** Resolves when the state may change again, also when writing has failed by then. */
  readonly released: Promise<void>;
  /** Resolves when the snapshot is on disk under its name; rejects with DiskError, and then no file of it is left if possible. */
  readonly durable: Promise<WrittenSnapshot>;
}

/** Writes in flight at a time. */
const DEPTH = 3;

/**
 * Starts writing the state of a shard as it is after everything in the log before `position`. The state must not change until
 * `released`. Throws TypeError for a state that cannot be in a snapshot.
 */
export function writeSnapshot(
  disk: Disk,
  dir: string,
  state: object,
  position: WalPosition,
  options: WriteOptions,
): Writing {
  const tree = writeTree(state, options);
  const { generation } = options;
  const path = join(dir, snapshotName(generation));
  const temporary = `${path}.tmp`;
  const attempt = async (file: DiskFile, release: () => void): Promise<number> => {
    const bytes = await writeAll(file, generation, tree, position);
    release();
    await file.sync();
    return bytes;
  };
  const write = async (release: () => void): Promise<WrittenSnapshot> => {
    try {
      const file = await disk.open(temporary, "create");
      let bytes: number;
      try {
        bytes = await attempt(file, release);
      } finally {
        await file.close();
      }
      await disk.rename(temporary, path);
      await disk.syncDir(dir);
      return { path, generation, bytes, position };
    } catch (error) {
      await disk.remove(temporary).catch(() => undefined);
      throw error;
    } finally {
      release();
    }
  };
  const released = Promise.withResolvers<void>();
  return { durable: write(released.resolve), released: released.promise };
}

async function writeAll(
  file: DiskFile,
  generation: number,
  tree: { readonly bytes: Uint8Array; readonly memory: readonly NamedMemory[] },
  position: WalPosition,
): Promise<number> {
  const flight = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let end = HEADER_SIZE;
  let size = 0;
  /** Starts a write of bytes that stay as they are, behind the last one; waits while many are under way. */
  const append = async (bytes: Uint8Array): Promise<void> => {
    const done = file.write(bytes, end).then(
      () => void flight.delete(done),
      (error: unknown) => {
        failure ??= { error };
        flight.delete(done);
      },
    );
    flight.add(done);
    end += align8(bytes.length);
    while (flight.size >= DEPTH) await Promise.race(flight);
    if (failure !== undefined) throw failure.error;
  };
  try {
    const table: Sink = { bytes: new Uint8Array(1 << 16), length: 0 };
    putVarint(table, position.segment);
    const log = encodeLogState(position.state);
    putVarint(table, log.length);
    putBytes(table, log);
    putVarint(table, tree.memory.length);
    for (const memory of tree.memory) await writeMemory(memory, table, append);
    putBytes(table, tree.bytes);
    const at = end;
    const bytes = table.bytes.subarray(0, table.length);
    let checksum = 0;
    for (let from = 0; from < bytes.length; from += SECTION_BYTES) {
      const part = bytes.subarray(from, from + SECTION_BYTES);
      checksum = crc32c(part, 0, part.length, checksum);
      end = at + from;
      await append(part);
    }
    end = at + bytes.length;
    await append(encodeTrailer({ at, length: bytes.length, checksum }));
    size = at + bytes.length + TRAILER_SIZE;
    end = 0;
    await append(encodeHeader(generation));
  } finally {
    // The state may change after this: nothing may read from it any more.
    await Promise.all(flight);
  }
  if (failure !== undefined) throw failure.error;
  return size;
}

/** Writes what is not 0 of a piece of memory, in sections, and says in the table what that is. */
async function writeMemory(
  memory: NamedMemory,
  table: Sink,
  append: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const { buffer, from, to, used } = memory;
  const sections: Uint8Array[] = [];
  const end = Math.min(to, used);
  for (let at = from; at < end; at += SECTION_BYTES) {
    const bytes = withoutZeroTail(buffer, at, Math.min(at + SECTION_BYTES, end));
    if (bytes.length > 0) sections.push(bytes);
  }
  putVarint(table, to - from);
  putVarint(table, sections.length);
  let before = from;
  for (const bytes of sections) {
    putVarint(table, bytes.byteOffset - before);
    putVarint(table, bytes.length);
    before = bytes.byteOffset;
    const checksum = crc32c(bytes);
    putBytes(table, Uint8Array.of(checksum, checksum >>> 8, checksum >>> 16, checksum >>> 24));
    await append(bytes);
  }
}

function putBytes(out: Sink, bytes: Uint8Array): void {
  reserve(out, bytes.length);
  out.bytes.set(bytes, out.length);
  out.length += bytes.length;
}

/** The bytes [from, to) of a buffer up to the last word that is not 0. */
function withoutZeroTail(buffer: ArrayBufferLike, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(buffer, from, to - from);
  let end = bytes.length;
  while (end > 0 && (end & 3) !== 0) {
    if (bytes[end - 1] !== 0) return bytes.subarray(0, end);
    end--;
  }
  const words = new Int32Array(buffer, from, end >> 2);
  let n = words.length;
  while (n > 0 && words[n - 1] === 0) n--;
  return bytes.subarray(0, n << 2);
}

/** The generations of the snapshots in a folder, newest first. */
export async function listSnapshots(disk: Disk, dir: string): Promise<number[]> {
  const generations = (await disk.list(dir)).flatMap((name) => snapshotGeneration(name) ?? []);
  return generations.sort((a, b) => b - a);
}

/** Removes what a writer left that did not come to its end; returns how many files that were. */
export async function removeLeftovers(disk: Disk, dir: string): Promise<number> {
  const names = (await disk.list(dir)).filter(isLeftover);
  for (const name of names) await disk.remove(join(dir, name));
  return names.length;
}
