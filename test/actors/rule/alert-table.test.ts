import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getInitialSnapshot, transition } from "xstate";
import { alertMachine, type InstanceState, RESOLVED_RETENTION_MS } from "../../../src/actors/rule/alert-machine.ts";
import {
  FIRING,
  INACTIVE,
  KEEPING,
  makeAlertTable,
  moveRow,
  obtainRow,
  PENDING,
  RESOLVED,
  releaseRow,
  STATE_NAMES,
  stepOf,
} from "../../../src/actors/rule/alert-table.ts";

const T = 1_700_000_000_000;

// One row per state, clock position and verdict: [state, hold, keep, elapsed in the state, active, next state, actions].
// The clock position is the time since activeAt (pending), keepingSince (keeping) or resolvedAt (resolved).
type Case = readonly [InstanceState, number, number, number, boolean, InstanceState, readonly string[]];
const H = 60_000;
const K = 30_000;
const R = RESOLVED_RETENTION_MS;
const cases: readonly Case[] = [
  ["inactive", 0, 0, 0, true, "firing", ["becameFiring"]],
  ["inactive", 0, K, 0, true, "firing", ["becameFiring"]],
  ["inactive", H, 0, 0, true, "pending", ["becamePending"]],
  ["inactive", H, K, 0, true, "pending", ["becamePending"]],
  ["inactive", 0, 0, 0, false, "inactive", []],
  ["inactive", 0, K, 0, false, "inactive", []],
  ["inactive", H, 0, 0, false, "inactive", []],
  ["inactive", H, K, 0, false, "inactive", []],
  ["pending", H, 0, 0, true, "pending", []],
  ["pending", H, 0, H - 1, true, "pending", []],
  ["pending", H, 0, H, true, "firing", ["becameFiring"]],
  ["pending", H, 0, H + 1, true, "firing", ["becameFiring"]],
  ["pending", H, K, H - 1, true, "pending", []],
  ["pending", H, K, H, true, "firing", ["becameFiring"]],
  ["pending", H, 0, 0, false, "inactive", []],
  ["pending", H, 0, H - 1, false, "inactive", []],
  ["pending", H, 0, H, false, "inactive", []],
  ["pending", H, K, H, false, "inactive", []],
  ["pending", 0, 0, 0, true, "firing", ["becameFiring"]],
  ["pending", 0, K, 0, false, "inactive", []],
  ["firing", 0, 0, 0, true, "firing", []],
  ["firing", H, 0, 10 * R, true, "firing", []],
  ["firing", H, K, 10 * R, true, "firing", []],
  ["firing", 0, 0, 0, false, "resolved", ["becameResolved"]],
  ["firing", H, 0, 10 * R, false, "resolved", ["becameResolved"]],
  ["firing", 0, K, 0, false, "keeping", ["startedKeeping"]],
  ["firing", H, K, 10 * R, false, "keeping", ["startedKeeping"]],
  ["keeping", 0, K, 0, true, "firing", ["firesAgain"]],
  ["keeping", H, K, K - 1, true, "firing", ["firesAgain"]],
  ["keeping", H, K, K, true, "firing", ["firesAgain"]],
  ["keeping", 0, K, 0, false, "keeping", []],
  ["keeping", H, K, K - 1, false, "keeping", []],
  ["keeping", H, K, K, false, "resolved", ["becameResolved"]],
  ["keeping", 0, K, K + 1, false, "resolved", ["becameResolved"]],
  ["keeping", 0, 0, 0, false, "resolved", ["becameResolved"]],
  ["resolved", 0, 0, 0, true, "firing", ["becameFiring"]],
  ["resolved", H, 0, 0, true, "pending", ["becamePending"]],
  ["resolved", 0, K, R + 1, true, "firing", ["becameFiring"]],
  ["resolved", H, K, R + 1, true, "pending", ["becamePending"]],
  ["resolved", 0, 0, 0, false, "resolved", []],
  ["resolved", H, 0, R, false, "resolved", []],
  ["resolved", H, K, R, false, "resolved", []],
  ["resolved", 0, 0, R + 1, false, "inactive", []],
  ["resolved", H, K, R + 1, false, "inactive", []],
];

function rowIn(state: InstanceState, hold: number, keep: number, since: number) {
  const table = makeAlertTable(hold, keep);
  const row = obtainRow(table, "k", ["alertname", "A"]);
  table.state[row] = STATE_NAMES.indexOf(state);
  if (state !== "inactive") table.activeAt[row] = state === "pending" ? since : since - 5;
  if (state === "firing" || state === "keeping" || state === "resolved") table.firedAt[row] = since - 4;
  if (state === "keeping") table.keepingSince[row] = since;
  if (state === "resolved") table.resolvedAt[row] = since;
  return { table, row };
}

describe("alert transition table", () => {
  it.each(cases)("%s for=%d keep=%d after %d ms, active=%s -> %s", (state, hold, keep, elapsed, active, next, says) => {
    const { table, row } = rowIn(state, hold, keep, T);
    expect(STATE_NAMES[stepOf(table, row, active, T + elapsed)]).toBe(next);
    expect(moveRow(table, row, active, T + elapsed)).toEqual(says);
    expect(STATE_NAMES[table.state[row] as number]).toBe(next);
  });

  it("has a case for every state, verdict and kind of rule", () => {
    const missing: string[] = [];
    for (const state of STATE_NAMES) {
      for (const active of [true, false]) {
        const of = cases.filter((c) => c[0] === state && c[4] === active);
        if (of.length === 0) missing.push(`${state} ${active}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("covers every state, verdict and side of every deadline the same way as the machine", () => {
    let compared = 0;
    for (const state of STATE_NAMES) {
      for (const hold of [0, 1, H]) {
        for (const keep of [0, 1, K]) {
          for (const elapsed of [-H, -1, 0, 1, K - 1, K, K + 1, H - 1, H, H + 1, R - 1, R, R + 1]) {
            for (const active of [true, false]) {
              const { table, row } = rowIn(state, hold, keep, T);
              const expected = stepOf(table, row, active, T + elapsed);
              moveRow(table, row, active, T + elapsed); // throws when the machine goes elsewhere
              expect(table.state[row]).toBe(expected);
              compared++;
            }
          }
        }
      }
    }
    expect(compared).toBe(5 * 3 * 3 * 13 * 2);
  });
});

describe("table against machine", () => {
  it("stays equal over any history, snapshots restored in between", () => {
    const history = fc.array(
      fc.record({ active: fc.boolean(), after: fc.integer({ min: 0, max: 400_000 }), restart: fc.boolean() }),
      {
        maxLength: 60,
      },
    );
    const duration = fc.constantFrom(0, 1, 15_000, 60_000, 300_000);
    fc.assert(
      fc.property(history, duration, duration, (events, holdMs, keepMs) => {
        const table = makeAlertTable(holdMs, keepMs);
        const row = obtainRow(table, "k", []);
        let machine = getInitialSnapshot(alertMachine, { holdMs, keepMs });
        let now = T;
        for (const { active, after, restart } of events) {
          now += after;
          if (restart) {
            const stored = JSON.parse(JSON.stringify(machine)) as {
              value: InstanceState;
              context: typeof machine.context;
            };
            machine = alertMachine.resolveState(stored);
          }
          // What production does: the machine is asked only where the table sees an event.
          if (stepOf(table, row, active, now) !== table.state[row]) moveRow(table, row, active, now);
          [machine] = transition(alertMachine, machine, { type: "evaluated", active, now });
          expect({
            value: STATE_NAMES[table.state[row] as number],
            activeAt: table.activeAt[row],
            firedAt: table.firedAt[row],
            keepingSince: table.keepingSince[row],
            resolvedAt: table.resolvedAt[row],
          }).toEqual({
            value: machine.value,
            activeAt: machine.context.activeAt,
            firedAt: machine.context.firedAt,
            keepingSince: machine.context.keepingSince,
            resolvedAt: machine.context.resolvedAt,
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
    for (let i = 0; i < 100; i++) {
      const row = obtainRow(table, `k${i}`, ["n", String(i)]);
      table.activeAt[row] = i;
    }
    expect(table.rowOf.size).toBe(100);
    for (let i = 0; i < 100; i++) expect(table.activeAt[obtainRow(table, `k${i}`, [])]).toBe(i);
    const row = table.rowOf.get("k7") as number;
    releaseRow(table, row);
    expect(table.rowOf.has("k7")).toBe(false);
    expect(obtainRow(table, "new", ["n", "x"])).toBe(row);
    expect(table.activeAt[row]).toBe(0);
    expect(table.length).toBe(100);
  });

  it("codes are the positions of the names", () => {
    expect([INACTIVE, PENDING, FIRING, KEEPING, RESOLVED].map((c) => STATE_NAMES[c])).toEqual(STATE_NAMES);
  });
});
