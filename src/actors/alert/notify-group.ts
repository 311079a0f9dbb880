import { randomUUID } from "node:crypto";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Intent, Ledger } from "../notify/ledger.ts";
import { makeAttempt } from "../notify/make-attempt.ts";
import type { Delivered, Delivery } from "../notify/receiver.actor.ts";
import type { Notification } from "../notify/webhook-payload.ts";
import type { Mailbox } from "../runtime/mailbox.ts";
import type { HeldAlert } from "./alert-store.ts";
import type { AlertmanagerConfig, Integration, Receiver, Route } from "./alertmanager-config.ts";
import { type AlertGroup, type NotificationReason, notificationReason } from "./group.core.ts";
import { containsTime } from "./time-interval.ts";

export interface NotifyDeps {
  readonly config: AlertmanagerConfig;
  readonly externalUrl: string;
  readonly userAgent: string;
  readonly ledger: Ledger;
  readonly mailboxOf: (receiver: string) => Mailbox<Delivery> | undefined;
  /** Fingerprints of the alerts that inhibit an alert, for all alerts of a flush at once. */
  readonly inhibitedBy: (alerts: readonly HeldAlert[], now: number) => ReadonlyMap<string, readonly string[]>;
  /** Ids of the silences that mute an alert, likewise. */
  readonly silencedBy: (alerts: readonly HeldAlert[], now: number) => ReadonlyMap<string, readonly string[]>;
  /** Resolves when a stop cannot wait any longer for what is under way. */
  readonly lastMoment: () => Promise<void>;
  readonly event: (receiver: string, event: unknown) => void;
}

/** Alertmanager keeps what was told for at most this long. */
const RETENTION_MS = 120 * 3_600_000;
/** A notification gets at least this long, however short the group interval. */
const SHORTEST_DEADLINE_MS = 10_000;

/**
 * One flush: leaves out inhibited and silenced alerts, then tells each integration of the group's receiver that has something new to
 * know. True when nothing is left to be told.
 */
export const notifyGroup = Effect.fnUntraced(function* (
  deps: NotifyDeps,
  group: AlertGroup,
  all: readonly HeldAlert[],
  now: number,
) {
  const receiver = deps.config.receivers.find((r) => r.name === group.route.receiver);
  const inhibited = deps.inhibitedBy(all, now);
  const heard = all.filter((a) => (inhibited.get(a.fingerprint) ?? []).length === 0);
  if (receiver === undefined || heard.length === 0) return true;
  const muting = mutedBy(deps.config, group.route, now);
  // A muted group keeps its resolved alerts: their end is told when the muting is over.
  if (muting.length > 0) return false;
  const silenced = deps.silencedBy(heard, now);
  const alerts = heard.filter((a) => !silenced.has(a.fingerprint));
  if (alerts.length === 0) return true;
  const results = yield* Effect.forEach(
    receiver.integrations,
    (integration) => tell(deps, group, receiver, integration, alerts, now),
    { concurrency: "unbounded" },
  );
  return results.every((ok) => ok);
});

/** Names of the time intervals that mute the route at `now`. */
export function mutedBy(config: AlertmanagerConfig, route: Route, now: number): readonly string[] {
  const holds = (name: string) => (config.timeIntervals.get(name) ?? []).some((i) => containsTime(i, now));
  const muted = route.muteTimeIntervals.filter(holds);
  if (route.activeTimeIntervals.length > 0 && !route.activeTimeIntervals.some(holds)) {
    return [...muted, ...route.activeTimeIntervals];
  }
  return muted;
}

const tell = Effect.fnUntraced(function* (
  deps: NotifyDeps,
  group: AlertGroup,
  receiver: Receiver,
  integration: Integration,
  alerts: readonly HeldAlert[],
  now: number,
) {
  const { repeatIntervalMs, groupIntervalMs } = group.route;
  const firing = alerts.filter((a) => a.endsAt === 0).map((a) => a.fingerprint);
  const resolved = alerts.filter((a) => a.endsAt !== 0).map((a) => a.fingerprint);
  const before = deps.ledger.entryOf(group.key, receiver.name, integration.name, now);
  const options = { repeatIntervalMs, sendResolved: integration.sendResolved, now };
  const reason = notificationReason(before, firing, resolved, options);
  if (reason === undefined) return true;
  const intent: Intent = {
    id: randomUUID(),
    groupKey: group.key,
    receiver: receiver.name,
    integration: integration.name,
    time: now,
    firing,
    resolved,
  };
  // Without send_resolved the end is only written down, so that the next firing counts as new.
  const told = integration.sendResolved ? alerts : alerts.filter((a) => a.endsAt === 0);
  const clock = yield* Clock.clockWith(Effect.succeed);
  const finish = async (outcome: Delivered): Promise<Told> => {
    const time = clock.currentTimeMillisUnsafe();
    if (!outcome.ok)
      return { ok: false, unwritten: await rejection(deps.ledger.recordFailure(intent, outcome.reason, time)) };
    const expiresAt = time + Math.min(2 * repeatIntervalMs, RETENTION_MS);
    const { name } = integration;
    const entry = {
      groupKey: group.key,
      receiver: receiver.name,
      integration: name,
      time,
      firing,
      resolved,
      expiresAt,
    };
    return { ok: true, unwritten: await rejection(deps.ledger.record(entry, intent)) };
  };
  if (told.length === 0) return yield* finished(deps, finish({ ok: true }));
  deps.ledger.intend(intent);
  deps.event(receiver.name, { version: 1, type: "intent", ...intent, time: new Date(now).toISOString() });
  const deadline = now + Math.max(groupIntervalMs, SHORTEST_DEADLINE_MS);
  const delivered = yield* deliver(deps, group, receiver, integration, told, reason, deadline);
  const work = delivered.then((outcome) => {
    const time = new Date(clock.currentTimeMillisUnsafe()).toISOString();
    deps.event(receiver.name, { version: 1, type: "result", ...intent, time, ...outcome });
    return finish(outcome);
  });
  return yield* finished(deps, work);
});

interface Told {
  readonly ok: boolean;
  /** Why the ledger did not take it. */
  readonly unwritten: string | undefined;
}

/**
 * Waits for the work. At a stop a notification that is under way gets a moment to end and be written down, so that it is
 * not sent again. A disk that does not take the ledger must not stop notifications; it costs a repetition after a restart.
 */
const finished = Effect.fnUntraced(function* (deps: NotifyDeps, work: Promise<Told>) {
  const { ok, unwritten } = yield* Effect.promise(() => work).pipe(
    Effect.onInterrupt(() => Effect.promise(() => Promise.race([work, deps.lastMoment()]))),
  );
  if (unwritten !== undefined) yield* Effect.logError(`notification ledger not written (${unwritten})`);
  return ok;
});

function rejection(work: Promise<void>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => String(error),
  );
}

/** Hands the notification to the receiver's actor; the promise inside never rejects. */
const deliver = Effect.fnUntraced(function* (
  deps: NotifyDeps,
  group: AlertGroup,
  receiver: Receiver,
  integration: Integration,
  alerts: readonly HeldAlert[],
  reason: NotificationReason,
  deadline: number,
) {
  const notification: Notification = {
    receiver: receiver.name,
    groupKey: group.key,
    groupLabels: group.labels,
    externalUrl: deps.externalUrl,
    alerts,
    reason,
  };
  const attempt = makeAttempt(integration, notification, deps.userAgent);
  const { promise, resolve } = Promise.withResolvers<Delivered>();
  const mailbox = deps.mailboxOf(receiver.name);
  if (mailbox === undefined) resolve({ ok: false, reason: `receiver ${receiver.name} is not running` });
  else yield* Effect.ignore(mailbox.send({ integration: integration.name, alerts, attempt, deadline, done: resolve }));
  return promise;
});
