import type { Bus } from "./bus.ts";
import { messageOf } from "./nats-error.ts";
import type { Say } from "./say.ts";

/**
 * Frees a stream of what its reader has on disk, some time later.
 *
 * Why not at once: a server that is killed between storing a message and acknowledging it rebuilds its list of known message
 * ids from the messages that it still has. The publisher sends the frame again after the restart; were the message purged
 * by then, it would be stored a second time. So messages stay for longer than a publisher retries, unless they would fill
 * the stream.
 */
export interface Purger {
  /** The reader has everything below `sequence`; `bytesRead` is the total that it has read so far. */
  below(sequence: number, bytesRead: number): void;
  /** Does what is due. Call it every second or so. */
  sweep(now: number): void;
}

export interface PurgeOptions {
  readonly delayMs: number;
  /** Read bytes that may stay in the stream. */
  readonly maxHeldBytes: number;
  readonly say: Say;
}

interface Mark {
  readonly sequence: number;
  readonly bytesRead: number;
  readonly at: number;
}

/** Marks are merged when closer than this, so that a long delay keeps few. */
const MERGE_MS = 500;

export function makePurger(bus: Bus, stream: string, options: PurgeOptions): Purger {
  let marks: Mark[] = [];
  let bytesFreed = 0;
  let purging = false;

  const purge = async (sequence: number) => {
    purging = true;
    try {
      await bus.jsm.streams.purge(stream, { seq: sequence });
    } catch (error) {
      // The next sweep that finds something due purges this as well.
      options.say("debug", `stream ${stream}: cannot purge below ${sequence}: ${messageOf(error)}`);
    } finally {
      purging = false;
    }
  };

  const sweep = (now: number) => {
    if (purging || marks.length === 0 || !bus.connected()) return;
    const read = (marks.at(-1) as Mark).bytesRead;
    const tooMuch = read - bytesFreed > options.maxHeldBytes;
    const due = Math.max(
      marks.findLastIndex((m) => now - m.at >= options.delayMs),
      tooMuch ? marks.findIndex((m) => read - m.bytesRead <= options.maxHeldBytes) : -1,
    );
    if (due < 0) return;
    const { sequence, bytesRead } = marks[due] as Mark;
    bytesFreed = bytesRead;
    marks = marks.slice(due + 1);
    purge(sequence).catch(() => {});
  };

  return {
    below: (sequence, bytesRead) => {
      const at = performance.now();
      const last = marks.at(-1);
      if (last !== undefined && last.sequence >= sequence) return;
      if (last !== undefined && at - last.at < MERGE_MS) marks[marks.length - 1] = { sequence, bytesRead, at: last.at };
      else marks.push({ sequence, bytesRead, at });
      if (options.delayMs === 0) sweep(at);
    },
    sweep,
  };
}
