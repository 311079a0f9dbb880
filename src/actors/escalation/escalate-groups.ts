import { randomUUID } from "node:crypto";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { type HeldAlert, isResolved } from "../alert/alert-store.ts";
import { type Dispatcher, groupIdentity, holdInDispatcher } from "../alert/dispatcher.ts";
import type { AlertGroup } from "../alert/group.core.ts";
import { heardAlerts, type NotifyDeps } from "../alert/notify-group.ts";
import { carryOut } from "../notify/carry-out.ts";
import type { Intent } from "../notify/ledger.ts";
import { contentOf, transitionKey } from "../notify/transition-key.ts";
import { spawn } from "../runtime/actor.ts";
import type { OnDeath } from "../runtime/death.ts";
import { runEscalations, written } from "./escalation.actor.ts";
import type { EscalationState, Page } from "./escalation.core.ts";
import type { Escalations } from "./escalations.ts";

export interface EscalateOptions {
  readonly escalations: Escalations;
  readonly dispatcher: Dispatcher;
  readonly look: Pick<NotifyDeps, "config" | "inhibitedBy" | "silencedBy">;
  readonly carryOut: NotifyDeps["carryOut"];
  readonly settled: NotifyDeps["settled"];
  /** Without a slash at the end; links begin with it. */
  readonly externalUrl: string;
  readonly onDeath: OnDeath;
}

const TIDY_MS = 60_000;
/** A page is tried at least this long, also when the next step comes sooner. */
const SHORTEST_PATIENCE_MS = 10_000;
const RESOLVED_PATIENCE_MS = 300_000;
/** For so long the ledger knows that a page was told; the escalation itself does from a moment later on. */
const KEEP_MS = 6 * 3_600_000;

/** Opens the escalations for as long as the scope, and forgets old ones from time to time. */
export const runEscalationBook = Effect.fnUntraced(function* (escalations: Escalations) {
  const damaged = yield* Effect.acquireRelease(
    Effect.promise(() => escalations.open()),
    () => Effect.ignore(Effect.tryPromise(() => escalations.close())),
  );
  if (damaged > 0)
    yield* Effect.logError(`escalations.log: ${damaged} damaged lines skipped, the file is kept as .damaged`);
  const tidy = Effect.map(Clock.currentTimeMillis, (now) => escalations.tidy(now));
  yield* spawn("escalation-tidy", Effect.forever(Effect.andThen(Effect.sleep(TIDY_MS), tidy)));
});

/**
 * Gives the dispatcher the alerts that escalations are about and that it does not know: the crash came before they were
 * saved. They get the time to be told again that an alert without an end gets.
 */
export function restoreEscalated(escalations: Escalations, d: Dispatcher, now: number): void {
  for (const id of escalations.unfinished()) {
    const record = escalations.get(id);
    for (const alert of record?.alerts ?? []) {
      if (d.alerts.has(alert.fingerprint) || record?.state.firing.includes(alert.fingerprint) !== true) continue;
      holdInDispatcher(d, { ...alert, endsAt: Math.max(alert.endsAt, now + d.config.resolveTimeoutMs) });
    }
  }
}

/** Joins the escalations with the groups and receivers of one configuration. */
export const escalateGroups = Effect.fnUntraced(function* (options: EscalateOptions) {
  const { escalations, dispatcher: d, look } = options;
  const { config } = look;
  yield* Effect.tryPromise(() => escalations.configure(config.escalation)).pipe(
    Effect.catch((e) => Effect.logError(`pages go without links to acknowledge: ${String(e.cause)}`)),
  );
  const identity = (group: AlertGroup) => groupIdentity(group.route, group.labels);

  const escalate = (group: AlertGroup, all: readonly HeldAlert[], now: number) => {
    const about = {
      identity: identity(group),
      key: group.key,
      labels: group.labels,
      escalation: group.route.escalation ?? "",
    };
    const firing = all.filter((a) => a.endsAt === 0).map((a) => a.fingerprint);
    const heard = heardAlerts(look, group, all, now).map((a) => a.fingerprint);
    return written(escalations.flush(about, { alerts: [...group.alerts.values()], firing, heard }, now));
  };

  const heard = (state: EscalationState, now: number): HeldAlert[] => {
    const group = d.groups.get(state.group);
    if (group === undefined) return [];
    const all = [...group.alerts.values()].map((a) => (isResolved(a, now) ? a : { ...a, endsAt: 0 }));
    return heardAlerts(look, group, all, now);
  };

  const run = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis;
    yield* written(escalations.closeOthers(new Set(d.groups.keys()), "no route leads to it any more", now));
    yield* spawn(
      "escalations",
      runEscalations({
        escalations,
        heard,
        fallback: (state) => {
          const receiver = d.groups.get(state.group)?.route.receiver;
          return receiver === undefined ? [] : [receiver];
        },
        send: (state, page, receiver, alerts, at) => sendPage(options, state, page, receiver, alerts, at),
        onDeath: options.onDeath,
      }),
    );
  });
  return {
    escalate,
    /** When the escalation of the group began; undefined when there is none. */
    begunAt: (group: AlertGroup): number | undefined => escalations.activeOf(identity(group))?.startedAt,
    run,
  };
});

/** Tells one receiver by all its ways, each once, also over a crash. True when it has been reached by one of them. */
const sendPage = Effect.fnUntraced(function* (
  options: EscalateOptions,
  state: EscalationState,
  page: Page,
  receiver: string,
  alerts: readonly HeldAlert[],
  now: number,
) {
  const { ledger } = options.carryOut;
  const { groupKey } = state;
  const isEnd = page.key === "resolved";
  const path = isEnd ? undefined : options.escalations.linkOf(state.id, receiver, page.at);
  const ackUrl = path === undefined ? "" : options.externalUrl + path;
  const integrations = options.look.config.receivers.find((r) => r.name === receiver)?.integrations ?? [];
  const patienceMs = isEnd ? RESOLVED_PATIENCE_MS : Math.max(SHORTEST_PATIENCE_MS, state.dueAt - now);
  const firing = isEnd ? [] : alerts.map((a) => a.fingerprint);
  const resolved = isEnd ? alerts.map((a) => a.fingerprint) : [];
  const send = Effect.fnUntraced(function* ({ name, sendResolved }: (typeof integrations)[number]) {
    if (isEnd && !sendResolved) return true;
    const slot = `${name} by ${state.id} ${page.key}`;
    // What a crash has cut off is carried out by the ledger.
    const cutOff = options.settled(groupKey, receiver, slot);
    if (cutOff !== undefined) yield* Effect.promise(() => cutOff);
    if (ledger.entryOf(groupKey, receiver, slot, now) !== undefined) return true;
    const content = contentOf(alerts);
    const key = transitionKey(groupKey, receiver, slot, "", 0);
    const intent: Intent = {
      id: randomUUID(),
      key,
      content,
      groupKey,
      receiver,
      integration: name,
      slot,
      time: now,
      firing,
      resolved,
      keepMs: KEEP_MS,
      patienceMs,
      notification: {
        key,
        receiver,
        groupKey,
        groupLabels: state.groupLabels,
        externalUrl: options.externalUrl,
        alerts,
        reason: reasonOf(page),
        page: { escalation: state.id, step: page.step + 1, ackUrl },
      },
    };
    return (yield* carryOut(options.carryOut, intent)).ok;
  });
  const results = yield* Effect.forEach(integrations, send, { concurrency: "unbounded" });
  return results.some((ok) => ok);
});

/** In Alertmanager's words. */
function reasonOf(page: Page): string {
  if (page.key === "resolved") return "all alerts resolved";
  return page.key === "page 0.0.0" ? "first notification" : "repeat interval elapsed";
}
