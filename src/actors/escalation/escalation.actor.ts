import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { HeldAlert } from "../alert/alert-store.ts";
import { spawn } from "../runtime/actor.ts";
import type { OnDeath } from "../runtime/death.ts";
import { makeDynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import { KEEP_TRYING } from "../runtime/supervisor.ts";
import type { EscalationState, Page } from "./escalation.core.ts";
import { type Escalations, isFinished } from "./escalations.ts";

export interface EscalationDeps {
  readonly escalations: Escalations;
  /** The alerts of the escalation's group that fire and that nothing mutes; none: nobody is paged for now. */
  readonly heard: (state: EscalationState, now: number) => readonly HeldAlert[];
  /** Who is paged when a whole run finds nobody on call. */
  readonly fallback: (state: EscalationState) => readonly string[];
  /** Tells one receiver; true when it has been reached. */
  readonly send: (
    state: EscalationState,
    page: Page,
    receiver: string,
    alerts: readonly HeldAlert[],
    now: number,
  ) => Effect.Effect<boolean>;
  readonly onDeath: OnDeath;
}

/** Runs an actor for each escalation that is not over, those that begin included. Does not return. */
export const runEscalations = Effect.fnUntraced(function* (deps: EscalationDeps) {
  const { escalations } = deps;
  const actors = yield* makeDynamicSupervisor("escalations", KEEP_TRYING, deps.onDeath);
  const begin = (id: string) =>
    Effect.ignore(actors.start({ id, restart: "transient", run: escalationActor(id, deps) }));
  for (const id of escalations.unfinished()) yield* begin(id);
  // One that begins twice runs once: the supervisor refuses the second.
  return yield* Effect.forever(Effect.flatMap(escalations.begun.take, begin));
});

/** The actor of one escalation: decides when it is time, and sees to it that what was decided is told. Ends when it is over. */
const escalationActor = Effect.fnUntraced(function* (id: string, deps: EscalationDeps) {
  const { escalations, heard } = deps;
  const wake = escalations.wakeOf(id);
  const sending = new Set<string>();
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    const before = escalations.get(id)?.state;
    if (before === undefined || isFinished(before)) return;
    let muted = false;
    if (before.dueAt > 0 && before.dueAt <= now) {
      muted = heard(before, now).length === 0;
      if (!muted) yield* written(escalations.due(id, now, deps.fallback(before)));
    }
    const record = escalations.get(id);
    if (record === undefined) return;
    const { state } = record;
    for (const page of state.open) {
      if (sending.has(page.key)) continue;
      const alerts = page.key === "resolved" ? record.alerts : heard(state, now);
      // Muted since it was decided, by a silence say: it is looked at again with the group.
      if (alerts.length === 0 && page.key !== "resolved") continue;
      sending.add(page.key);
      yield* spawn(`escalation ${id}: ${page.key}`, tellAll(state, page, alerts, deps));
    }
    const wait = state.dueAt - now;
    if (state.dueAt === 0 || muted) yield* wake.take;
    else if (wait > 0) yield* Effect.raceFirst(Effect.sleep(wait), wake.take);
  }
});

const tellAll = Effect.fnUntraced(function* (
  state: EscalationState,
  page: Page,
  alerts: readonly HeldAlert[],
  deps: EscalationDeps,
) {
  const tell = Effect.fnUntraced(function* (receiver: string) {
    const begin = yield* Clock.currentTimeMillis;
    const ok = yield* deps.send(state, page, receiver, alerts, begin);
    const end = yield* Clock.currentTimeMillis;
    yield* written(deps.escalations.delivered(state.id, page.key, receiver, ok, end));
  });
  yield* Effect.forEach(page.waiting, tell, { concurrency: "unbounded", discard: true });
});

/** Waits for a change; a disk that does not take it is told of, and stops nothing. */
export const written = (work: Promise<void>) =>
  Effect.catch(
    Effect.tryPromise(() => work),
    (e) => Effect.logError(`escalations not written (${String(e.cause)})`),
  );
