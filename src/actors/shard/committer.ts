/**
 * Group commit: what was appended to the WAL is synced to disk in the background, all of it at once, while more is appended.
 *
 * Invariants:
 * - `onDurable(sequence)` is called in order, only after a sync that began after that record was appended has succeeded;
 * - one sync at a time; whatever was appended meanwhile shares the next one;
 * - after a failed sync nothing is durable any more: every call rejects with that failure (a kernel may report an I/O error
 *   once and then forget it, so trying again would pretend).
 */
export interface Committer {
  /** The record of this sequence is in the WAL's buffer. */
  advance(sequence: number, bytes: number): void;
  /** Resolves when there is room for more: fewer than `maxUnsynced` bytes are ahead of the disk. */
  room(): Promise<void>;
  /** Resolves when everything appended so far is durable. */
  settled(): Promise<void>;
  /** The last durable sequence. */
  durable(): number;
}

export interface CommitterOptions {
  readonly sync: () => Promise<void>;
  /** The last durable sequence at the start. */
  readonly sequence: number;
  readonly maxUnsynced: number;
  readonly onDurable: (sequence: number) => void;
  /** Told once, at the first failure. */
  readonly onFailure: (error: unknown) => void;
}

export function makeCommitter(options: CommitterOptions): Committer {
  let appended = options.sequence;
  let durable = options.sequence;
  let unsynced = 0;
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  /** Always suspends at least once, so `running` is set before it is cleared. */
  const run = async () => {
    while (durable < appended && failure === undefined) {
      const sequence = appended;
      const bytes = unsynced;
      try {
        await options.sync();
      } catch (error) {
        failure = { error };
        options.onFailure(error);
        break;
      }
      unsynced -= bytes;
      durable = sequence;
      options.onDurable(sequence);
    }
    running = undefined;
  };

  const settled = async () => {
    while (running !== undefined) await running;
    if (failure !== undefined) throw failure.error;
  };

  return {
    advance: (sequence, bytes) => {
      appended = sequence;
      unsynced += bytes;
      if (failure === undefined) running ??= run();
    },
    room: async () => {
      if (failure === undefined && unsynced < options.maxUnsynced) return;
      await settled();
    },
    settled,
    durable: () => durable,
  };
}
