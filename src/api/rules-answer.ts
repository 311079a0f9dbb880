import { createHash } from "node:crypto";
import { formatFloat } from "../lib/float-format.ts";
import { labelsToObject } from "../model/labels.ts";
import { compileMatcher, type Matcher } from "../model/matcher.ts";
import type { ActiveAlert, RuleGroupStatus, RuleStatus } from "../model/rules.ts";
import { parseGoBool, parseGoInt } from "./go-number.ts";
import { invalidParameter, type Params, parseMatchSets } from "./params.ts";

/** Rule groups and alerts in the shapes of /api/v1/rules and /api/v1/alerts. */

/**
 * What /api/v1/rules answers: the groups that the parameters ask for, by file and name, a page of them where group_limit is
 * given. Throws QueryError for parameters that are wrong.
 */
export function rulesAnswer(unsorted: readonly RuleGroupStatus[], params: Params) {
  const all = [...unsorted].sort((a, b) => compareText(a.file, b.file) || compareText(a.name, b.name));
  const type = (params.get("type") ?? "").toLowerCase();
  if (type !== "" && type !== "alert" && type !== "record") {
    throw invalidParameter("type", `not supported value ${JSON.stringify(type)}`);
  }
  const wanted = { "": undefined, alert: "alerting", record: "recording" }[type];
  const groupNames = params.getAll("rule_group[]");
  const ruleNames = params.getAll("rule_name[]");
  const files = params.getAll("file[]");
  const sets = parseMatchSets(params);
  const withAlerts = !excludesAlerts(params);
  const shadow = shadowFilter(params, "any");
  const { from, limit } = page(all, params);

  const groups: unknown[] = [];
  for (let i = from; i < all.length; i++) {
    const g = all[i] as RuleGroupStatus;
    if (groupNames.length > 0 && !groupNames.includes(g.name)) continue;
    if (files.length > 0 && !files.includes(g.file)) continue;
    const rules = g.rules
      .filter((r) => wanted === undefined || r.type === wanted)
      .filter((r) => shadow(r.type === "alerting" && r.shadow === true))
      .filter((r) => ruleNames.length === 0 || ruleNames.includes(r.name))
      .filter((r) => sets.length === 0 || sets.some((set) => matchesLabels(set, r)));
    if (rules.length === 0) continue;
    if (limit > 0 && groups.length === limit) return { groups, groupNextToken: tokenOf(g) };
    groups.push(groupJson(g, rules, withAlerts));
  }
  return { groups };
}

/**
 * What the parameter `shadow` asks for: rules or alerts of shadow rules alone (`true`), those of live ones alone (`false`), or both (`any`).
 * @param usual where it is not given
 */
export function shadowFilter(params: Params, usual: "any" | "false"): (isShadow: boolean) => boolean {
  const text = (params.get("shadow") || usual).toLowerCase();
  if (text === "any") return () => true;
  const wanted = parseGoBool(text);
  if (wanted === undefined) throw invalidParameter("shadow", `${JSON.stringify(text)} is not true, false or any`);
  return (isShadow) => isShadow === wanted;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function excludesAlerts(params: Params): boolean {
  const text = (params.get("exclude_alerts") ?? "").toLowerCase();
  if (text === "") return false;
  const value = parseGoBool(text);
  if (value !== undefined) return value;
  const reason = `error converting exclude_alerts: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw invalidParameter("exclude_alerts", reason);
}

function page(all: readonly RuleGroupStatus[], params: Params): { from: number; limit: number } {
  const token = params.get("group_next_token") ?? "";
  const text = params.get("group_limit") ?? "";
  if (text === "" && token === "") return { from: 0, limit: 0 };
  if (text === "") {
    const reason = "group_limit needs to be present in order to paginate over the groups";
    throw invalidParameter("group_next_token", reason);
  }
  const limit = parseGoInt(text, "ParseInt");
  if (typeof limit === "string") {
    throw invalidParameter("group_limit", `group_limit needs to be a valid number: ${limit}`);
  }
  if (limit <= 0) throw invalidParameter("group_limit", "group_limit needs to be greater than 0");
  const from = token === "" ? 0 : all.findIndex((g) => tokenOf(g) === token);
  if (from >= 0) return { from, limit };
  throw invalidParameter("group_next_token", `invalid group_next_token '${token}'. were rule groups changed?`);
}

/** Names a group in a page's address; its content means nothing to clients. */
function tokenOf(g: RuleGroupStatus): string {
  return createHash("sha1").update(`${g.file};${g.name}`).digest("hex");
}

function matchesLabels(matchers: readonly Matcher[], rule: RuleStatus): boolean {
  const labels = labelsToObject(rule.labels);
  return matchers.every((m) => compileMatcher(m)(labels[m.name] ?? ""));
}

function groupJson(g: RuleGroupStatus, rules: readonly RuleStatus[], withAlerts: boolean) {
  return {
    name: g.name,
    file: g.file,
    rules: rules.map((r) => ruleJson(r, withAlerts)),
    interval: g.intervalMs / 1000,
    limit: g.limit,
    evaluationTime: seconds(g.evaluationMs),
    lastEvaluation: timeJson(g.lastEvaluation),
    // Tocsin's own, where there is something to tell.
    ...(g.queryOffsetMs === 0 ? {} : { queryOffset: seconds(g.queryOffsetMs) }),
    ...(g.inputs === undefined || g.inputs === "" ? {} : { inputs: g.inputs }),
    ...(g.lateMs === undefined || g.lateMs === 0 ? {} : { late: seconds(g.lateMs) }),
  };
}

function ruleJson(r: RuleStatus, withAlerts: boolean) {
  const common = {
    name: r.name,
    query: r.query,
    ...(r.labels.length > 0 ? { labels: labelsToObject(r.labels) } : {}),
    health: r.health,
    ...(r.lastError === "" ? {} : { lastError: r.lastError }),
    evaluationTime: seconds(r.evaluationMs),
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
    alerts: withAlerts ? r.alerts.map(alertJson) : null,
    type: "alerting",
    ...(r.shadow === true ? { shadow: true } : {}),
    ...(r.noData === undefined ? {} : { noData: r.noData }),
  };
}

/** Measured milliseconds as seconds, whole nanoseconds. */
function seconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e9;
}

/** An alert of /api/v1/alerts and /api/v1/rules. */
export function alertJson(a: ActiveAlert) {
  return {
    labels: labelsToObject(a.labels),
    annotations: a.annotations,
    state: a.state,
    activeAt: timeJson(a.activeAt),
    ...(a.keepFiringSince === undefined ? {} : { keepFiringSince: timeJson(a.keepFiringSince) }),
    ...(a.unseenSince === undefined
      ? {}
      : { unseenSince: timeJson(a.unseenSince), reason: a.reason, unknown: a.unknown === true }),
    ...(a.shadow === true ? { shadow: true } : {}),
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
