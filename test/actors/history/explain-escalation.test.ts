import { describe, expect, it } from "vitest";
import type { Route } from "../../../src/actors/alert/alertmanager-config.ts";
import { type EscalationEvent, transition, trigger } from "../../../src/actors/escalation/escalation.core.ts";
import type { Escalation } from "../../../src/actors/escalation/escalation-config.ts";
import { explain } from "../../../src/actors/history/explain.core.ts";
import { escalationSteps } from "../../../src/actors/history/explain-escalation.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

const MIN = 60_000;
const T = Date.parse("2026-01-01T00:00:00Z");
const policy: Escalation = {
  name: "ops",
  steps: [
    { afterMs: 0, notify: [{ kind: "receiver", name: "ann" }] },
    { afterMs: 10 * MIN, notify: [{ kind: "receiver", name: "bob" }] },
  ],
  repeat: 1,
  repeatAfterMs: 15 * MIN,
  ackTimeoutMs: 0,
  repageOnNewAlerts: true,
};
const minute = (n: number) => T + n * MIN;
const due = (n: number): EscalationEvent => ({
  type: "due",
  now: minute(n),
  targetsOf: (step) => policy.steps[step]!.notify.map((t) => t.name),
  fallback: ["last"],
});
const told = (n: number, receiver: string, key: string, ok = true): EscalationEvent => ({
  type: "delivered",
  key,
  receiver,
  ok,
  now: minute(n),
});
const ack = (n: number): EscalationEvent => ({
  type: "acknowledge",
  by: "eve",
  via: "api",
  comment: "",
  now: minute(n),
});
const flushed = (n: number, ...firing: string[]): EscalationEvent => ({
  type: "flushed",
  heard: firing,
  allFiring: firing,
  now: minute(n),
});
const after = (p: Escalation, ...events: EscalationEvent[]) =>
  events.reduce(
    (s, e) => transition(p, s, e),
    trigger(p, { id: "e1", group: "g", groupKey: "{}:{}", groupLabels: [] }, ["a"], T),
  );
const FIRST = [due(0), told(0, "ann", "page 0.0.0")];
const SECOND = [due(10), told(10, "bob", "page 0.0.1")];

/** What is said of the time `n` minutes after its beginning. */
function story(n: number, events: readonly EscalationEvent[], p = policy, firedAt = T) {
  const route = { receiver: "last" } as Parameters<typeof escalationSteps>[0]["route"];
  const escalationConfig = { escalations: new Map([["ops", p]]), schedules: new Map() };
  const { steps, ...said } = escalationSteps(
    { escalations: [after(p, ...events)], escalationConfig, route },
    firedAt,
    minute(n),
  );
  const { told, next, acknowledged } = said;
  return { steps, told: told?.whom, next: next?.because, reason: next?.reason, acknowledged, advice: next?.advice };
}

describe("an escalation that goes on", () => {
  it("is explained by its next step, whom that pages and how to stop it", () => {
    const said = story(5, FIRST);
    expect(said).toMatchObject({
      told: "ann",
      reason: "escalation_step",
      next: "step 2 of escalation ops pages bob and comes at 2026-01-01T00:10:00.000Z unless somebody acknowledges before",
      advice: ["acknowledge with: tocsin ack e1"],
    });
    expect(said.steps.at(-1)).toMatchObject({ stage: "escalation", at: "2026-01-01T00:10:00.000Z", outcome: "next" });
    expect(story(0, []).next).toContain("step 1 of escalation ops pages ann and is due since");
    expect(story(11, [...FIRST, ...SECOND]).next).toBe(
      "step 1 of escalation ops, which begins anew, pages ann and comes at 2026-01-01T00:25:00.000Z unless somebody acknowledges before",
    );
    expect(story(36, [...FIRST, ...SECOND, due(25), due(35)]).next).toBe(
      "escalation ops has paged all its steps: it is exhausted at 2026-01-01T00:50:00.000Z unless somebody acknowledges before",
    );
    expect(story(51, [...FIRST, ...SECOND, due(25), due(35), due(50)])).toMatchObject({
      reason: "escalation_exhausted",
      next: expect.stringContaining("is exhausted since 2026-01-01T00:50:00.000Z: nobody is paged again"),
    });
  });

  it("pages the last resort where nobody is on call", () => {
    const empty = { ...policy, steps: [{ afterMs: 5 * MIN, notify: [{ kind: "schedule", name: "gone" } as const] }] };
    expect(story(1, [], empty).next).toContain("step 1 of escalation ops pages last and comes at 2026-01-01T00:05");
  });

  it("is told by what came next where the time is past, and not by how it stands now", () => {
    const events = [...FIRST, ...SECOND, due(25), ack(26)];
    expect(story(5, events).next).toBe("the next page of escalation ops came at 2026-01-01T00:10:00.000Z: step 2: bob");
    expect(story(25, events)).toMatchObject({
      acknowledged: undefined,
      next: "eve (api) acknowledged escalation ops at 2026-01-01T00:26:00.000Z, before its next step",
    });
    expect(story(27, events)).toMatchObject({
      acknowledged: "acknowledged by eve (api) at 2026-01-01T00:26:00.000Z, as long as the alerts fire",
      next: undefined,
    });
    expect(story(5, [...FIRST, flushed(7)]).next).toBe(
      "the alerts of escalation ops ended at 2026-01-01T00:07:00.000Z, before its next step",
    );
    const closed = { type: "close", reason: "no route leads to it any more", now: minute(7) } as const;
    expect(story(5, [...FIRST, closed]).next).toContain("closed at 2026-01-01T00:07:00.000Z, before its next step: no");
    const through = [...FIRST, ...SECOND, due(25), due(35), due(50), flushed(60, "a", "b"), due(60)];
    expect(story(40, through).next).toContain("it was exhausted at 2026-01-01T00:50");
    expect(story(55, through).next).toContain("the next page of escalation ops came at 2026-01-01T01:00");
  });

  it("knows until when an acknowledgement of the past held, and that new alerts may leave it be", () => {
    const timed = { ...policy, ackTimeoutMs: 5 * MIN };
    const events = [...FIRST, ack(1), due(6)];
    expect(story(2, events, timed).acknowledged).toContain("until 2026-01-01T00:06:00.000Z");
    expect(story(6, events, timed).acknowledged).toBe(undefined);
    const more = [...FIRST, ack(1), flushed(3, "a", "b")];
    const quiet = { ...policy, repageOnNewAlerts: false };
    expect(story(4, more, quiet).acknowledged).toContain("acknowledged by eve");
    expect(story(4, more).acknowledged).toBe(undefined);
    expect(story(4, [...more, due(3)]).acknowledged).toBe(undefined);
    expect(story(4, more).next).toContain("step 1 of escalation ops pages ann and is due since 2026-01-01T00:03");
  });

  it("does not take what was told before an alert came for a page about it", () => {
    expect(story(4, [...FIRST, flushed(3, "a", "b")], policy, minute(2))).toMatchObject({
      told: undefined,
      next: expect.stringContaining("step 2 of escalation ops pages bob"),
    });
  });

  it("makes the sentence: nothing is said of a repeat interval while somebody else is paged next", () => {
    const escalationConfig = { escalations: new Map([["ops", policy]]), schedules: new Map() };
    const route: Route = {
      ...{ key: "{}", receiver: "last", escalation: "ops", tellsReceiver: false, matchers: [], continue: false },
      ...{ groupByAll: false, groupBy: [], groupWaitMs: 0, groupIntervalMs: 300_000, repeatIntervalMs: 3_600_000 },
      ...{ muteTimeIntervals: [], activeTimeIntervals: [], routes: [] },
    };
    const seen = { route, groupKey: "{}:{}", integrations: ["webhook[0]"], muting: [], ofThen: true, held: undefined };
    const fired = {
      time: new Date(T).toISOString(),
      action: "becameFiring",
      from: "inactive",
      to: "firing",
      value: "9",
    };
    const { verdict, reason, sentence } = explain({
      time: minute(5),
      now: minute(5),
      alert: { labels: labelsFromObject({ alertname: "A" }), fingerprint: "aa" },
      events: [{ subject: "s", time: T, event: fired, from: "stream" }],
      ...{ ruleEvents: [], rules: [], active: undefined, recomputed: [], silence: () => undefined },
      routes: [{ ...seen, events: [], escalations: [after(policy, ...FIRST)], escalationConfig }],
    });
    expect([verdict, reason]).toEqual(["paged", "escalation_step"]);
    expect(sentence).toBe(
      "Paged: ann was told at 2026-01-01T00:00:00.000Z; step 2 of escalation ops pages bob and comes at 2026-01-01T00:10:00.000Z unless somebody acknowledges before.",
    );
  });
});
