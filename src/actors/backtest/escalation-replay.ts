import { type HeldAlert, isResolved } from "../alert/alert-store.ts";
import type { AlertmanagerConfig, Receiver } from "../alert/alertmanager-config.ts";
import { type Dispatcher, groupIdentity } from "../alert/dispatcher.ts";
import type { AlertGroup } from "../alert/group.core.ts";
import { heardAlerts } from "../alert/notify-group.ts";
import { type EscalationEvent, type EscalationState, transition, trigger } from "../escalation/escalation.core.ts";
import { onCallAt } from "../escalation/schedule.core.ts";
import { type Page, pagedAlert } from "./page.ts";
import type { Timers } from "./timers.ts";

export interface EscalationReplay {
  /** A group of a route with an escalation was looked at. */
  flush(group: AlertGroup, all: readonly HeldAlert[], now: number): void;
  /** When the escalation of the group began; undefined when there is none. */
  begunAt(group: AlertGroup): number | undefined;
}

interface Options {
  readonly config: AlertmanagerConfig;
  readonly dispatcher: Dispatcher;
  readonly look: Parameters<typeof heardAlerts>[0];
  readonly timers: Timers<() => void>;
  /** Takes what is sent. */
  readonly pages: Page[];
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly ackAfterMs: number | undefined;
}

/** Escalations in virtual time: the transitions of the server, with timers in place of actors. */
export function makeEscalationReplay(options: Options): EscalationReplay {
  const { config, dispatcher: d, look, timers, pages, receivers, ackAfterMs } = options;
  const { escalations, schedules } = config.escalation;
  const states = new Map<string, { state: EscalationState; alerts: readonly HeldAlert[] }>();

  const heard = (identity: string, now: number): HeldAlert[] => {
    const group = d.groups.get(identity);
    if (group === undefined) return [];
    const all = [...group.alerts.values()].map((a) => (isResolved(a, now) ? a : { ...a, endsAt: 0 }));
    return heardAlerts(look, group, all, now);
  };
  /** Who is paged by a step now, and by which schedules. */
  const targetsOf = (escalation: string, step: number, now: number): Map<string, string[]> => {
    const out = new Map<string, string[]>();
    for (const { kind, name } of escalations.get(escalation)?.steps[step]?.notify ?? []) {
      const schedule = kind === "schedule" ? schedules.get(name) : undefined;
      const receiver = schedule === undefined ? name : onCallAt(schedule, now).receiver;
      if (receiver === undefined) continue;
      const by = out.get(receiver) ?? [];
      if (schedule !== undefined) by.push(name);
      out.set(receiver, by);
    }
    return out;
  };
  const move = (identity: string, event: EscalationEvent): void => {
    const known = states.get(identity);
    const policy = known === undefined ? undefined : escalations.get(known.state.escalation);
    if (known === undefined || policy === undefined) return;
    known.state = transition(policy, known.state, event);
  };
  /** Does what is due, tells what is open, and waits for what comes. */
  const act = (identity: string, now: number): void => {
    const known = states.get(identity);
    if (known === undefined) return;
    const muted = heard(identity, now).length === 0;
    const { dueAt } = known.state;
    if (dueAt > 0 && dueAt <= now && !muted) {
      const receiver = d.groups.get(identity)?.route.receiver;
      const { escalation } = known.state;
      move(identity, {
        type: "due",
        now,
        targetsOf: (step) => [...targetsOf(escalation, step, now).keys()],
        fallback: receiver === undefined ? [] : [receiver],
      });
    }
    for (const page of known.state.open) tell(identity, page, now);
    const { state } = known;
    if (state.status === "resolved" && state.open.length === 0) {
      states.delete(identity);
      return;
    }
    // A muted one is looked at again with its group.
    if (state.dueAt > now && state.dueAt !== dueAt) later(identity, state.id, state.dueAt);
    else if (state.dueAt > 0 && state.dueAt <= now && !muted) later(identity, state.id, now);
  };
  const later = (identity: string, id: string, at: number): void =>
    timers.set(at, () => {
      const state = states.get(identity)?.state;
      if (state?.id === id && state.dueAt === at) act(identity, at);
    });
  const tell = (identity: string, page: EscalationState["open"][number], now: number): void => {
    const known = states.get(identity);
    if (known === undefined) return;
    const isEnd = page.key === "resolved";
    const alerts = isEnd ? known.alerts : heard(identity, now);
    if (alerts.length === 0 && !isEnd) return;
    const { id, groupKey, groupLabels, escalation: name } = known.state;
    const schedulesOf = isEnd ? new Map<string, string[]>() : targetsOf(name, page.step, page.at);
    for (const receiver of page.waiting) {
      const integrations = (receivers.get(receiver)?.integrations ?? []).filter((x) => !isEnd || x.sendResolved);
      if (integrations.length > 0) {
        pages.push({
          at: now,
          receiver,
          integrations: integrations.map((x) => x.name),
          status: isEnd ? "resolved" : "firing",
          reason: isEnd
            ? "all alerts resolved"
            : page.key === "page 0.0.0"
              ? "first notification"
              : "repeat interval elapsed",
          groupKey,
          groupLabels,
          alerts: alerts.map(pagedAlert),
          escalation: { name, step: page.step + 1, schedules: schedulesOf.get(receiver) ?? [] },
        });
      }
      const ok = isEnd || integrations.length > 0;
      move(identity, { type: "delivered", key: page.key, receiver, ok, now });
      if (ackAfterMs !== undefined && !isEnd) acknowledge(identity, id, receiver, now + ackAfterMs);
    }
  };
  const acknowledge = (identity: string, id: string, by: string, at: number): void =>
    timers.set(at, () => {
      const state = states.get(identity)?.state;
      if (state?.id !== id || state.status !== "triggered") return;
      move(identity, { type: "acknowledge", by, via: "api", comment: "", now: at });
      const dueAt = states.get(identity)?.state.dueAt ?? 0;
      if (dueAt > at) later(identity, id, dueAt);
    });

  return {
    begunAt: (group) => states.get(groupIdentity(group.route, group.labels))?.state.startedAt,
    flush: (group, all, now) => {
      const identity = groupIdentity(group.route, group.labels);
      const alerts = [...group.alerts.values()];
      const firing = all.filter((a) => a.endsAt === 0).map((a) => a.fingerprint);
      const listening = heardAlerts(look, group, all, now).map((a) => a.fingerprint);
      const known = states.get(identity);
      if (known === undefined) {
        const policy = escalations.get(group.route.escalation ?? "");
        if (policy === undefined || listening.length === 0) return;
        const about = { id: `${identity} ${now}`, group: identity, groupKey: group.key, groupLabels: group.labels };
        const state = trigger(policy, about, listening, now);
        states.set(identity, { state, alerts });
        if (state.dueAt > now) later(identity, state.id, state.dueAt);
      } else {
        const before = known.state;
        move(identity, { type: "flushed", heard: listening, allFiring: firing, now });
        if (known.state !== before) {
          known.alerts = alerts;
          if (known.state.dueAt > now && known.state.dueAt !== before.dueAt) {
            later(identity, known.state.id, known.state.dueAt);
          }
        }
      }
      act(identity, now);
    },
  };
}
