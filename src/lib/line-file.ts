import { type Disk, type DiskFile, readWhole, replaceFile } from "./disk.ts";

/**
 * A file of JSON objects, one a line, that is appended to, and made anew with what still counts when it is mostly past.
 *
 * Invariants:
 * - what `append` resolved for is on disk; what it rejected for is written over by the next one;
 * - a torn last line is what a crash left and is cut off; a damaged line elsewhere is passed over and counted;
 * - on a disk that takes nothing for now it opens all the same: the file of before goes on, once there is space.
 *
 * One call at a time; the caller sees to that.
 */
export interface LineFile {
  /** Lines in the middle of the file that could not be read. */
  readonly damagedLines: number;
  /** Rejects with the disk's error. */
  append(lines: readonly object[]): Promise<void>;
  /** It is long, and most of it no longer counts. */
  isMostlyPast(): boolean;
  /** Makes the file anew with these alone. Rejects with the disk's error; the lines of before are kept then. */
  rewrite(live: Iterable<object>): Promise<void>;
  close(): Promise<void>;
}

export interface LineFileOptions {
  readonly disk: Disk;
  readonly path: string;
  /** Takes a line that was read; false when it is none of its lines. */
  readonly apply: (line: unknown) => boolean;
  /** What counts of the lines that were read, for a new file. */
  readonly live: () => Iterable<object>;
  /** It is mostly past when it is this long, and four times what it had when it was made. */
  readonly compactBytes: number;
  /** A file with damaged lines stays beside as `<path>.damaged`, for a person to look at. */
  readonly keepDamaged: boolean;
}

const NEWLINE = 10;
const encoder = new TextEncoder();

/** Reads the file, all of it, and begins a new one. Rejects with the disk's error when it cannot be read. */
export async function openLineFile(options: LineFileOptions): Promise<LineFile> {
  const { disk, path, compactBytes } = options;
  const stored = await readBytes(disk, path);
  const damagedLines = readLines(stored, options.apply);
  /** Undefined: which file is there is not known, since making a new one failed. */
  let file: DiskFile | undefined;
  let at = 0;
  let liveBytes = 0;
  /** Something may lie behind `at`. */
  let torn = false;

  const rewrite = async (live: Iterable<object>) => {
    const bytes = encode([...live]);
    const before = file;
    file = undefined;
    await before?.close();
    await replaceFile(disk, path, bytes);
    file = await disk.open(path, "write");
    at = bytes.length;
    liveBytes = bytes.length;
    torn = false;
  };
  const goOn = async (): Promise<DiskFile> => {
    at = (await readBytes(disk, path)).lastIndexOf(NEWLINE) + 1;
    torn = true;
    return disk.open(path, "write");
  };
  try {
    if (damagedLines > 0 && options.keepDamaged) await replaceFile(disk, `${path}.damaged`, stored);
    await rewrite(options.live());
  } catch {
    // The file of before is as good; whoever appends hears of the disk.
  }

  return {
    damagedLines,
    append: async (lines) => {
      file ??= await goOn();
      const bytes = encode(lines);
      // What a write that failed has left behind the end must not show after a shorter one.
      if (torn) await file.truncate(at);
      torn = true;
      await file.write(bytes, at);
      await file.sync();
      torn = false;
      at += bytes.length;
    },
    isMostlyPast: () => at >= compactBytes && at >= 4 * liveBytes,
    rewrite,
    close: async () => file?.close(),
  };
}

const readBytes = async (disk: Disk, path: string): Promise<Uint8Array> =>
  (await readWhole(disk, path)) ?? new Uint8Array();

function encode(lines: readonly object[]): Uint8Array {
  return encoder.encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
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
