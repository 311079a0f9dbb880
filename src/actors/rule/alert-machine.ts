import { setup } from "xstate";

/**
 * The life of one alert instance (one label set of one alerting rule), as Prometheus defines it:
 *
 *     inactive -> pending -> firing -> keeping -> resolved -> (forgotten)
 *
 * Invariants:
 * - Time is an argument: a move depends on the evaluation time in the event, never on a timer, so a snapshot that is
 *   restored after a restart goes on where it stood.
 * - An event is made only from an evaluation that answered. A failed query makes none, so it can resolve nothing.
 * - `keeping` is firing by `keep_firing_for` alone; to the outside it is firing.
 * - A resolved instance is remembered for RESOLVED_RETENTION_MS, so that its end is told again should the first telling be lost.
 */
export const RESOLVED_RETENTION_MS = 15 * 60_000;

export type InstanceState = "inactive" | "pending" | "firing" | "keeping" | "resolved";

export interface InstanceContext {
  /** `for` and `keep_firing_for`. */
  readonly holdMs: number;
  readonly keepMs: number;
  /** Evaluation times, Unix ms; 0: not reached. */
  readonly activeAt: number;
  readonly firedAt: number;
  readonly keepingSince: number;
  readonly resolvedAt: number;
}

/** One evaluation's verdict on the instance: does the expression hold at `now` (Unix ms)? */
export interface InstanceEvent {
  readonly type: "evaluated";
  readonly active: boolean;
  readonly now: number;
}

/** What a move means to others; `forgotten` and a dropped pending are told to nobody but the log. */
export type InstanceAction = "becamePending" | "becameFiring" | "startedKeeping" | "firesAgain" | "becameResolved";

const typed = setup({
  types: {
    context: {} as InstanceContext,
    events: {} as InstanceEvent,
    input: {} as { holdMs: number; keepMs: number },
  },
  guards: {
    startsFiring: ({ context, event }) => event.active && context.holdMs <= 0,
    active: ({ event }) => event.active,
    heldLongEnough: ({ context, event }) => event.active && event.now - context.activeAt >= context.holdMs,
    keeps: ({ context, event }) => !event.active && context.keepMs > 0,
    keptLongEnough: ({ context, event }) => !event.active && event.now - context.keepingSince >= context.keepMs,
    absent: ({ event }) => !event.active,
    forgettable: ({ context, event }) => !event.active && event.now - context.resolvedAt > RESOLVED_RETENTION_MS,
  },
  actions: {
    becamePending: () => {},
    becameFiring: () => {},
    startedKeeping: () => {},
    firesAgain: () => {},
    becameResolved: () => {},
  },
});

const activate = typed.assign(({ event }) => ({ activeAt: event.now, firedAt: 0, keepingSince: 0, resolvedAt: 0 }));
const fire = typed.assign(({ event }) => ({ firedAt: event.now }));
const keep = typed.assign(({ event }) => ({ keepingSince: event.now }));
const unkeep = typed.assign({ keepingSince: 0 });
const resolve = typed.assign(({ event }) => ({ resolvedAt: event.now, keepingSince: 0 }));
const forget = typed.assign({ activeAt: 0, firedAt: 0, keepingSince: 0, resolvedAt: 0 });

const begin = [
  { guard: "startsFiring", target: "firing", actions: [activate, fire, "becameFiring"] },
  { guard: "active", target: "pending", actions: [activate, "becamePending"] },
] as const;

export const alertMachine = typed.createMachine({
  id: "alert",
  context: ({ input }) => ({ ...input, activeAt: 0, firedAt: 0, keepingSince: 0, resolvedAt: 0 }),
  initial: "inactive",
  states: {
    inactive: { on: { evaluated: [...begin] } },
    pending: {
      on: {
        evaluated: [
          { guard: "heldLongEnough", target: "firing", actions: [fire, "becameFiring"] },
          { guard: "absent", target: "inactive", actions: [forget] },
        ],
      },
    },
    firing: {
      on: {
        evaluated: [
          { guard: "keeps", target: "keeping", actions: [keep, "startedKeeping"] },
          { guard: "absent", target: "resolved", actions: [resolve, "becameResolved"] },
        ],
      },
    },
    keeping: {
      on: {
        evaluated: [
          { guard: "active", target: "firing", actions: [unkeep, "firesAgain"] },
          { guard: "keptLongEnough", target: "resolved", actions: [resolve, "becameResolved"] },
        ],
      },
    },
    resolved: {
      on: {
        evaluated: [...begin, { guard: "forgettable", target: "inactive", actions: [forget] }],
      },
    },
  },
});
