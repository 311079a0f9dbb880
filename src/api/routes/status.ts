import type { FastifyInstance } from "fastify";
import type { ApiDeps } from "../deps.ts";
import { sendData } from "../respond.ts";

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
    const settled = await Promise.allSettled(deps.shards.map((s) => s.request<"stats">({ kind: "stats" })));
    const stats = settled.flatMap((o) => (o.status === "fulfilled" ? [o.value] : []));
    return sendData(request, reply, {
      startTime: new Date(deps.startTime).toISOString(),
      CWD: process.cwd(),
      reloadConfigSuccess: true,
      timeSeriesCount: stats.reduce((n, s) => n + s.headSeries, 0),
      shards: stats,
    });
  });

  app.get("/api/v1/status/config", (request, reply) => sendData(request, reply, { yaml: deps.configText() }));
  app.get("/api/v1/status/flags", (request, reply) => sendData(request, reply, {}));
  // No sender's metadata is kept yet; an empty answer is what clients get from a Prometheus that knows none.
  app.get("/api/v1/metadata", (request, reply) => sendData(request, reply, {}));
}
