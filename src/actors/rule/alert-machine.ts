import { setup } from "xstate";

/**
 * The life of one alert instance (one label set of one alerting rule). The states that Prometheus has are as Prometheus
 * defines them:
 *
 *     inactive -> pending -> firing -> keeping -> resolved -> (forgotten)
 *
 * UNKNOWN stands beside pending, firing and keeping: the condition cannot be seen. It is three states, since what it was
 * decides what it is told as and where it goes on:
 *
 *     pending <-> unknownPending      firing <-> unknownFiring      keeping <-> unknownKeeping
 *
 * Invariants:
 * - Time is an argument: a move depends on the evaluation time in the event, never on a timer, so a snapshot that is
 *   restored after a restart goes on where it stood.
 * - `evaluated` is made only from an evaluation that saw the condition. One that did not (a failed query, data that is
 *   missing) makes `unseen`, which resolves nothing, fires nothing and drops no pending instance.
 * - Up to `patienceMs` of not seeing is bridged: nobody is told, and clocks run on, as with Prometheus when a query fails.
 *   What lasts longer is told as unknown, and the clocks of `for` and `keep_firing_for` stand still for the whole of it.
 * - `keeping` is firing by `keep_firing_for` alone; to the outside it is firing, and so are unknownFiring and unknownKeeping.
 * - A resolved instance is remembered for RESOLVED_RETENTION_MS, so that its end is told again should the first telling be lost.
 */
export const RESOLVED_RETENTION_MS = 15 * 60_000;

export type InstanceState =
  | "inactive"
  | "pending"
  | "firing"
  | "keeping"
  | "resolved"
  | "unknownPending"
  | "unknownFiring"
  | "unknownKeeping";

export interface InstanceContext {
  /** `for` and `keep_firing_for`. */
  readonly holdMs: number;
  readonly keepMs: number;
  /** Not seeing the condition for so long makes it unknown. */
  readonly patienceMs: number;
  /** Evaluation times, Unix ms; 0: not reached. */
  readonly activeAt: number;
  readonly firedAt: number;
  readonly keepingSince: number;
  readonly resolvedAt: number;
  /** The first evaluation that did not see the condition; 0 while it is seen. */
  readonly unseenSince: number;
  /** For so long the clock that runs (of `for`, of `keep_firing_for`) stood still. */
  readonly unseenMs: number;
}

/** One evaluation's verdict on the instance at `now` (Unix ms). */
export type InstanceEvent =
  | { readonly type: "evaluated"; readonly active: boolean; readonly now: number }
  /** `since`: when sight was lost, at or before `now`. `quiet`: it is never told as unknown, however long it lasts. */
  | { readonly type: "unseen"; readonly now: number; readonly since: number; readonly quiet: boolean };

/** What a move means to others; `forgotten` and a dropped pending are told to nobody but the log. */
export type InstanceAction =
  | "becamePending"
  | "becameFiring"
  | "startedKeeping"
  | "firesAgain"
  | "becameResolved"
  | "becameUnknown"
  | "seenAgain";

interface Clocks {
  readonly patienceMs: number;
  readonly unseenSince: number;
  readonly unseenMs: number;
}

/** For how long the running clock has stood still, counting the stretch that ends `now`. */
export function stoodStill({ patienceMs, unseenSince, unseenMs }: Clocks, now: number): number {
  const unseen = unseenSince > 0 ? now - unseenSince : 0;
  return unseen >= patienceMs ? unseenMs + unseen : unseenMs;
}

const typed = setup({
  types: {
    context: {} as InstanceContext,
    events: {} as InstanceEvent,
    input: {} as { holdMs: number; keepMs: number; patienceMs: number },
  },
  guards: {
    startsFiring: ({ context, event }) => event.type === "evaluated" && event.active && context.holdMs <= 0,
    active: ({ event }) => event.type === "evaluated" && event.active,
    heldLongEnough: ({ context, event }) =>
      event.type === "evaluated" &&
      event.active &&
      event.now - context.activeAt - stoodStill(context, event.now) >= context.holdMs,
    keeps: ({ context, event }) => event.type === "evaluated" && !event.active && context.keepMs > 0,
    keptLongEnough: ({ context, event }) =>
      event.type === "evaluated" &&
      !event.active &&
      event.now - context.keepingSince - stoodStill(context, event.now) >= context.keepMs,
    absent: ({ event }) => event.type === "evaluated" && !event.active,
    forgettable: ({ context, event }) =>
      (event.type === "unseen" || !event.active) && event.now - context.resolvedAt > RESOLVED_RETENTION_MS,
    sightReturned: ({ context }) => context.unseenSince > 0,
    sightLost: ({ context }) => context.unseenSince === 0,
    unseenTooLong: ({ context, event }) =>
      event.type === "unseen" && !event.quiet && event.now - (context.unseenSince || event.since) >= context.patienceMs,
  },
  actions: {
    becamePending: () => {},
    becameFiring: () => {},
    startedKeeping: () => {},
    firesAgain: () => {},
    becameResolved: () => {},
    becameUnknown: () => {},
    seenAgain: () => {},
  },
});

const CLEAR = { activeAt: 0, firedAt: 0, keepingSince: 0, resolvedAt: 0, unseenSince: 0, unseenMs: 0 };

const activate = typed.assign(({ event }) => ({ ...CLEAR, activeAt: event.now }));
const fire = typed.assign(({ event }) => ({ firedAt: event.now, unseenSince: 0, unseenMs: 0 }));
const keep = typed.assign(({ event }) => ({ keepingSince: event.now, unseenSince: 0, unseenMs: 0 }));
const unkeep = typed.assign({ keepingSince: 0, unseenSince: 0, unseenMs: 0 });
const resolve = typed.assign(({ event }) => ({
  resolvedAt: event.now,
  keepingSince: 0,
  unseenSince: 0,
  unseenMs: 0,
}));
const forget = typed.assign(CLEAR);
/** Sight is lost: from here on it counts how long. */
const lose = typed.assign(({ context, event }) => ({
  unseenSince: context.unseenSince || (event.type === "unseen" ? event.since : event.now),
}));
/** Sight is back, the state is as before: the clock that runs has stood still meanwhile. */
const regain = typed.assign(({ context, event }) => ({ unseenSince: 0, unseenMs: stoodStill(context, event.now) }));
/** As `regain`, where no clock runs. */
const see = typed.assign({ unseenSince: 0 });

const begin = [
  { guard: "startsFiring", target: "firing", actions: [activate, fire, "becameFiring"] },
  { guard: "active", target: "pending", actions: [activate, "becamePending"] },
] as const;

/** What `pending` and `unknownPending` have in common, and so on. */
const holding = [
  { guard: "heldLongEnough", target: "firing", actions: [fire, "becameFiring"] },
  { guard: "absent", target: "inactive", actions: [forget] },
] as const;
const ending = [
  { guard: "keeps", target: "keeping", actions: [keep, "startedKeeping"] },
  { guard: "absent", target: "resolved", actions: [resolve, "becameResolved"] },
] as const;
const expiring = [
  { guard: "active", target: "firing", actions: [unkeep, "firesAgain"] },
  { guard: "keptLongEnough", target: "resolved", actions: [resolve, "becameResolved"] },
] as const;
const losing = { guard: "sightLost", actions: [lose] } as const;

export const alertMachine = typed.createMachine({
  id: "alert",
  context: ({ input }) => ({ ...input, ...CLEAR }),
  initial: "inactive",
  states: {
    inactive: { on: { evaluated: [...begin] } },
    pending: {
      on: {
        evaluated: [...holding, { guard: "sightReturned", actions: [regain] }],
        unseen: [{ guard: "unseenTooLong", target: "unknownPending", actions: [lose, "becameUnknown"] }, losing],
      },
    },
    firing: {
      on: {
        evaluated: [...ending, { guard: "sightReturned", actions: [see] }],
        unseen: [{ guard: "unseenTooLong", target: "unknownFiring", actions: [lose, "becameUnknown"] }, losing],
      },
    },
    keeping: {
      on: {
        evaluated: [...expiring, { guard: "sightReturned", actions: [regain] }],
        unseen: [{ guard: "unseenTooLong", target: "unknownKeeping", actions: [lose, "becameUnknown"] }, losing],
      },
    },
    resolved: {
      on: {
        evaluated: [...begin, { guard: "forgettable", target: "inactive", actions: [forget] }],
        unseen: [{ guard: "forgettable", target: "inactive", actions: [forget] }],
      },
    },
    unknownPending: {
      on: { evaluated: [...holding, { target: "pending", actions: [regain, "seenAgain"] }] },
    },
    unknownFiring: {
      on: { evaluated: [...ending, { target: "firing", actions: [see, "seenAgain"] }] },
    },
    unknownKeeping: {
      on: { evaluated: [...expiring, { target: "keeping", actions: [regain, "seenAgain"] }] },
    },
  },
});
