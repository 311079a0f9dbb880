/**
 * Group commit: what was appended to the WAL is synced to disk in the background, all of it at once, while more is appended.
 * Nobody waits for it who has been acknowledged: the stream has the messages until it is told that they are on disk. So syncs
 * are spaced out, unless something wants one: room, or an end.
 *
 * Invariants:
 * - `onDurable(position)` is called in order, with a position that was taken before a sync that has succeeded;
 * - one sync at a time; whatever was appended meanwhile shares the next one;
 * - after a failed sync nothing is durable any more: every call rejects with that failure (a kernel may report an I/O error
 *   once and then forget it, so trying again would pretend).
 */
export interface Committer {
  /** A record of so many bytes is in the WAL's buffer, and the position that `position()` gives covers it. */
  advance(bytes: number): void;
  /** Resolves when there is room for more: fewer than `maxUnsynced` bytes are ahead of the disk. */
  room(): Promise<void>;
  /** Resolves when everything appended so far is durable. */
  settled(): Promise<void>;
}

export interface CommitterOptions<Position> {
  readonly sync: () => Promise<void>;
  /** What has been appended up to now; not changed afterwards. */
  readonly position: () => Position;
  readonly maxUnsynced: number;
  /** A sync begins so many milliseconds after the one before it at the earliest, unless one is wanted; 0: at once. */
  readonly spacingMs: number;
  readonly onDurable: (position: Position) => void;
  /** Told once, at the first failure. */
  readonly onFailure: (error: unknown) => void;
}

export function makeCommitter<Position>(options: CommitterOptions<Position>): Committer {
  let dirty = false;
  let unsynced = 0;
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let began = Number.NEGATIVE_INFINITY;
  /** Those who wait for a sync. */
  let waiting = 0;
  let hurry: (() => void) | undefined;

  const pause = (sinceMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, options.spacingMs - sinceMs);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** Always suspends at least once, so `running` is set before it is cleared. */
  const run = async () => {
    while (dirty && failure === undefined) {
      const since = performance.now() - began;
      if (since < options.spacingMs && waiting === 0) await pause(since);
      hurry = undefined;
      began = performance.now();
      dirty = false;
      const position = options.position();
      const bytes = unsynced;
      try {
        await options.sync();
      } catch (error) {
        failure = { error };
        options.onFailure(error);
        break;
      }
      unsynced -= bytes;
      options.onDurable(position);
    }
    running = undefined;
  };

  const settled = async () => {
    waiting++;
    hurry?.();
    while (running !== undefined) await running;
    waiting--;
    if (failure !== undefined) throw failure.error;
  };

  return {
    advance: (bytes) => {
      dirty = true;
      unsynced += bytes;
      if (failure === undefined) running ??= run();
    },
    room: async () => {
      if (failure === undefined && unsynced < options.maxUnsynced) return;
      await settled();
    },
    settled,
  };
}
