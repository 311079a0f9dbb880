import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type EscalationEvent,
  type EscalationState,
  transition,
  trigger,
} from "../../../src/actors/escalation/escalation.core.ts";
import type { Escalation } from "../../../src/actors/escalation/escalation-config.ts";

const MIN = 60_000;
const T = 1_700_000_000_000;
const policy: Escalation = {
  name: "ops",
  steps: [0, 10 * MIN, 30 * MIN].map((afterMs) => ({ afterMs, notify: [] })),
  repeat: Number.POSITIVE_INFINITY,
  repeatAfterMs: 15 * MIN,
  ackTimeoutMs: 0,
  repageOnNewAlerts: true,
};
const TARGETS = [["ann"], ["bob", "ann"], ["cy"]];
const about = { id: "e", group: "g", groupKey: "{}:{}", groupLabels: [] };
const due = (now: number, targets: readonly (readonly string[])[] = TARGETS): EscalationEvent => ({
  type: "due",
  now,
  targetsOf: (step) => targets[step] ?? [],
  fallback: ["last"],
});
const flushed = (now: number, heard: string[], allFiring = heard): EscalationEvent => ({
  type: "flushed",
  heard,
  allFiring,
  now,
});
const ack = (now: number): EscalationEvent => ({ type: "acknowledge", by: "bob", via: "api", comment: "", now });
const delivered = (now: number, key: string, receiver: string, ok = true): EscalationEvent => ({
  type: "delivered",
  key,
  receiver,
  ok,
  now,
});
const run = (p: Escalation, s: EscalationState, ...events: EscalationEvent[]) =>
  events.reduce((state, e) => transition(p, state, e), s);
const begin = (p = policy) => trigger(p, about, ["a"], T);
const paged = (s: EscalationState) => s.history.filter((h) => h.what === "paged").map((h) => h.detail);

describe("an escalation", () => {
  it("pages up the chain by its deadlines, and anew until somebody acknowledges", () => {
    let s = run(policy, begin(), due(T));
    expect([s.status, s.dueAt, s.open.map((p) => p.key)]).toEqual(["triggered", T + 10 * MIN, ["page 0.0.0"]]);
    // Before its time nothing happens.
    expect(transition(policy, s, due(T + 10 * MIN - 1))).toBe(s);
    s = run(policy, s, due(T + 10 * MIN), due(T + 30 * MIN));
    expect(s.dueAt).toBe(T + 45 * MIN);
    s = run(policy, s, due(T + 45 * MIN));
    expect(paged(s)).toEqual(["step 1: ann", "step 2: bob, ann", "step 3: cy", "step 1: ann"]);
    expect(s.open.map((p) => p.key)).toEqual(["page 0.0.0", "page 0.0.1", "page 0.0.2", "page 0.1.0"]);
    s = run(policy, s, ack(T + 46 * MIN));
    expect([s.status, s.dueAt, s.open]).toEqual(["acknowledged", 0, []]);
    expect(transition(policy, s, due(T + 99 * MIN))).toBe(s);
    s = run(policy, s, flushed(T + 100 * MIN, []));
    expect(s.open).toEqual([
      { key: "resolved", at: T + 100 * MIN, step: -1, waiting: ["ann", "bob", "cy"], reached: false },
    ]);
    expect(s.status).toBe("resolved");
  });

  it("keeps the distance of the steps when it comes late, as after a restart", () => {
    const s = run(policy, begin(), due(T), due(T + 60 * MIN));
    expect([paged(s).length, s.dueAt]).toEqual([2, T + 80 * MIN]);
  });

  it("is exhausted after its repetitions, and can be acknowledged then", () => {
    const twice = { ...policy, repeat: 1 };
    let s = begin(twice);
    for (let i = 0; i < 6; i++) s = transition(twice, s, due(s.dueAt));
    expect([paged(s).length, s.status]).toEqual([6, "triggered"]);
    s = transition(twice, s, due(s.dueAt));
    expect([s.status, s.dueAt]).toEqual(["exhausted", 0]);
    expect(transition(twice, s, ack(T)).status).toBe("acknowledged");
    // A new alert is a new reason.
    s = run(twice, s, flushed(T + 9_000_000, ["a", "b"]));
    expect([s.status, s.round, s.dueAt]).toEqual(["triggered", 1, T + 9_000_000]);
  });

  it("skips steps with nobody on call, and pages the last resort when there is nobody at all", () => {
    const s = run(policy, begin(), due(T, [[], ["bob"], []]));
    expect(paged(s)).toEqual(["step 2: bob"]);
    // Behind it nobody: the run is over without the last resort.
    expect(paged(transition(policy, s, due(s.dueAt, [[], ["bob"], []])))).toEqual(["step 2: bob"]);
    expect(paged(run(policy, begin(), due(T, [])))).toEqual(["step 3: last"]);
  });

  it("pages anew when an acknowledgement runs out", () => {
    const timed = { ...policy, ackTimeoutMs: 5 * MIN };
    const s = run(timed, begin(timed), due(T), ack(T + MIN));
    expect([s.acknowledgement?.until, s.dueAt]).toEqual([T + 6 * MIN, T + 6 * MIN]);
    const again = transition(timed, s, due(T + 6 * MIN));
    expect([again.status, again.round, again.open.map((p) => p.key)]).toEqual(["triggered", 1, ["page 1.0.0"]]);
    // Acknowledged again in time: it begins anew to count.
    expect(run(timed, s, ack(T + 5 * MIN)).dueAt).toBe(T + 10 * MIN);
  });

  it("pages anew for new alerts in an acknowledged group, or not, as configured", () => {
    const s = run(policy, begin(), due(T), ack(T + 1));
    expect(run(policy, s, flushed(T + 2, ["a"]))).toBe(s);
    // Silenced alerts are no news, and neither is one that has ended.
    expect(run(policy, s, flushed(T + 2, ["a"], ["a", "b"]))).toBe(s);
    expect(run(policy, s, flushed(T + 2, ["a", "b"]))).toMatchObject({ status: "triggered", round: 1, dueAt: T + 2 });
    const quiet = { ...policy, repageOnNewAlerts: false };
    expect(run(quiet, s, flushed(T + 2, ["a", "b"]))).toMatchObject({ status: "acknowledged", firing: ["a", "b"] });
  });

  it("goes on at once when nobody of a step could be told, but not when one could", () => {
    let s = run(policy, begin(), due(T), delivered(T + 5, "page 0.0.0", "ann", false));
    expect([s.dueAt, s.open]).toEqual([T + 5, []]);
    s = run(policy, s, due(T + 5));
    s = run(policy, s, delivered(T + 6, "page 0.0.1", "bob", true), delivered(T + 7, "page 0.0.1", "ann", false));
    expect([s.dueAt, s.open]).toEqual([T + 5 + 20 * MIN, []]);
    // At the end of the chain the next run waits.
    s = run(policy, s, due(s.dueAt));
    expect(run(policy, s, delivered(s.dueAt - 1, "page 0.0.2", "cy", false)).dueAt).toBe(s.dueAt);
  });

  it("has a defined outcome for every event in every state", () => {
    const s0 = begin();
    const triggered = run(policy, s0, due(T));
    const acknowledged = run({ ...policy, ackTimeoutMs: MIN }, triggered, ack(T + 1));
    const exhausted: EscalationState = { ...triggered, status: "exhausted", dueAt: 0, open: [] };
    const resolved = run(policy, triggered, flushed(T + 1, []));
    const later = T + 100 * MIN;
    const events = {
      same: flushed(later, ["a"]),
      more: flushed(later, ["a", "b"]),
      none: flushed(later, []),
      due: due(later),
      told: delivered(later, "page 0.0.0", "ann"),
      ack: ack(later),
      close: { type: "close", reason: "gone", now: later } as const,
    };
    const table = Object.entries({ triggered, acknowledged, exhausted, resolved }).map(([name, s]) => {
      const outcomes = Object.entries(events).map(([event, e]) => {
        const next = transition(policy, s, e);
        return [event, next === s ? "-" : next.status];
      });
      return [name, Object.fromEntries(outcomes)];
    });
    expect(Object.fromEntries(table)).toEqual({
      triggered: {
        same: "-",
        more: "triggered",
        none: "resolved",
        due: "triggered",
        told: "triggered",
        ack: "acknowledged",
        close: "resolved",
      },
      acknowledged: {
        same: "-",
        more: "triggered",
        none: "resolved",
        due: "triggered",
        told: "-",
        ack: "acknowledged",
        close: "resolved",
      },
      exhausted: {
        same: "-",
        more: "triggered",
        none: "resolved",
        due: "-",
        told: "-",
        ack: "acknowledged",
        close: "resolved",
      },
      resolved: { same: "-", more: "-", none: "-", due: "-", told: "-", ack: "-", close: "-" },
    });
  });

  it("keeps its promises under any events, and over a restart after each", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(20 * MIN) }),
      fc.record({ kind: fc.constant("flush" as const), firing: fc.subarray(["a", "b", "c"]) }),
      fc.record({ kind: fc.constant("ack" as const) }),
      fc.record({ kind: fc.constant("deliver" as const), ok: fc.boolean() }),
    );
    void fc.assert(
      fc.property(fc.nat(3), fc.nat(2), fc.array(event, { maxLength: 60 }), (repeat, timeout, events) => {
        const p = { ...policy, repeat, ackTimeoutMs: timeout * 5 * MIN };
        let s = begin(p);
        let now = T;
        const keys = new Set<string>();
        for (const e of events) {
          const before = s;
          if (e.kind === "wait") {
            now += e.ms;
            s = transition(p, s, due(now));
          } else if (e.kind === "flush") s = transition(p, s, flushed(now, e.firing));
          else if (e.kind === "ack") s = transition(p, s, ack(now));
          else {
            const page = s.open[0];
            if (page !== undefined) s = transition(p, s, delivered(now, page.key, page.waiting[0] as string, e.ok));
          }
          // JSON is what is on disk.
          expect(JSON.parse(JSON.stringify(s)) as unknown).toEqual(JSON.parse(JSON.stringify({ ...s })));
          s = { ...(JSON.parse(JSON.stringify(s)) as EscalationState), acknowledgement: s.acknowledgement };
          for (const page of s.open) {
            if (before.open.some((x) => x.key === page.key)) continue;
            expect(keys.has(page.key)).toBe(false);
            keys.add(page.key);
            expect(s.status === "triggered" || page.key === "resolved").toBe(true);
          }
          if (s.status === "triggered") expect(s.dueAt).toBeGreaterThan(0);
          if (s.status === "acknowledged") expect(s.open).toEqual([]);
          if (before.status === "resolved") expect(s.status).toBe("resolved");
        }
      }),
    );
  });
});
