import { formatDuration } from "../../../lib/duration.ts";
import { templateTime, zeroTime } from "../../../lib/gotemplate/go-time.ts";
import { printValue } from "../../../lib/gotemplate/print.ts";
import { type Value, withMethods } from "../../../lib/gotemplate/value.ts";
import { labelsToObject } from "../../../model/labels.ts";
import { common, goTime, lateness, type Notification, quoteMeta, type ToldAlert } from "../webhook-payload.ts";

/** What notification templates see as their dot: Alertmanager's `Data`. */
export function templateData(n: Notification): Value {
  const labels = n.alerts.map((a) => labelsToObject(a.labels));
  const data = {
    Receiver: quoteMeta(n.receiver),
    Status: statusOf(n.alerts),
    Alerts: alertList(n.alerts.map(templateAlert)),
    NotificationReason: n.reason,
    GroupLabels: keyValues(labelsToObject(n.groupLabels)),
    CommonLabels: keyValues(common(labels)),
    CommonAnnotations: keyValues(common(n.alerts.map((a) => a.annotations))),
    ExternalURL: n.externalUrl,
    // Tocsin's own: "" but in the pages of an escalation.
    AckURL: n.page?.ackUrl ?? "",
    // Of the latest of those that fire, and whether the condition of one cannot be seen.
    Late: lateText(lateness(n.alerts)),
    Unknown: n.alerts.some((a) => a.endsAt === 0 && a.sight?.unknownSince !== undefined),
  };
  return {
    ...data,
    toJSON: () => ({
      receiver: data.Receiver,
      status: data.Status,
      alerts: data.Alerts,
      notification_reason: data.NotificationReason,
      groupLabels: data.GroupLabels,
      commonLabels: data.CommonLabels,
      commonAnnotations: data.CommonAnnotations,
      externalURL: data.ExternalURL,
    }),
  };
}

const MINUTE = 60_000;

/** `12m`, by the minute where it is one or more; "" for 0. */
function lateText(ms: number): string {
  if (ms <= 0) return "";
  const unit = ms < MINUTE ? 1000 : MINUTE;
  return formatDuration(Math.max(unit, Math.round(ms / unit) * unit));
}

export function statusOf(alerts: readonly ToldAlert[]): "firing" | "resolved" {
  return alerts.some((a) => a.endsAt === 0) ? "firing" : "resolved";
}

function templateAlert(a: ToldAlert): { readonly [field: string]: unknown; readonly Status: string } {
  const alert = {
    Status: a.endsAt === 0 ? "firing" : "resolved",
    Labels: keyValues(labelsToObject(a.labels)),
    Annotations: keyValues(a.annotations),
    StartsAt: templateTime(a.startsAt),
    EndsAt: a.endsAt === 0 ? zeroTime() : templateTime(a.endsAt),
    GeneratorURL: a.generatorUrl,
    Fingerprint: a.fingerprint,
    // Tocsin's own: "" where there is nothing to tell.
    Late: lateText(a.sight?.lateMs ?? 0),
    UnknownSince: a.sight?.unknownSince === undefined ? "" : goTime(a.sight.unknownSince),
    Reason: a.sight?.reason ?? "",
  };
  // Printed whole it has Alertmanager's fields alone.
  const shown = () => [
    alert.Status,
    alert.Labels,
    alert.Annotations,
    alert.StartsAt,
    alert.EndsAt,
    alert.GeneratorURL,
    alert.Fingerprint,
  ];
  return {
    ...alert,
    toText: () => `{${shown().map(printValue).join(" ")}}`,
    toJSON: () => ({
      status: alert.Status,
      labels: alert.Labels,
      annotations: alert.Annotations,
      startsAt: alert.StartsAt,
      endsAt: alert.EndsAt,
      generatorURL: alert.GeneratorURL,
      fingerprint: alert.Fingerprint,
    }),
  };
}

function alertList(alerts: readonly ReturnType<typeof templateAlert>[]): Value {
  return withMethods(alerts.slice(), {
    Firing: () => alerts.filter((a) => a.Status === "firing"),
    Resolved: () => alerts.filter((a) => a.Status === "resolved"),
  });
}

/** Alertmanager's KV: a map with methods. */
function keyValues(record: Readonly<Record<string, string>>): Value {
  const map = new Map<string, Value>(Object.entries(record));
  const pairs = () => sortedPairs(record);
  return withMethods(map, {
    SortedPairs: () => pairList(pairs()),
    Names: () => pairs().map((p) => p.Name),
    Values: () => pairs().map((p) => p.Value),
    Remove: (names: Value) => {
      if (!Array.isArray(names)) throw new Error("wrong type for value; expected []string");
      const gone = new Set(names as readonly Value[]);
      return keyValues(Object.fromEntries(Object.entries(record).filter(([name]) => !gone.has(name))));
    },
    String: () => pairText(pairs()),
  });
}

interface Pair {
  readonly [field: string]: unknown;
  readonly Name: string;
  readonly Value: string;
}

/** By name, the alert's name first. */
function sortedPairs(record: Readonly<Record<string, string>>): Pair[] {
  const rank = (name: string) => (name === "alertname" ? 0 : 1);
  return Object.keys(record)
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0))
    .map((name) => ({ Name: name, Value: record[name] as string }));
}

function pairList(pairs: Pair[]): Value {
  return withMethods(pairs.slice(), {
    Names: () => pairs.map((p) => p.Name),
    Values: () => pairs.map((p) => p.Value),
    String: () => pairText(pairs),
  });
}

function pairText(pairs: readonly Pair[]): string {
  return pairs.map((p) => `${p.Name}=${p.Value}`).join(", ");
}
