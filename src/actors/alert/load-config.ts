import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  readList,
  readMap,
  readParsed,
  readString,
  readYaml,
  report,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import { ConfigError } from "../../model/config.ts";
import type { AlertmanagerConfig, HttpConfig, Receiver } from "./alertmanager-config.ts";
import { readHttpConfig } from "./load-http.ts";
import { readReceiver } from "./load-receiver.ts";
import { type RouteDefaults, readInhibitRule, readRoute } from "./load-route.ts";
import { readTimeIntervals } from "./load-time-interval.ts";

/** Reads an Alertmanager configuration. Throws `ConfigError` with every problem and its place. */
export function loadAlertmanagerConfig(file: string): AlertmanagerConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([{ file, line: 0, column: 0, message: `cannot be read: ${(error as Error).message}` }]);
  }
  return parseAlertmanagerConfig(file, text);
}

const TOP_KEYS = [
  "global",
  "templates",
  "route",
  "receivers",
  "inhibit_rules",
  "time_intervals",
  "mute_time_intervals",
  "tracing",
  "event_recorder",
];

/** Settings of integrations that are not supported yet may stand in a file that does not use them. */
const GLOBAL_KEYS =
  "resolve_timeout http_config jira_api_url smtp_from smtp_hello smtp_smarthost smtp_auth_username smtp_auth_password smtp_auth_password_file smtp_auth_secret smtp_auth_secret_file smtp_auth_identity smtp_require_tls smtp_tls_config smtp_force_implicit_tls slack_api_url slack_api_url_file slack_app_token slack_app_token_file slack_app_url pagerduty_url opsgenie_api_url opsgenie_api_key opsgenie_api_key_file wechat_api_url wechat_api_secret wechat_api_secret_file wechat_api_corp_id victorops_api_url victorops_api_key victorops_api_key_file telegram_api_url telegram_bot_token telegram_bot_token_file webex_api_url rocketchat_api_url rocketchat_token rocketchat_token_file rocketchat_token_id rocketchat_token_id_file mattermost_webhook_url mattermost_webhook_url_file".split(
    " ",
  );

const DEFAULTS: RouteDefaults = {
  key: "",
  receiver: "",
  groupByAll: false,
  groupBy: [],
  groupWaitMs: 30_000,
  groupIntervalMs: 5 * 60_000,
  repeatIntervalMs: 4 * 3_600_000,
};

/** As `loadAlertmanagerConfig`, of a text; relative paths are taken against the file's folder. */
export function parseAlertmanagerConfig(file: string, text: string): AlertmanagerConfig {
  const r = readYaml(file, text);
  if (r.problems.length > 0) throw new ConfigError(r.problems);
  const folder = dirname(file);
  const top = readMap(r, r.root, "the configuration", TOP_KEYS);
  const global = readMap(r, top.get("global")?.value, "global", GLOBAL_KEYS);
  const http = readHttpConfig(r, global.get("http_config")?.value, folder);
  const receivers = readReceivers(r, top.get("receivers")?.value, folder, http);
  const timeIntervals = readTimeIntervals(r, top);
  const routeNode = top.get("route")?.value;
  const names = { receivers: new Set(receivers.map((x) => x.name)), timeIntervals: new Set(timeIntervals.keys()) };
  if (routeNode === undefined) report(r, r.root, "no routes provided");
  const route = readRoute(r, routeNode, DEFAULTS, names, true);
  const config: AlertmanagerConfig = {
    file,
    text,
    resolveTimeoutMs:
      field(global, "resolve_timeout", (n) => readParsed(r, n, "resolve_timeout", parseDuration)) ?? 300_000,
    route,
    receivers,
    inhibitRules: readList(r, top.get("inhibit_rules")?.value, "inhibit_rules").map((n) => readInhibitRule(r, n)),
    timeIntervals,
    templates: readList(r, top.get("templates")?.value, "templates").map((n) =>
      resolve(folder, readString(r, n, "template") ?? ""),
    ),
  };
  if (r.problems.length > 0) {
    throw new ConfigError([...r.problems].sort((a, b) => a.line - b.line || a.column - b.column));
  }
  return config;
}

function readReceivers(r: YamlReader, node: Node | undefined, folder: string, http: HttpConfig): Receiver[] {
  const receivers: Receiver[] = [];
  for (const item of readList(r, node, "receivers")) {
    const receiver = readReceiver(r, item, folder, http);
    if (receivers.some((x) => x.name === receiver.name)) {
      report(r, item, `notification config name ${JSON.stringify(receiver.name)} is not unique`);
    }
    receivers.push(receiver);
  }
  return receivers;
}
