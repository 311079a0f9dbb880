import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getInitialSnapshot, transition } from "xstate";
import {
  alertMachine,
  type InstanceEvent,
  type InstanceState,
  RESOLVED_RETENTION_MS,
} from "../../../src/actors/rule/alert-machine.ts";
import {
  ACTIVE_AT,
  COLUMNS,
  cellOf,
  evaluated,
  FIRED_AT,
  INACTIVE,
  KEEPING_SINCE,
  makeAlertTable,
  obtainRow,
  RESOLVED_AT,
  releaseRow,
  STATE,
  STATE_NAMES,
  setCell,
  stepOf,
  stepUnseen,
  UNSEEN_MS,
  UNSEEN_SINCE,
  unseenAt,
} from "../../../src/actors/rule/alert-table.ts";

const T = 1_700_000_000_000;
const H = 60_000;
const K = 30_000;
const P = 45_000;
const R = RESOLVED_RETENTION_MS;

interface Situation {
  readonly state: InstanceState;
  readonly holdMs: number;
  readonly keepMs: number;
  /** Time since the state's own clock began: activeAt, keepingSince, resolvedAt. */
  readonly elapsed: number;
  /** For so long its condition has not been seen; undefined: it was seen the last time. */
  readonly unseenFor: number | undefined;
  /** What the clock stood still before that. */
  readonly unseenMs: number;
  readonly event: "true" | "false" | "unseen" | "unseenQuietly";
}

interface Outcome {
  readonly state: InstanceState;
  readonly says: readonly string[];
}

/** The transition table once more, in words of its own: what each situation has to lead to. */
function wanted(s: Situation): Outcome {
  const stood = s.unseenMs + ((s.unseenFor ?? 0) >= P ? (s.unseenFor ?? 0) : 0);
  const heldFor = s.elapsed - stood;
  const to = (state: InstanceState, ...says: string[]): Outcome => ({ state, says });
  const begins = s.holdMs === 0 ? to("firing", "becameFiring") : to("pending", "becamePending");
  const blind = s.event === "unseen" || s.event === "unseenQuietly";
  const tooLong = s.event === "unseen" && (s.unseenFor ?? 0) >= P;
  switch (s.state) {
    case "inactive":
      return s.event === "true" ? begins : to("inactive");
    case "resolved":
      if (s.event === "true") return begins;
      return to(s.elapsed > R ? "inactive" : "resolved");
    case "pending":
    case "unknownPending":
      if (blind) return s.state === "pending" && tooLong ? to("unknownPending", "becameUnknown") : to(s.state);
      if (s.event === "false") return to("inactive");
      if (heldFor >= s.holdMs) return to("firing", "becameFiring");
      return s.state === "pending" ? to("pending") : to("pending", "seenAgain");
    case "firing":
    case "unknownFiring":
      if (blind) return s.state === "firing" && tooLong ? to("unknownFiring", "becameUnknown") : to(s.state);
      if (s.event === "true") return s.state === "firing" ? to("firing") : to("firing", "seenAgain");
      return s.keepMs > 0 ? to("keeping", "startedKeeping") : to("resolved", "becameResolved");
    case "keeping":
    case "unknownKeeping":
      if (blind) return s.state === "keeping" && tooLong ? to("unknownKeeping", "becameUnknown") : to(s.state);
      if (s.event === "true") return to("firing", "firesAgain");
      if (heldFor >= s.keepMs) return to("resolved", "becameResolved");
      return s.state === "keeping" ? to("keeping") : to("keeping", "seenAgain");
  }
}

function* situations(): Generator<Situation> {
  for (const state of STATE_NAMES) {
    const unknown = state.startsWith("unknown");
    const stretches = unknown ? [P, P + 1, H] : [undefined, 0, 1, P - 1, P, H];
    const canBeUnseen = unknown || ["pending", "firing", "keeping"].includes(state);
    for (const holdMs of [0, 1, H]) {
      for (const keepMs of [0, 1, K]) {
        for (const unseenFor of canBeUnseen ? stretches : [undefined]) {
          for (const unseenMs of canBeUnseen ? [0, P] : [0]) {
            const stood = unseenMs + ((unseenFor ?? 0) >= P ? (unseenFor ?? 0) : 0);
            const sides = [-1, 0, 1].flatMap((d) => [d, K + d, H + d, R + d, stood + d, stood + K + d, stood + H + d]);
            for (const elapsed of new Set(sides)) {
              for (const event of ["true", "false", "unseen", "unseenQuietly"] as const) {
                yield { state, holdMs, keepMs, elapsed, unseenFor, unseenMs, event };
              }
            }
          }
        }
      }
    }
  }
}

function rowIn(s: Situation) {
  const table = makeAlertTable(s.holdMs, s.keepMs, P);
  const row = obtainRow(table, "k", ["alertname", "A"]);
  const since = T - s.elapsed;
  setCell(table, row, STATE, STATE_NAMES.indexOf(s.state));
  if (s.state === "inactive") return { table, row };
  const keeping = s.state === "keeping" || s.state === "unknownKeeping";
  setCell(table, row, ACTIVE_AT, s.state === "pending" || s.state === "unknownPending" ? since : since - 5);
  if (s.state !== "pending" && s.state !== "unknownPending") setCell(table, row, FIRED_AT, since - 4);
  if (keeping) setCell(table, row, KEEPING_SINCE, since);
  if (s.state === "resolved") setCell(table, row, RESOLVED_AT, since);
  if (s.unseenFor !== undefined) setCell(table, row, UNSEEN_SINCE, T - s.unseenFor);
  setCell(table, row, UNSEEN_MS, s.unseenMs);
  return { table, row };
}

/** What production does. */
function apply(table: ReturnType<typeof makeAlertTable>, row: number, event: InstanceEvent) {
  if (event.type === "evaluated") return evaluated(table, row, event.active, event.now);
  return unseenAt(table, row, event.now, event.since, event.quiet);
}

const eventOf = ({ event }: Situation): InstanceEvent =>
  event === "true" || event === "false"
    ? { type: "evaluated", active: event === "true", now: T }
    : { type: "unseen", now: T, since: T, quiet: event === "unseenQuietly" };

function contextOf(table: ReturnType<typeof makeAlertTable>, row: number) {
  const at = (column: number) => cellOf(table, row, column);
  return {
    activeAt: at(ACTIVE_AT),
    firedAt: at(FIRED_AT),
    keepingSince: at(KEEPING_SINCE),
    resolvedAt: at(RESOLVED_AT),
    unseenSince: at(UNSEEN_SINCE),
    unseenMs: at(UNSEEN_MS),
  };
}

const stateOf = (table: ReturnType<typeof makeAlertTable>, row: number) => STATE_NAMES[cellOf(table, row, STATE)];

describe("alert transition table", () => {
  it("leads from every state by every event on every side of every guard where it has to, machine and table alike", () => {
    const counts = new Map<string, number>();
    for (const s of situations()) {
      const { table, row } = rowIn(s);
      const event = eventOf(s);
      const limits = { holdMs: s.holdMs, keepMs: s.keepMs, patienceMs: P };
      const before = alertMachine.resolveState({ value: s.state, context: { ...limits, ...contextOf(table, row) } });
      const [next, actions] = transition(alertMachine, before, event);
      const told = actions.map((a) => a.type).filter((type) => !type.startsWith("xstate."));
      const label = JSON.stringify(s);
      expect({ label, state: next.value, says: told }).toEqual({ label, ...wanted(s) });
      const step =
        event.type === "evaluated"
          ? stepOf(table, row, event.active, T)
          : stepUnseen(table, row, T, event.since, event.quiet);
      expect(STATE_NAMES[step]).toBe(next.value);
      expect(apply(table, row, event) ?? []).toEqual(told);
      expect({ label, state: stateOf(table, row), ...contextOf(table, row) }).toEqual({
        label,
        state: next.value,
        ...contextOf(table, row),
        ...Object.fromEntries(Object.keys(contextOf(table, row)).map((k) => [k, next.context[k as "activeAt"]])),
      });
      const edge = `${s.state} ${s.event} ${String(next.value)}`;
      counts.set(edge, (counts.get(edge) ?? 0) + 1);
    }
    // Every edge that the machine has was walked, and no other exists.
    expect([...counts.keys()].sort()).toEqual(EDGES.sort());
  });

  it("resolves nothing and drops nothing by an evaluation that did not see, however long", () => {
    for (const s of situations()) {
      if (s.event !== "unseen" && s.event !== "unseenQuietly") continue;
      const to = wanted(s).state;
      if (s.state === "resolved" || s.state === "inactive") continue;
      expect(to.toLowerCase()).toContain(s.state.replace("unknown", "").toLowerCase());
    }
  });
});

const EDGES = [
  ["inactive", "true", ["firing", "pending"]],
  ["inactive", "false", ["inactive"]],
  ["inactive", "unseen", ["inactive"]],
  ["inactive", "unseenQuietly", ["inactive"]],
  ["pending", "true", ["firing", "pending"]],
  ["pending", "false", ["inactive"]],
  ["pending", "unseen", ["pending", "unknownPending"]],
  ["pending", "unseenQuietly", ["pending"]],
  ["firing", "true", ["firing"]],
  ["firing", "false", ["keeping", "resolved"]],
  ["firing", "unseen", ["firing", "unknownFiring"]],
  ["firing", "unseenQuietly", ["firing"]],
  ["keeping", "true", ["firing"]],
  ["keeping", "false", ["keeping", "resolved"]],
  ["keeping", "unseen", ["keeping", "unknownKeeping"]],
  ["keeping", "unseenQuietly", ["keeping"]],
  ["resolved", "true", ["firing", "pending"]],
  ["resolved", "false", ["inactive", "resolved"]],
  ["resolved", "unseen", ["inactive", "resolved"]],
  ["resolved", "unseenQuietly", ["inactive", "resolved"]],
  ["unknownPending", "true", ["firing", "pending"]],
  ["unknownPending", "false", ["inactive"]],
  ["unknownPending", "unseen", ["unknownPending"]],
  ["unknownPending", "unseenQuietly", ["unknownPending"]],
  ["unknownFiring", "true", ["firing"]],
  ["unknownFiring", "false", ["keeping", "resolved"]],
  ["unknownFiring", "unseen", ["unknownFiring"]],
  ["unknownFiring", "unseenQuietly", ["unknownFiring"]],
  ["unknownKeeping", "true", ["firing"]],
  ["unknownKeeping", "false", ["keeping", "resolved"]],
  ["unknownKeeping", "unseen", ["unknownKeeping"]],
  ["unknownKeeping", "unseenQuietly", ["unknownKeeping"]],
].flatMap(([from, event, to]) => (to as string[]).map((state) => `${String(from)} ${String(event)} ${state}`));

/** Prometheus's rules for one instance, in plain code: for, keep_firing_for, how long an end is remembered. */
function prometheus(holdMs: number, keepMs: number) {
  let known:
    | { state: "pending" | "firing" | "resolved"; activeAt: number; keptSince: number; resolvedAt: number }
    | undefined;
  return (active: boolean, now: number): string => {
    if (active) {
      if (known === undefined || known.state === "resolved") {
        known = { state: "pending", activeAt: now, keptSince: 0, resolvedAt: 0 };
      }
      known.keptSince = 0;
      if (known.state === "pending" && now - known.activeAt >= holdMs) known.state = "firing";
      return known.state;
    }
    if (known === undefined) return "inactive";
    if (known.state === "firing" && keepMs > 0) {
      if (known.keptSince === 0) known.keptSince = now;
      if (now - known.keptSince < keepMs) return "firing";
    }
    if (known.state === "pending" || (known.resolvedAt !== 0 && now - known.resolvedAt > R)) {
      known = undefined;
      return "inactive";
    }
    if (known.state === "firing") known = { ...known, state: "resolved", resolvedAt: now };
    return known.state;
  };
}

const duration = fc.constantFrom(0, 1, 15_000, 60_000, 300_000);

describe("against Prometheus's rules", () => {
  it("is in the same state after every evaluation, as long as the condition is seen", () => {
    const history = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 400_000 })), { maxLength: 80 });
    fc.assert(
      fc.property(history, duration, duration, (events, holdMs, keepMs) => {
        const table = makeAlertTable(holdMs, keepMs, P);
        const model = prometheus(holdMs, keepMs);
        let now = T;
        for (const [active, after] of events) {
          now += after;
          const row = obtainRow(table, "k", []);
          evaluated(table, row, active, now);
          const state = stateOf(table, row);
          expect(state === "keeping" ? "firing" : state).toBe(model(active, now));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is where Prometheus is as well when evaluations fail for less than the patience", () => {
    const history = fc.array(
      fc.tuple(fc.constantFrom("true", "false", "failed"), fc.integer({ min: 1, max: P / 3 - 1 })),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(history, duration, duration, (events, holdMs, keepMs) => {
        const table = makeAlertTable(holdMs, keepMs, P);
        const model = prometheus(holdMs, keepMs);
        let now = T;
        let failed = 0;
        let last = "inactive";
        for (const [verdict, after] of events) {
          now += after;
          const row = obtainRow(table, "k", []);
          // Never three in a row: what is not seen stays below the patience.
          failed = verdict === "failed" && failed < 2 ? failed + 1 : 0;
          if (failed > 0) unseenAt(table, row, now, now, false);
          else {
            evaluated(table, row, verdict === "true", now);
            last = model(verdict === "true", now);
          }
          const state = stateOf(table, row);
          expect(state === "keeping" ? "firing" : state).toBe(last);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("clocks while the condition is not seen", () => {
  it("stand still: `for` fires after as much time as it was seen, whatever lay between", () => {
    const stretch = fc.record({
      seenTicks: fc.integer({ min: 1, max: 5 }),
      blindTicks: fc.integer({ min: 0, max: 12 }),
    });
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1, maxLength: 10 }), fc.boolean(), (stretches, quiet) => {
        const tick = 15_000;
        const table = makeAlertTable(20 * tick, 0, P);
        const row = obtainRow(table, "k", []);
        let now = T;
        let counted = -tick;
        for (const { seenTicks, blindTicks } of stretches) {
          for (let i = 0; i < seenTicks && stateOf(table, row) !== "firing"; i++, now += tick) {
            evaluated(table, row, true, now);
            counted += tick;
            expect(stateOf(table, row)).toBe(counted >= 20 * tick ? "firing" : "pending");
          }
          if (stateOf(table, row) === "firing") return;
          for (let i = 0; i < blindTicks; i++, now += tick) unseenAt(table, row, now, now, quiet);
          // Short blindness is bridged: it counts.
          if (blindTicks * tick < P) counted += blindTicks * tick;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("table against machine", () => {
  it("stays equal over any history, snapshots restored in between", () => {
    const event = fc.record({
      kind: fc.constantFrom("true", "false", "unseen", "quiet"),
      after: fc.integer({ min: 0, max: 400_000 }),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), duration, duration, (events, holdMs, keepMs) => {
        const table = makeAlertTable(holdMs, keepMs, P);
        const row = obtainRow(table, "k", []);
        let machine = getInitialSnapshot(alertMachine, { holdMs, keepMs, patienceMs: P });
        let now = T;
        for (const { kind, after, restart } of events) {
          now += after;
          if (restart) {
            const stored = JSON.parse(JSON.stringify(machine)) as {
              value: InstanceState;
              context: typeof machine.context;
            };
            machine = alertMachine.resolveState(stored);
          }
          const next: InstanceEvent =
            kind === "unseen" || kind === "quiet"
              ? { type: "unseen", now, since: now, quiet: kind === "quiet" }
              : { type: "evaluated", active: kind === "true", now };
          apply(table, row, next);
          [machine] = transition(alertMachine, machine, next);
          const { holdMs: _h, keepMs: _k, patienceMs: _p, ...context } = machine.context;
          expect({ value: stateOf(table, row), ...contextOf(table, row) }).toEqual({
            value: machine.value,
            ...context,
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("rows", () => {
  it("are reused after release and grow without losing anything", () => {
    const table = makeAlertTable(0, 0);
    for (let i = 0; i < 100; i++) setCell(table, obtainRow(table, `n\0${i}`, ["n", String(i)]), ACTIVE_AT, i);
    expect(table.rowOf.size).toBe(100);
    for (let i = 0; i < 100; i++) expect(cellOf(table, obtainRow(table, `n\0${i}`, []), ACTIVE_AT)).toBe(i);
    const row = table.rowOf.get("n\x007") as number;
    releaseRow(table, row);
    expect(table.rowOf.has("n\x007")).toBe(false);
    expect(cellOf(table, row, STATE)).toBe(INACTIVE);
    expect(obtainRow(table, "new", ["n", "x"])).toBe(row);
    expect(cellOf(table, row, ACTIVE_AT)).toBe(0);
    expect(table.length).toBe(100);
    expect(table.cells.length).toBeLessThan(2 * 100 * COLUMNS);
  });
});
