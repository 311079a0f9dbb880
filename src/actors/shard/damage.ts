/** What is lost of a shard's log, and what a person reads of that. */
import { type Disk, ifThere } from "../../lib/disk.ts";
import { timeText } from "../../storage/engine/name-missing.ts";
import type { NamedLoss } from "../../storage/engine/storage-state.ts";
import { CHUNK_RANGE } from "../../storage/head/open-chunk.ts";
import { headDir, walDir } from "../../storage/snapshot/recovery.ts";
import { RECORD_HEADER, segmentNumber } from "../../storage/wal/format.ts";
import type { WalDamage } from "../../storage/wal/losses.ts";
import type { OpenedWal } from "../../storage/wal/open.ts";
import type { SequenceRange } from "../../storage/wal/sequence-set.ts";

/**
 * One line: where, what, what is lost at most, of which times (unless whoever tells it names them), and where the damaged segment
 * was kept.
 */
export function describeDamage(damage: WalDamage, withTimes = true): string {
  const { segment, offset, bytes, problem, quarantined, lost, exact, timeBefore, timeBehind } = damage;
  const deletions = damage.mayHoldDeletions ? "; deletions of series may have been there, and are undone then" : "";
  const where = bytes === 0 ? `WAL ${segment}` : `WAL ${segment}: ${bytes} bytes at ${offset}`;
  const ranges = lost.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
  const one = lost.length === 1 && lost[0]?.from === lost[0]?.to;
  const what =
    lost.length === 0
      ? "no message is missing"
      : `${exact ? "" : "at most "}${one ? `message ${ranges} is` : `messages ${ranges} are`} missing, to be read again if the stream still has them`;
  const when =
    !withTimes || timeBefore === undefined || timeBehind === undefined
      ? ""
      : ` (of ${timeText(timeBefore)} to ${timeText(timeBehind)})`;
  const kept = quarantined === undefined ? "" : `; the segment was copied to ${quarantined}`;
  return `${where} cannot be read (${problem}): ${what}${when}${deletions}${kept}`;
}

/**
 * What was cut off at the end of the log looks like a write that a crash cut short. The stream knows better: it forgets messages
 * only after they were on disk (or when they expire unread), so one that could have lain there and that it does not have any
 * more was destroyed.
 *
 * @param newest time of the newest sample that was recovered, Unix ms; infinite for none
 * @param now Unix ms
 */
export function makeCutTail(
  { truncated, applied }: OpenedWal,
  newest: number,
  now: number,
): { lost(gone: SequenceRange): NamedLoss | undefined } {
  const first = applied.contiguousEnd() + 1;
  const last = applied.last() + Math.ceil((truncated?.bytes ?? 0) / RECORD_HEADER);
  return {
    lost: ({ from, to }) => {
      if (truncated === undefined || from > last || to < first) return undefined;
      const { segment, offset, bytes } = truncated;
      const lost = `messages ${Math.max(from, first)} to ${Math.min(to, last)}`;
      const what = `the end of the write-ahead log was damaged: the ${bytes} bytes cut off ${segment} at ${offset} were no unfinished write, since the stream has forgotten ${lost} that lay there (unless they have expired before they were read)`;
      const minT = Number.isFinite(newest) ? newest - CHUNK_RANGE : Number.NEGATIVE_INFINITY;
      return { what, minT, maxT: Math.max(newest, now) };
    },
  };
}

/**
 * Damage of the log that the stream does not mend. What is lost is named by the log only until something is written behind it:
 * then its messages count as taken, or as not to come.
 */
export function makeHoles(damage: readonly WalDamage[]): { lost(gone: SequenceRange): NamedLoss[] } {
  const told = new Set<WalDamage>();
  return {
    lost: ({ from, to }) =>
      damage.flatMap((d) => {
        if (told.has(d) || !d.lost.some((range) => range.from <= to && range.to >= from)) return [];
        told.add(d);
        const what = `part of the write-ahead log was damaged, and the stream does not have it any more: ${describeDamage(d, false)}`;
        return [
          { what, minT: d.timeBefore ?? Number.NEGATIVE_INFINITY, maxT: d.timeBehind ?? Number.POSITIVE_INFINITY },
        ];
      }),
  };
}

/** Whether there is a log, and whether there ever was one: a copy of blocks, restored, begins without. */
export async function lookForLog(disk: Disk, dir: string): Promise<{ isThere: boolean; was: boolean }> {
  const log = await ifThere(disk.list(walDir(dir)));
  const head = await ifThere(disk.list(headDir(dir)));
  const isThere = log?.some((name) => segmentNumber(name) !== undefined) === true;
  return { isThere, was: log !== undefined || head !== undefined };
}

/** @param cutUpTo everything older than this is in blocks, Unix ms; @param now Unix ms */
export function lostLog(cutUpTo: number, now: number): NamedLoss {
  const what =
    "neither log nor snapshot of the head is there, though there are blocks: what was not in blocks yet is lost";
  return { what, minT: cutUpTo, maxT: Math.max(cutUpTo, now) };
}
