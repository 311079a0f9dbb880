import type { ManagedAlert, ManagedGroup, NotifyStats } from "../../model/alerts.ts";
import { compareLabels, type HeldAlert, isResolved, sortAlerts } from "./alert-store.ts";
import type { Route } from "./alertmanager-config.ts";
import { type Dispatcher, inhibitions } from "./dispatcher.ts";
import { mutedBy } from "./notify-group.ts";
import { routesOf } from "./route.core.ts";
import type { Silences } from "./silences.ts";

/**
 * The alerts that fire at `now`, in no order, with where they go and what holds them back. One of which nothing has changed is the
 * same object as before, so that what was made of it can be kept.
 */
export function managedAlerts(d: Dispatcher, silences: Silences, now: number): ManagedAlert[] {
  const firing = [...d.alerts.values()].filter((a) => !isResolved(a, now));
  const { flushed, muted } = holding(d, now);
  const inhibited = inhibitions(d, firing, now);
  const silenced = silences.silencedBy(firing, now);
  const known = shownOf(d);
  return firing.map((held) => {
    const { fingerprint: key } = held;
    const silencedBy = silenced.get(key) ?? NOTHING;
    const inhibitedBy = inhibited.get(key) ?? NOTHING;
    const mutedBy = muted.get(key) ?? NOTHING;
    const suppressed = silencedBy.length + inhibitedBy.length + mutedBy.length > 0;
    const state = suppressed ? "suppressed" : flushed.has(key) ? "active" : "unprocessed";
    const entry = known.get(key);
    // Heard of again, it is another one.
    const before = entry?.held === held ? entry.alert : undefined;
    if (
      before?.state === state &&
      same(before.silencedBy, silencedBy) &&
      same(before.inhibitedBy, inhibitedBy) &&
      same(before.mutedBy, mutedBy)
    ) {
      return before;
    }
    const { timeout: _, ...rest } = held;
    const receivers = before?.receivers ?? routesOf(d.root, held.labels).map((r) => r.receiver);
    const alert: ManagedAlert = { ...rest, receivers, state, silencedBy, inhibitedBy, mutedBy };
    known.set(key, { held, alert });
    return alert;
  });
}

/** The groups with firing alerts, by their labels and receivers. */
export function managedGroups(d: Dispatcher, silences: Silences, now: number): ManagedGroup[] {
  const alerts = new Map(managedAlerts(d, silences, now).map((a) => [a.fingerprint, a]));
  const out: ManagedGroup[] = [];
  for (const group of d.groups.values()) {
    const members: ManagedAlert[] = [];
    for (const key of group.alerts.keys()) {
      const alert = alerts.get(key);
      if (alert !== undefined) members.push(alert);
    }
    if (members.length === 0) continue;
    const { key, labels } = group;
    const muted = mutedBy(d.config, group.route, now);
    out.push({ key, receiver: group.route.receiver, labels, mutedBy: muted, alerts: sortAlerts(members) });
  }
  return out.sort((a, b) => compareLabels(a.labels, b.labels) || (a.receiver < b.receiver ? -1 : 1));
}

const NOTHING: readonly string[] = [];

/**
 * What was shown of each alert the last time, by fingerprint, as long as the routes are the same. (A weak map of as many costs each
 * collection of garbage a look at all of them.)
 */
const shown = new WeakMap<Dispatcher, Map<string, Shown>>();

interface Shown {
  readonly held: HeldAlert;
  readonly alert: ManagedAlert;
}

function shownOf(d: Dispatcher): Map<string, Shown> {
  let known = shown.get(d);
  if (known === undefined) {
    known = new Map();
    shown.set(d, known);
  }
  // Those that are gone are looked for when they may be many.
  if (known.size > 2 * d.alerts.size) for (const key of known.keys()) if (!d.alerts.has(key)) known.delete(key);
  return known;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((x, i) => x === b[i]));
}

/** Which alerts were told, and which are in groups that are muted now, with the names of the intervals; by fingerprint. */
function holding(d: Dispatcher, now: number) {
  const flushed = new Set<string>();
  const muted = new Map<string, readonly string[]>();
  const byRoute = new Map<Route, readonly string[]>();
  for (const group of d.groups.values()) {
    let by = byRoute.get(group.route);
    if (by === undefined) {
      by = mutedBy(d.config, group.route, now);
      byRoute.set(group.route, by);
    }
    if (group.hasFlushed) for (const key of group.alerts.keys()) flushed.add(key);
    if (by.length === 0) continue;
    for (const key of group.alerts.keys()) {
      const other = muted.get(key);
      muted.set(key, other === undefined ? by : [...new Set([...other, ...by])]);
    }
  }
  return { flushed, muted };
}

/** As `managedAlerts` would show them, without making them. */
export function countAlerts(d: Dispatcher, silences: Silences, now: number): NotifyStats["alerts"] {
  const count = { active: 0, suppressed: 0, unprocessed: 0 };
  const { flushed, muted } = holding(d, now);
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

/** What takes long is not made again before twenty times as long has passed; by `now`, ms that never go back. */
export function seldom<T>(make: () => T, now: () => number = () => performance.now()): () => T {
  let made: { readonly value: T; readonly until: number } | undefined;
  return () => {
    const begun = now();
    if (made !== undefined && begun < made.until) return made.value;
    const value = make();
    const ended = now();
    made = { value, until: ended + 20 * (ended - begun) };
    return value;
  };
}
