import type { FastifyInstance } from "fastify";
import type { DroppedTarget, TargetStatus } from "../../model/targets.ts";
import type { ApiDeps } from "../deps.ts";
import { paramsOf, tenantOf } from "../request.ts";
import { sendData, sendQueryError } from "../respond.ts";
import { alertJson, rulesAnswer, shadowFilter } from "../rules-answer.ts";

/** /api/v1/rules, alerts and targets: what the rule manager and the collectors are doing. */
export function alertingRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/rules", (request, reply) => {
    try {
      return sendData(request, reply, rulesAnswer(deps.rules(tenantOf(request)), paramsOf(request)));
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });

  // Whoever pages by this call must not page for a shadow rule: those have to be asked for.
  app.get("/api/v1/alerts", (request, reply) => {
    try {
      const wanted = shadowFilter(paramsOf(request), "false");
      const alerts = deps.alerts(tenantOf(request)).filter((a) => wanted(a.shadow === true));
      return sendData(request, reply, { alerts: alerts.map(alertJson) });
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });

  app.get("/api/v1/targets", (request, reply) => {
    const params = paramsOf(request);
    const pool = params.get("scrapePool") ?? "";
    const state = (params.get("state") ?? "").toLowerCase();
    const inPool = (t: { readonly scrapePool: string }) => pool === "" || t.scrapePool === pool;
    const active = deps.targets();
    const withDropped = ["", "any", "dropped"].includes(state);
    const dropped = withDropped ? deps.droppedTargets() : [];
    return sendData(request, reply, {
      activeTargets: ["", "any", "active"].includes(state) ? active.filter(inPool) : [],
      droppedTargets: dropped.filter(inPool),
      droppedTargetCounts: withDropped ? countByPool(active, dropped) : null,
    });
  });

  app.get("/api/v1/scrape_pools", (request, reply) => {
    const counts = countByPool(deps.targets(), deps.droppedTargets());
    return sendData(request, reply, { scrapePools: Object.keys(counts).sort() });
  });

  // Metadata of targets is not kept, see /api/v1/metadata.
  app.get("/api/v1/targets/metadata", (request, reply) => sendData(request, reply, []));

  app.get("/api/v1/alertmanagers", (request, reply) =>
    sendData(request, reply, { activeAlertmanagers: [], droppedAlertmanagers: [] }),
  );
}

/** Dropped targets of each pool that has targets at all. */
function countByPool(active: readonly TargetStatus[], dropped: readonly DroppedTarget[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const t of active) counts[t.scrapePool] = 0;
  for (const t of dropped) counts[t.scrapePool] = (counts[t.scrapePool] ?? 0) + 1;
  return counts;
}
