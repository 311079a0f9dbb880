/**
 * What of a stream is read in which lane. After an outage the newest samples matter most: the fresh lane reads from a little
 * before the stream's end on, the backlog lane what lies before that, oldest first.
 *
 * Pure: decided from what the stream holds and what was taken of it.
 */
import type { SequenceRange, SequenceSet } from "../../storage/wal/sequence-set.ts";

/** What a stream holds. */
export interface StreamExtent {
  /** Sequence of the oldest message; lastSequence + 1 when it is empty. */
  readonly firstSequence: number;
  /** Sequence of the newest message ever stored, 0 when there was none. */
  readonly lastSequence: number;
  readonly messages: number;
  readonly bytes: number;
}

export interface LanePlan {
  /** The fresh lane reads from here on. */
  readonly freshStart: number;
  /** What the backlog lane reads, oldest first; all below freshStart. */
  readonly backlog: readonly SequenceRange[];
  /** What was never taken and the stream no longer has. */
  readonly gone: readonly SequenceRange[];
}

/** Of the bytes that make a backlog, the fresh lane begins so many before the end. */
const FRESH_SHARE = 4;

/**
 * Plans the lanes of a reader that begins.
 *
 * | what was not taken                                          | the fresh lane begins  | the backlog lane reads |
 * | ----------------------------------------------------------- | ---------------------- | ---------------------- |
 * | nothing                                                     | behind the end         | nothing                |
 * | an end of the stream of at most maxBehindBytes              | there                  | nothing                |
 * | an end that is longer                                       | shortly before the end | the rest of it         |
 * | ranges before something that was taken (a backlog lane that was stopped, damage of the WAL) | as above | these, then as above |
 *
 * Sequences that the stream no longer has are `gone`, wherever they lie.
 */
export function planLanes(stream: StreamExtent, taken: SequenceSet, maxBehindBytes: number): LanePlan {
  const first = Math.max(stream.firstSequence, 1);
  const { lastSequence } = stream;
  const gone: SequenceRange[] = [];
  const unread: SequenceRange[] = [];
  for (const { from, to } of taken.gaps(lastSequence)) {
    if (from < first) gone.push({ from, to: Math.min(to, first - 1) });
    if (to >= first) unread.push({ from: Math.max(from, first), to });
  }
  const tail = unread.at(-1);
  if (tail === undefined || tail.to < lastSequence) return { freshStart: lastSequence + 1, backlog: unread, gone };
  const freshStart = freshStartIn(tail, averageBytes(stream), maxBehindBytes);
  const backlog = unread.slice(0, -1);
  if (freshStart > tail.from) backlog.push({ from: tail.from, to: freshStart - 1 });
  return { freshStart, backlog, gone };
}

function freshStartIn(tail: SequenceRange, average: number, maxBehindBytes: number): number {
  const count = tail.to - tail.from + 1;
  if (count * average <= maxBehindBytes) return tail.from;
  return Math.max(tail.from, tail.to + 1 - Math.max(1, Math.floor(maxBehindBytes / FRESH_SHARE / average)));
}

function averageBytes(stream: StreamExtent): number {
  return stream.messages === 0 ? 0 : stream.bytes / stream.messages;
}

/**
 * Where a fresh lane that has fallen behind begins anew, undefined when it is not worth it.
 * @param next the sequence that it would read next
 */
export function jumpAhead(stream: StreamExtent, next: number, maxBehindBytes: number): number | undefined {
  const from = Math.max(next, stream.firstSequence, 1);
  if (from > stream.lastSequence) return undefined;
  const start = freshStartIn({ from, to: stream.lastSequence }, averageBytes(stream), maxBehindBytes);
  return start > from ? start : undefined;
}
