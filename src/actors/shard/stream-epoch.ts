/**
 * Which stream the sequences in the WAL belong to. The WAL keeps it as the text of an epoch record: the time at which the
 * stream was made, the sequence before the first one read in this epoch, and a number that makes each epoch differ from
 * the one before it (a server that lost its tail gives the same numbers out again under the same time).
 */
import { CHUNK_RANGE } from "../../storage/head/open-chunk.ts";
import type { SequenceSet } from "../../storage/wal/sequence-set.ts";
import type { StreamIdentity } from "../../streams/nats/stream-identity.ts";

export interface StreamEpoch {
  readonly created: string;
  readonly base: number;
  readonly number: number;
}

export function formatEpoch(epoch: StreamEpoch): string {
  return `${epoch.created} ${epoch.base} ${epoch.number}`;
}

/** Throws for a text that formatEpoch did not make. */
export function parseEpoch(text: string): StreamEpoch {
  const m = /^(\S+) (\d+) (\d+)$/.exec(text);
  if (m === null) throw new Error(`the WAL names its stream in a way that this program does not read: ${text}`);
  return { created: m[1]!, base: Number(m[2]), number: Number(m[3]) };
}

export interface Resume {
  /** Begun before the first message is read; undefined to go on in the current one. */
  readonly newEpoch: StreamEpoch | undefined;
  /** Messages that the stream had once, as far as an epoch that begins can tell, and that were never read here. */
  readonly missed: number;
  /** What a person should know, undefined when all is as it should be. */
  readonly warning: string | undefined;
  /** Of which times the bus lost messages that it had acknowledged, `missed` of them at least; undefined when it lost none. */
  readonly lost: LostTimes | undefined;
}

/** Unix ms as the server said it; undefined where nothing is known. */
export interface LostTimes {
  /** Whether what was lost came after everything that was read. */
  readonly isNew: boolean;
  /** Nothing that was stored later is lost. */
  readonly before: number | undefined;
}

/**
 * Whether the sequences that were taken are this stream's.
 *
 * | the stream                              | epoch | nothing is read up to |
 * | --------------------------------------- | ----- | --------------------- |
 * | nothing was read yet                    | new   | before its first message: what is gone was never seen here |
 * | the same, with all that was taken       | same  | - |
 * | the same, but it ends before that       | new: the server lost its tail, and gives the numbers out again | where something was missing first, at its end at the latest |
 * | another one (deleted and made anew)     | new   | before its first message |
 *
 * @param epoch of the WAL's end, undefined when the WAL is new
 * @param taken of that epoch
 * @param known the newest message that the epoch's stream is known to have had, 0 when nothing is known
 */
export function resumeStream(
  stream: StreamIdentity,
  epoch: StreamEpoch | undefined,
  taken: SequenceSet,
  known = 0,
): Resume {
  const { name, created, lastSequence } = stream;
  const before = Math.max(stream.firstSequence, 1) - 1;
  const begin = (base: number): StreamEpoch => ({ created, base, number: (epoch?.number ?? 0) + 1 });
  if (epoch === undefined) {
    const warning =
      before === 0
        ? undefined
        : `the WAL is empty, but stream ${name} begins at message ${before + 1}: the ${before} messages before it are lost to this shard`;
    return { newEpoch: begin(before), missed: before, warning, lost: undefined };
  }
  const last = Math.max(taken.last(), epoch.base);
  const newest = Math.max(last, known);
  /** Messages above `after` that the stream had and that were not read. */
  const unread = (after: number, upTo: number): number =>
    taken.gaps(upTo).reduce((n, { from, to }) => n + Math.max(0, to - Math.max(from - 1, after, epoch.base)), 0);
  if (epoch.created !== created) {
    const old = unread(0, newest);
    const gone = before === 0 ? "" : `; so are the ${before} messages that the new one does not have any more`;
    const warning = `stream ${name} was deleted and made anew (${created}): ${howMany(old, newest)} are lost${gone}`;
    const time = Date.parse(created);
    const lost = { isNew: unread(0, last) === 0, before: before > 0 || Number.isNaN(time) ? undefined : time };
    return { newEpoch: begin(before), missed: old + before, warning, lost };
  }
  if (lastSequence >= last) return { newEpoch: undefined, missed: 0, warning: undefined, lost: undefined };
  const base = Math.min(Math.max(taken.contiguousEnd(), epoch.base), lastSequence);
  const missed = unread(lastSequence, newest);
  const warning = `stream ${name} ends at message ${lastSequence}, but ${last} was read: the server lost its end and gives the numbers out again; ${howMany(missed, newest)} are lost`;
  return {
    newEpoch: begin(base),
    missed,
    warning,
    lost: { isNew: unread(lastSequence, last) === 0, before: undefined },
  };
}

/** The bus may have acknowledged more than anyone here has heard of. */
function howMany(unread: number, newest: number): string {
  const unknown = `an unknown number of messages after message ${newest}`;
  return unread === 0 ? unknown : `${unread} messages that were not read yet and ${unknown}`;
}

/**
 * The times, Unix ms, whose samples may be missing. Messages are stored on the bus about when their samples were taken.
 *
 * @param newest time of the newest sample that is stored here; infinite for none
 */
export function timesOf(lost: LostTimes, newest: number, now: number): { minT: number; maxT: number } {
  const minT = lost.isNew && Number.isFinite(newest) ? newest - CHUNK_RANGE : Number.NEGATIVE_INFINITY;
  return { minT, maxT: Math.max(newest, lost.before ?? now) };
}
