import { rememberTexts } from "../../lib/time-text.ts";
import { labelValue } from "../../model/labels.ts";
import { labelsForJson } from "../../model/labels-json.ts";
import { DEFAULT_TENANT } from "../../model/sample.ts";
import type { AlertHistory } from "../history/alert-history.ts";
import { alertSubject, notificationSubject, ROUTING_SUBJECT } from "../history/event-subjects.ts";
import { type HeldAlert, isResolved } from "./alert-store.ts";
import type { AlertmanagerConfig } from "./alertmanager-config.ts";
import type { AlertGroup, LogEntry } from "./group.core.ts";

/**
 * What the alert manager records besides its notifications: why something was not told. A group that is looked at again and again
 * with the same result is recorded once, when the result changes, so a record holds until the next one.
 */
export interface AlertTrace {
  /** The configuration that holds from now on. */
  configured(config: AlertmanagerConfig, now: number): void;
  /** Somebody who is no rule of this process has sent an alert. */
  received(before: HeldAlert | undefined, alert: HeldAlert, now: number): void;
  /** A group has begun. */
  started(group: AlertGroup, now: number): void;
  /** A group was looked at: what held its alerts back. */
  flushed(group: AlertGroup, look: FlushLook, now: number): void;
  /** An integration was not told, since there is nothing that it does not know. */
  quiet(group: AlertGroup, slot: string, before: LogEntry | undefined, now: number): void;
}

export interface FlushLook {
  readonly all: readonly HeldAlert[];
  /** Names of time intervals that mute the route. */
  readonly muting: readonly string[];
  /** By fingerprint: ids of silences, fingerprints of alerts. */
  readonly silenced: ReadonlyMap<string, readonly string[]>;
  readonly inhibited: ReadonlyMap<string, readonly string[]>;
  /** The labels of an alert that inhibits. */
  readonly labelsOf: (fingerprint: string) => HeldAlert["labels"] | undefined;
  /** How many integrations its receiver has; undefined when there is no such receiver. */
  readonly integrations: number | undefined;
}

/** Alerts that one record names; beyond, it says how many more there are. */
const MAX_NAMED = 500;
const MAX_SOURCES = 20;

export function makeAlertTrace(history: AlertHistory): AlertTrace {
  /** What was recorded last, by group and slot. */
  const last = new WeakMap<AlertGroup, Map<string, string>>();
  let routing = "";
  const isNew = (group: AlertGroup, slot: string, signature: string): boolean => {
    const known = last.get(group) ?? new Map<string, string>();
    last.set(group, known);
    if (known.get(slot) === signature) return false;
    known.set(slot, signature);
    return true;
  };
  const record = (group: AlertGroup, type: string, now: number, more: Readonly<Record<string, unknown>>): void => {
    const { key: groupKey, route } = group;
    const { receiver } = route;
    const escalation = route.escalation === undefined ? {} : { escalation: route.escalation };
    const about = { version: 1, type, time: iso(now), groupKey, receiver, ...escalation };
    history.record(notificationSubject(receiver, groupKey), { ...about, ...more });
  };
  return {
    configured: (config, now) => {
      if (config.hash === routing) return;
      routing = config.hash;
      history.record(ROUTING_SUBJECT, { version: 1, type: "routing", time: iso(now), ...routingOf(config) });
    },
    received: (before, alert, now) => {
      const resolved = isResolved(alert, now);
      if (before !== undefined && isResolved(before, now) === resolved) return;
      const subject = alertSubject(
        labelValue(alert.labels, "tenant") || DEFAULT_TENANT,
        labelValue(alert.labels, "alertname"),
        alert.fingerprint,
      );
      history.record(subject, {
        version: 1,
        type: "received",
        time: iso(now),
        fingerprint: alert.fingerprint,
        action: resolved ? "resolved" : "firing",
        labels: labelsForJson(alert.labels),
        startsAt: iso(alert.startsAt),
        endsAt: iso(alert.endsAt),
      });
    },
    started: (group, now) =>
      record(group, "group", now, {
        groupLabels: labelsForJson(group.labels),
        nextFlush: iso(group.nextFlush),
        goesOn: group.hasFlushed,
      }),
    flushed: (group, look, now) => {
      const silenced = byCause(look.silenced);
      const inhibited = byCause(look.inhibited);
      const { all, muting, integrations } = look;
      const firing = all.filter((a) => a.endsAt === 0).length;
      const held = { muting, silenced: silenced.named, inhibited: inhibited.named, integrations };
      if (!isNew(group, "flush", JSON.stringify([held, silenced.more, inhibited.more]))) return;
      const sources: Record<string, Readonly<Record<string, string>>> = {};
      for (const fp of Object.keys(inhibited.named).slice(0, MAX_SOURCES)) {
        const labels = look.labelsOf(fp);
        if (labels !== undefined) sources[fp] = labelsForJson(labels);
      }
      record(group, "flush", now, {
        firing,
        resolved: all.length - firing,
        ...(integrations === undefined ? {} : { integrations }),
        ...(muting.length === 0 ? {} : { muting }),
        ...(look.silenced.size === 0 ? {} : { silenced: silenced.named, silencedMore: silenced.more }),
        ...(look.inhibited.size === 0 ? {} : { inhibited: inhibited.named, inhibitedMore: inhibited.more, sources }),
      });
    },
    quiet: (group, slot, before, now) => {
      if (!isNew(group, slot, String(before?.time))) return;
      const told = before === undefined ? undefined : before.time;
      record(group, "quiet", now, {
        integration: slot,
        lastTold: told === undefined ? null : iso(told),
        repeatAt: told === undefined ? null : iso(told + group.route.repeatIntervalMs),
      });
    },
  };
}

/** Which alerts each silence, or each alert, mutes; at most MAX_NAMED of them by name. */
function byCause(muted: ReadonlyMap<string, readonly string[]>): { named: Record<string, string[]>; more: number } {
  const named: Record<string, string[]> = {};
  let left = MAX_NAMED;
  let more = 0;
  for (const [alert, causes] of muted) {
    if (left-- <= 0) {
      more++;
      continue;
    }
    for (const cause of causes) {
      named[cause] ??= [];
      named[cause].push(alert);
    }
  }
  return { named, more };
}

/** All that decides where an alert goes; no secrets. */
export function routingOf(config: AlertmanagerConfig): Readonly<Record<string, unknown>> {
  return {
    hash: config.hash,
    route: config.route,
    receivers: config.receivers.map((r) => ({ name: r.name, integrations: r.integrations.map((i) => i.name) })),
  };
}

const MAX_DATE_MS = 8_640_000_000_000_000;

/** An end may be farther away than a date can be. */
const iso = rememberTexts((ms) => new Date(Math.min(Math.max(ms, -MAX_DATE_MS), MAX_DATE_MS)).toISOString());
