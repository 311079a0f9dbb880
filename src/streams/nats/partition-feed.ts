import type { Say } from "./say.ts";
import type { StreamIdentity } from "./stream-identity.ts";

/**
 * Reading one partition's stream, or a part of it. Invariants:
 * - messages come in stream order, each sequence at most once, from startSequence on; what the stream has is never left out
 *   (a gap, a lost connection or a silent server makes a new consumer at the next wanted sequence);
 * - bytes that were asked for or wait here never exceed maxBytes;
 * - the reader's own record of what it has on disk is the only truth: the consumer on the server is temporary. Acknowledging
 *   tells operators how far the reader is; purging frees the stream.
 */
export interface PartitionFeed {
  readonly stream: StreamIdentity;
  /**
   * The next messages, all that wait (up to maxBatchBytes); waits for one. Undefined after close(), and behind endSequence.
   * Rejects with NatsError "stream_replaced" when the stream is not the one that was begun with, or has lost messages that
   * were read.
   */
  next(): Promise<Batch | undefined>;
  /** What waits now, up to maxBytes but at least one message; undefined when nothing does. Throws as next() rejects. */
  poll(maxBytes?: number): Batch | undefined;
  /** True when everything up to endSequence was handed over, or after close(). */
  finished(): boolean;
  [Symbol.asyncIterator](): AsyncIterator<Batch, undefined>;
  /** Everything up to and including this sequence is on the reader's disk. Not answered, may be lost. */
  ack(sequence: number): void;
  /**
   * The reader has everything below the sequence on its disk: the stream may delete it. That is done some time later, see
   * stream-purge.ts; call it as often as is convenient. `otherBytes`: bytes that were read of the stream by other feeds.
   */
  purgeBelow(sequence: number, otherBytes?: number): void;
  /** Messages (up to endSequence) that were not handed over yet, as far as the server has said. */
  pending(): number;
  /** When the oldest message that was not handed over yet was stored, Unix ms; undefined when that is not known here. */
  oldestWaiting(): number | undefined;
  close(): Promise<void>;
}

export interface Batch {
  /** Stream sequences, ascending; as many as payloads. */
  readonly sequences: readonly number[];
  /** Valid until the feed is asked for the next batch; each starts at a multiple of 8 of its buffer. */
  readonly payloads: readonly Uint8Array[];
  /** When the server stored each, Unix ms. */
  readonly storedAt: readonly number[];
  /** Sum of the payloads' lengths. */
  readonly bytes: number;
  /** Sequences before or between these that the stream no longer has: expired, or deleted by hand. */
  readonly skipped: number;
}

export interface ConsumeOptions {
  /** See resumePoint. */
  readonly startSequence: number;
  /** The last sequence to read; without it the feed goes on for ever. */
  readonly endSequence?: number;
  /** Called when messages have come, or the feed has failed, ended or was closed: poll() may have something else to say. */
  readonly onArrival?: () => void;
  /** `created` of the stream that startSequence belongs to. */
  readonly created: string;
  /** Bound of bytes in flight from the server and waiting here; default and least 32 MiB. */
  readonly maxBytes?: number;
  readonly maxBatchBytes?: number;
  /** How long messages that were read stay in the stream; default 30 s, more than a publisher retries. */
  readonly purgeDelayMs?: number;
  readonly say?: Say;
}
