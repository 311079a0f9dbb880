import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Node } from "yaml";
import { readList, readMap, readOpenMap, readYaml, report, type YamlReader } from "../../lib/yaml-reader.ts";
import { ConfigError } from "../../model/config.ts";
import type { AlertmanagerConfig, Receiver } from "./alertmanager-config.ts";
import { readHeartbeat, readReceiverName, routeWithHeartbeat } from "./heartbeat.ts";
import { ESCALATION_KEYS, readEscalations } from "./load-escalations.ts";
import { type LoadContext, makeLoadContext, maskText, readFields } from "./load-fields.ts";
import { type GlobalSettings, readGlobal } from "./load-global.ts";
import { readReceiver } from "./load-receiver.ts";
import { type RouteDefaults, readInhibitRule, readRoute } from "./load-route.ts";
import { readTemplates } from "./load-templates.ts";
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
  "fallback_receiver",
  "heartbeat",
  ...ESCALATION_KEYS,
];

const DEFAULTS: RouteDefaults = {
  key: "",
  receiver: "",
  escalation: undefined,
  tellsReceiver: true,
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
  const begun = makeLoadContext(r, dirname(file));
  begun.hash.update(`${text}\0`);
  const top = readMap(r, r.root, "the configuration", TOP_KEYS);
  const c = { ...begun, templates: readTemplates(begun, top.get("templates")?.value) };
  const global = readFields(c, top.get("global")?.value, "global", (f) => readGlobal(c, f));
  const receivers = readReceivers(c, top.get("receivers")?.value, global);
  const timeIntervals = readTimeIntervals(r, top);
  const escalation = readEscalations(r, top, dirname(file), receivers);
  const fallback = readReceiverName(r, top.get("fallback_receiver"), receivers, "fallback_receiver");
  checkFallbacks(r, top.get("receivers")?.value, receivers);
  const heartbeat = readHeartbeat(r, top.get("heartbeat")?.value, receivers);
  const routeNode = top.get("route")?.value;
  const names = {
    receivers: new Set(receivers.map((x) => x.name)),
    escalations: new Set(escalation.escalations.keys()),
    timeIntervals: new Set(timeIntervals.keys()),
  };
  if (routeNode === undefined) report(r, r.root, "no routes provided");
  const route = readRoute(r, routeNode, DEFAULTS, names, true);
  const inhibitRules = readList(r, top.get("inhibit_rules")?.value, "inhibit_rules").map((n) => readInhibitRule(r, n));
  if (r.problems.length > 0) {
    throw new ConfigError([...r.problems].sort((a, b) => a.line - b.line || a.column - b.column));
  }
  return {
    file,
    text: maskText(text, c.secrets),
    hash: c.hash.digest("hex"),
    secretFiles: [...c.secretFiles],
    reread: () => parseAlertmanagerConfig(file, text),
    resolveTimeoutMs: global.resolveTimeoutMs,
    route: routeWithHeartbeat(route, heartbeat),
    receivers,
    ...(fallback === undefined ? {} : { fallbackReceiver: fallback }),
    ...(heartbeat === undefined ? {} : { heartbeat }),
    inhibitRules,
    timeIntervals,
    escalation,
  };
}

function readReceivers(c: LoadContext, node: Node | undefined, global: GlobalSettings): Receiver[] {
  const receivers: Receiver[] = [];
  for (const item of readList(c.r, node, "receivers")) {
    const receiver = readReceiver(c, item, global);
    if (receivers.some((x) => x.name === receiver.name)) {
      report(c.r, item, `notification config name ${JSON.stringify(receiver.name)} is not unique`);
    }
    receivers.push(receiver);
  }
  return receivers;
}

/** A receiver's `fallback_receiver` may stand after it, so it is looked for when all are known. */
function checkFallbacks(r: YamlReader, node: Node | undefined, receivers: readonly Receiver[]): void {
  for (const [i, item] of readList(r, node, "receivers").entries()) {
    const name = receivers[i]?.fallbackReceiver;
    if (name === undefined || receivers.some((x) => x.name === name)) continue;
    const at = readOpenMap(r, item, "the receiver").get("fallback_receiver")?.value;
    report(r, at ?? item, `undefined receiver ${JSON.stringify(name)} used in fallback_receiver`);
  }
}
