import { join } from "node:path";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import { makeAlertManager } from "../actors/alert/alert-manager.ts";
import { makeScrapeManager, type ScrapeManager } from "../actors/collector/scrape-manager.ts";
import { makeRuleManager } from "../actors/rule/rule-manager.ts";
import { spawn } from "../actors/runtime/actor.ts";
import { makeCensus } from "../actors/runtime/census.ts";
import { makeDynamicSupervisor } from "../actors/runtime/dynamic-supervisor.ts";
import { KEEP_TRYING } from "../actors/runtime/supervisor.ts";
import { onLabelsRequest } from "../actors/shard/labels-request.ts";
import { makeShards } from "../actors/shard/shard-host.ts";
import { superviseBus, superviseSystem } from "../actors/system.ts";
import { makeHostCollector } from "../agent/host-collector.ts";
import { makeApiMetrics, makeRegistry } from "../api/metrics.ts";
import { makeServer } from "../api/server.ts";
import { registerShardMetrics } from "../api/shard-metrics.ts";
import { registerSystemMetrics } from "../api/system-metrics.ts";
import type { Config } from "../model/config.ts";
import { makeEngine } from "../query/engine.ts";
import { makeGateway } from "../streams/ingest/gateway.ts";
import { type Bus, connectBus } from "../streams/nats/bus.ts";
import { embeddedServerChild } from "../streams/nats/embedded-server.ts";
import { type IngestReader, readIngestSubject } from "../streams/nats/ingest-subject.ts";
import { chooseListen, parseListen } from "../streams/nats/listen-address.ts";
import { obtainNatsServer } from "../streams/nats/obtain-server.ts";
import { provisionStreams, reservedBytes } from "../streams/nats/provision.ts";
import { jetStreamPublisher } from "../streams/nats/publisher.ts";
import type { Say } from "../streams/nats/say.ts";
import { type DataDir, openDataDir } from "./data-dir.ts";
import { checkFree, explainListen, parseListenOption, urlOf } from "./listen.ts";
import { loadAll } from "./load-all.ts";
import type { ServeOptions } from "./serve-options.ts";

/** The embedded server answers within a second or two; a minute allows for a long recovery of its store. */
const EMBEDDED_WAIT_MS = 60_000;

/** Builds all parts, wires them, and runs the supervision tree until it is interrupted. Fails with what a person must mend. */
export const runTocsin = Effect.fnUntraced(function* (options: ServeOptions, log: Log, say: Say) {
  const startTime = Date.now();
  const address = parseListenOption(options.listen);
  yield* attempt(() => checkFree(address));
  let loaded = yield* attempt(async () => loadAll(options.config, log));
  const { config } = loaded;
  const dataDir = yield* Effect.acquireRelease(
    attempt(() => openDataDir(options.dataDir, config.storage.partitions)),
    (dir) => Effect.promise(() => dir.release()),
  );
  const census = makeCensus();

  const busUrl = options.nats ?? config.streams.url ?? (yield* startBus(config, dataDir, say, census.onDeath));
  const bus = yield* connect(busUrl, options.nats ?? config.streams.url, say);
  const { partitions } = dataDir;
  const { maxAgeMs, maxBytes } = config.streams;
  yield* attempt(() => provisionStreams(bus, { partitions, maxAgeMs, maxBytes }));

  const publisher = jetStreamPublisher(bus);
  const gateway = makeGateway({ partitions, publisher, limits: config.limits, now: Date.now });
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      await gateway.close();
      publisher.close();
    }),
  );

  const shards = makeShards(
    Array.from({ length: partitions }, (_, partition) => ({
      partition,
      walDir: join(dataDir.shard(partition), "wal"),
      busUrl,
      outOfOrderWindowMs: config.storage.outOfOrderWindowMs,
      say: (level, line) => log[level]({ shard: partition }, line),
    })),
    census.onDeath,
  );
  const engine = makeEngine({
    shards: shards.clients,
    maxSamples: config.limits.maxQuerySamples,
    maxPoints: config.limits.maxQueryPoints,
    timeoutMs: config.limits.queryTimeoutMs,
    lookbackMs: config.limits.queryLookbackMs,
    defaultSubqueryStepMs: config.global.evaluationIntervalMs,
  });

  const externalUrl = urlOf(address);
  const userAgent = `Tocsin/${options.version}`;
  let events = 0;
  const publish = (subject: string, payload: Uint8Array) =>
    publisher.publishTo(subject, payload, `${startTime}-${process.pid}-${events++}`);
  const alertManager = makeAlertManager({
    config: loaded.alertmanager,
    dataDir: dataDir.alerting,
    externalUrl,
    userAgent,
    publish,
    onDeath: census.onDeath,
  });
  const rules = makeRuleManager(
    {
      engine,
      ingest: gateway,
      sink: alertManager.receive,
      publish,
      dataDir: dataDir.alerting,
      externalLabels: config.global.externalLabels,
      externalUrl,
      onDeath: census.onDeath,
      ready: () => shards.ready().ready,
    },
    loaded.groups,
  );
  let scrapes: ScrapeManager | undefined;
  const runScrapes = Effect.gen(function* () {
    const supervisor = yield* makeDynamicSupervisor("scrapes", KEEP_TRYING, census.onDeath);
    scrapes = yield* makeScrapeManager({
      ingest: gateway,
      config: loaded.config,
      supervisor,
      selfAddress: `${address.host === "0.0.0.0" || address.host === "::" ? "127.0.0.1" : address.host}:${address.port}`,
      userAgent,
      onProblem: (line) => log.warn(line),
    });
    return yield* supervisor.join;
  });
  const hostCollector = config.agent.enabled
    ? makeHostCollector({
        ingest: gateway,
        intervalMs: config.agent.intervalMs,
        port: address.port,
        ...(config.agent.labels === undefined ? {} : { labels: config.agent.labels }),
        ...(config.agent.instance === undefined ? {} : { instance: config.agent.instance }),
        onProblem: (line) => log.warn(line),
      })
    : undefined;

  const reload = async () => {
    loaded = loadAll(options.config, log);
    rules.reload(loaded.groups);
    alertManager.reload(loaded.alertmanager);
    if (scrapes !== undefined) await Effect.runPromise(scrapes.reload(loaded.config));
    log.info("configuration reloaded");
  };
  const registry = makeRegistry();
  const observe = makeApiMetrics(registry);
  let reader: IngestReader | undefined;
  registerShardMetrics(registry, shards.clients);
  registerSystemMetrics(registry, {
    gateway: () => gateway.stats(),
    publisher: () => publisher.stats(),
    ingestSubject: () => reader?.stats(),
    scrapes: () => scrapes?.stats(),
    hostCollector: () => hostCollector?.stats(),
    rules: () => rules.stats(),
    notify: () => alertManager.stats(),
    deaths: () => census.deaths(),
    mailboxes: () => census.mailboxes(),
  });
  const app = makeServer({
    engine,
    shards: shards.clients,
    ingest: gateway,
    limits: config.limits,
    rules: rules.rules,
    alerts: rules.alerts,
    targets: () => scrapes?.targets() ?? [],
    droppedTargets: () => scrapes?.dropped() ?? [],
    registry,
    observe,
    ready: shards.ready,
    reload,
    configText: () => loaded.text,
    version: options.version,
    startTime,
    now: Date.now,
    log,
  });
  const listening = yield* Deferred.make<never, unknown>();
  const api = Effect.acquireRelease(
    attempt(() => app.listen(address)).pipe(
      Effect.mapError((e) => explainListen(e as NodeJS.ErrnoException, address)),
      // The port is what a person asked for: without it the process is of no use, so the tree ends.
      Effect.tapError((e) => Deferred.fail(listening, e)),
    ),
    () => Effect.promise(() => app.close()),
  ).pipe(
    Effect.tap(() => Effect.sync(() => log.info(`Tocsin ${options.version}: open ${urlOf(address)}`))),
    Effect.andThen(Effect.never),
  );

  yield* reloadOnHangup(reload, log);
  const system = superviseSystem(
    {
      shards: shards.child,
      ingestSubject: Effect.gen(function* () {
        const current = yield* Effect.acquireRelease(
          attempt(() => readIngestSubject(bus, gateway, { say })),
          (r) => Effect.promise(() => r.close()),
        );
        reader = current;
        yield* attempt(() => current.ended);
      }),
      labelRequests: Effect.acquireRelease(
        Effect.sync(() =>
          onLabelsRequest(bus, (partition, wanted) => {
            gateway.markUnannounced(partition, wanted.unknown);
            gateway.markAmbiguous(partition, wanted.ambiguous);
          }),
        ),
        (stop) => Effect.sync(stop),
      ).pipe(Effect.andThen(Effect.never)),
      scrapes: runScrapes,
      ...(hostCollector === undefined ? {} : { hostCollector: hostCollector.run }),
      alertManager: alertManager.run,
      rules: rules.run,
      api,
    },
    census.onDeath,
  );
  return yield* Effect.raceFirst(system, Deferred.await(listening));
});

/** Runs the embedded nats-server under supervision for as long as the scope; returns its URL. */
const startBus = Effect.fnUntraced(function* (
  config: Config,
  dataDir: DataDir,
  say: Say,
  onDeath: Parameters<typeof superviseBus>[1],
) {
  const program = yield* attempt(() => obtainNatsServer({ say }));
  const wanted = parseListen(config.streams.listen);
  const listen = yield* attempt(() => chooseListen(wanted));
  if (listen.taken)
    say("warn", `streams.listen ${config.streams.listen} is in use: the bus listens on port ${listen.port} instead`);
  const { maxAgeMs, maxBytes } = config.streams;
  const child = embeddedServerChild({
    ...program,
    dir: dataDir.nats,
    listen,
    maxStoreBytes: 2 * reservedBytes({ partitions: dataDir.partitions, maxAgeMs, maxBytes }),
    say,
  });
  yield* spawn("bus", superviseBus(child, onDeath));
  return `nats://${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
});

const connect = (url: string, given: string | undefined, say: Say) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: (signal) =>
        connectBus(url, { say, signal, name: "tocsin", ...(given === undefined ? { waitMs: EMBEDDED_WAIT_MS } : {}) }),
      catch: (e) => e,
    }),
    (bus: Bus) => Effect.promise(() => bus.close()),
  );

const reloadOnHangup = (reload: () => Promise<void>, log: Log) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const listener = () => {
        reload().catch((e: unknown) => log.error({ err: e }, "configuration not reloaded, the old one goes on"));
      };
      process.on("SIGHUP", listener);
      return listener;
    }),
    (listener) => Effect.sync(() => process.off("SIGHUP", listener)),
  );

function attempt<A>(run: () => Promise<A>): Effect.Effect<A, unknown> {
  return Effect.tryPromise({ try: run, catch: (e) => e });
}
