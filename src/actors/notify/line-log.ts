import { type Disk, type DiskFile, readWhole, replaceFile } from "../../lib/disk.ts";

/**
 * A file of JSON objects, one a line, that is appended to and rewritten at times with what still counts.
 *
 * Invariants:
 * - `sync` resolves when all that was pushed before it is on disk. What the disk refused is written again, at the same place, with
 *   the next: a failed fsync may have lost it although it can be read.
 * - A torn last line is what a crash left and is cut off; a damaged line elsewhere is skipped and counted.
 * - On a disk that takes nothing for now it opens all the same: the file of before goes on, once there is space.
 */
export interface LineLog {
  push(line: object): void;
  /** Callers that come while a write is under way share the next one. Rejects with the disk's error. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface LineLogOptions {
  readonly disk: Disk;
  readonly path: string;
  /** Takes a line that was read; false when it is none of its lines. */
  readonly apply: (line: unknown) => boolean;
  /** All that counts now, for a new file. */
  readonly live: () => Iterable<object>;
}

/** The file is rewritten when it is this long and mostly past. */
const COMPACT_BYTES = 4 << 20;
/** Lines that wait for a disk that does not take them; the oldest go. */
const MAX_WAITING_LINES = 10_000;

const NEWLINE = 10;
const encoder = new TextEncoder();

/** Reads the file, all of it, and begins a new one, or goes on with it where that cannot be made. Rejects when it cannot be read. */
export async function openLineLog(options: LineLogOptions): Promise<{ log: LineLog; damagedLines: number }> {
  const { disk, path, apply, live } = options;
  const stored = (await readWhole(disk, path)) ?? new Uint8Array();
  const damagedLines = readLines(stored, apply);
  let file: DiskFile | undefined;
  let at = 0;
  let liveBytes = 0;
  const rewrite = async () => {
    const bytes = encoder.encode(textOf([...live()]));
    await replaceFile(disk, path, bytes);
    file = await disk.open(path, "write");
    at = bytes.length;
    liveBytes = bytes.length;
  };
  /** The file of before, without what a crash tore. */
  const goOn = async () => {
    at = stored.lastIndexOf(NEWLINE) + 1;
    const old = await disk.open(path, "write");
    await old.truncate(at);
    file = old;
  };
  await rewrite().catch(() => goOn().catch(() => {}));

  let buffer: object[] = [];
  let writing: Promise<void> | undefined;
  const write = async () => {
    if (at > COMPACT_BYTES && at > 4 * liveBytes) {
      const old = file;
      // Compaction that fails leaves the old file as it is, and it goes on there.
      await rewrite().then(
        () => old?.close(),
        () => {},
      );
    }
    const lines = buffer;
    buffer = [];
    try {
      // It could neither be made nor opened: tried again, until the disk takes it.
      if (file === undefined) await rewrite();
      const bytes = encoder.encode(textOf(lines));
      const open = file as DiskFile;
      await open.write(bytes, at);
      await open.sync();
      at += bytes.length;
    } catch (error) {
      buffer = [...lines, ...buffer].slice(-MAX_WAITING_LINES);
      throw error;
    }
  };
  const sync = async (): Promise<void> => {
    // Also when the next write has taken the caller's lines along: they are on disk when it ends.
    while (writing !== undefined) await writing.catch(() => {});
    if (buffer.length === 0) return;
    writing = write().finally(() => {
      writing = undefined;
    });
    await writing;
  };
  const log: LineLog = {
    push: (line) => buffer.push(line),
    sync,
    close: async () => {
      await sync();
      await file?.close();
    },
  };
  return { log, damagedLines };
}

function textOf(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function readLines(bytes: Uint8Array, apply: (line: unknown) => boolean): number {
  const lines = new TextDecoder().decode(bytes).split("\n");
  lines.pop(); // what follows the last newline: nothing, or a torn line
  let damaged = 0;
  for (const text of lines) {
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      damaged++;
      continue;
    }
    if (!apply(line)) damaged++;
  }
  return damaged;
}
