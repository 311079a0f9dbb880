import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { formatDuration } from "../../lib/duration.ts";
import type { Ranking, ShardStats } from "../../model/shard.ts";
import { type MergedCardinality, mergeCardinality } from "../cardinality.ts";
import type { ApiDeps } from "../deps.ts";
import { FEATURES } from "../features.ts";
import { parseGoInt } from "../go-number.ts";
import { paramsOf, tenantOf } from "../request.ts";
import { sendData, sendError } from "../respond.ts";

/**
 * The version of Prometheus whose HTTP API is spoken. Clients such as Grafana choose their calls by it, so `version` in
 * buildinfo is this one and Tocsin's own stands beside it.
 */
const API_VERSION = "3.5.0";

/** Entries of each ranking in status/tsdb, and the most that can be asked for. */
const DEFAULT_RANKING = 10;
const MAX_RANKING = 10_000;
/** A shard tells more than that: what is large in all need not be among the largest of each. */
const SHARD_RANKING = 1_000;
/** Hashes of a label's values that each shard tells: the union of the shards' values is exact up to here, estimated beyond. */
const SKETCH = 1_024;

/** /api/v1/status/*, features, notifications */
export function statusRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/status/buildinfo", (request, reply) =>
    sendData(request, reply, {
      application: "Tocsin",
      version: API_VERSION,
      tocsinVersion: deps.version,
      revision: "",
      branch: "",
      buildUser: "",
      buildDate: "",
      goVersion: "",
      nodeVersion: process.version,
    }),
  );

  app.get("/api/v1/status/runtimeinfo", async (request, reply) => {
    const stats = await shardStats(deps);
    return sendData(request, reply, {
      startTime: new Date(deps.startTime).toISOString(),
      CWD: process.cwd(),
      hostname: hostname(),
      serverTime: new Date(deps.now()).toISOString(),
      reloadConfigSuccess: true,
      corruptionCount: stats.reduce((n, s) => n + (s.storage?.damages ?? 0), 0),
      timeSeriesCount: stats.reduce((n, s) => n + s.headSeries, 0),
      shards: stats,
    });
  });

  app.get("/api/v1/status/config", (request, reply) => sendData(request, reply, { yaml: deps.configText() }));
  // With Tocsin's own keys, which /api/v2/status leaves out for clients that know Alertmanager's only; secrets are masked.
  app.get("/api/v1/status/alertmanager_config", (request, reply) =>
    sendData(request, reply, { yaml: deps.alertManager.config().text }),
  );
  // Tocsin has few flags: these are the settings of its configuration that Prometheus has as flags.
  app.get("/api/v1/status/flags", (request, reply) =>
    sendData(request, reply, {
      "query.lookback-delta": formatDuration(deps.limits.queryLookbackMs),
      "query.max-samples": String(deps.limits.maxQuerySamples),
      "query.timeout": formatDuration(deps.limits.queryTimeoutMs),
    }),
  );

  app.get("/api/v1/features", (request, reply) => sendData(request, reply, FEATURES));
  // What a person has to know of the server's own state comes as alerts.
  app.get("/api/v1/notifications", (request, reply) => sendData(request, reply, []));

  // The API is up only after the shards have replayed their logs as far as they could at once; nothing is left to show.
  app.get("/api/v1/status/walreplay", (request, reply) => sendData(request, reply, { min: 0, max: 0, current: 0 }));

  app.get("/api/v1/status/tsdb", async (request, reply) => {
    const text = paramsOf(request).get("limit") ?? "";
    const limit = text === "" ? DEFAULT_RANKING : Number(parseGoInt(text, "Atoi"));
    if (!(limit >= 1)) return sendError(reply, "bad_data", "limit must be a positive number");
    if (limit > MAX_RANKING) return sendError(reply, "bad_data", `limit must not exceed ${MAX_RANKING}`);
    const asked = SHARD_RANKING + limit;
    const sketch = deps.shards.length > 1 ? SKETCH : 0;
    const ask = { kind: "cardinality", tenant: tenantOf(request), limit: asked, sketch } as const;
    const [stats, counted] = await Promise.all([
      shardStats(deps),
      Promise.allSettled(deps.shards.map((s) => s.request<"cardinality">(ask))),
    ]);
    const parts = counted.flatMap((c) => (c.status === "fulfilled" ? [c.value] : []));
    const missing = deps.shards.length - parts.length;
    const warnings =
      missing === 0 ? [] : [`${missing} of ${deps.shards.length} shards did not answer: counts are too low`];
    const merged = mergeCardinality(parts, asked, limit);
    return sendData(request, reply, headStatistics(stats, merged), { warnings, infos: merged.notes });
  });
}

async function shardStats(deps: ApiDeps): Promise<ShardStats[]> {
  const settled = await Promise.allSettled(deps.shards.map((s) => s.request<"stats">({ kind: "stats" })));
  return settled.flatMap((o) => (o.status === "fulfilled" ? [o.value] : []));
}

/** Names and values are those of the request's tenant; chunks and times of all. */
function headStatistics(stats: readonly ShardStats[], counts: MergedCardinality) {
  const filled = stats.filter((s) => s.headSeries > 0);
  const named = (ranking: Ranking) => ranking.map(([name, value]) => ({ name, value }));
  return {
    headStats: {
      numSeries: counts.series,
      numLabelPairs: counts.labelPairs,
      chunkCount: stats.reduce((n, s) => n + s.headChunks, 0),
      minTime: filled.length === 0 ? null : Math.min(...filled.map((s) => s.headMinTime)),
      maxTime: filled.length === 0 ? null : Math.max(...filled.map((s) => s.headMaxTime)),
    },
    seriesCountByMetricName: named(counts.seriesByMetricName),
    labelValueCountByLabelName: named(counts.valuesByLabelName),
    memoryInBytesByLabelName: named(counts.bytesByLabelName),
    seriesCountByLabelValuePair: named(counts.seriesByLabelPair),
  };
}
