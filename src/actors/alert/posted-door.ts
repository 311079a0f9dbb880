import type { NotifyStats, PostedAlert } from "../../model/alerts.ts";

/**
 * Where alerts of senders wait for the alert manager, apart from those of rules: rules send again what was dropped, a sender may not.
 *
 * Invariants:
 * - Each is answered: with what came of it, or after a while with that it took too long.
 * - What does not fit is refused at once, never dropped in silence.
 */
export interface PostedDoor {
  /** Resolves when they were taken in and are on disk; with why not, when they are not on disk. */
  come(alerts: readonly PostedAlert[]): Promise<string | undefined>;
  /** The next batch, undefined when none waits. */
  next(): PostedBatch | undefined;
  /** Alerts whose sender was told that they are not on disk. */
  stats(): Unacknowledged;
}

export type Unacknowledged = NonNullable<NotifyStats["unacknowledged"]>;

export interface PostedBatch {
  readonly alerts: readonly PostedAlert[];
  /** Gives the sender's answer: when the work is done. */
  answer(work: Promise<void>): void;
}

export function makePostedDoor(options: { readonly waitMs: number; readonly capacity: number }): PostedDoor {
  let waiting: PostedBatch[] = [];
  let taken = 0;
  let size = 0;
  const unacknowledged = { refused: 0, late: 0, unwritten: 0 };
  return {
    come: (alerts) => {
      if (size > 0 && size + alerts.length > options.capacity) {
        unacknowledged.refused += alerts.length;
        return Promise.resolve(`${size} alerts wait already; these were not taken, send them again`);
      }
      size += alerts.length;
      return new Promise((resolve) => {
        let answered = false;
        const answerWith = (why: keyof Unacknowledged | undefined, problem?: string) => {
          if (answered) return;
          answered = true;
          clearTimeout(late);
          if (why !== undefined) unacknowledged[why] += alerts.length;
          resolve(problem);
        };
        const late = setTimeout(
          () => answerWith("late", `they are not on disk after ${options.waitMs} ms; they page all the same`),
          options.waitMs,
        );
        waiting.push({
          alerts,
          answer: (work) => {
            work.then(
              () => answerWith(undefined),
              (error: unknown) =>
                answerWith("unwritten", `they page, but they could not be written to disk (${String(error)})`),
            );
          },
        });
      });
    },
    next: () => {
      const batch = waiting[taken++];
      if (batch === undefined) {
        waiting = [];
        taken = 0;
        return undefined;
      }
      size -= batch.alerts.length;
      return batch;
    },
    stats: () => ({ ...unacknowledged }),
  };
}
