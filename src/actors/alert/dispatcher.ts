import type { PostedAlert } from "../../model/alerts.ts";
import type { Labels } from "../../model/labels.ts";
import { type HeldAlert, holdAlert, isResolved, mergeAlert } from "./alert-store.ts";
import type { AlertmanagerConfig, Route } from "./alertmanager-config.ts";
import { type AlertGroup, insertAlert, makeGroup } from "./group.core.ts";
import {
  addSource,
  compileRoute,
  dropSource,
  groupKeyOf,
  groupLabelsOf,
  type InhibitSources,
  inhibitedBy,
  makeInhibitSources,
  type RouteNode,
  routesOf,
} from "./route.core.ts";

/** The alert manager's state without its actors: all alerts, and the groups they are in. */
export interface Dispatcher {
  readonly config: AlertmanagerConfig;
  readonly root: RouteNode;
  readonly sources: readonly InhibitSources[];
  readonly alerts: Map<string, HeldAlert>;
  /** By receiver, escalation, route and group labels. */
  readonly groups: Map<string, AlertGroup>;
}

/** A resolved alert is shown and kept for this long, */
const KEEP_RESOLVED_MS = 15 * 60_000;
/** and, while a group has yet to tell its end, as long as it is remembered that its beginning was told. */
const KEEP_UNTOLD_MS = 120 * 3_600_000;

export function makeDispatcher(config: AlertmanagerConfig, alerts = new Map<string, HeldAlert>()): Dispatcher {
  const d = {
    config,
    root: compileRoute(config.route),
    sources: makeInhibitSources(config.inhibitRules),
    alerts,
    groups: new Map(),
  };
  for (const alert of alerts.values()) addSource(d.sources, alert);
  return d;
}

/** Holds an alert, in the place of what was held of it. */
export function holdInDispatcher(d: Dispatcher, alert: HeldAlert): void {
  d.alerts.set(alert.fingerprint, alert);
  addSource(d.sources, alert);
}

/** What has to happen after an alert came in: groups to start, and groups whose next flush has come nearer. */
export interface Dispatched {
  readonly started: AlertGroup[];
  readonly hurried: AlertGroup[];
}

/**
 * Takes an alert in. Throws an Error that says what is wrong with it.
 * @param lastToldAt when the group was told last before a restart and its alerts were still firing; undefined: not
 * @param taken hears of the alert as it was held before and is now
 */
export function postAlert(
  d: Dispatcher,
  posted: PostedAlert,
  now: number,
  lastToldAt: (group: AlertGroup) => number | undefined,
  taken?: (before: HeldAlert | undefined, alert: HeldAlert, now: number) => void,
): Dispatched {
  const next = holdAlert(posted, now, d.config.resolveTimeoutMs);
  const before = d.alerts.get(next.fingerprint);
  const alert = mergeAlert(before, next, now);
  holdInDispatcher(d, alert);
  taken?.(before, alert, now);
  return groupAlert(d, alert, now, lastToldAt);
}

/** Puts an alert that is already held into its groups. */
export function groupAlert(
  d: Dispatcher,
  alert: HeldAlert,
  now: number,
  lastToldAt: (group: AlertGroup) => number | undefined,
): Dispatched {
  const out: Dispatched = { started: [], hurried: [] };
  for (const route of routesOf(d.root, alert.labels)) {
    const labels = groupLabelsOf(route, alert.labels);
    const key = groupIdentity(route, labels);
    const known = d.groups.get(key);
    const group = known ?? makeGroup(route, labels, now);
    if (known === undefined) {
      d.groups.set(key, group);
      out.started.push(group);
      const told = lastToldAt(group);
      if (told !== undefined) {
        // The group was under way before a restart: it goes on in its old rhythm.
        group.hasFlushed = true;
        group.nextFlush = Math.max(now, told + route.groupIntervalMs);
      }
    }
    if (insertAlert(group, alert, now) && known !== undefined) out.hurried.push(group);
  }
  return out;
}

/** Tells groups apart: two routes may have the same key. */
export function groupIdentity(route: Route, labels: Labels): string {
  const by = route.escalation === undefined ? route.receiver : `${route.receiver}\u0000${route.escalation}`;
  return `${by}\u0000${groupKeyOf(route, labels)}`;
}

/** Forgets an empty group; false when an alert has come in. */
export function retireGroup(d: Dispatcher, group: AlertGroup): boolean {
  if (group.alerts.size > 0) return false;
  const key = groupIdentity(group.route, group.labels);
  if (d.groups.get(key) === group) d.groups.delete(key);
  return true;
}

/** Forgets alerts that ended long ago, but for those whose end has not been told: a restart would forget it. */
export function dropOldAlerts(d: Dispatcher, now: number): void {
  for (const [key, alert] of d.alerts) {
    if (!isResolved(alert, now) || alert.endsAt >= now - KEEP_RESOLVED_MS) continue;
    if (alert.endsAt >= now - KEEP_UNTOLD_MS && isInGroup(d, alert)) continue;
    d.alerts.delete(key);
    dropSource(d.sources, alert);
  }
}

function isInGroup(d: Dispatcher, { labels, fingerprint }: HeldAlert): boolean {
  return routesOf(d.root, labels).some((route) =>
    d.groups.get(groupIdentity(route, groupLabelsOf(route, labels)))?.alerts.has(fingerprint),
  );
}

/** Which alerts inhibit each of the given ones; alerts that nothing inhibits are left out. */
export function inhibitions(d: Dispatcher, alerts: Iterable<HeldAlert>, now: number): Map<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  if (d.sources.length === 0) return out;
  for (const alert of alerts) {
    const by = inhibitedBy(d.sources, alert.labels, now);
    if (by.length > 0) out.set(alert.fingerprint, by);
  }
  return out;
}
