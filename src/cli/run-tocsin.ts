import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import { makeExplainer } from "../actors/history/explainer.ts";
import { spawn } from "../actors/runtime/actor.ts";
import { makeCensus } from "../actors/runtime/census.ts";
import { labelRequestsChild } from "../actors/shard/label-requests.actor.ts";
import { makeStorageAdmin } from "../actors/shard/storage-admin.ts";
import { superviseSystem } from "../actors/system.ts";
import type { ApiDeps } from "../api/deps.ts";
import { realDisk } from "../lib/disk.ts";
import { limitsOf } from "../model/config.ts";
import { DEFAULT_TENANT } from "../model/sample.ts";
import { type IngestReader, ingestSubjectChild } from "../streams/nats/ingest-subject.ts";
import { historyReader } from "../streams/nats/read-history.ts";
import type { Say } from "../streams/nats/say.ts";
import { attempt } from "./attempt.ts";
import { openDataDir } from "./data-dir.ts";
import { checkFree, externalUrlOf, type ListenError, parseListenOption, urlOf } from "./listen.ts";
import { liveConfiguration, makeReload, reloadOnHangup } from "./reload.ts";
import { serveApi } from "./serve-api.ts";
import type { ServeOptions } from "./serve-options.ts";
import { makeWarmUp } from "./warm-up.ts";
import { watchRules } from "./watch-rules.ts";
import { watchSecrets } from "./watch-secrets.ts";
import { wireBus } from "./wire-bus.ts";
import { wireMetrics } from "./wire-metrics.ts";
import { wireParts } from "./wire-parts.ts";
import { wireSelfWatch } from "./wire-self-watch.ts";

/** How long requests may wait for a bus that does not answer once the process is told to stop. */
const STOP_WAIT_MS = 2_000;

const WARMING_UP = "it asks itself a few queries, so that the first ones that come are quick";

/**
 * Builds all parts, wires them, and runs the supervision tree until it is interrupted. Fails with what a person must mend.
 *
 * The start is this function from top to bottom. The stop is the same from bottom to top: each step that holds something
 * open has released it by a finalizer of the surrounding scope, and those run in reverse.
 */
export const runTocsin = Effect.fnUntraced(function* (options: ServeOptions, log: Log, say: Say) {
  const startTime = Date.now();

  // 1. What may be wrong with what a person gave is said before any work is begun.
  const address = parseListenOption(options.listen);
  yield* attempt(() => checkFree(address));
  const live = yield* attempt(async () => liveConfiguration(options.config, log));
  const { config } = live.current();
  const externalUrl = yield* attempt(async () => externalUrlOf(options.externalUrl, config.externalUrl, address));
  // From the moment at which they were read, so that no change is missed.
  let applyRules = () => {};
  const ruleFiles = yield* watchRules({ live, applyRules: () => applyRules(), log });

  // 2. The data dir, locked; let go of last.
  const dataDir = yield* Effect.acquireRelease(
    attempt(() => openDataDir(options.dataDir, config.storage.partitions)),
    (dir) => Effect.promise(() => dir.release()),
  );

  // 3. The bus: server, connection, streams, publisher.
  const census = makeCensus();
  const { onDeath } = census;
  const { streams } = config;
  const busParts = yield* wireBus({ url: options.nats ?? streams.url, streams, dataDir, say, onDeath });
  const { bus, publisher } = busParts;

  // 4. The parts. At the stop the gateway sends what it holds while the publisher and the bus are still there.
  const { version } = options;
  const made = { loaded: live.current, dataDir, address, externalUrl, version, startTime, onDeath, log };
  const parts = yield* wireParts({ ...busParts, ...made });
  const { gateway, shards, compactor, engine, alertManager, rules, scrapes, hostCollector } = parts;
  applyRules = parts.applyRules;
  yield* watchSecrets({ live, apply: alertManager.reload, log });
  let ingestReader: IngestReader | undefined;
  const { registry, observe, postedAlerts } = wireMetrics({
    parts,
    busParts,
    census,
    ingestReader: () => ingestReader,
    ruleFiles: ruleFiles.reloads,
  });
  const reload = makeReload(live, parts, log);
  yield* reloadOnHangup(reload, log);

  // 5. The supervision tree. Nothing above was alive yet but the bus; at the stop all actors end first, from the API to the shards.
  const warmUp = makeWarmUp({ engine, shards: shards.clients, ready: () => shards.ready().ready, log });
  const apiDeps: ApiDeps = {
    engine,
    shards: shards.clients,
    ingest: gateway,
    visible: parts.visibility.wait,
    admin: makeStorageAdmin({ shards: shards.clients, dataDir: dataDir.path, disk: realDisk, now: Date.now }),
    limits: config.limits,
    limitsOf: (tenant) => limitsOf(live.current().config, tenant),
    patience: parts.queries.patience,
    rules: rules.rules,
    alerts: rules.alerts,
    ruler: parts.ruler,
    alertManager,
    explain: makeExplainer({
      history: parts.history,
      readStream: historyReader(bus),
      alertManager,
      rules: rules.rules,
      alerts: rules.alerts,
      engine,
      externalLabels: (tenant) => ({
        ...(tenant === DEFAULT_TENANT ? {} : { tenant }),
        ...live.current().config.global.externalLabels,
      }),
      now: Date.now,
    }),
    postedAlerts,
    targets: () => scrapes.current()?.targets() ?? [],
    scrapeConfigs: () => live.current().config.scrapeConfigs,
    droppedTargets: () => scrapes.current()?.dropped() ?? [],
    registry,
    observe,
    ready: () => (warmUp.done() ? shards.ready() : { ready: false, reason: shards.ready().reason || WARMING_UP }),
    reload,
    configText: () => live.current().text,
    externalUrl,
    version,
    startTime,
    now: Date.now,
    log,
  };
  yield* spawn("warm-up", warmUp.run);
  yield* spawn("self-watch", wireSelfWatch(parts, busParts, live.current, urlOf(address)));
  const unusable = yield* Deferred.make<never, ListenError>();
  const system = superviseSystem(
    {
      shards: shards.child.run,
      compactor: compactor.child.run,
      ingestSubject: ingestSubjectChild(bus, gateway, { say }, (reader) => {
        ingestReader = reader;
      }),
      labelRequests: labelRequestsChild(bus, (partition, wanted) => {
        gateway.markUnannounced(partition, wanted.unknown);
        gateway.markAmbiguous(partition, wanted.ambiguous);
      }),
      scrapes: scrapes.run,
      ...(hostCollector === undefined ? {} : { hostCollector: hostCollector.run }),
      alertManager: alertManager.run,
      rules: rules.run,
      api: serveApi(apiDeps, { address, unusable, onStop: () => publisher.hurry(STOP_WAIT_MS) }),
    },
    onDeath,
  );
  return yield* Effect.raceFirst(system, Deferred.await(unusable));
});
