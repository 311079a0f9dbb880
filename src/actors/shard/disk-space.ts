/** A shard whose disk is full: it serves what it has, stores nothing, tries again and says so. */
import { setTimeout as sleep } from "node:timers/promises";
import { timeText } from "../../storage/engine/name-missing.ts";
import { isWantOfSpace } from "../../storage/wal/wal-error.ts";
import { messageOf } from "../../streams/nats/nats-error.ts";
import type { Say } from "../../streams/nats/say.ts";

export interface DiskSpace {
  /** Does the work, again and again while it fails for want of space. Rejects with any other failure, or when `signal` is aborted. */
  retry(work: () => Promise<void>): Promise<void>;
  isFull(): boolean;
  /** What an answer about times up to `maxT` (Unix ms) lacks, in words. */
  problem(maxT: number): readonly string[];
}

export interface DiskSpaceOptions {
  readonly partition: number;
  readonly signal: AbortSignal;
  readonly say: Say;
  /** Unix ms. */
  readonly now: () => number;
  /** Time of the newest sample that is there, Unix ms; infinite for none. */
  readonly newest: () => number;
  /** Hears when the disk is full, and when it is not any more. */
  readonly onChange: () => void;
}

/** What `/-/ready` says of such a shard. */
export const FULL = "its disk is full: nothing is stored until there is space";
const RETRY_MS = 1_000;
/** Tries between two lines in the log. */
const SAY_EVERY = 30;

export function makeDiskSpace({ partition, signal, say, now, newest, onChange }: DiskSpaceOptions): DiskSpace {
  let since: number | undefined;
  let waiting = 0;
  return {
    isFull: () => since !== undefined,
    problem: (maxT) => {
      if (since === undefined || maxT < Math.min(since, newest())) return [];
      const what = "what was sent since its newest sample may be missing";
      return [`the disk of shard ${partition} is full since ${timeText(since)}: ${what}`];
    },
    retry: async (work) => {
      let waits = false;
      try {
        for (let tries = 0; ; tries++) {
          try {
            await work();
            if (waits) say("info", "the disk has space again");
            return;
          } catch (error) {
            if (!isWantOfSpace(error) || signal.aborted) throw error;
            if (tries % SAY_EVERY === 0) say("error", `${messageOf(error)}: nothing is stored until there is space`);
          }
          if (!waits) {
            waits = true;
            waiting++;
            since ??= now();
            onChange();
          }
          await sleep(RETRY_MS, undefined, { signal });
        }
      } finally {
        if (waits && --waiting === 0) {
          since = undefined;
          onChange();
        }
      }
    },
  };
}
