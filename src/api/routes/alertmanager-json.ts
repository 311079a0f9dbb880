import { type Silence, stateOf } from "../../actors/alert/silence.core.ts";
import { formatRecurrence } from "../../actors/alert/silence-recurrence.ts";
import { formatDuration } from "../../lib/duration.ts";
import { rememberTexts } from "../../lib/time-text.ts";
import type { ManagedAlert, ManagedGroup } from "../../model/alerts.ts";
import { labelsForJson } from "../../model/labels-json.ts";

/** Answers of Alertmanager's API v2. */

const time = rememberTexts((ms) => new Date(ms).toISOString());

/** One that no group has told of yet is shown as active all the same, and a muted group mutes what is in it. */
export function shownState(alert: ManagedAlert, mutedBy: readonly string[]): "active" | "suppressed" {
  return alert.silencedBy.length + alert.inhibitedBy.length + mutedBy.length > 0 ? "suppressed" : "active";
}

/** What was made of an alert of which nothing has changed since: there may be very many, asked for again and again. */
const texts = new WeakMap<ManagedAlert, string>();

/**
 * @param mutedBy of the group that it is shown in
 * @param receivers those of its receivers that are told; all where not given
 */
export function alertText(
  alert: ManagedAlert,
  mutedBy: readonly string[],
  receivers: readonly string[] = alert.receivers,
): string {
  const usual = mutedBy.length === 0 && receivers.length === alert.receivers.length;
  const known = usual ? texts.get(alert) : undefined;
  if (known !== undefined) return known;
  const { silencedBy, inhibitedBy } = alert;
  const text = JSON.stringify({
    annotations: alert.annotations,
    endsAt: time(alert.endsAt),
    fingerprint: alert.fingerprint,
    receivers: receivers.map((name) => ({ name })),
    startsAt: time(alert.startsAt),
    status: { inhibitedBy, mutedBy, silencedBy, state: shownState(alert, mutedBy) },
    updatedAt: time(alert.updatedAt),
    ...(alert.generatorUrl === "" ? {} : { generatorURL: alert.generatorUrl }),
    labels: labelsForJson(alert.labels),
  });
  if (usual) texts.set(alert, text);
  return text;
}

/** @param receiver whether a receiver was asked for: of an alert's receivers only those are told */
export function groupText(group: ManagedGroup, receiver: (name: string) => boolean): string {
  const alerts = group.alerts.map((a) => alertText(a, group.mutedBy, a.receivers.filter(receiver)));
  const rest = JSON.stringify({ labels: labelsForJson(group.labels), receiver: { name: group.receiver } });
  return `{"alerts":[${alerts.join(",")}],${rest.slice(1)}`;
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
