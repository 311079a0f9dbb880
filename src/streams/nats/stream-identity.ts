import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import { crc32c } from "../../lib/crc32c.ts";
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
  /** Messages that it holds, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
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
  const { first_seq: firstSequence, last_seq: lastSequence, messages, bytes } = info.state;
  const maxBytes = info.config.max_bytes > 0 ? info.config.max_bytes : Number.POSITIVE_INFINITY;
  return { name, created, firstSequence, lastSequence, messages, bytes, maxBytes };
}

/** A short name for the stream that was made at this time, for tokens: 8 hex digits. */
export function streamToken(created: string): string {
  return crc32c(new TextEncoder().encode(created)).toString(16).padStart(8, "0");
}

/** When the server stored a message, Unix ms; undefined when the stream does not have it. Rejects with what the client says. */
export async function messageStoredAt(bus: Bus, partition: number, sequence: number): Promise<number | undefined> {
  const message = await bus.jsm.streams.getMessage(samplesStream(partition), { seq: sequence });
  return message === null ? undefined : message.time.getTime();
}
