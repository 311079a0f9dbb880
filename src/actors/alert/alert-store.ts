import type { AlertSight, PostedAlert } from "../../model/alerts.ts";
import { type Labels, labelValue } from "../../model/labels.ts";
import { fingerprint } from "./fingerprint.ts";

/** An alert as the alert manager holds it. Times are Unix ms. */
export interface HeldAlert {
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly updatedAt: number;
  /** The end was not said by the sender but is resolve_timeout after its last word. */
  readonly timeout: boolean;
  readonly generatorUrl: string;
  /** How its rule came to it, where there is something to tell. */
  readonly sight?: AlertSight;
}

export function isResolved(alert: HeldAlert, now: number): boolean {
  return alert.endsAt > 0 && alert.endsAt <= now;
}

/** A posted alert with its times filled in. Throws an Error when its times contradict each other or it has no labels. */
export function holdAlert(posted: PostedAlert, now: number, resolveTimeoutMs: number): HeldAlert {
  if (posted.labels.length === 0) throw new Error("at least one label pair required");
  const endsAt = posted.endsAt ?? 0;
  // A sender that only knows the end gets a start that is not after it.
  const startsAt = posted.startsAt ?? (endsAt > 0 ? Math.min(endsAt, now) : now);
  if (endsAt > 0 && endsAt < startsAt) throw new Error("start time must be before end time");
  return {
    fingerprint: fingerprint(posted.labels),
    labels: posted.labels,
    annotations: posted.annotations,
    startsAt,
    endsAt: endsAt > 0 ? endsAt : now + resolveTimeoutMs,
    updatedAt: now,
    timeout: endsAt === 0,
    generatorUrl: posted.generatorUrl,
    ...(posted.sight === undefined ? {} : { sight: posted.sight }),
  };
}

/** What is known after hearing of an alert again: overlapping activities are one, another one replaces it. */
export function mergeAlert(old: HeldAlert | undefined, next: HeldAlert, now: number): HeldAlert {
  if (old === undefined) return next;
  const endsWithin = next.endsAt > old.startsAt && next.endsAt < old.endsAt;
  const startsWithin = next.startsAt > old.startsAt && next.startsAt < old.endsAt;
  // Equal starts are the usual case: the same activity, heard of again.
  if (!endsWithin && !startsWithin) return next;
  const [older, younger] = next.updatedAt < old.updatedAt ? [next, old] : [old, next];
  let endsAt = younger.endsAt;
  if (isResolved(younger, now)) {
    if (isResolved(older, now) && older.endsAt > endsAt) endsAt = older.endsAt;
  } else if (older.endsAt > endsAt && !older.timeout) {
    endsAt = older.endsAt;
  }
  return { ...younger, startsAt: Math.min(older.startsAt, younger.startsAt), endsAt };
}

/** Alertmanager's order of alerts in a notification: by job, by instance, then by all labels, fewer first. */
export function compareAlerts(a: { readonly labels: Labels }, b: { readonly labels: Labels }): number {
  for (const name of ["job", "instance"]) {
    const x = labelValue(a.labels, name);
    const y = labelValue(b.labels, name);
    if (x !== y) return before(x, y);
  }
  return compareLabels(a.labels, b.labels);
}

/** The alerts in the order of `compareAlerts`, in place; what is compared most is looked up once. */
export function sortAlerts<T extends { readonly labels: Labels }>(alerts: T[]): T[] {
  if (alerts.length < 2) return alerts;
  const keyed = alerts.map((alert) => ({
    alert,
    job: labelValue(alert.labels, "job"),
    instance: labelValue(alert.labels, "instance"),
  }));
  keyed.sort((a, b) => {
    if (a.job !== b.job) return before(a.job, b.job);
    if (a.instance !== b.instance) return before(a.instance, b.instance);
    return compareLabels(a.alert.labels, b.alert.labels);
  });
  for (const [i, { alert }] of keyed.entries()) alerts[i] = alert;
  return alerts;
}

/** The order of two values that are not equal: none at all comes last. */
function before(x: string, y: string): number {
  if (x === "") return 1;
  if (y === "") return -1;
  return x < y ? -1 : 1;
}

/** Alertmanager's order of label sets: fewer first, then by names and values. */
export function compareLabels(a: Labels, b: Labels): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i += 2) {
    const x = a[i] as string;
    const y = b[i] as string;
    // The set that has the smaller name at the first difference lacks the other's: Alertmanager puts it last.
    if (x !== y) return x < y ? 1 : -1;
    const v = a[i + 1] as string;
    const w = b[i + 1] as string;
    if (v !== w) return v < w ? -1 : 1;
  }
  return 0;
}
