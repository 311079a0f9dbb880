/** Those who wait until what a message of a shard's stream brought can be queried, so that they read what they wrote. */
import type { ShardResponses } from "../../model/shard.ts";

export type Reached = ShardResponses["reached"];

export interface ReachedQuestion {
  readonly sequence: number;
  /** Identity of the stream that the sequence is of (streamToken); undefined when the asker does not know. */
  readonly stream: string | undefined;
  readonly timeoutMs: number;
}

/** What the shard knows at the moment. */
export interface Progress {
  /** undefined before it has seen its stream. */
  readonly stream: string | undefined;
  /** Whether a message was taken and every sample of it can be read, or was given up on: none waits for its labels. */
  readonly has: (sequence: number) => boolean;
}

export interface ReachedWaiters {
  /** Resolves when the message's samples can be read, when it is certain that it never will be, or when the time is over. */
  wait(question: ReachedQuestion): Promise<Reached>;
  /** Call it whenever `progress` may say something else; costs nothing while nobody waits. */
  look(): void;
  /** Answers all that wait: the shard stops. */
  close(): void;
}

interface Waiter {
  readonly question: ReachedQuestion;
  readonly resolve: (reached: Reached) => void;
  readonly timer: NodeJS.Timeout;
}

export function makeReachedWaiters(progress: () => Progress): ReachedWaiters {
  let waiters: Waiter[] = [];

  const verdict = ({ sequence, stream }: ReachedQuestion): Reached | undefined => {
    const now = progress();
    if (now.stream === undefined) return undefined;
    if (stream !== undefined && stream !== now.stream) return "other_stream";
    return now.has(sequence) ? "reached" : undefined;
  };

  const finish = (waiter: Waiter, reached: Reached) => {
    clearTimeout(waiter.timer);
    waiter.resolve(reached);
  };

  return {
    wait: (question) => {
      const now = verdict(question);
      if (now !== undefined) return Promise.resolve(now);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiters = waiters.filter((w) => w !== waiter);
          resolve("too_late");
        }, question.timeoutMs);
        const waiter: Waiter = { question, resolve, timer };
        waiters.push(waiter);
      });
    },
    look: () => {
      if (waiters.length === 0) return;
      waiters = waiters.filter((waiter) => {
        const reached = verdict(waiter.question);
        if (reached === undefined) return true;
        finish(waiter, reached);
        return false;
      });
    },
    close: () => {
      for (const waiter of waiters) finish(waiter, "too_late");
      waiters = [];
    },
  };
}
