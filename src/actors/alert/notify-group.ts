import { randomUUID } from "node:crypto";
import * as Effect from "effect/Effect";
import { type CarryOutDeps, carryOut } from "../notify/carry-out.ts";
import type { Intent } from "../notify/ledger.ts";
import type { Redrives } from "../notify/redrive.ts";
import { contentOf, transitionKey } from "../notify/transition-key.ts";
import type { Notification } from "../notify/webhook-payload.ts";
import type { HeldAlert } from "./alert-store.ts";
import type { AlertTrace } from "./alert-trace.ts";
import type { AlertmanagerConfig, Receiver, Route } from "./alertmanager-config.ts";
import { type AlertGroup, type LogEntry, notificationReason } from "./group.core.ts";
import { containsTime } from "./time-interval.ts";

export interface NotifyDeps {
  readonly config: AlertmanagerConfig;
  readonly externalUrl: string;
  readonly carryOut: CarryOutDeps;
  /** Leaves a group of a route with an escalation to that. */
  readonly escalate: (group: AlertGroup, all: readonly HeldAlert[], now: number) => Effect.Effect<void>;
  /** Resolves when nothing that was cut off is under way, with the keys of what has failed. */
  readonly settled: Redrives["settled"];
  /** Fingerprints of the alerts that inhibit an alert, for all alerts of a flush at once. */
  readonly inhibitedBy: (alerts: readonly HeldAlert[], now: number) => ReadonlyMap<string, readonly string[]>;
  /** Ids of the silences that mute an alert, likewise. */
  readonly silencedBy: (alerts: readonly HeldAlert[], now: number) => ReadonlyMap<string, readonly string[]>;
  /** Records what keeps a group from being told. */
  readonly trace?: AlertTrace | undefined;
  readonly labelsOf?: (fingerprint: string) => HeldAlert["labels"] | undefined;
}

/** Alertmanager keeps what was told for at most this long. */
const RETENTION_MS = 120 * 3_600_000;
/** A notification gets at least this long, however short the group interval. */
const SHORTEST_PATIENCE_MS = 10_000;

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
  if (group.route.escalation !== undefined) yield* deps.escalate(group, all, now);
  const { tellsReceiver } = group.route;
  if (!tellsReceiver && deps.trace === undefined) return true;
  const receiver = deps.config.receivers.find((r) => r.name === group.route.receiver);
  const inhibited = deps.inhibitedBy(all, now);
  const heard = all.filter((a) => (inhibited.get(a.fingerprint) ?? []).length === 0);
  const muting = mutedBy(deps.config, group.route, now);
  const silenced = deps.silencedBy(heard, now);
  const labelsOf = deps.labelsOf ?? (() => undefined);
  const look = { all, muting, silenced, inhibited, labelsOf, integrations: receiver?.integrations.length };
  deps.trace?.flushed(group, look, now);
  if (!tellsReceiver || receiver === undefined || heard.length === 0) return true;
  // A muted group keeps its resolved alerts: their end is told when the muting is over.
  if (muting.length > 0) return false;
  const alerts = heard.filter((a) => !silenced.has(a.fingerprint));
  if (alerts.length === 0) return true;
  const results = yield* Effect.forEach(
    receiver.integrations,
    (integration) => tell(deps, group, receiver, integration, alerts, now),
    { concurrency: "unbounded" },
  );
  return results.every((ok) => ok);
});

/** The alerts of a group that fire and that nothing mutes. */
export function heardAlerts(
  deps: Pick<NotifyDeps, "config" | "inhibitedBy" | "silencedBy">,
  group: AlertGroup,
  all: readonly HeldAlert[],
  now: number,
): HeldAlert[] {
  if (mutedBy(deps.config, group.route, now).length > 0) return [];
  const firing = all.filter((a) => a.endsAt === 0);
  const inhibited = deps.inhibitedBy(firing, now);
  const silenced = deps.silencedBy(firing, now);
  return firing.filter((a) => !inhibited.has(a.fingerprint) && !silenced.has(a.fingerprint));
}

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
  integration: Receiver["integrations"][number],
  alerts: readonly HeldAlert[],
  now: number,
) {
  const { ledger, deadLetters } = deps.carryOut;
  const { repeatIntervalMs, groupIntervalMs } = group.route;
  const { key: groupKey } = group;
  const { name: slot } = integration;
  // What a crash has cut off is told first: until then nobody knows what the receiver knows.
  const settled = deps.settled(groupKey, receiver.name, slot);
  const failed = settled === undefined ? [] : yield* Effect.promise(() => settled);
  const firing = alerts.filter((a) => a.endsAt === 0).map((a) => a.fingerprint);
  const resolved = alerts.filter((a) => a.endsAt !== 0).map((a) => a.fingerprint);
  const options = { repeatIntervalMs, sendResolved: integration.sendResolved, now };
  // The end of what was told is told, however long that was muted or failed.
  const before =
    ledger.entryOf(groupKey, receiver.name, slot, now) ??
    (firing.length > 0 ? undefined : ledger.unended(groupKey, receiver.name, slot, now)) ??
    maybeTold(deps, groupKey, receiver, slot, firing);
  const reason = notificationReason(before, firing, resolved, options);
  if (reason === undefined) {
    deps.trace?.quiet(group, slot, before, now);
    return true;
  }
  // Without send_resolved the end is only written down, so that the next firing counts as new.
  const told = integration.sendResolved ? alerts : alerts.filter((a) => a.endsAt === 0);
  const content = contentOf(told);
  const times = ledger.timesTold(groupKey, receiver.name, slot, content, now);
  const key = transitionKey(groupKey, receiver.name, slot, content, times);
  // It has been tried a moment ago, and failed: again with the next flush, as after any failure.
  if (failed.includes(key)) return false;
  const notification: Notification = {
    key,
    receiver: receiver.name,
    groupKey,
    groupLabels: group.labels,
    externalUrl: deps.externalUrl,
    alerts: told,
    reason,
  };
  const intent: Intent = {
    id: randomUUID(),
    key,
    content,
    groupKey,
    receiver: receiver.name,
    integration: slot,
    slot,
    time: now,
    firing,
    resolved,
    keepMs: Math.min(2 * repeatIntervalMs, RETENTION_MS),
    patienceMs: Math.max(groupIntervalMs, SHORTEST_PATIENCE_MS),
    notification,
  };
  if (told.length > 0) return (yield* carryOut(deps.carryOut, intent)).ok;
  const expiresAt = now + intent.keepMs;
  const entry = { groupKey, receiver: receiver.name, integration: slot, time: now, firing, resolved, expiresAt };
  yield* Effect.tryPromise(() => Promise.all([ledger.record(entry, intent), deadLetters.arrived(intent)])).pipe(
    Effect.catch((e) => Effect.logError(`notification ledger not written (${String(e.cause)})`)),
  );
  return true;
});

/** The end of what failed to be told is told nevertheless: an answer may have been lost, and whoever stood in was told. */
function maybeTold(
  deps: NotifyDeps,
  groupKey: string,
  receiver: Receiver,
  slot: string,
  firing: readonly string[],
): LogEntry | undefined {
  const maybe = firing.length > 0 ? undefined : deps.carryOut.deadLetters.maybeTold(groupKey, receiver.name, slot);
  if (maybe === undefined) return undefined;
  return { groupKey, receiver: receiver.name, integration: slot, time: 0, firing: maybe, resolved: [], expiresAt: 0 };
}
