import * as Effect from "effect/Effect";
import type { Logger as Log } from "pino";
import { encodeRange } from "../api/encode.ts";
import { mergeTexts, paceOf } from "../api/merge-lists.ts";
import { METRIC_NAME } from "../model/labels.ts";
import type { Engine } from "../model/query.ts";
import { DEFAULT_TENANT } from "../model/sample.ts";
import type { ShardClient, StoredBlock } from "../model/shard.ts";

export interface WarmUp {
  /** True from when it has ended, whether it went well or not. */
  readonly done: () => boolean;
  readonly run: Effect.Effect<void>;
}

export interface WarmUpOptions {
  readonly engine: Engine;
  readonly shards: readonly ShardClient[];
  /** Whether the shards are. */
  readonly ready: () => boolean;
  readonly log: Log;
}

/** In all; a server that has nothing on disk needs none. */
const WARM_UP_MS = 1_000;
/** Of one query: more series than this are no dashboard's. */
const MAX_SERIES = 1_000;
/** So many metric names are looked at for one of a good size. */
const CANDIDATES = 16;
const HOUR_MS = 3_600_000;
/** Each round reads other pages than the ones before, or what was read would answer. */
const WINDOW_MS = 36 * HOUR_MS;

/** What dashboards ask, so that most of what answers queries is run. */
const QUERIES: readonly ((metric: string) => string)[] = [
  (m) => `sum by (instance) (rate(${m}[5m]))`,
  (m) => `avg by (instance) (${m})`,
  (m) => `max_over_time(${m}[1h])`,
  (m) => `sum by (job) (increase(${m}[1d]))`,
  (m) => `quantile by (job) (0.9, rate(${m}[5m]))`,
  (m) => `topk(5, ${m})`,
  (m) => `${m} / ${m}`,
];

/**
 * Asks a few queries of what lies on disk before the server says that it is ready. In a process that has just started, the first
 * queries take several times as long as later ones, since the engine has compiled nothing of what answers them; whoever starts
 * a server anew should not have their dashboards wait for that. Nobody else waits for it: rules, ingestion and queries go on
 * meanwhile, `/-/ready` alone says that they would be slow.
 */
export function makeWarmUp(options: WarmUpOptions): WarmUp {
  let isDone = false;
  const run = Effect.gen(function* () {
    while (!options.ready()) yield* Effect.sleep(20);
    yield* Effect.tryPromise(() => warmUp(options)).pipe(
      // It is of use, not of need.
      Effect.catch((e) => Effect.sync(() => options.log.debug({ err: e.cause }, "no queries were asked ahead"))),
    );
    isDone = true;
  });
  return { done: () => isDone, run };
}

async function warmUp({ engine, shards, log }: WarmUpOptions): Promise<void> {
  const began = performance.now();
  const span = await storedSpan(shards);
  const metric = span && (await metricOf(engine, shards, span.maxT));
  if (span === undefined || metric === undefined) return;
  let asked = 0;
  const step = 5 * 60_000;
  const isOver = () => performance.now() - began > WARM_UP_MS;
  for (let end = span.maxT; end - WINDOW_MS >= span.minT && !isOver(); end -= WINDOW_MS) {
    for (const query of QUERIES) {
      if (isOver()) break;
      const result = await engine.range({
        tenant: DEFAULT_TENANT,
        query: query(metric),
        start: end - WINDOW_MS,
        // Not on a minute, or rollups may answer.
        end: end - 13_000,
        step,
        noCache: true,
        timeoutMs: WARM_UP_MS,
      });
      for (const _ of encodeRange(result));
      asked++;
    }
  }
  log.debug({ metric, queries: asked, ms: Math.round(performance.now() - began) }, "queries were asked ahead");
}

/** Of raw samples on disk; undefined where there are none. */
async function storedSpan(shards: readonly ShardClient[]): Promise<{ minT: number; maxT: number } | undefined> {
  const listed = await Promise.all(shards.map((shard) => shard.request({ kind: "blocks" })));
  const raw = listed.flat().filter((block: StoredBlock) => block.tier === "raw");
  if (raw.length === 0) return undefined;
  return { minT: Math.min(...raw.map((b) => b.minT)), maxT: Math.max(...raw.map((b) => b.maxT)) };
}

/** The one with the most series, but no more than MAX_SERIES, among a few; undefined where there is none. */
async function metricOf(engine: Engine, shards: readonly ShardClient[], end: number): Promise<string | undefined> {
  const start = end - HOUR_MS;
  const ask = {
    kind: "labelValues",
    tenant: DEFAULT_TENANT,
    name: METRIC_NAME,
    sets: [],
    minT: start,
    maxT: end,
  } as const;
  const lists = await Promise.all(shards.map((shard) => shard.request(ask)));
  const names = await mergeTexts(paceOf(new AbortController().signal), lists);
  let best: { name: string; series: number } | undefined;
  for (let i = 0; i < Math.min(CANDIDATES, names.length); i++) {
    const name = names[Math.floor((i * names.length) / Math.min(CANDIDATES, names.length))] as string;
    const query = `{${JSON.stringify(METRIC_NAME)}=${JSON.stringify(name)}}`;
    const cost = await engine.cost?.({ tenant: DEFAULT_TENANT, query, start, end, step: 60_000 });
    const series = cost?.series ?? 0;
    if (series <= MAX_SERIES && series > (best?.series ?? 0)) best = { name: query, series };
  }
  return best?.name;
}
