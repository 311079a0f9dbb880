import { hostname } from "node:os";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Semaphore from "effect/Semaphore";
import type { Config, ScrapeConfig } from "../../model/config.ts";
import type { Ingest } from "../../model/ingest.ts";
import { DEFAULT_TENANT } from "../../model/sample.ts";
import type { DroppedTarget, TargetStatus } from "../../model/targets.ts";
import { makeOutbox, type OutboxStats } from "../../streams/outbox/outbox.ts";
import type { DynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import { watchFiles } from "./file-discovery.ts";
import { endTarget, makeTargetMemory } from "./scrape-core.ts";
import { makePool, type RunningTarget, type ScrapePool, wantedTargets } from "./scrape-pool.ts";
import type { Target } from "./target.ts";
import { type TargetState, targetActor, targetStatus } from "./target-actor.ts";

export interface ScrapeManagerOptions {
  readonly ingest: Ingest;
  readonly config: Config;
  /** Runs the targets, the discoveries and the outbox; give it an intensity that does not give up (KEEP_TRYING). */
  readonly supervisor: DynamicSupervisor;
  /** host:port that stands for the target address `self`. */
  readonly selfAddress?: string;
  readonly userAgent?: string;
  readonly tenant?: string;
  /** Hears of targets that go down or come back, files that cannot be read, samples that are refused; one line each. */
  readonly onProblem?: (message: string) => void;
}

export interface ScrapeManager {
  /**
   * Goes over to a new configuration: jobs that did not change go on undisturbed, targets that stay keep their series,
   * series of targets that are gone get a staleness marker.
   */
  reload(config: Config): Effect.Effect<void>;
  /** Active targets in the order of the jobs. */
  targets(): readonly TargetStatus[];
  dropped(): readonly DroppedTarget[];
  stats(): ScrapeStats;
}

export interface ScrapeStats {
  readonly targets: number;
  readonly scrapes: number;
  readonly failures: number;
  readonly samples: number;
  readonly outbox: OutboxStats;
}

/** Samples that wait for the bus when it is down: about 200 MB. */
const MAX_WAITING_SAMPLES = 5_000_000;
const SENDERS = 8;

/**
 * Makes the scrape manager and starts everything that the configuration asks for: one child a target and one a
 * `file_sd_configs` entry. All of it lives as long as the supervisor.
 */
export const makeScrapeManager = Effect.fnUntraced(function* (options: ScrapeManagerOptions) {
  const { supervisor } = options;
  const tenant = options.tenant ?? DEFAULT_TENANT;
  const onProblem = options.onProblem ?? (() => {});
  const outbox = makeOutbox({
    ingest: options.ingest,
    maxSamples: MAX_WAITING_SAMPLES,
    concurrency: SENDERS,
    onProblem,
  });
  const pools = new Map<string, ScrapePool>();
  /** One change at a time: reloads and discoveries meet here. */
  const gate = yield* Semaphore.make(1);
  const gone = { scrapes: 0, failures: 0, samples: 0 };
  let childNumber = 0;

  const startTarget = (pool: ScrapePool, target: Target, state: TargetState, forcedError: string) => {
    const running: RunningTarget = {
      target,
      childId: `${pool.config.jobName} ${target.url} #${++childNumber}`,
      state,
      forcedError,
    };
    pool.running.set(target.key, running);
    const run = targetActor({
      target,
      state,
      rules: {
        config: pool.config,
        metricRelabeler: pool.metricRelabeler,
        targetLabels: target.labels,
        makeRef: (labels) => options.ingest.series(tenant, labels),
      },
      client: pool.client,
      seed: hostname(),
      forcedError,
      send: outbox.offer,
      onChange: onProblem,
    });
    return Effect.orDie(supervisor.start({ id: running.childId, restart: "permanent", run }));
  };

  /** Ends targets for good: their series end too. */
  const endTargets = Effect.fnUntraced(function* (ended: Iterable<RunningTarget>) {
    for (const { state } of ended) {
      const now = yield* Clock.currentTimeMillis;
      gone.scrapes += state.scrapes;
      gone.failures += state.failures;
      gone.samples += state.samples;
      outbox.offer(endTarget(state.memory, Math.max(now, state.lastScrape + 1)), now);
    }
  });

  /** Brings the running targets of a pool in line with what was discovered. `before`: targets stopped but to be carried on. */
  const applyPool = Effect.fnUntraced(function* (pool: ScrapePool, before: readonly RunningTarget[]) {
    const wanted = wantedTargets(pool);
    pool.dropped = wanted.dropped;
    for (const problem of wanted.problems) onProblem(problem);
    const stopped: RunningTarget[] = [...before];
    for (const [key, running] of pool.running) {
      if (wanted.targets.has(key) && running.forcedError === wanted.forcedError) continue;
      yield* supervisor.stop(running.childId);
      pool.running.delete(key);
      stopped.push(running);
    }
    for (const [key, target] of wanted.targets) {
      if (pool.running.has(key)) continue;
      const at = stopped.findIndex((old) => sameTarget(old.target, target));
      const state = at < 0 ? newState() : (stopped.splice(at, 1)[0] as RunningTarget).state;
      yield* startTarget(pool, target, state, wanted.forcedError);
    }
    yield* endTargets(stopped);
  });

  const startPool = Effect.fnUntraced(function* (config: ScrapeConfig, before: readonly RunningTarget[]) {
    const pool = makePool(config, options.selfAddress ?? "127.0.0.1:9090", options.userAgent ?? "Tocsin");
    pools.set(config.jobName, pool);
    // Until the first look into the files is done, their targets are not known to be gone: carry them all over.
    let waiting = config.fileSdConfigs.length;
    if (waiting > 0) pool.carried = before;
    else yield* applyPool(pool, before);
    for (const [i, sd] of config.fileSdConfigs.entries()) {
      const id = `${config.jobName} file_sd #${++childNumber}`;
      pool.discoveryIds.push(id);
      let first = true;
      const run = watchFiles({ ...sd, onProblem }, (found) =>
        gate.withPermit(
          Effect.suspend(() => {
            pool.discovered.set(i, found);
            if (first) waiting--;
            first = false;
            if (waiting > 0) return Effect.void;
            const { carried } = pool;
            pool.carried = [];
            return applyPool(pool, carried);
          }),
        ),
      );
      yield* Effect.orDie(supervisor.start({ id, restart: "permanent", run }));
    }
  });

  /** Stops a pool's children and gives its targets, which may be carried on by another one. */
  const stopPool = Effect.fnUntraced(function* (pool: ScrapePool) {
    pools.delete(pool.config.jobName);
    for (const id of pool.discoveryIds) yield* supervisor.stop(id);
    for (const running of pool.running.values()) yield* supervisor.stop(running.childId);
    pool.client.close();
    return [...pool.running.values(), ...pool.carried];
  });

  const reload = (config: Config) =>
    gate.withPermit(
      Effect.gen(function* () {
        const wanted = new Map(config.scrapeConfigs.map((scrape) => [scrape.jobName, scrape]));
        const order = [...wanted.keys()];
        for (const [name, pool] of [...pools]) {
          const next = wanted.get(name);
          if (next !== undefined && JSON.stringify(next) === JSON.stringify(pool.config)) {
            wanted.delete(name);
            continue;
          }
          const targets = yield* stopPool(pool);
          if (next === undefined) {
            yield* endTargets(targets);
            continue;
          }
          // Other relabeling may make other series of the same text.
          for (const { state } of targets) state.memory.byText.clear();
          yield* startPool(next, targets);
          wanted.delete(name);
        }
        for (const next of wanted.values()) yield* startPool(next, []);
        const sorted = order.flatMap((name) => pools.get(name) ?? []);
        pools.clear();
        for (const pool of sorted) pools.set(pool.config.jobName, pool);
      }),
    );

  yield* Effect.orDie(supervisor.start({ id: "outbox", restart: "permanent", run: outbox.run }));
  yield* reload(options.config);

  const all = (): { pool: ScrapePool; running: RunningTarget }[] =>
    [...pools.values()].flatMap((pool) => [...pool.running.values()].map((running) => ({ pool, running })));
  const manager: ScrapeManager = {
    reload,
    targets: () => all().map(({ pool, running }) => targetStatus(pool.config, running.target, running.state)),
    dropped: () => [...pools.values()].flatMap((pool) => pool.dropped),
    stats: () => {
      const sums = { targets: 0, ...gone };
      for (const { running } of all()) {
        sums.targets++;
        sums.scrapes += running.state.scrapes;
        sums.failures += running.state.failures;
        sums.samples += running.state.samples;
      }
      return { ...sums, outbox: outbox.stats() };
    },
  };
  return manager;
});

function sameTarget(a: Target, b: Target): boolean {
  return a.url === b.url && a.labels.length === b.labels.length && a.labels.every((text, i) => text === b.labels[i]);
}

function newState(): TargetState {
  return {
    memory: makeTargetMemory(),
    health: "unknown",
    lastError: "",
    lastScrape: 0,
    lastSeconds: 0,
    scrapes: 0,
    failures: 0,
    samples: 0,
  };
}
