import type { Escalation } from "./escalation-config.ts";

/**
 * The life of one escalation: a group of alerts that somebody has to see to.
 *
 *     triggered -> acknowledged -> (triggered again) -> resolved
 *         \-> exhausted ----^
 *
 * Invariants:
 * - Time is in the events, deadlines are in the state: one that is restored after a restart goes on where it stood, and a
 *   step whose time came meanwhile is paged then, the ones behind it in their distance from it.
 * - A page is in `open` from when it is decided to when each of its receivers was told, or was given up. So it is sent
 *   again after a crash by its key, which the ledger of notifications knows.
 * - Nobody is paged while it is acknowledged, and nothing but the end of the alerts resolves it.
 */
export interface EscalationState {
  readonly id: string;
  /** Tells the group apart: receiver and escalation of the route, and Alertmanager's group key. */
  readonly group: string;
  readonly groupKey: string;
  readonly groupLabels: readonly string[];
  /** Name of the escalation in the configuration. */
  readonly escalation: string;
  readonly status: "triggered" | "acknowledged" | "exhausted" | "resolved";
  readonly startedAt: number;
  /** How often it began from the first step, after acknowledgements that ran out and new alerts. */
  readonly round: number;
  /** Runs through the chain in this round that are over. */
  readonly pass: number;
  /** The step that is paged next; as many as there are steps: the run is over. */
  readonly step: number;
  /** Somebody was paged in this run. */
  readonly found: boolean;
  /** When the next thing happens by itself, Unix ms: a page, or the end of an acknowledgement; 0: nothing. */
  readonly dueAt: number;
  readonly open: readonly Page[];
  /** Everybody who was paged. */
  readonly paged: readonly string[];
  /** Fingerprints of the alerts that it is about and that fire. */
  readonly firing: readonly string[];
  readonly acknowledgement: Acknowledgement | undefined;
  /** Unix ms; 0: it goes on. */
  readonly resolvedAt: number;
  readonly history: readonly HistoryEntry[];
}

export interface Page {
  /** Unique within the escalation: `page 0.1.2` (round, run, step), `resolved`. */
  readonly key: string;
  readonly at: number;
  readonly step: number;
  /** Receivers that have not been told yet. */
  readonly waiting: readonly string[];
  /** One of its receivers has been reached. */
  readonly reached: boolean;
}

export interface Acknowledgement {
  readonly by: string;
  readonly via: "api" | "link" | "cli" | "ui";
  readonly at: number;
  /** Unix ms; 0: as long as the alerts fire. */
  readonly until: number;
  readonly comment: string;
}

export interface HistoryEntry {
  readonly at: number;
  readonly what:
    | "triggered"
    | "paged"
    | "nobody on call"
    | "told"
    | "not told"
    | "acknowledged"
    | "acknowledgement ran out"
    | "new alerts"
    | "exhausted"
    | "resolved"
    | "closed";
  /** Whom or what about, in words. */
  readonly detail: string;
}

export type EscalationEvent =
  /** The group was looked at: these fire, and are neither silenced nor inhibited; those that are no more are not in `allFiring`. */
  | {
      readonly type: "flushed";
      readonly heard: readonly string[];
      readonly allFiring: readonly string[];
      readonly now: number;
    }
  /** The deadline may be over; `targetsOf` says who a step pages now, `fallback` who does when a whole run finds nobody. */
  | {
      readonly type: "due";
      readonly now: number;
      readonly targetsOf: (step: number) => readonly string[];
      readonly fallback: readonly string[];
    }
  | {
      readonly type: "delivered";
      readonly key: string;
      readonly receiver: string;
      readonly ok: boolean;
      readonly now: number;
    }
  | {
      readonly type: "acknowledge";
      readonly by: string;
      readonly via: Acknowledgement["via"];
      readonly comment: string;
      readonly now: number;
    }
  /** The configuration has no such escalation or route any more. */
  | { readonly type: "close"; readonly reason: string; readonly now: number };

/** Entries of the history that are kept; the first ones go. */
const MAX_HISTORY = 200;

/** A new escalation, whose first step is due after its `after`. */
export function trigger(
  policy: Escalation,
  about: Pick<EscalationState, "id" | "group" | "groupKey" | "groupLabels">,
  firing: readonly string[],
  now: number,
): EscalationState {
  return {
    ...about,
    escalation: policy.name,
    status: "triggered",
    startedAt: now,
    round: 0,
    pass: 0,
    step: 0,
    found: false,
    dueAt: now + (policy.steps[0]?.afterMs ?? 0),
    open: [],
    paged: [],
    firing,
    acknowledgement: undefined,
    resolvedAt: 0,
    history: [{ at: now, what: "triggered", detail: alerts(firing.length) }],
  };
}

/** The state after an event; the same object when nothing comes of it. */
export function transition(policy: Escalation, s: EscalationState, event: EscalationEvent): EscalationState {
  switch (event.type) {
    case "flushed":
      return s.status === "resolved" ? s : flushed(policy, s, event);
    case "due":
      return s.dueAt === 0 || s.dueAt > event.now ? s : due(policy, s, event);
    case "delivered":
      return delivered(policy, s, event);
    case "acknowledge":
      return s.status === "resolved" ? s : acknowledge(policy, s, event);
    case "close":
      if (s.status === "resolved") return s;
      return note(
        { ...s, status: "resolved", resolvedAt: event.now, dueAt: 0, open: [] },
        event.now,
        "closed",
        event.reason,
      );
  }
}

type Of<T extends EscalationEvent["type"]> = Extract<EscalationEvent, { readonly type: T }>;

function flushed(policy: Escalation, s: EscalationState, { heard, allFiring, now }: Of<"flushed">): EscalationState {
  if (allFiring.length === 0) return resolve(s, now);
  const still = new Set(allFiring);
  const kept = s.firing.filter((f) => still.has(f));
  const known = new Set(kept);
  const fresh = heard.filter((f) => !known.has(f));
  if (fresh.length === 0) return kept.length === s.firing.length ? s : { ...s, firing: kept };
  const next = note({ ...s, firing: [...kept, ...fresh] }, now, "new alerts", alerts(fresh.length));
  if (s.status === "triggered" || !policy.repageOnNewAlerts) return next;
  return again(policy, next, now);
}

function resolve(s: EscalationState, now: number): EscalationState {
  const resolved: EscalationState = { ...s, status: "resolved", resolvedAt: now, dueAt: 0, firing: [], open: [] };
  const page: Page = { key: "resolved", at: now, step: -1, waiting: s.paged, reached: false };
  return note({ ...resolved, open: s.paged.length > 0 ? [page] : [] }, now, "resolved", "");
}

/** From the first step on, as a new round. */
function again(policy: Escalation, s: EscalationState, now: number): EscalationState {
  return {
    ...s,
    status: "triggered",
    round: s.round + 1,
    pass: 0,
    step: 0,
    found: false,
    dueAt: now + (policy.steps[0]?.afterMs ?? 0),
    acknowledgement: undefined,
    open: [],
  };
}

function due(policy: Escalation, before: EscalationState, event: Of<"due">): EscalationState {
  const { now, targetsOf, fallback } = event;
  let s = before;
  if (s.status === "acknowledged") {
    s = note(again(policy, s, now), now, "acknowledgement ran out", s.acknowledgement?.by ?? "");
    if (s.dueAt > now) return s;
  }
  // A reload may have taken steps away.
  let step = Math.min(s.step, policy.steps.length);
  if (step === policy.steps.length) {
    if (s.pass >= policy.repeat) {
      return note({ ...s, status: "exhausted", dueAt: 0, step }, now, "exhausted", `after ${s.pass + 1} runs`);
    }
    s = { ...s, pass: s.pass + 1, step: 0, found: false };
    step = 0;
  }
  for (; step < policy.steps.length; step++) {
    const targets = [...new Set(targetsOf(step))];
    if (targets.length > 0) return page(policy, s, step, targets, now);
    s = note(s, now, "nobody on call", `step ${step + 1}`);
  }
  // The last resort of a run in which nobody was on call; a run that paged somebody has it not.
  if (s.found) return { ...s, step, dueAt: now + policy.repeatAfterMs };
  return page(policy, s, step - 1, fallback, now);
}

function page(
  policy: Escalation,
  s: EscalationState,
  step: number,
  targets: readonly string[],
  now: number,
): EscalationState {
  const key = `page ${s.round}.${s.pass}.${step}`;
  const last = step === policy.steps.length - 1;
  const gap = (policy.steps[step + 1]?.afterMs ?? 0) - (policy.steps[step]?.afterMs ?? 0);
  const next: EscalationState = {
    ...s,
    step: step + 1,
    found: true,
    dueAt: now + (last ? policy.repeatAfterMs : gap),
    open: [...s.open, { key, at: now, step, waiting: targets, reached: false }],
    paged: [...new Set([...s.paged, ...targets])],
  };
  return note(next, now, "paged", `step ${step + 1}: ${targets.join(", ")}`);
}

function delivered(policy: Escalation, s: EscalationState, event: Of<"delivered">): EscalationState {
  const { key, receiver, ok, now } = event;
  const found = s.open.find((p) => p.key === key);
  if (found === undefined || !found.waiting.includes(receiver)) return s;
  const waiting = found.waiting.filter((r) => r !== receiver);
  const reached = found.reached || ok;
  const open =
    waiting.length === 0
      ? s.open.filter((p) => p !== found)
      : s.open.map((p) => (p === found ? { ...p, waiting, reached } : p));
  const next = note({ ...s, open }, now, ok ? "told" : "not told", `${receiver} (${key})`);
  // Nobody could be told: waiting for an answer makes no sense. At the end of the chain the next run waits its time.
  const nobody = waiting.length === 0 && !reached && s.status === "triggered" && s.step === found.step + 1;
  return nobody && s.step < policy.steps.length ? { ...next, dueAt: Math.min(s.dueAt, now) } : next;
}

function acknowledge(policy: Escalation, s: EscalationState, event: Of<"acknowledge">): EscalationState {
  const { by, via, comment, now } = event;
  const until = policy.ackTimeoutMs > 0 ? now + policy.ackTimeoutMs : 0;
  const acknowledgement: Acknowledgement = { by, via, at: now, until, comment };
  // What has not been delivered yet must not wake anybody any more.
  const next: EscalationState = { ...s, status: "acknowledged", acknowledgement, dueAt: until, open: [] };
  return note(next, now, "acknowledged", `${by} (${via})${comment === "" ? "" : `: ${comment}`}`);
}

function note(s: EscalationState, at: number, what: HistoryEntry["what"], detail: string): EscalationState {
  return { ...s, history: [...s.history, { at, what, detail }].slice(-MAX_HISTORY) };
}

const alerts = (n: number) => `${n} ${n === 1 ? "alert" : "alerts"}`;
