import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { formatDuration } from "../../lib/duration.ts";
import type { ShardStats } from "../../model/shard.ts";
import type { ApiDeps } from "../deps.ts";
import { parseGoInt } from "../go-number.ts";
import { paramsOf } from "../request.ts";
import { sendData, sendError } from "../respond.ts";

/**
 * The version of Prometheus whose HTTP API is spoken. Clients such as Grafana choose their calls by it, so `version` in
 * buildinfo is this one and Tocsin's own stands beside it.
 */
const API_VERSION = "3.5.0";

/** /api/v1/status/* and /api/v1/metadata. */
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
      corruptionCount: 0,
      timeSeriesCount: stats.reduce((n, s) => n + s.headSeries, 0),
      shards: stats,
    });
  });

  app.get("/api/v1/status/config", (request, reply) => sendData(request, reply, { yaml: deps.configText() }));
  // Tocsin has few flags: these are the settings of its configuration that Prometheus has as flags.
  app.get("/api/v1/status/flags", (request, reply) =>
    sendData(request, reply, {
      "query.lookback-delta": formatDuration(deps.limits.queryLookbackMs),
      "query.max-samples": String(deps.limits.maxQuerySamples),
      "query.timeout": formatDuration(deps.limits.queryTimeoutMs),
    }),
  );

  // The API is up only after the shards have replayed their logs as far as they could at once; nothing is left to show.
  app.get("/api/v1/status/walreplay", (request, reply) => sendData(request, reply, { min: 0, max: 0, current: 0 }));

  app.get("/api/v1/status/tsdb", async (request, reply) => {
    const limit = paramsOf(request).get("limit") ?? "";
    if (limit !== "" && !(Number(parseGoInt(limit, "Atoi")) >= 1)) {
      return sendError(reply, "bad_data", "limit must be a positive number");
    }
    return sendData(request, reply, headStatistics(await shardStats(deps)));
  });

  // No sender's metadata is kept yet; an empty answer is what clients get from a Prometheus that knows none.
  app.get("/api/v1/metadata", (request, reply) => {
    const params = paramsOf(request);
    for (const name of ["limit", "limit_per_metric"]) {
      const text = params.get(name) ?? "";
      if (text !== "" && typeof parseGoInt(text, "Atoi") === "string") {
        return sendError(reply, "bad_data", `${name} must be a number`);
      }
    }
    return sendData(request, reply, {});
  });
}

async function shardStats(deps: ApiDeps): Promise<ShardStats[]> {
  const settled = await Promise.allSettled(deps.shards.map((s) => s.request<"stats">({ kind: "stats" })));
  return settled.flatMap((o) => (o.status === "fulfilled" ? [o.value] : []));
}

/** All tenants' series together. The counts by name and value are not kept: they are empty lists, and null for a number. */
function headStatistics(stats: readonly ShardStats[]) {
  const filled = stats.filter((s) => s.headSeries > 0);
  return {
    headStats: {
      numSeries: stats.reduce((n, s) => n + s.headSeries, 0),
      numLabelPairs: null,
      chunkCount: stats.reduce((n, s) => n + s.headChunks, 0),
      minTime: filled.length === 0 ? null : Math.min(...filled.map((s) => s.headMinTime)),
      maxTime: filled.length === 0 ? null : Math.max(...filled.map((s) => s.headMaxTime)),
    },
    seriesCountByMetricName: [],
    labelValueCountByLabelName: [],
    memoryInBytesByLabelName: [],
    seriesCountByLabelValuePair: [],
  };
}
