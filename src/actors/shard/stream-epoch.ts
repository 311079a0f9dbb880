/**
 * Which stream the sequences in the WAL belong to. The WAL keeps it as the text of an epoch record: the time at which the
 * stream was made, the sequence before the first one read in this epoch, and a number that makes each epoch differ from
 * the one before it (a server that lost its tail gives the same numbers out again under the same time).
 */
import { type ResumePoint, resumePoint, type StreamIdentity } from "../../streams/nats/stream-identity.ts";

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
  readonly startSequence: number;
  /** Begun before the first message is read; undefined to go on in the current one. */
  readonly newEpoch: StreamEpoch | undefined;
  /** Messages that the stream had once and that were never read here. */
  readonly missed: number;
  /** What a person should know, undefined when all is as it should be. */
  readonly warning: string | undefined;
}

/**
 * Where to go on reading.
 * @param epoch of the WAL's end, undefined when the WAL is new
 * @param lastSequence the last one read in that epoch, 0 for none
 */
export function resumeStream(stream: StreamIdentity, epoch: StreamEpoch | undefined, lastSequence: number): Resume {
  const read = epoch && { created: epoch.created, lastSequence: Math.max(lastSequence, epoch.base) };
  const point = resumePoint(stream, read);
  const before = point.startSequence - 1;
  // A WAL that knows nothing of a stream that had messages: somebody read and purged them, or they expired.
  const missed = read === undefined ? before : point.missed;
  return {
    startSequence: point.startSequence,
    newEpoch: point.newEpoch ? { created: stream.created, base: before, number: (epoch?.number ?? 0) + 1 } : undefined,
    missed,
    warning: warn(stream, read, point, missed),
  };
}

function warn(
  stream: StreamIdentity,
  read: { readonly created: string; readonly lastSequence: number } | undefined,
  point: ResumePoint,
  missed: number,
): string | undefined {
  const { name } = stream;
  if (read === undefined) {
    if (missed === 0) return undefined;
    return `the WAL is empty, but stream ${name} begins at message ${point.startSequence}: the ${missed} messages before it are lost to this shard`;
  }
  if (read.created !== stream.created) {
    return `stream ${name} was deleted and made anew (${stream.created}): what the old one held after message ${read.lastSequence} is lost`;
  }
  if (point.newEpoch) {
    return `stream ${name} ends at message ${stream.lastSequence}, but ${read.lastSequence} was read: the server lost its end and gives the numbers out again`;
  }
  if (missed === 0) return undefined;
  return `${missed} messages of stream ${name} were deleted before they were read (${read.lastSequence + 1} to ${point.startSequence - 1}): they expired (streams.max_age), or somebody purged them`;
}
