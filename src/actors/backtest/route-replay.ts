import { type Labels, labelValue } from "../../model/labels.ts";
import { type HeldAlert, isResolved } from "../alert/alert-store.ts";
import type { AlertmanagerConfig, Receiver } from "../alert/alertmanager-config.ts";
import {
  dropOldAlerts,
  groupIdentity,
  inhibitions,
  makeDispatcher,
  postAlert,
  retireGroup,
} from "../alert/dispatcher.ts";
import { type AlertGroup, beginFlush, endFlush, type LogEntry, notificationReason } from "../alert/group.core.ts";
import { mutedBy } from "../alert/notify-group.ts";
import { type CompiledSilence, mutesAt } from "../alert/silence.core.ts";
import { forgottenAt } from "../notify/ledger.ts";
import { makeEscalationReplay } from "./escalation-replay.ts";
import { type Page, pagedAlert, type TimedPost } from "./page.ts";
import { makeTimers } from "./timers.ts";

export interface RouteReplay {
  readonly config: AlertmanagerConfig;
  /** In the order of time. */
  readonly posts: readonly TimedPost[];
  /** Those of the server; none where they are left out. */
  readonly silences: readonly CompiledSilence[];
  /** Unix ms; what would be told later is not told. */
  readonly until: number;
  /** Whoever is paged by an escalation acknowledges so long after it; undefined: nobody ever does. */
  readonly ackAfterMs?: number;
}

/** As Alertmanager keeps what was told. */
const RETENTION_MS = 120 * 3_600_000;
const TIDY_MS = 3_600_000;

/**
 * Takes alerts through grouping, inhibition, silences, time intervals, escalations and repetition in virtual time, by the
 * functions that decide in the server; what they send is collected. Sending takes no time and never fails.
 */
export function replayRouting({ config, posts, silences, until, ackAfterMs }: RouteReplay): Page[] {
  const d = makeDispatcher(config);
  const pages: Page[] = [];
  const told = new Map<string, LogEntry>();
  const timers = makeTimers<() => void>();
  const receivers = new Map(config.receivers.map((r) => [r.name, r]));
  let now = 0;
  const look = {
    config,
    inhibitedBy: (alerts: readonly HeldAlert[], at: number) => inhibitions(d, alerts, at),
    silencedBy: silencing(silences),
  };
  const escalating = makeEscalationReplay({ config, dispatcher: d, look, timers, pages, receivers, ackAfterMs });

  const entryOf = (key: string, at: number): LogEntry | undefined => {
    const entry = told.get(key);
    return entry === undefined || entry.expiresAt <= at ? undefined : entry;
  };
  /** As `Ledger.unended`: what fired has still to be told as ended, however long that was muted. */
  const unended = (key: string, at: number): LogEntry | undefined => {
    const entry = told.get(key);
    return entry === undefined || entry.firing.length === 0 || forgottenAt(entry) <= at ? undefined : entry;
  };
  const lastToldAt = (group: AlertGroup): number | undefined => {
    const receiver = receivers.get(group.route.receiver);
    let last: number | undefined;
    for (const { name } of receiver?.integrations ?? []) {
      const entry = entryOf(entryKey(group, name), now);
      if (entry !== undefined && entry.firing.length > 0) last = Math.max(last ?? 0, entry.time);
    }
    return last ?? escalating.begunAt(group);
  };
  const wait = (group: AlertGroup): void => {
    const due = group.nextFlush;
    timers.set(due, () => {
      // One that was moved or has gone meanwhile has a timer of its own, or none.
      if (group.nextFlush === due && d.groups.get(groupIdentity(group.route, group.labels)) === group) flush(group);
    });
  };
  const flush = (group: AlertGroup): void => {
    const alerts = beginFlush(group, now);
    if (notify(group, alerts)) endFlush(group, alerts);
    if (group.alerts.size > 0 || !retireGroup(d, group)) wait(group);
  };
  const notify = (group: AlertGroup, all: readonly HeldAlert[]): boolean => {
    if (group.route.escalation !== undefined) escalating.flush(group, all, now);
    if (!group.route.tellsReceiver) return true;
    const receiver = receivers.get(group.route.receiver);
    const inhibited = look.inhibitedBy(all, now);
    const heard = all.filter((a) => (inhibited.get(a.fingerprint) ?? []).length === 0);
    if (receiver === undefined || heard.length === 0) return true;
    if (mutedBy(config, group.route, now).length > 0) return false;
    const silenced = look.silencedBy(heard, now);
    const alerts = heard.filter((a) => !silenced.has(a.fingerprint));
    if (alerts.length > 0) tell(group, receiver, alerts);
    return true;
  };
  const tell = (group: AlertGroup, receiver: Receiver, alerts: readonly HeldAlert[]): void => {
    const { repeatIntervalMs } = group.route;
    const firing = alerts.filter((a) => a.endsAt === 0).map((a) => a.fingerprint);
    const resolved = alerts.filter((a) => a.endsAt !== 0).map((a) => a.fingerprint);
    const expiresAt = now + Math.min(2 * repeatIntervalMs, RETENTION_MS);
    const integrations: string[] = [];
    let reason = "";
    let withEnds = false;
    for (const { name, sendResolved } of receiver.integrations) {
      const key = entryKey(group, name);
      const before = entryOf(key, now) ?? (firing.length > 0 ? undefined : unended(key, now));
      const why = notificationReason(before, firing, resolved, { repeatIntervalMs, sendResolved, now });
      if (why === undefined) continue;
      const { key: groupKey } = group;
      told.set(key, { groupKey, receiver: receiver.name, integration: name, time: now, firing, resolved, expiresAt });
      // Without send_resolved the end is only written down.
      if (!sendResolved && firing.length === 0) continue;
      integrations.push(name);
      reason ||= why;
      withEnds ||= sendResolved;
    }
    if (integrations.length === 0) return;
    pages.push({
      at: now,
      receiver: receiver.name,
      integrations,
      status: firing.length > 0 ? "firing" : "resolved",
      reason,
      groupKey: group.key,
      groupLabels: group.labels,
      alerts: (withEnds ? alerts : alerts.filter((a) => a.endsAt === 0)).map(pagedAlert),
    });
  };

  let next = 0;
  let postingAt = 0;
  let tidyAt = posts[0]?.at ?? 0;
  for (;;) {
    const post = posts[next];
    const due = timers.next();
    // At one time: what was waited for, then all posts, then what these bring about at once.
    if (post !== undefined && (post.at < due || (post.at === due && postingAt === due))) {
      if (post.at > until) break;
      now = post.at;
      postingAt = now;
      next++;
      const { started, hurried } = postAlert(d, post.alert, now, lastToldAt);
      for (const group of started) wait(group);
      for (const group of hurried) if (!started.includes(group)) wait(group);
    } else {
      if (due > until) break;
      now = due;
      timers.take()?.();
    }
    if (now < tidyAt) continue;
    tidyAt = now + TIDY_MS;
    dropOldAlerts(d, now);
    for (const [key, entry] of told) if (forgottenAt(entry) <= now) told.delete(key);
  }
  return pages;
}

function entryKey(group: AlertGroup, integration: string): string {
  return `${group.key}\u0000${group.route.receiver}\u0000${integration}`;
}

/** Which silences mute each of the alerts, as silences.ts answers it. */
function silencing(silences: readonly CompiledSilence[]) {
  const known = new Map<Labels, readonly CompiledSilence[]>();
  return (alerts: readonly HeldAlert[], now: number): Map<string, readonly string[]> => {
    const out = new Map<string, readonly string[]>();
    if (silences.length === 0) return out;
    for (const { fingerprint, labels, endsAt } of alerts) {
      let matching = known.get(labels);
      if (matching === undefined) {
        matching = silences.filter((s) => s.matches(labels));
        known.set(labels, matching);
      }
      const resolved = isResolved({ endsAt } as HeldAlert, now);
      const ids = matching
        .map((s) => s.silence)
        .filter((s) => mutesAt(s, resolved, now) && labelValue(labels, "silence") !== s.id)
        .map((s) => s.id);
      if (ids.length > 0) out.set(fingerprint, ids);
    }
    return out;
  };
}
