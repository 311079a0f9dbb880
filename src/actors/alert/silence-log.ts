import type { Disk } from "../../lib/disk.ts";
import { openLineFile } from "../../lib/line-file.ts";
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

/** Rejects with the disk's error when the file cannot be read. */
export async function openSilenceLog(disk: Disk, path: string): Promise<RestoredSilences> {
  const silences = new Map<string, Silence>();
  const file = await openLineFile({
    disk,
    path,
    apply: (line) => {
      const read = silencesOf(line as Line);
      for (const s of read ?? []) silences.set(s.id, s);
      return read !== undefined;
    },
    live: () => linesOf(silences.values()),
    compactBytes: COMPACT_BYTES,
    keepDamaged: true,
  });
  const log: SilenceLog = {
    append: (change) => file.append([{ version: 1, silences: change } satisfies Line]),
    compact: async (live) => {
      if (file.isMostlyPast()) await file.rewrite(linesOf(live));
    },
    close: file.close,
  };
  return { log, silences, damagedLines: file.damagedLines };
}

function* linesOf(silences: Iterable<Silence>): Generator<Line> {
  for (const s of silences) yield { version: 1, silences: [s] };
}

function silencesOf(line: Line | null): readonly Silence[] | undefined {
  return line?.version === 1 && Array.isArray(line.silences) ? line.silences : undefined;
}
