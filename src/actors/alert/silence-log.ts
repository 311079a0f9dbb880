import { type Disk, type DiskFile, readWhole, replaceFile } from "../../lib/disk.ts";
import type { Silence, SilenceChange } from "./silence.core.ts";

/**
 * Silences on disk: one JSON object a line, each with the silences of one change as they are after it.
 *
 * Invariants:
 * - `append` resolves when the change is on disk, and only then may anybody be told of it. A change that the disk did not
 *   take whole is written over by the next one.
 * - A change is one line, so that it is there whole or not at all; a torn last line is what a crash left, and is cut off.
 * - One call at a time; the caller sees to that.
 */
export interface SilenceLog {
  /** Rejects with the disk's error. */
  append(change: SilenceChange): Promise<void>;
  /** Writes the file anew with these alone, when it is mostly past. Rejects with the disk's error. */
  compact(live: Iterable<Silence>): Promise<void>;
  close(): Promise<void>;
}

interface Line {
  readonly version: 1;
  readonly silences: readonly Silence[];
}

/** What was on disk. */
export interface RestoredSilences {
  readonly log: SilenceLog;
  readonly silences: Map<string, Silence>;
  /** Lines in the middle of the file that could not be read and were skipped. */
  readonly damagedLines: number;
}

/** The file is written anew when it is this long and mostly past. */
const COMPACT_BYTES = 1 << 20;

const encode = (silences: readonly Silence[]) =>
  new TextEncoder().encode(`${JSON.stringify({ version: 1, silences } satisfies Line)}\n`);

export async function openSilenceLog(disk: Disk, path: string): Promise<RestoredSilences> {
  const bytes = (await readWhole(disk, path)) ?? new Uint8Array();
  const lines = new TextDecoder().decode(bytes).split("\n");
  lines.pop(); // what follows the last newline: nothing, or a torn line
  const silences = new Map<string, Silence>();
  let damagedLines = 0;
  for (const line of lines) {
    const read = parseLine(line);
    if (read === undefined) damagedLines++;
    for (const s of read ?? []) silences.set(s.id, s);
  }
  // What could not be read stays for a person to look at.
  if (damagedLines > 0) await replaceFile(disk, `${path}.damaged`, bytes);

  let file: DiskFile;
  let at = 0;
  let liveBytes = 0;
  /** The last write failed: something of it may be behind the end. */
  let torn = false;
  const rewrite = async (live: Iterable<Silence>) => {
    const all = [...live];
    const whole = all.length === 0 ? new Uint8Array() : Buffer.concat(all.map((s) => encode([s])));
    await replaceFile(disk, path, whole);
    file = await disk.open(path, "write");
    at = whole.length;
    liveBytes = whole.length;
    torn = false;
  };
  await rewrite(silences.values());

  const log: SilenceLog = {
    append: async (change) => {
      const line = encode(change);
      if (torn) await file.truncate(at);
      torn = true;
      await file.write(line, at);
      await file.sync();
      torn = false;
      at += line.length;
    },
    compact: async (live) => {
      if (at < COMPACT_BYTES || at < 4 * liveBytes) return;
      const old = file;
      await rewrite(live);
      await old.close();
    },
    close: () => file.close(),
  };
  return { log, silences, damagedLines };
}

function parseLine(text: string): readonly Silence[] | undefined {
  try {
    const line = JSON.parse(text) as Line;
    return line.version === 1 && Array.isArray(line.silences) ? line.silences : undefined;
  } catch {
    return undefined;
  }
}
