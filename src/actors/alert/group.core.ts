import type { Labels } from "../../model/labels.ts";
import { type HeldAlert, isResolved, sortAlerts } from "./alert-store.ts";
import type { Route } from "./alertmanager-config.ts";
import { groupKeyOf } from "./route.core.ts";

/**
 * One aggregation group: alerts of one route with the same group labels, and when they are told.
 *
 * Invariants:
 * - The first flush comes group_wait after the first alert, at once when that alert has been firing that long already;
 *   the following ones every group_interval.
 * - A resolved alert leaves the group only after a flush that told everybody of it, and only if it did not change meanwhile.
 */
export interface AlertGroup {
  readonly key: string;
  readonly route: Route;
  readonly labels: Labels;
  readonly alerts: Map<string, HeldAlert>;
  hasFlushed: boolean;
  /** When it is flushed next, Unix ms. */
  nextFlush: number;
}

export function makeGroup(route: Route, labels: Labels, now: number): AlertGroup {
  return {
    key: groupKeyOf(route, labels),
    route,
    labels,
    alerts: new Map(),
    hasFlushed: false,
    nextFlush: now + route.groupWaitMs,
  };
}

/** Adds or replaces an alert. True when the group's next flush is earlier now. */
export function insertAlert(group: AlertGroup, alert: HeldAlert, now: number): boolean {
  group.alerts.set(alert.fingerprint, alert);
  if (group.hasFlushed || alert.startsAt + group.route.groupWaitMs >= now || group.nextFlush <= now) return false;
  group.nextFlush = now;
  return true;
}

/**
 * Begins a flush: the group's alerts in Alertmanager's order, those that fire without an end, so that none resolves while
 * it is being told. Sets the time of the next flush.
 */
export function beginFlush(group: AlertGroup, now: number): HeldAlert[] {
  group.hasFlushed = true;
  group.nextFlush = now + group.route.groupIntervalMs;
  const alerts = [...group.alerts.values()].map((a) => (isResolved(a, now) ? a : { ...a, endsAt: 0 }));
  return sortAlerts(alerts);
}

/** Ends a flush that told everybody: drops the resolved alerts that are as they were told. */
export function endFlush(group: AlertGroup, told: readonly HeldAlert[]): void {
  for (const alert of told) {
    if (alert.endsAt === 0) continue;
    if (group.alerts.get(alert.fingerprint)?.updatedAt === alert.updatedAt) group.alerts.delete(alert.fingerprint);
  }
}

/** What was told to one integration about one group the last time. */
export interface LogEntry {
  readonly groupKey: string;
  readonly receiver: string;
  /** `webhook[0]`: kind and place in the receiver. */
  readonly integration: string;
  readonly time: number;
  /** Fingerprints. */
  readonly firing: readonly string[];
  readonly resolved: readonly string[];
  readonly expiresAt: number;
}

/** Alertmanager's words for why it tells, as its webhook has them. */
export type NotificationReason =
  | "first notification"
  | "new alerts added"
  | "all alerts resolved"
  | "some alerts resolved"
  | "repeat interval elapsed";

/**
 * Alertmanager's rule for telling: something new, the end of everything, a newly resolved one, or the repeat interval.
 * Undefined when there is nothing to tell.
 */
export function notificationReason(
  entry: LogEntry | undefined,
  firing: readonly string[],
  resolved: readonly string[],
  options: { readonly repeatIntervalMs: number; readonly sendResolved: boolean; readonly now: number },
): NotificationReason | undefined {
  if (entry === undefined) return firing.length > 0 ? "first notification" : undefined;
  if (!subset(firing, entry.firing)) return "new alerts added";
  if (firing.length === 0) return entry.firing.length > 0 ? "all alerts resolved" : undefined;
  if (options.sendResolved && !subset(resolved, entry.resolved)) return "some alerts resolved";
  return entry.time < options.now - options.repeatIntervalMs ? "repeat interval elapsed" : undefined;
}

function subset(part: readonly string[], whole: readonly string[]): boolean {
  const set = new Set(whole);
  return part.every((x) => set.has(x));
}
