import { setImmediate } from "node:timers/promises";

/** Long work on the thread that answers everybody: after each stretch the others get their turn. */
export interface Turns {
  /** A stretch has passed since the last turn. Looks at the clock: ask every few microseconds of work, not more often. */
  due(): boolean;
  /** Resolves when the others have had theirs. */
  next(): Promise<void>;
}

/** A request passes the loop several times until it is answered, behind a stretch of each work that goes on. */
const STRETCH_MS = 40;
const LONGEST_STRETCH_MS = 120;
/** Where the others take long, or the machine gives this process little time, a stretch is one part in so many of their turn. */
const SHARE = 3;

export function makeTurns(now: () => number = () => performance.now()): Turns {
  let until = now() + STRETCH_MS;
  return {
    due: () => now() >= until,
    next: async () => {
      const left = now();
      await setImmediate();
      const back = now();
      until = back + Math.min(LONGEST_STRETCH_MS, Math.max(STRETCH_MS, (back - left) / SHARE));
    },
  };
}
