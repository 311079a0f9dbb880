import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "./bus.ts";
import { messageOf } from "./nats-error.ts";
import { provisionStreams, type StreamLimits } from "./provision.ts";
import type { Say } from "./say.ts";

export interface ProvisionKeeper {
  /** Somebody has met a stream that is not there. */
  check(): void;
  close(): void;
}

const RETRY_MS = 1_000;

/**
 * Keeps the streams there while the process lives: a server may come back from a failure without its store, and somebody
 * may delete a stream. What a lost stream held is gone, which its shard says; but senders must not wait for ever.
 */
export function keepProvisioned(bus: Bus, limits: StreamLimits, say: Say): ProvisionKeeper {
  const closing = new AbortController();
  let wanted = false;
  let running = false;

  const run = async () => {
    while (wanted && !closing.signal.aborted) {
      wanted = false;
      try {
        for (const name of await provisionStreams(bus, limits)) {
          say("error", `stream ${name} was gone and is made anew: what it held and no shard had taken is lost`);
        }
      } catch (error) {
        // Without a connection the next reconnect is the time for it.
        if (bus.connected()) {
          say("warn", messageOf(error));
          wanted = true;
        }
      }
      // Also bounds how often a stream that is asked for again and again is looked for.
      await sleep(RETRY_MS, undefined, { signal: closing.signal }).catch(() => {});
    }
    running = false;
  };

  const check = () => {
    wanted = true;
    if (running || closing.signal.aborted) return;
    running = true;
    run().catch((error: unknown) => say("error", messageOf(error)));
  };
  const stopListening = bus.onReconnect(check);
  return {
    check,
    close: () => {
      stopListening();
      closing.abort();
    },
  };
}
