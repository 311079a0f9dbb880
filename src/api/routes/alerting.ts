import type { FastifyInstance } from "fastify";
import { formatFloat } from "../../lib/float-format.ts";
import { labelsToObject } from "../../model/labels.ts";
import type { ActiveAlert, RuleGroupStatus, RuleStatus } from "../../model/rules.ts";
import type { ApiDeps } from "../deps.ts";
import { paramsOf } from "../request.ts";
import { sendData, sendError } from "../respond.ts";

/** /api/v1/rules, alerts and targets: what the rule manager and the collectors are doing. */
export function alertingRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/rules", (request, reply) => {
    const params = paramsOf(request);
    const type = params.get("type") ?? "";
    if (type !== "" && type !== "alert" && type !== "record") {
      return sendError(reply, "bad_data", `invalid parameter "type": not supported value ${JSON.stringify(type)}`);
    }
    const groupNames = params.getAll("rule_group[]");
    const ruleNames = params.getAll("rule_name[]");
    const files = params.getAll("file[]");
    const wanted = { "": undefined, alert: "alerting", record: "recording" }[type];
    const groups = deps
      .rules()
      .filter((g) => groupNames.length === 0 || groupNames.includes(g.name))
      .filter((g) => files.length === 0 || files.includes(g.file))
      .map((g) => ({
        ...g,
        rules: g.rules
          .filter((r) => wanted === undefined || r.type === wanted)
          .filter((r) => ruleNames.length === 0 || ruleNames.includes(r.name)),
      }))
      .filter((g) => g.rules.length > 0 || (wanted === undefined && ruleNames.length === 0))
      .map(groupJson);
    return sendData(request, reply, { groups });
  });

  app.get("/api/v1/alerts", (request, reply) => sendData(request, reply, { alerts: deps.alerts().map(alertJson) }));

  app.get("/api/v1/targets", (request, reply) => {
    const params = paramsOf(request);
    const pool = params.get("scrapePool") ?? "";
    const state = params.get("state") ?? "any";
    const all = deps.targets().filter((t) => pool === "" || t.scrapePool === pool);
    return sendData(request, reply, {
      activeTargets: state === "dropped" ? [] : all,
      droppedTargets: [],
      droppedTargetCounts: {},
    });
  });

  app.get("/api/v1/alertmanagers", (request, reply) =>
    sendData(request, reply, { activeAlertmanagers: [], droppedAlertmanagers: [] }),
  );
}

function groupJson(g: RuleGroupStatus) {
  return {
    name: g.name,
    file: g.file,
    rules: g.rules.map(ruleJson),
    interval: g.intervalMs / 1000,
    limit: g.limit,
    evaluationTime: g.evaluationMs / 1000,
    lastEvaluation: timeJson(g.lastEvaluation),
  };
}

function ruleJson(r: RuleStatus) {
  const common = {
    name: r.name,
    query: r.query,
    ...(r.labels.length > 0 ? { labels: labelsToObject(r.labels) } : {}),
    health: r.health,
    ...(r.lastError === "" ? {} : { lastError: r.lastError }),
    evaluationTime: r.evaluationMs / 1000,
    lastEvaluation: timeJson(r.lastEvaluation),
  };
  if (r.type === "recording") return { ...common, type: "recording" };
  return {
    state: r.state,
    ...common,
    labels: labelsToObject(r.labels),
    duration: r.holdMs / 1000,
    keepFiringFor: r.keepFiringForMs / 1000,
    annotations: r.annotations,
    alerts: r.alerts.map(alertJson),
    type: "alerting",
  };
}

function alertJson(a: ActiveAlert) {
  return {
    labels: labelsToObject(a.labels),
    annotations: a.annotations,
    state: a.state,
    activeAt: timeJson(a.activeAt),
    ...(a.keepFiringSince === undefined ? {} : { keepFiringSince: timeJson(a.keepFiringSince) }),
    value: exponentForm(a.value),
  };
}

/** RFC 3339; Go's zero time where there is none. */
function timeJson(ms: number): string {
  return ms === 0 ? "0001-01-01T00:00:00Z" : new Date(ms).toISOString();
}

/** Go's 'e' format with the shortest digits, as Prometheus prints an alert's value: `1e+00`. */
function exponentForm(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
