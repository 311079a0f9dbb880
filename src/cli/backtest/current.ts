import { parse, stringify } from "yaml";
import type { AlertmanagerConfig } from "../../actors/alert/alertmanager-config.ts";
import { parseAlertmanagerConfig } from "../../actors/alert/load-config.ts";
import { type CompiledSilence, compileSilences, type Silence } from "../../actors/alert/silence.core.ts";
import { NO_DATA_POLICIES, type NoDataPolicy } from "../../actors/rule/absence.ts";
import { checkExpression } from "../../actors/rule/check-expression.ts";
import type { RuleGroupSpec, RuleSpec } from "../../actors/rule/rule-spec.ts";
import { readSilence } from "../../api/routes/alertmanager-body.ts";
import { parseDuration } from "../../lib/duration.ts";
import { ask, type Server, ServerError } from "../query/client.ts";

/** What is configured in the server now. */
export interface Current {
  readonly groups: readonly RuleGroupSpec[];
  readonly alertmanager: AlertmanagerConfig;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly evaluationIntervalMs: number;
  /** What could not be found out, in words. */
  readonly notes: readonly string[];
}

interface RuleJson {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly duration?: number;
  readonly keepFiringFor?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly noData?: string;
  readonly shadow?: boolean;
}

interface GroupJson {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly limit: number;
  readonly queryOffset?: number;
  readonly rules: readonly RuleJson[];
}

/** The group that the server makes of the key `heartbeat`. */
const HEARTBEAT = "tocsin:heartbeat";

/** Asks the server for its rules and routing. Rejects with `ServerError`. */
export async function readCurrent(server: Server): Promise<Current> {
  const notes: string[] = [];
  const rules = await ask<{ readonly groups: readonly GroupJson[] }>(server, "/api/v1/rules", [], "GET");
  const status = await ask<{ readonly yaml: string }>(server, "/api/v1/status/config", [], "GET");
  const root = (parse(status.data.yaml) ?? {}) as { readonly global?: Readonly<Record<string, unknown>> };
  const labels = (root.global?.external_labels ?? {}) as Readonly<Record<string, unknown>>;
  const externalLabels = Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
  const interval = root.global?.evaluation_interval;
  const groups = rules.data.groups.filter((g) => !g.file.startsWith(HEARTBEAT)).map(groupOf);
  return {
    groups,
    alertmanager: await readRouting(server, notes),
    externalLabels,
    evaluationIntervalMs: typeof interval === "string" ? parseDuration(interval) : 60_000,
    notes,
  };
}

function groupOf(g: GroupJson): RuleGroupSpec {
  return {
    name: g.name,
    file: g.file,
    intervalMs: Math.round(g.interval * 1000),
    queryOffsetMs: Math.round((g.queryOffset ?? 0) * 1000),
    limit: g.limit,
    rules: g.rules.map(ruleOf),
  };
}

function ruleOf(r: RuleJson): RuleSpec {
  const { name, query, labels = {} } = r;
  const base = { name, query, reads: checkExpression(query).reads, labels };
  if (r.type === "recording") return { ...base, type: "recording" };
  const noData = NO_DATA_POLICIES.find((policy): policy is NoDataPolicy => policy === r.noData);
  return {
    ...base,
    type: "alerting",
    holdMs: Math.round((r.duration ?? 0) * 1000),
    keepFiringForMs: Math.round((r.keepFiringFor ?? 0) * 1000),
    annotations: r.annotations ?? {},
    ...(noData === undefined ? {} : { noData }),
    ...(r.shadow === true ? ({ shadow: true } as const) : {}),
  };
}

async function readRouting(server: Server, notes: string[]): Promise<AlertmanagerConfig> {
  let text: string;
  try {
    const own = "/api/v1/status/alertmanager_config";
    text = (await ask<{ readonly yaml: string }>(server, own, [], "GET")).data.yaml;
  } catch (e) {
    if (!(e instanceof ServerError)) throw e;
    notes.push("the server does not tell its escalations: its routing is compared without them");
    const status = await plain<{ readonly config: { readonly original: string } }>(server, "/api/v2/status");
    text = status.config.original;
  }
  return parseAlertmanagerConfig("the server's alertmanager configuration", withoutSecrets(text));
}

/** Kinds of receivers that are told of ends unless they are configured otherwise. */
const TELLS_ENDS = new Set([
  "webhook",
  "pagerduty",
  "opsgenie",
  "victorops",
  "pushover",
  "telegram",
  "discord",
  "msteams",
  "msteamsv2",
]);
const TOP_KEYS = [
  "route",
  "receivers",
  "inhibit_rules",
  "time_intervals",
  "mute_time_intervals",
  "fallback_receiver",
  "escalations",
  "schedules",
];

/**
 * What decides who is told when, without how: secrets are hidden in what a server shows, and its files are not here. Each
 * integration becomes a webhook, which is told the same.
 */
export function withoutSecrets(text: string): string {
  const root = (parse(text, { merge: true }) ?? {}) as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const key of TOP_KEYS) if (root[key] !== undefined) out[key] = root[key];
  const resolveTimeout = (root.global as Record<string, unknown> | undefined)?.resolve_timeout;
  if (resolveTimeout !== undefined) out.global = { resolve_timeout: resolveTimeout };
  const receivers = Array.isArray(root.receivers) ? (root.receivers as Record<string, unknown>[]) : [];
  out.receivers = receivers.map((receiver) => {
    const integrations = Object.entries(receiver).flatMap(([key, list]) => {
      if (!key.endsWith("_configs") || !Array.isArray(list)) return [];
      const kind = key.slice(0, -"_configs".length);
      return (list as Record<string, unknown>[]).map((item) => ({
        url: "http://hidden.invalid/",
        send_resolved: item?.send_resolved ?? TELLS_ENDS.has(kind),
      }));
    });
    const { name, fallback_receiver: fallback } = receiver;
    return {
      name,
      ...(fallback === undefined ? {} : { fallback_receiver: fallback }),
      ...(integrations.length > 0 ? { webhook_configs: integrations } : {}),
    };
  });
  return stringify(out, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The server's silences, those that have ended and are still known included. */
export async function readSilences(server: Server, now: number): Promise<CompiledSilence[]> {
  const all = await plain<readonly Readonly<Record<string, unknown>>[]>(server, "/api/v2/silences");
  const silences = all.map((json): Silence => {
    const { status: _, updatedAt: __, ...fields } = json;
    return { ...readSilence(Buffer.from(JSON.stringify(fields)), () => undefined, now), updatedAt: now };
  });
  return compileSilences(new Map(silences.map((s) => [s.id, s])));
}

/** Alertmanager's API answers without an envelope. */
async function plain<T>(server: Server, path: string): Promise<T> {
  const base = new URL(/^https?:\/\//.test(server.url) ? server.url : `http://${server.url}`);
  const headers: Record<string, string> = {};
  if (base.username !== "") {
    const credentials = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  const response = await fetch(`${base.origin}${base.pathname.replace(/\/+$/, "")}${path}`, { headers });
  if (!response.ok) throw new ServerError("", `${path} was answered with HTTP ${response.status}`);
  return (await response.json()) as T;
}
