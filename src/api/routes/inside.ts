import type { FastifyInstance } from "fastify";
import { compileMatcherRegex } from "../../lib/regex.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import { invalidParameter } from "../params.ts";
import { paramsOf } from "../request.ts";
import { sendData } from "../respond.ts";
import { familyJson } from "../self-metrics.ts";
import { answer } from "./series.ts";

/** So many may listen for notifications at a time, as with Prometheus. */
const MAX_LISTENERS = 16;
/** A proxy must not take a connection for dead on which nothing happens. */
const COMMENT_EVERY_MS = 30_000;

/** /api/v1/status/tsdb/blocks, status/self_metrics, notifications/live: what is inside. */
export function insideRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/status/tsdb/blocks", async (request, reply) => {
    const asked = await Promise.allSettled(deps.shards.map((s) => s.request<"blocks">({ kind: "blocks" })));
    const warnings = deps.shards.flatMap(({ partition }, i) =>
      asked[i]?.status === "rejected" ? [`shard ${partition} did not answer: its blocks are missing here`] : [],
    );
    const blocks = asked.flatMap((outcome, i) => {
      if (outcome.status === "rejected") return [];
      return outcome.value.map((b) => ({
        ulid: b.id,
        // Prometheus's end of a block is exclusive.
        minTime: b.minT,
        maxTime: b.maxT + 1,
        stats: { numSamples: b.samples, numSeries: b.series, numChunks: b.chunks, numBytes: b.bytes },
        compaction: { level: b.level, sources: b.sources.length > 0 ? b.sources : [b.id] },
        version: b.version,
        tier: b.tier,
        partition: deps.shards[i]?.partition,
      }));
    });
    blocks.sort((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1));
    return sendData(request, reply, { blocks }, { warnings, infos: [] });
  });

  app.get("/api/v1/status/self_metrics", (request, reply) =>
    answer(reply, async () => {
      const pattern = paramsOf(request).get("metric_name_pattern") ?? "";
      const fits = pattern === "" ? () => true : nameFilter(pattern);
      const families = await deps.registry.getMetricsAsJSON();
      const data = families.filter(({ name }) => fits(name)).map((family) => familyJson(family));
      return sendData(
        request,
        reply,
        data.filter(({ metric }) => metric.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1)),
      );
    }),
  );

  const listeners = new Set<() => void>();
  // There is nothing to notify of: what a person has to know comes as alerts. The stream stays open, as with Prometheus.
  app.get("/api/v1/notifications/live", (request, reply) => {
    if (listeners.size >= MAX_LISTENERS) return reply.code(204).send();
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      connection: "keep-alive",
      "x-content-type-options": "nosniff",
    });
    raw.flushHeaders();
    const beat = setInterval(() => raw.write(":\n\n"), COMMENT_EVERY_MS);
    const end = () => {
      clearInterval(beat);
      listeners.delete(end);
      raw.end();
    };
    listeners.add(end);
    request.raw.once("close", end);
  });
  app.addHook("preClose", async () => {
    for (const end of [...listeners]) end();
  });
}

function nameFilter(pattern: string): (name: string) => boolean {
  try {
    return compileMatcherRegex(pattern);
  } catch (e) {
    if (e instanceof QueryError) throw e;
    throw invalidParameter("metric_name_pattern", e instanceof Error ? e.message : String(e));
  }
}
