import type { Bus } from "./bus.ts";
import { streamIdentity, streamToken } from "./stream-identity.ts";

/**
 * The incarnations of the partitions' streams, for position tokens. A publisher learns only sequences from acknowledgements;
 * which stream they are of is asked of the server beside that, and forgotten when the stream may have become another one.
 * Until the answer is there positions go without it, which only costs the check.
 */
export interface StreamTokens {
  /** The token of the stream in which a message was just stored at this sequence; undefined when it is not known. */
  tokenAt(partition: number, sequence: number): string | undefined;
  /** Streams may have been made anew. */
  forget(): void;
}

interface Known {
  token: string | undefined;
  /** The highest sequence stored under the token. */
  sequence: number;
  asking: boolean;
}

/** Sequences are acknowledged in about their order; one that is so much lower is of another stream. */
const REORDERED = 10_000;

export function makeStreamTokens(bus: Bus): StreamTokens {
  let known = new Map<number, Known>();

  const ask = async (partition: number, entry: Known) => {
    try {
      entry.token = streamToken((await streamIdentity(bus, partition)).created);
    } catch {
      // The next message asks again.
    } finally {
      entry.asking = false;
    }
  };

  return {
    tokenAt: (partition, sequence) => {
      let entry = known.get(partition);
      if (entry === undefined || sequence < entry.sequence - REORDERED) {
        entry = { token: undefined, sequence, asking: false };
        known.set(partition, entry);
      }
      entry.sequence = Math.max(entry.sequence, sequence);
      if (entry.token === undefined && !entry.asking) {
        entry.asking = true;
        ask(partition, entry).catch(() => {});
      }
      return entry.token;
    },
    forget: () => {
      known = new Map();
    },
  };
}
