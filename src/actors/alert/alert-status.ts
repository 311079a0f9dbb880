import type { ManagedAlert, ManagedGroup, NotifyStats } from "../../model/alerts.ts";
import { compareAlerts, compareLabels, type HeldAlert, isResolved } from "./alert-store.ts";
import { type Dispatcher, inhibitions } from "./dispatcher.ts";
import type { AlertGroup } from "./group.core.ts";
import { mutedBy } from "./notify-group.ts";
import { routesOf } from "./route.core.ts";
import type { Silences } from "./silences.ts";

/** The alerts that fire at `now`, with where they go and what holds them back. */
export function managedAlerts(d: Dispatcher, silences: Silences, now: number): ManagedAlert[] {
  const groupsOf = new Map<string, AlertGroup[]>();
  for (const group of d.groups.values()) {
    for (const key of group.alerts.keys()) groupsOf.set(key, [...(groupsOf.get(key) ?? []), group]);
  }
  const firing = [...d.alerts.values()].filter((a) => !isResolved(a, now)).sort(compareAlerts);
  const inhibited = inhibitions(d, firing, now);
  const silenced = silences.silencedBy(firing, now);
  return firing.map((a) => {
    const by = { silenced: silenced.get(a.fingerprint) ?? [], inhibited: inhibited.get(a.fingerprint) ?? [] };
    return managed(d, a, groupsOf.get(a.fingerprint) ?? [], by, now);
  });
}

/** The groups with firing alerts, by their labels and receivers. */
export function managedGroups(d: Dispatcher, silences: Silences, now: number): ManagedGroup[] {
  const alerts = new Map(managedAlerts(d, silences, now).map((a) => [a.fingerprint, a]));
  const out: ManagedGroup[] = [];
  for (const group of d.groups.values()) {
    const members = [...group.alerts.keys()].map((key) => alerts.get(key)).filter((a) => a !== undefined);
    if (members.length === 0) continue;
    const { key, labels } = group;
    const muted = mutedBy(d.config, group.route, now);
    out.push({ key, receiver: group.route.receiver, labels, mutedBy: muted, alerts: members.sort(compareAlerts) });
  }
  return out.sort((a, b) => compareLabels(a.labels, b.labels) || (a.receiver < b.receiver ? -1 : 1));
}

/** As `managedAlerts` would show them, without making them. */
export function countAlerts(d: Dispatcher, silences: Silences, now: number): NotifyStats["alerts"] {
  const count = { active: 0, suppressed: 0, unprocessed: 0 };
  const flushed = new Set<string>();
  const muted = new Set<string>();
  for (const group of d.groups.values()) {
    const mutes = mutedBy(d.config, group.route, now).length > 0;
    if (!mutes && !group.hasFlushed) continue;
    for (const key of group.alerts.keys()) (mutes ? muted : flushed).add(key);
  }
  const firing = [...d.alerts.values()].filter((a) => !isResolved(a, now));
  const inhibited = inhibitions(d, firing, now);
  const silenced = silences.silencedBy(firing, now);
  for (const { fingerprint: key } of firing) {
    if (silenced.has(key) || inhibited.has(key) || muted.has(key)) count.suppressed++;
    else if (flushed.has(key)) count.active++;
    else count.unprocessed++;
  }
  return count;
}

function managed(
  d: Dispatcher,
  alert: HeldAlert,
  groups: readonly AlertGroup[],
  by: { readonly silenced: readonly string[]; readonly inhibited: readonly string[] },
  now: number,
): ManagedAlert {
  const muted = [...new Set(groups.flatMap((g) => mutedBy(d.config, g.route, now)))];
  const suppressed = by.silenced.length > 0 || by.inhibited.length > 0 || muted.length > 0;
  const { timeout: _, ...rest } = alert;
  return {
    ...rest,
    receivers: routesOf(d.root, alert.labels).map((r) => r.receiver),
    state: suppressed ? "suppressed" : groups.some((g) => g.hasFlushed) ? "active" : "unprocessed",
    silencedBy: by.silenced,
    inhibitedBy: by.inhibited,
    mutedBy: muted,
  };
}
