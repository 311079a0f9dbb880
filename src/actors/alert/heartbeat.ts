import type { Node } from "yaml";
import { formatDuration, parseDuration } from "../../lib/duration.ts";
import {
  field,
  readMap,
  readParsed,
  readString,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import type { Heartbeat, Receiver, Route } from "./alertmanager-config.ts";

/** The alert of the heartbeat; the name is the one that is usual for such alerts. */
export const HEARTBEAT_ALERT = "Watchdog";
const MARK = { name: "tocsin", op: "=", value: "heartbeat" } as const;
const DEFAULT_INTERVAL_MS = 60_000;
const SHORTEST_INTERVAL_MS = 1000;

/** Reads `heartbeat: {receiver: NAME, interval: 1m}`; undefined where there is none. */
export function readHeartbeat(
  r: YamlReader,
  node: Node | undefined,
  receivers: readonly Receiver[],
): Heartbeat | undefined {
  if (node === undefined) return undefined;
  const entries = readMap(r, node, "heartbeat", ["receiver", "interval"]);
  const receiver = readReceiverName(r, entries.get("receiver"), receivers, "heartbeat.receiver");
  if (receiver === undefined && !entries.has("receiver")) report(r, node, "heartbeat: missing receiver");
  const intervalMs =
    field(entries, "interval", (n) => readParsed(r, n, "interval", parseDuration)) ?? DEFAULT_INTERVAL_MS;
  if (intervalMs < SHORTEST_INTERVAL_MS)
    report(r, entries.get("interval")?.value ?? node, "heartbeat: interval must be at least 1s");
  return { receiver: receiver ?? "", intervalMs };
}

/** The name of a receiver that there is; reports one that there is not. */
export function readReceiverName(
  r: YamlReader,
  entry: YamlEntry | undefined,
  receivers: readonly Receiver[],
  what: string,
): string | undefined {
  if (entry === undefined) return undefined;
  const name = readString(r, entry.value, what);
  if (name === undefined) return undefined;
  if (receivers.some((x) => x.name === name)) return name;
  report(r, entry.value, `undefined receiver ${JSON.stringify(name)} used in ${what}`);
  return undefined;
}

/** The route with that of the heartbeat before all others: nothing else catches it, and it is told at every interval. */
export function routeWithHeartbeat(route: Route, heartbeat: Heartbeat | undefined): Route {
  if (heartbeat === undefined) return route;
  const { receiver, intervalMs } = heartbeat;
  const own: Route = {
    ...route,
    key: `${route.key}/{${MARK.name}="${MARK.value}"}`,
    receiver,
    escalation: undefined,
    tellsReceiver: true,
    matchers: [MARK],
    continue: false,
    groupByAll: false,
    groupBy: ["alertname"],
    groupWaitMs: 0,
    groupIntervalMs: intervalMs,
    // Shorter than the distance of two flushes, so that each of them tells.
    repeatIntervalMs: intervalMs / 2,
    muteTimeIntervals: [],
    activeTimeIntervals: [],
    routes: [],
  };
  return { ...route, routes: [own, ...route.routes] };
}

/** The rule file of the heartbeat. */
export function heartbeatRules({ intervalMs }: Heartbeat): string {
  const rule = {
    alert: HEARTBEAT_ALERT,
    expr: "vector(1)",
    labels: { [MARK.name]: MARK.value, severity: "none" },
    annotations: {
      summary: "Tocsin evaluates rules and notifies",
      description: "This alert always fires. Who is told of it pages somebody when it stays away.",
    },
  };
  const group = { name: "tocsin-heartbeat", interval: formatDuration(intervalMs), rules: [rule] };
  return JSON.stringify({ groups: [group] });
}
