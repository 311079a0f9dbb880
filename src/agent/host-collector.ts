import { hostname } from "node:os";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { nextTick, stampTick, tickOffset } from "../lib/ticks.ts";
import type { Ingest, SeriesRef } from "../model/ingest.ts";
import { labelsFromEntries, METRIC_NAME } from "../model/labels.ts";
import { DEFAULT_TENANT } from "../model/sample.ts";
import { makeOutbox, type OutboxStats } from "../streams/outbox/outbox.ts";
import { makeSampleBatch, pushSample, pushStale, type SampleBatch } from "../streams/outbox/sample-batch.ts";
import { collectHost, hostCollectors } from "./host/collectors.ts";
import { type HostRoots, LOCAL_HOST } from "./host/roots.ts";

export interface HostCollectorOptions {
  readonly ingest: Ingest;
  readonly intervalMs: number;
  /** Value of the `instance` label. */
  readonly instance?: string;
  /** For the default of `instance`: host name and this port. */
  readonly port?: number;
  /** Labels added to every series. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly tenant?: string;
  readonly host?: HostRoots;
  /** Hears of samples that were refused or lost. */
  readonly onProblem?: (message: string) => void;
}

export interface HostCollector {
  /** Fits `ChildSpec` of src/actors/runtime. */
  readonly id: string;
  readonly restart: "permanent";
  readonly run: Effect.Effect<never, unknown, Scope.Scope>;
  stats(): OutboxStats;
}

const JOB = "node";
/** Samples that wait for the bus when it is down: some hours of a host. */
const MAX_WAITING_SAMPLES = 2_000_000;

/**
 * The host collector as a supervised child: at every tick reads this host's state and sends it under node_exporter's names
 * with `job="node"`, and what a scrape of it would add (`up`, scrape_duration_seconds, scrape_samples_scraped, ...).
 * Series that vanish (an unplugged disk) are marked as stale.
 */
export function makeHostCollector(options: HostCollectorOptions): HostCollector {
  const { intervalMs } = options;
  const outbox = makeOutbox({
    ingest: options.ingest,
    maxSamples: MAX_WAITING_SAMPLES,
    concurrency: 2,
    ...(options.onProblem ? { onProblem: options.onProblem } : {}),
  });
  const series = makeHostSeries(options);
  const loop = Effect.gen(function* () {
    const clock = yield* Clock.Clock;
    const collectors = hostCollectors(() => clock.currentTimeMillisUnsafe(), Math.min(2000, intervalMs));
    const offset = tickOffset(series.instance, intervalMs);
    // The first look is at once: a new page has something to show.
    let due = yield* Clock.currentTimeMillis;
    while (true) {
      const now = yield* Clock.currentTimeMillis;
      if (now < due) yield* Effect.sleep(due - now);
      const started = yield* Clock.currentTimeMillis;
      const batch = yield* Effect.promise(() => series.collect(collectors, stampTick(started, due, intervalMs)));
      const ended = yield* Clock.currentTimeMillis;
      outbox.offer(batch, ended);
      due = nextTick(Math.max(due, ended), intervalMs, offset);
    }
  });
  return {
    id: "host-collector",
    restart: "permanent",
    run: Effect.raceFirst(outbox.run, loop),
    stats: outbox.stats,
  };
}

interface KnownSeries {
  readonly ref: SeriesRef;
  round: number;
}

/** The host's series and their refs from round to round. */
export interface HostSeries {
  readonly instance: string;
  /** One round: reads everything and stamps it with `t`. */
  collect(collectors: ReturnType<typeof hostCollectors>, t: number): Promise<SampleBatch>;
}

export function makeHostSeries(options: Omit<HostCollectorOptions, "intervalMs">): HostSeries {
  const host = options.host ?? LOCAL_HOST;
  const tenant = options.tenant ?? DEFAULT_TENANT;
  const instance = options.instance ?? `${hostname()}:${options.port ?? 9090}`;
  const fixed = Object.entries({ ...options.labels, job: JOB, instance });
  const known = new Map<string, KnownSeries>();
  let round = 0;

  const find = (name: string, labels: readonly string[]): KnownSeries => {
    const key = labels.length === 0 ? name : `${name}\0${labels.join("\0")}`;
    let found = known.get(key);
    if (found === undefined) {
      const pairs: [string, string][] = [[METRIC_NAME, name]];
      for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i] as string, labels[i + 1] as string]);
      found = { ref: options.ingest.series(tenant, labelsFromEntries([...pairs, ...fixed])), round: 0 };
      known.set(key, found);
    }
    return found;
  };

  return {
    instance,
    collect: async (collectors, t) => {
      round++;
      const batch = makeSampleBatch(1024);
      const start = performance.now();
      const knownBefore = known.size;
      const add = (name: string, value: number, ...labels: readonly string[]): void => {
        const entry = find(name, labels);
        // A part that names a series twice (a mount listed twice) counts once.
        if (entry.round === round) return;
        entry.round = round;
        if (!Number.isNaN(value)) pushSample(batch, entry.ref, t, value);
      };
      await collectHost(collectors, host, add);
      const scraped = batch.refs.length;
      const fresh = known.size - knownBefore;
      add("up", 1);
      add("scrape_duration_seconds", (performance.now() - start) / 1000);
      add("scrape_samples_scraped", scraped);
      add("scrape_samples_post_metric_relabeling", scraped);
      add("scrape_series_added", fresh);
      for (const [key, entry] of known) {
        if (entry.round === round) continue;
        pushStale(batch, entry.ref, t);
        known.delete(key);
      }
      return batch;
    },
  };
}
