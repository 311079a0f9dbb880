/**
 * Which stream the sequences in the WAL belong to. The WAL keeps it as the text of an epoch record: the time at which the
 * stream was made, the sequence before the first one read in this epoch, and a number that makes each epoch differ from
 * the one before it (a server that lost its tail gives the same numbers out again under the same time).
 */
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
 */
export function resumeStream(stream: StreamIdentity, epoch: StreamEpoch | undefined, taken: SequenceSet): Resume {
  const { name, created, lastSequence } = stream;
  const before = Math.max(stream.firstSequence, 1) - 1;
  const begin = (base: number): StreamEpoch => ({ created, base, number: (epoch?.number ?? 0) + 1 });
  if (epoch === undefined) {
    const warning =
      before === 0
        ? undefined
        : `the WAL is empty, but stream ${name} begins at message ${before + 1}: the ${before} messages before it are lost to this shard`;
    return { newEpoch: begin(before), missed: before, warning };
  }
  const last = Math.max(taken.last(), epoch.base);
  if (epoch.created !== created) {
    const warning = `stream ${name} was deleted and made anew (${created}): what the old one held after message ${last} is lost`;
    return { newEpoch: begin(before), missed: 0, warning };
  }
  if (lastSequence >= last) return { newEpoch: undefined, missed: 0, warning: undefined };
  const base = Math.min(Math.max(taken.contiguousEnd(), epoch.base), lastSequence);
  const warning = `stream ${name} ends at message ${lastSequence}, but ${last} was read: the server lost its end and gives the numbers out again`;
  return { newEpoch: begin(base), missed: 0, warning };
}
