import { rememberTexts } from "../../lib/time-text.ts";
import type { AlertSight } from "../../model/alerts.ts";
import type { Labels } from "../../model/labels.ts";
import { labelsForJson } from "../../model/labels-json.ts";

/** The part of a held alert that receivers are told. `endsAt` 0: it fires. */
export interface ToldAlert {
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly generatorUrl: string;
  /** How its rule came to it, where there is something to tell. */
  readonly sight?: AlertSight;
}

export interface Notification {
  /** The same whenever the same is told again: a receiver that has seen it need not act. */
  readonly key: string;
  readonly receiver: string;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly externalUrl: string;
  readonly alerts: readonly ToldAlert[];
  /** Why it is told, in Alertmanager's words (since 0.33). */
  readonly reason: string;
  /** It is a page of an escalation. */
  readonly page?: PageOf;
}

/** Which escalation pages, and the link with which this receiver acknowledges; "" when there is none. */
export interface PageOf {
  readonly escalation: string;
  /** From 1; 0: its end. */
  readonly step: number;
  readonly ackUrl: string;
}

/** Alertmanager's webhook body, version 4. `maxAlerts` 0: all. */
export function webhookPayload(n: Notification, maxAlerts: number): unknown {
  const alerts = maxAlerts > 0 ? n.alerts.slice(0, maxAlerts) : n.alerts;
  const labels = alerts.map((a) => labelsForJson(a.labels));
  const annotations = alerts.map((a) => sorted(a.annotations));
  return {
    receiver: quoteMeta(n.receiver),
    status: alerts.some((a) => a.endsAt === 0) ? "firing" : "resolved",
    alerts: alerts.map((a, i) => ({
      status: a.endsAt === 0 ? "firing" : "resolved",
      labels: labels[i],
      annotations: annotations[i],
      startsAt: goTime(a.startsAt),
      endsAt: goTime(a.endsAt),
      generatorURL: a.generatorUrl,
      fingerprint: a.fingerprint,
      ...(a.sight === undefined ? {} : { tocsin: sightJson(a.sight) }),
    })),
    notification_reason: n.reason,
    groupLabels: labelsForJson(n.groupLabels),
    commonLabels: common(labels),
    commonAnnotations: common(annotations),
    externalURL: n.externalUrl,
    version: "4",
    groupKey: n.groupKey,
    truncatedAlerts: n.alerts.length - alerts.length,
    ...(n.page === undefined ? {} : { escalation: n.page.escalation, step: n.page.step, ackURL: n.page.ackUrl }),
  };
}

/** Tocsin's own key of an alert; absent where there is nothing to tell. */
function sightJson({ lateMs = 0, unknownSince, reason = "" }: AlertSight): Record<string, unknown> {
  return {
    ...(lateMs > 0 ? { lateSeconds: lateMs / 1000 } : {}),
    ...(unknownSince === undefined ? {} : { unknownSince: goTime(unknownSince) }),
    ...(reason === "" ? {} : { reason }),
  };
}

/** How late the latest of the alerts that fire is, ms; 0 where none is. */
export function lateness(alerts: readonly Pick<ToldAlert, "endsAt" | "sight">[]): number {
  return Math.max(0, ...alerts.map((a) => (a.endsAt === 0 ? (a.sight?.lateMs ?? 0) : 0)));
}

/** As Go's regexp.QuoteMeta: Alertmanager quotes the receiver's name so that it can stand in a filter. */
export function quoteMeta(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}

/** The pairs that all have. */
export function common(sets: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first, ...others] = sets;
  const out: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(first ?? {})) {
    if (others.every((set) => set[name] === value)) out[name] = value;
  }
  return out;
}

function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  for (const name of Object.keys(record).sort()) out[name] = record[name] as string;
  return out;
}

/** RFC 3339 as Go prints it: no trailing zeros in the fraction; 0 is Go's zero time. */
export const goTime = rememberTexts((ms) =>
  ms === 0 ? "0001-01-01T00:00:00Z" : new Date(ms).toISOString().replace(/\.?0*Z$/, "Z"),
);
