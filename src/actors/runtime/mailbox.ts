/**
 * A mailbox: the bounded queue in front of an actor. Its overflow policy has a name, and its depth and losses are counted.
 *
 * Invariants:
 * - never more than `capacity` messages wait;
 * - a mailbox outlives the incarnations of its actor: what was not taken before a crash is taken after the restart, the
 *   message that was being handled is gone (so a poison message kills once);
 * - a message that is lost to the policy is counted in `dropped`, one that the sender was told about in `refused`.
 */
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";

/**
 * What happens to a message that finds the mailbox full: `fail` tells the sender (`MailboxFull`), `dropNewest` loses this
 * message, `dropOldest` loses the one that has waited longest, `backpressure` lets the sender wait.
 */
export type Overflow = "fail" | "dropOldest" | "dropNewest" | "backpressure";

/** The mailbox has no room; nothing was queued. */
export class MailboxFull extends Data.TaggedError("MailboxFull")<{
  readonly mailbox: string;
  readonly capacity: number;
}> {
  override get message(): string {
    return `mailbox ${this.mailbox} is full (${this.capacity} messages wait)`;
  }
}

export interface MailboxStats {
  readonly name: string;
  readonly overflow: Overflow;
  readonly capacity: number;
  /** Messages that wait now. */
  readonly depth: number;
  readonly accepted: number;
  readonly dropped: number;
  readonly refused: number;
}

export interface Mailbox<M> {
  readonly name: string;
  /** Sends from Effect code; fails only under the policy `fail`, waits only under `backpressure`. */
  send(message: M): Effect.Effect<void, MailboxFull>;
  /**
   * Sends from a plain callback. False when the message was not queued: `fail` and `backpressure` when full (the caller
   * must do something about it), `dropNewest` when full (counted as dropped).
   */
  offer(message: M): boolean;
  /** The next message; waits for one. One taker at a time. */
  readonly take: Effect.Effect<M>;
  /** All messages that wait, at least one; waits for one. About ten times cheaper a message than `take`. */
  readonly takeAll: Effect.Effect<readonly [M, ...M[]]>;
  /**
   * Hands what waits, and from then on each message in the sender's own call, to `take`; returns what ends that. Nothing waits
   * meanwhile and nobody else takes. For an actor that has a queue of its own elsewhere, as a thread has: no fiber is woken for
   * a message.
   */
  handTo(take: (message: M) => void): () => void;
  /** Forgets the messages that wait and says how many they were; they count as dropped. */
  clear(): number;
  stats(): MailboxStats;
}

export interface MailboxOptions {
  readonly capacity: number;
  readonly overflow: Overflow;
}

const STRATEGY = { fail: "dropping", dropNewest: "dropping", dropOldest: "sliding", backpressure: "suspend" } as const;

/**
 * Makes a mailbox.
 * @param name for metrics and errors, e.g. `rule-group/host.yml`
 */
export function makeMailbox<M>(name: string, options: MailboxOptions): Mailbox<M> {
  const { capacity, overflow } = options;
  const queue = Effect.runSync(Queue.make<M>({ capacity, strategy: STRATEGY[overflow] }));
  let accepted = 0;
  let dropped = 0;
  let refused = 0;
  let direct: ((message: M) => void) | undefined;

  const offer = (message: M): boolean => {
    if (direct !== undefined) {
      accepted++;
      direct(message);
      return true;
    }
    const full = Queue.isFullUnsafe(queue);
    if (full && overflow === "dropOldest") dropped++;
    if (Queue.offerUnsafe(queue, message)) {
      accepted++;
      return true;
    }
    if (overflow === "dropNewest") dropped++;
    else refused++;
    return false;
  };

  return {
    name,
    offer,
    send: (message) =>
      Effect.suspend((): Effect.Effect<void, MailboxFull> => {
        if (overflow === "backpressure" && direct === undefined) {
          return Effect.tap(Queue.offer(queue, message), (queued) => {
            if (queued) accepted++;
            return Effect.void;
          });
        }
        return offer(message) || overflow !== "fail"
          ? Effect.void
          : Effect.fail(new MailboxFull({ mailbox: name, capacity }));
      }),
    take: Queue.take(queue),
    takeAll: Queue.takeAll(queue),
    handTo: (take) => {
      direct = take;
      for (const message of Effect.runSync(Queue.clear(queue))) take(message);
      return () => {
        if (direct === take) direct = undefined;
      };
    },
    clear: () => {
      const waiting = Effect.runSync(Queue.clear(queue));
      dropped += waiting.length;
      return waiting.length;
    },
    stats: () => ({ name, overflow, capacity, depth: Queue.sizeUnsafe(queue), accepted, dropped, refused }),
  };
}
