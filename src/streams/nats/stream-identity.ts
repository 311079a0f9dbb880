import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import type { Bus } from "./bus.ts";
import { NatsError } from "./nats-error.ts";
import { samplesStream } from "./subjects.ts";

/** Which stream it is, and what it holds. */
export interface StreamIdentity {
  readonly name: string;
  /** Time at which the server made the stream (RFC 3339); differs when it was deleted and made anew. */
  readonly created: string;
  /** Sequence of the oldest message; lastSequence + 1 when the stream is empty. */
  readonly firstSequence: number;
  /** Sequence of the newest message ever stored; 0 when there was none. */
  readonly lastSequence: number;
  /** It refuses messages beyond this; Infinity without a bound. */
  readonly maxBytes: number;
}

/** Asks the server. Rejects with NatsError "stream_replaced" when there is no such stream, else with what the client says. */
export async function streamIdentity(bus: Bus, partition: number): Promise<StreamIdentity> {
  const name = samplesStream(partition);
  const info = await bus.jsm.streams.info(name).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) {
      throw new NatsError("stream_replaced", `stream ${name} does not exist on ${bus.url}`, { cause: error });
    }
    throw error;
  });
  const created = String(info.created);
  const { first_seq: firstSequence, last_seq: lastSequence } = info.state;
  const maxBytes = info.config.max_bytes > 0 ? info.config.max_bytes : Number.POSITIVE_INFINITY;
  return { name, created, firstSequence, lastSequence, maxBytes };
}

/** Where a reader that has read up to somewhere goes on. */
export interface ResumePoint {
  /** First sequence to read. */
  readonly startSequence: number;
  /** True when sequences begin anew: what follows must not be compared with the sequences read before. */
  readonly newEpoch: boolean;
  /** Messages that the stream no longer has though they were never read: expired, or deleted by hand. */
  readonly missed: number;
}

/**
 * Decides where to go on, from what was read last (undefined: nothing ever).
 *
 * | the stream                                   | start at     | epoch |
 * | -------------------------------------------- | ------------ | ----- |
 * | nothing was read yet                         | its first    | new   |
 * | the same, has the next message or will       | last + 1     | same  |
 * | the same, but its oldest is newer than that  | its first    | same, with messages missed |
 * | the same, but it ends before what was read   | its end + 1  | new: the server lost its tail, and gives the numbers out again |
 * | another one (deleted and made anew)          | its first    | new   |
 */
export function resumePoint(
  stream: StreamIdentity,
  read: { readonly created: string; readonly lastSequence: number } | undefined,
): ResumePoint {
  const first = Math.max(stream.firstSequence, 1);
  if (read === undefined || read.created !== stream.created) return { startSequence: first, newEpoch: true, missed: 0 };
  if (stream.lastSequence < read.lastSequence) {
    return { startSequence: stream.lastSequence + 1, newEpoch: true, missed: 0 };
  }
  const next = read.lastSequence + 1;
  return { startSequence: Math.max(next, first), newEpoch: false, missed: Math.max(first - next, 0) };
}
