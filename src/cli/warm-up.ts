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
  /** Milliseconds since 1970: around it the newest samples are looked for. Default Date.now. */
  readonly now?: () => number;
  /** A clock in ms that never goes back; default performance.now. */
  readonly clock?: () => number;
  /** How long the process has been running, ms; default process.uptime. */
  readonly uptime?: () => number;
  /** How long it may take in all; default: what `timeFor` says. */
  readonly forMs?: number;
}

/** It takes a second, and longer only as long as the start has been quick, with this much at most. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 3_000;
/** After the start of the process: a start is to take less than 5 s. */
const OVER_BY_MS = 4_000;
/** Of one query: more series than this are no dashboard's. */
const MAX_SERIES = 1_000;
/** So many metric names are looked at for one of a good size. */
const CANDIDATES = 16;
const HOUR_MS = 3_600_000;
/** Each query reads other pages than the one before, or what was read would answer. */
const WINDOW_MS = 36 * HOUR_MS;
/** Where less than that is on disk: as many queries of the newest hour. After these the next ones are hardly quicker. */
const RECENT_QUERIES = 150;

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
 * Asks a few queries of what lies on disk, or of the newest hour where that is little, before the server says that it is ready.
 * In a process that has just started, the first queries take several times as long as later ones, since the engine has compiled
 * nothing of what answers them; whoever starts a server anew should not have their dashboards wait for that. Nobody else waits
 * for it: rules, ingestion and queries go on meanwhile, `/-/ready` alone says that they would be slow.
 *
 * It ends when its time is over, whatever does not answer: a server that never says it is ready is worse than a slow one.
 */
export function makeWarmUp(options: WarmUpOptions): WarmUp {
  let isDone = false;
  const { log, uptime = () => 1000 * process.uptime() } = options;
  const run = Effect.gen(function* () {
    while (!options.ready()) yield* Effect.sleep(20);
    const forMs = options.forMs ?? timeFor(uptime());
    yield* Effect.tryPromise((signal) => warmUp(options, forMs, signal)).pipe(
      Effect.timeout(forMs),
      // It is of use, not of need.
      Effect.catch((e) => Effect.sync(() => log.debug({ err: e.cause ?? e }, "not all queries were asked ahead"))),
    );
    isDone = true;
  });
  return { done: () => isDone, run };
}

/** How long a warm-up that begins `after` ms after the process may take, ms. */
function timeFor(after: number): number {
  return Math.max(SHORTEST_MS, Math.min(LONGEST_MS, OVER_BY_MS - after));
}

interface Asked {
  readonly query: string;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

async function warmUp(options: WarmUpOptions, forMs: number, signal: AbortSignal): Promise<void> {
  const { engine, shards, log, clock = () => performance.now(), now = Date.now } = options;
  const began = clock();
  const span = await storedSpan(shards, signal);
  const isLong = span !== undefined && span.maxT - span.minT >= WINDOW_MS;
  const newest = isLong ? span.maxT : now();
  const metric = await metricOf(engine, shards, newest, signal);
  if (metric === undefined) return;
  let asked = 0;
  // Of the newest hour, a second's worth is all there is to gain.
  const most = isLong ? forMs : Math.min(forMs, SHORTEST_MS);
  for (const what of isLong ? storedQueries(metric, span) : recentQueries(metric, newest)) {
    if (clock() - began >= most || signal.aborted) break;
    const result = await engine.range({
      tenant: DEFAULT_TENANT,
      ...what,
      noCache: true,
      // It is called off when the time is over. With that as its time limit its shards would be late, which the log tells.
      signal,
    });
    for (const _ of encodeRange(result));
    asked++;
  }
  log.debug({ metric, queries: asked, ms: Math.round(clock() - began) }, "queries were asked ahead");
}

/** Every query of every window, but never two of one window in turn: the second would find what the first has read. */
function* storedQueries(metric: string, { minT, maxT }: { minT: number; maxT: number }): Generator<Asked> {
  const windows = Math.floor((maxT - minT) / WINDOW_MS);
  for (let round = 0; round < windows; round++) {
    for (const [i, query] of QUERIES.entries()) {
      const end = maxT - ((round + i) % windows) * WINDOW_MS;
      // Not on a minute, or rollups may answer.
      yield { query: query(metric), start: end - WINDOW_MS, end: end - 13_000, step: 5 * 60_000 };
    }
  }
}

function* recentQueries(metric: string, now: number): Generator<Asked> {
  for (let i = 0; i < RECENT_QUERIES; i++) {
    const query = QUERIES[i % QUERIES.length] as (metric: string) => string;
    yield { query: query(metric), start: now - HOUR_MS, end: now, step: 60_000 };
  }
}

/** Of raw samples on disk; undefined where there are none. */
async function storedSpan(
  shards: readonly ShardClient[],
  signal: AbortSignal,
): Promise<{ minT: number; maxT: number } | undefined> {
  const listed = await Promise.all(shards.map((shard) => shard.request({ kind: "blocks" }, signal)));
  const raw = listed.flat().filter((block: StoredBlock) => block.tier === "raw");
  if (raw.length === 0) return undefined;
  return { minT: Math.min(...raw.map((b) => b.minT)), maxT: Math.max(...raw.map((b) => b.maxT)) };
}

/** The one with the most series, but no more than MAX_SERIES, among a few; undefined where there is none. */
async function metricOf(
  engine: Engine,
  shards: readonly ShardClient[],
  end: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const start = end - HOUR_MS;
  const ask = {
    kind: "labelValues",
    tenant: DEFAULT_TENANT,
    name: METRIC_NAME,
    sets: [],
    minT: start,
    maxT: end,
  } as const;
  const lists = await Promise.all(shards.map((shard) => shard.request(ask, signal)));
  const names = await mergeTexts(paceOf(signal), lists);
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
