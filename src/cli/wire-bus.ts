import { existsSync } from "node:fs";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import { spawn } from "../actors/runtime/actor.ts";
import type { OnDeath } from "../actors/runtime/death.ts";
import { superviseBus } from "../actors/system.ts";
import type { Config } from "../model/config.ts";
import { type Bus, connectBus, parseBusUrl } from "../streams/nats/bus.ts";
import { embeddedServerChild } from "../streams/nats/embedded-server.ts";
import { keepProvisioned } from "../streams/nats/keep-provisioned.ts";
import { type LateBus, lateBus } from "../streams/nats/late-bus.ts";
import { chooseListen, parseListen } from "../streams/nats/listen-address.ts";
import { NatsError } from "../streams/nats/nats-error.ts";
import { obtainNatsServer } from "../streams/nats/obtain-server.ts";
import { provisionStreams, reservedBytes } from "../streams/nats/provision.ts";
import { type JetStreamPublisher, jetStreamPublisher } from "../streams/nats/publisher.ts";
import type { Say } from "../streams/nats/say.ts";
import { attempt } from "./attempt.ts";
import type { DataDir } from "./data-dir.ts";

export interface BusParts {
  /** For the shards, which connect by themselves. */
  readonly url: string;
  readonly bus: Bus;
  readonly publisher: JetStreamPublisher;
  /** Why nothing can be stored now (the embedded server's disk is full, the server has not come yet), undefined while it can. */
  readonly trouble: () => string | undefined;
}

export interface BusOptions {
  /** Of an existing server; undefined runs the embedded one. */
  readonly url: string | undefined;
  readonly streams: Config["streams"];
  readonly dataDir: DataDir;
  readonly say: Say;
  readonly onDeath: OnDeath;
}

/** The embedded server answers within a second or two; a minute allows for a long recovery of its store. */
const EMBEDDED_WAIT_MS = 60_000;
const CONNECT_WAIT_MS = 10_000;
/** With data to evaluate rules on, Tocsin goes on without a bus that has not come until then. */
const PATIENCE_MS = 3_000;
const EMBEDDED_PATIENCE_MS = 15_000;

/** The bus for as long as the scope: its server where none was given, the connection, the streams, the publisher. */
export const wireBus = Effect.fnUntraced(function* (options: BusOptions) {
  const { say } = options;
  const { maxAgeMs, maxBytes } = options.streams;
  let trouble: string | undefined;
  const setTrouble = (words: string | undefined) => {
    trouble = words;
  };
  const url = options.url ?? (yield* startServer(options, setTrouble));
  let late: LateBus | undefined;
  const bus = yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: async (signal) => {
        const opened = await openBus(url, options, signal);
        late = "waiting" in opened ? opened : undefined;
        return opened as Bus;
      },
      catch: (e) => e,
    }),
    (b) => Effect.promise(() => b.close()),
  );
  const limits = { partitions: options.dataDir.partitions, maxAgeMs, maxBytes };
  if (bus.connected()) yield* attempt(() => provisionStreams(bus, limits));
  const why = () => late?.waiting() ?? trouble;
  // Makes the streams of a late bus when it comes.
  const keeper = yield* Effect.acquireRelease(
    Effect.sync(() => keepProvisioned(bus, limits, say)),
    (k) => Effect.sync(() => k.close()),
  );
  const publisher = yield* Effect.acquireRelease(
    Effect.sync(() => jetStreamPublisher(bus, { trouble: why, onNoStream: keeper.check })),
    (p) => Effect.sync(() => p.close()),
  );
  const parts: BusParts = { url, bus, publisher, trouble: why };
  return parts;
});

/**
 * Connects. What a person must mend is an error at once: a URL that is none, refused credentials, no JetStream. A server that is
 * not there is waited for; where there is data already, alerting has work without it, and so it is waited for beside that.
 */
async function openBus(url: string, options: BusOptions, signal: AbortSignal): Promise<Bus | LateBus> {
  const { say, dataDir } = options;
  const embedded = options.url === undefined;
  parseBusUrl(url);
  const hasData = existsSync(dataDir.shard(0));
  const patience = hasData ? PATIENCE_MS : embedded ? CONNECT_WAIT_MS : undefined;
  const wait = patience === undefined ? {} : { waitMs: patience };
  try {
    return await connectBus(url, { say, signal, name: "tocsin", ...wait });
  } catch (e) {
    if (!hasData || !(e instanceof NatsError) || e.code !== "unreachable") throw e;
    say(
      "error",
      `${e.message}: Tocsin goes on without it. Rules are evaluated over what is stored, alerts are told, samples are refused (503)`,
    );
    return lateBus(url, e.message, { say, name: "tocsin" });
  }
}

/** Runs the embedded nats-server under supervision for as long as the scope; returns its URL. */
const startServer = Effect.fnUntraced(function* (
  { streams, dataDir, say, onDeath }: BusOptions,
  setTrouble: (words: string | undefined) => void,
) {
  const program = yield* attempt(() => obtainNatsServer({ say }));
  const wanted = parseListen(streams.listen);
  const listen = yield* attempt(() => chooseListen(wanted));
  if (listen.taken)
    say("warn", `streams.listen ${streams.listen} is in use: the bus listens on port ${listen.port} instead`);
  const { maxAgeMs, maxBytes } = streams;
  const server = {
    ...program,
    dir: dataDir.nats,
    listen,
    maxStoreBytes: 2 * reservedBytes({ partitions: dataDir.partitions, maxAgeMs, maxBytes }),
    say,
  };
  const up = yield* Deferred.make<void>();
  const child = embeddedServerChild(server, {
    onUp: () => {
      setTrouble(undefined);
      Deferred.doneUnsafe(up, Effect.void);
    },
    onStoreFailed: setTrouble,
  });
  yield* spawn("bus", superviseBus(child, onDeath));
  // A server that dies at its start is started again meanwhile; whether one answers in the end, the connection finds out.
  const patience = existsSync(dataDir.shard(0)) ? EMBEDDED_PATIENCE_MS : EMBEDDED_WAIT_MS;
  yield* Effect.timeoutOption(Deferred.await(up), patience);
  return `nats://${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
});
