import { type Silence, stateOf } from "../../actors/alert/silence.core.ts";
import { formatRecurrence } from "../../actors/alert/silence-recurrence.ts";
import { formatDuration } from "../../lib/duration.ts";
import type { ManagedAlert, ManagedGroup } from "../../model/alerts.ts";
import { labelsToObject } from "../../model/labels.ts";

/** Answers of Alertmanager's API v2. */

const time = (ms: number) => new Date(ms).toISOString();

export function alertJson(alert: ManagedAlert, receivers: readonly string[]): unknown {
  const { state, silencedBy, inhibitedBy, mutedBy } = alert;
  return {
    annotations: alert.annotations,
    endsAt: time(alert.endsAt),
    fingerprint: alert.fingerprint,
    receivers: receivers.map((name) => ({ name })),
    startsAt: time(alert.startsAt),
    status: { inhibitedBy, mutedBy, silencedBy, state },
    updatedAt: time(alert.updatedAt),
    ...(alert.generatorUrl === "" ? {} : { generatorURL: alert.generatorUrl }),
    labels: labelsToObject(alert.labels),
  };
}

/** @param receiver whether a receiver was asked for: of an alert's receivers only those are told */
export function groupJson(
  group: ManagedGroup,
  alerts: readonly ManagedAlert[],
  receiver: (name: string) => boolean,
): unknown {
  return {
    alerts: alerts.map((a) => alertJson(a, a.receivers.filter(receiver))),
    labels: labelsToObject(group.labels),
    receiver: { name: group.receiver },
  };
}

/** Alertmanager's fields, and Tocsin's own where they are set. */
export function silenceJson(s: Silence, now: number): unknown {
  return {
    id: s.id,
    status: { state: stateOf(s, now) },
    updatedAt: time(s.updatedAt),
    ...(s.annotations === undefined ? {} : { annotations: s.annotations }),
    comment: s.comment,
    createdBy: s.createdBy,
    endsAt: time(s.endsAt),
    matchers: s.matchers.map(({ name, op, value }) => ({
      isEqual: op === "=" || op === "=~",
      isRegex: op === "=~" || op === "!~",
      name,
      value,
    })),
    startsAt: time(s.startsAt),
    ...(s.recurrence === undefined ? {} : { recurrence: formatRecurrence(s.recurrence) }),
    ...(s.untilResolved === true ? { untilResolved: true } : {}),
    ...(s.noticeBeforeMs === undefined ? {} : { noticeBefore: formatDuration(s.noticeBeforeMs) }),
  };
}
