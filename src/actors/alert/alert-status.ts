import type { ManagedAlert, ManagedGroup, NotifyStats } from "../../model/alerts.ts";
import { compareAlerts, type HeldAlert, isResolved } from "./alert-store.ts";
import { type Dispatcher, inhibitions } from "./dispatcher.ts";
import type { AlertGroup } from "./group.core.ts";
import { mutedBy } from "./notify-group.ts";

/** The alerts that fire at `now`, with where they go and what holds them back. */
export function managedAlerts(d: Dispatcher, now: number): ManagedAlert[] {
  const groupsOf = new Map<string, AlertGroup[]>();
  for (const group of d.groups.values()) {
    for (const key of group.alerts.keys()) groupsOf.set(key, [...(groupsOf.get(key) ?? []), group]);
  }
  const firing = [...d.alerts.values()].filter((a) => !isResolved(a, now)).sort(compareAlerts);
  const inhibited = inhibitions(d, firing, now);
  return firing.map((a) => managed(d, a, groupsOf.get(a.fingerprint) ?? [], inhibited.get(a.fingerprint) ?? [], now));
}

export function managedGroups(d: Dispatcher, now: number): ManagedGroup[] {
  const alerts = new Map(managedAlerts(d, now).map((a) => [a.fingerprint, a]));
  const out: ManagedGroup[] = [];
  for (const group of d.groups.values()) {
    const members = [...group.alerts.keys()].map((key) => alerts.get(key)).filter((a) => a !== undefined);
    if (members.length === 0) continue;
    const { key, labels } = group;
    out.push({ key, receiver: group.route.receiver, labels, alerts: members.sort(compareAlerts) });
  }
  return out;
}

export function countAlerts(d: Dispatcher, now: number): NotifyStats["alerts"] {
  const count = { active: 0, suppressed: 0, unprocessed: 0 };
  for (const alert of managedAlerts(d, now)) count[alert.state]++;
  return count;
}

function managed(
  d: Dispatcher,
  alert: HeldAlert,
  groups: readonly AlertGroup[],
  inhibitors: readonly string[],
  now: number,
): ManagedAlert {
  const muted = [...new Set(groups.flatMap((g) => mutedBy(d.config, g.route, now)))];
  const suppressed = inhibitors.length > 0 || muted.length > 0;
  const { timeout: _, ...rest } = alert;
  return {
    ...rest,
    receivers: [...new Set(groups.map((g) => g.route.receiver))],
    state: suppressed ? "suppressed" : groups.some((g) => g.hasFlushed) ? "active" : "unprocessed",
    inhibitedBy: inhibitors,
    mutedBy: muted,
  };
}
