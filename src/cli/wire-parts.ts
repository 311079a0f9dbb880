import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { Logger as Log } from "pino";
import { type AlertManager, makeAlertManager } from "../actors/alert/alert-manager.ts";
import { makeScrapeManager, type ScrapeManager } from "../actors/collector/scrape-manager.ts";
import { type Compactor, makeCompactor } from "../actors/compactor/compactor.actor.ts";
import { type AlertHistory, makeAlertHistory } from "../actors/history/alert-history.ts";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { makeInputs } from "../actors/rule/inputs.ts";
import { makeRuleManager, type RuleManager } from "../actors/rule/rule-manager.ts";
import { makeRuler, type Ruler } from "../actors/rule/ruler-store.ts";
import type { OnDeath } from "../actors/runtime/death.ts";
import { makeDynamicSupervisor } from "../actors/runtime/dynamic-supervisor.ts";
import { KEEP_TRYING } from "../actors/runtime/supervisor.ts";
import { makeShards, type ShardStatus, type Shards } from "../actors/shard/shard-host.ts";
import type { StorageSettings } from "../actors/shard/storage-settings.ts";
import { makeVisibility, type Visibility } from "../actors/shard/visibility.ts";
import { type VisibleCell, visibleUpTo } from "../actors/shard/visible-cell.ts";
import { type HostCollector, makeHostCollector } from "../agent/host-collector.ts";
import { realDisk } from "../lib/disk.ts";
import { limitsOf } from "../model/config.ts";
import type { Engine } from "../model/query.ts";
import type { ResultsCache } from "../query/results-cache/results-cache.ts";
import { loadColumnKernel } from "../storage/column/kernel/kernel.ts";
import { loadKernel } from "../streams/codec/kernel/kernel.ts";
import { type Gateway, makeGateway } from "../streams/ingest/gateway.ts";
import { openClaimStore } from "../streams/nats/claim-store.ts";
import { streamIdentity } from "../streams/nats/stream-identity.ts";
import { attempt } from "./attempt.ts";
import type { DataDir } from "./data-dir.ts";
import type { ListenOption } from "./listen.ts";
import type { Loaded } from "./load-all.ts";
import type { BusParts } from "./wire-bus.ts";
import { type EngineParts, wireEngine } from "./wire-engine.ts";

/** Everything between the bus and the API. Nothing of it runs until the supervision tree does. */
export interface Parts {
  readonly gateway: Gateway;
  readonly shards: Shards;
  readonly visibility: Visibility;
  readonly compactor: Compactor;
  readonly engine: Engine;
  readonly queries: EngineParts;
  /** Of the engine; undefined where the configuration has no room for one. */
  readonly results: ResultsCache;
  readonly alertManager: AlertManager;
  /** The newest events of alerting. */
  readonly history: AlertHistory;
  readonly rules: RuleManager;
  /** Groups that come over the API. */
  readonly ruler: Ruler;
  /** Has the groups of the files and of the API run that are there now. */
  readonly applyRules: () => void;
  readonly scrapes: Scrapes;
  /** Undefined where the configuration switches it off. */
  readonly hostCollector: HostCollector | undefined;
}

/** The scrape manager as a child of the tree; there is none while it is down. */
export interface Scrapes {
  readonly run: Effect.Effect<never, unknown, Scope.Scope>;
  current(): ScrapeManager | undefined;
}

export interface PartsOptions extends BusParts {
  /** The configuration in force; it may be another one after a reload. */
  readonly loaded: () => Loaded;
  readonly dataDir: DataDir;
  readonly address: ListenOption;
  /** What links begin with, without a slash at the end. */
  readonly externalUrl: string;
  readonly version: string;
  readonly startTime: number;
  readonly onDeath: OnDeath;
  readonly log: Log;
}

/** Makes the parts and joins them; what they hold open is released with the scope. */
export const wireParts = Effect.fnUntraced(function* (options: PartsOptions) {
  const { publisher, dataDir, address, onDeath, log } = options;
  const { config, alertmanager, groups } = options.loaded();
  const { partitions } = dataDir;

  const { kernel, problem } = loadKernel();
  if (problem !== undefined) log.warn(`remote write is read without the ingest kernel, at a higher cost: ${problem}`);
  const columns = loadColumnKernel().problem;
  if (columns !== undefined) log.warn(`blocks are read without the column kernel, at a higher cost: ${columns}`);
  const visibility = makeVisibility({ partitions });
  const gateway = yield* Effect.acquireRelease(
    Effect.sync(() =>
      makeGateway({
        partitions,
        publisher,
        limits: config.limits,
        limitsOf: (tenant) => limitsOf(options.loaded().config, tenant),
        now: Date.now,
        kernel,
        onAcknowledged: visibility.acknowledged,
        maxAgeMs: longestRetention(config.storage),
      }),
    ),
    (g) => Effect.promise(() => g.close()),
  );
  const compactor = makeCompactor();
  const shards = makeShards(
    Array.from({ length: partitions }, (_, partition) => ({
      partition,
      partitions,
      dir: dataDir.shard(partition),
      storage: storageSettings(options.loaded(), partitions),
      runJob: compactor.run,
      busUrl: options.url,
      outOfOrderWindowMs: config.storage.outOfOrderWindowMs,
      visible: visibility.cells[partition],
      say: (level, line) => log[level]({ shard: partition }, line),
    })),
    onDeath,
  );
  const queries = wireEngine(shards.clients, () => options.loaded().config, log);
  const { engine, results } = queries;

  const userAgent = `Tocsin/${options.version}`;
  let events = 0;
  const publish = (subject: string, payload: Uint8Array, msgId = `${options.startTime}-${process.pid}-${events++}`) =>
    publisher.publishTo(subject, payload, msgId);
  const history = makeAlertHistory(publish);
  const alerting = { dataDir: dataDir.alerting, externalUrl: options.externalUrl, publish, history, onDeath };
  const { claimsUrl, claimsLeaseMs } = config.streams;
  const claims =
    claimsUrl === undefined
      ? undefined
      : yield* Effect.acquireRelease(
          Effect.sync(() => openClaimStore(claimsUrl, (level, line) => log[level](line), claimsLeaseMs)),
          (store) => Effect.promise(() => store.close()),
        );
  const alertManager = makeAlertManager({
    ...alerting,
    config: alertmanager,
    userAgent,
    ...(claims === undefined ? {} : { claims }),
  });
  const rules = makeRuleManager(
    {
      ...alerting,
      // An alert does not wait behind dashboards.
      engine: urgent(engine),
      ingest: gateway,
      sink: alertManager.receive,
      externalLabels: config.global.externalLabels,
      ready: () => !shards.hosts.some((host) => comesSoon(host.status(), options.bus.connected())),
      inputsComplete: makeInputs({
        partitions,
        lacks: (partition) => lackOf(shards.hosts[partition]?.status().phase ?? "down"),
        lastSequence: async (partition) => {
          if (!options.bus.connected()) throw new Error("the bus is not connected");
          return (await streamIdentity(options.bus, partition)).lastSequence;
        },
        visibleUpTo: (partition) => visibleUpTo(cellOf(visibility, partition)),
        change: (partition, maxWaitMs) => nextChange(cellOf(visibility, partition), maxWaitMs),
      }),
    },
    groups,
  );
  const applyRules = () => rules.reload([...options.loaded().groups, ...ruler.groups()]);
  const ruler = makeRuler({
    disk: realDisk,
    dir: dataDir.rules,
    checkExpression,
    evaluationIntervalMs: () => options.loaded().config.global.evaluationIntervalMs,
    limitsOf: (tenant) => limitsOf(options.loaded().config, tenant),
    onChange: applyRules,
  });
  for (const problem of yield* attempt(() => ruler.load())) log.error(`rules from the API that do not run: ${problem}`);
  applyRules();

  const { agent } = config;
  const hostCollector = agent.enabled
    ? makeHostCollector({
        ingest: gateway,
        intervalMs: agent.intervalMs,
        port: address.port,
        ...(agent.labels === undefined ? {} : { labels: agent.labels }),
        ...(agent.instance === undefined ? {} : { instance: agent.instance }),
        onProblem: (line) => log.warn(line),
      })
    : undefined;
  const scrapes = wireScrapes(options, gateway, userAgent);
  const parts: Parts = {
    gateway,
    shards,
    visibility,
    compactor,
    engine,
    queries,
    results,
    alertManager,
    history,
    rules,
    ruler,
    applyRules,
    scrapes,
    hostCollector,
  };
  return parts;
});

const cellOf = ({ cells }: Visibility, partition: number) => cells[partition] as VisibleCell;

/** Whether rules had better wait for a shard at a start: neither for one that has died, nor for a bus that is not there. */
function comesSoon({ phase, starts }: ShardStatus, busIsThere: boolean): boolean {
  if (phase === "ready" || starts > 1) return false;
  if (phase === "down") return starts === 0;
  return phase === "replaying" || busIsThere;
}

function lackOf(phase: ShardStatus["phase"]): "" | "shard_missing" | "bus_lagging" {
  if (phase === "down" || phase === "replaying") return "shard_missing";
  return phase === "ready" ? "" : "bus_lagging";
}

/** Resolves when the cell says something else, or after so many ms. */
async function nextChange(cell: VisibleCell, maxWaitMs: number): Promise<void> {
  await Atomics.waitAsync(cell, 0, Atomics.load(cell, 0), maxWaitMs).value;
}

function urgent(engine: Engine): Engine {
  return {
    instant: (request) => engine.instant({ ...request, urgent: true }),
    range: (request) => engine.range({ ...request, urgent: true }),
  };
}

/** What of the storage's configuration one of so many shards has to keep to. */
function storageSettings({ config, retentionRules }: Loaded, partitions: number): StorageSettings {
  const { retention, retentionBytes, maxBlockRangeMs, maxExemplars } = config.storage;
  const share = (bytes: number) => Math.floor(bytes / partitions);
  return {
    ages: { raw: retention.rawMs, "1m": retention.m1Ms, "1h": retention.h1Ms },
    rules: retentionRules,
    maxBytes: { raw: share(retentionBytes.raw), "1m": share(retentionBytes.m1), "1h": share(retentionBytes.h1) },
    maxBlockRangeMs: maxBlockRangeMs > 0 ? maxBlockRangeMs : usualBlockRange(retention.rawMs),
    maxExemplars: share(maxExemplars),
    cacheBytes: share(config.storage.cacheBytes),
    everyMs: config.storage.upkeepMs,
  };
}

/** The age beyond which no sample of any series is kept; Infinity where some are kept for ever. */
function longestRetention({ retention, retentionRules }: Loaded["config"]["storage"]): number {
  const ages = [retention.rawMs, ...retentionRules.flatMap(({ keep }) => keep.rawMs ?? [])];
  return ages.includes(0) ? Number.POSITIVE_INFINITY : Math.max(...ages);
}

const DAY_MS = 86_400_000;

/** A tenth of the retention, so that data does not stay much longer than it has to; a day to sixteen. */
function usualBlockRange(retentionMs: number): number {
  const tenth = retentionMs === 0 ? Number.POSITIVE_INFINITY : retentionMs / 10;
  return Math.min(16 * DAY_MS, Math.max(DAY_MS, tenth));
}

function wireScrapes({ loaded, address, onDeath, log }: PartsOptions, gateway: Gateway, userAgent: string): Scrapes {
  let current: ScrapeManager | undefined;
  const host = address.host === "0.0.0.0" || address.host === "::" ? "127.0.0.1" : address.host;
  const run = Effect.gen(function* () {
    const supervisor = yield* makeDynamicSupervisor("scrapes", KEEP_TRYING, onDeath);
    current = yield* makeScrapeManager({
      ingest: gateway,
      config: loaded().config,
      supervisor,
      selfAddress: `${host}:${address.port}`,
      userAgent,
      onProblem: (line) => log.warn(line),
    });
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        current = undefined;
      }),
    );
    return yield* supervisor.join;
  });
  return { run, current: () => current };
}
