import type { NatsConnection } from "@nats-io/transport-node";
import { type Bus, type ConnectOptions, connectBus, parseBusUrl } from "./bus.ts";
import { NatsError } from "./nats-error.ts";

/** A bus whose server was not there when the process started. */
export interface LateBus extends Bus {
  /** Why there has never been a connection yet, for people; undefined from the first one on. */
  waiting(): string | undefined;
}

/**
 * Goes on connecting to `url` for as long as it takes, also to a server that refuses the credentials: somebody mends it while this
 * process does what can be done without. Until then it is a bus that has lost its connection; the first one counts as a
 * reconnect. `nc` and `jsm` throw NatsError "unreachable" before it.
 * @param why what the server or the network said so far
 */
export function lateBus(url: string, why: string, options: ConnectOptions = {}): LateBus {
  const { shown, connection } = parseBusUrl(url);
  const closing = new AbortController();
  const listeners = new Set<() => void>();
  let bus: Bus | undefined;
  let reason = why;
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  const closed = () => new NatsError("closed", `the connection to NATS at ${shown} is closed`);
  const arrival = connectBus(url, {
    ...options,
    signal: closing.signal,
    insist: true,
    onRefused: (words) => {
      reason = words;
    },
  }).then(async (made) => {
    if (closing.signal.aborted) {
      await made.close();
      throw closed();
    }
    bus = made;
    options.say?.("info", `connected to NATS at ${shown}, which was not there at the start`);
    made.onReconnect(tell);
    tell();
    return made;
  });
  arrival.catch(() => {});
  const there = (): Bus => {
    if (bus === undefined) throw new NatsError("unreachable", reason);
    return bus;
  };
  return {
    get nc(): NatsConnection {
      return there().nc;
    },
    get jsm() {
      return there().jsm;
    },
    url: shown,
    connection,
    connected: () => bus?.connected() ?? false,
    waiting: () => (bus === undefined ? reason : undefined),
    ready: () =>
      arrival.then(
        (made) => made.ready(),
        () => Promise.reject(closed()),
      ),
    onReconnect: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      closing.abort();
      const made = await arrival.catch(() => undefined);
      await made?.close();
    },
  };
}
