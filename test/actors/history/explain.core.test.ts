import { describe, expect, it } from "vitest";
import type { Route } from "../../../src/actors/alert/alertmanager-config.ts";
import type { HistoryEvent } from "../../../src/actors/history/alert-history.ts";
import { makeAlertHistory } from "../../../src/actors/history/alert-history.ts";
import { notificationSubject } from "../../../src/actors/history/event-subjects.ts";
import type { Evidence, RouteSeen } from "../../../src/actors/history/evidence.ts";
import { explain } from "../../../src/actors/history/explain.core.ts";
import { openRecords } from "../../../src/actors/history/read-records.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

const T = Date.parse("2026-01-01T00:00:00Z");
const FP = "00000000000000aa";
const at = (seconds: number) => T + seconds * 1000;
const iso = (seconds: number) => new Date(at(seconds)).toISOString();
const event = (seconds: number, more: Record<string, unknown>): HistoryEvent => ({
  subject: "s",
  time: at(seconds),
  event: { time: iso(seconds), ...more },
  from: "stream",
});
const fired = (seconds: number, more: Record<string, unknown> = {}) =>
  event(seconds, { action: "becameFiring", from: "inactive", to: "firing", value: "9", ...more });
const told = (seconds: number, type: string, more: Record<string, unknown> = {}) =>
  event(seconds, { type, id: "i", receiver: "web", integration: "webhook[0]", firing: [FP], resolved: [], ...more });

const ROUTE: Route = {
  key: "{}",
  receiver: "web",
  escalation: undefined,
  tellsReceiver: true,
  matchers: [],
  continue: false,
  groupByAll: false,
  groupBy: [],
  groupWaitMs: 30_000,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 3_600_000,
  muteTimeIntervals: [],
  activeTimeIntervals: [],
  routes: [],
};

function evidence(over: Partial<Evidence>, route: Partial<RouteSeen> = {}): Evidence {
  const seen: RouteSeen = {
    route: ROUTE,
    groupKey: "{}:{}",
    integrations: ["webhook[0]"],
    muting: [],
    ofThen: true,
    held: undefined,
    events: [],
    escalations: [],
    escalationConfig: { escalations: new Map(), schedules: new Map() },
    ...route,
  };
  return {
    time: at(100),
    now: at(100_000),
    alert: { labels: labelsFromObject({ alertname: "A" }), fingerprint: FP },
    events: [fired(0)],
    ruleEvents: [],
    rules: [],
    active: undefined,
    recomputed: [],
    routes: [seen],
    silence: () => undefined,
    ...over,
  };
}
const verdict = (e: Evidence) => {
  const { verdict, reason, sentence } = explain(e);
  return `${verdict} ${reason}: ${sentence}`;
};

describe("an explanation", () => {
  it("follows one delivery through intent, failing attempts, dead letter and arrival, by the time that is asked about", () => {
    const events = [
      told(10, "intent"),
      told(11, "attempt", { attempt: 1, ok: false, reason: "status 500" }),
      told(40, "result", { ok: false, reason: "status 500 (7 attempts)" }),
      told(60, "intent", { id: "j" }),
      told(61, "result", { id: "j", ok: true }),
    ];
    const when = (seconds: number) => verdict(evidence({ time: at(seconds) }, { events }));
    expect(when(5)).toBe(`not_paged group_interval: Not paged because the group was looked at next at ${iso(10)}.`);
    expect(when(10)).toBe("not_paged delivery_under_way: Not paged because web/webhook[0] is being told.");
    expect(when(20)).toContain(
      "delivery_under_way: Not paged because web/webhook[0] is being told; attempt 1 failed: status 500",
    );
    expect(when(50)).toContain(
      `delivery_failed: Not paged because web/webhook[0] could not be told and was given up at ${iso(40)}: status 500 (7 attempts)`,
    );
    expect(when(100)).toBe(
      `paged repeat_interval: Paged: web was told at ${iso(61)}; nothing new until the repeat interval of 1h is over, at ${iso(3661)}.`,
    );
  });

  it("names a receiver that fails beside the fallback that was told, and when it is tried again", () => {
    const mail = { id: "f", receiver: "mail", integration: "email[0]" };
    const events = [
      told(10, "intent"),
      told(12, "result", { ok: false, reason: "status 400 (1 attempt)" }),
      told(12, "intent", mail),
      told(14, "attempt", { ...mail, attempt: 1, ok: false, reason: "greylisted" }),
      told(20, "result", { ...mail, ok: true }),
    ];
    const failed = `web/webhook[0] could not be told and was given up at ${iso(12)}: status 400 (1 attempt)`;
    const held = { nextFlush: at(310), hasFlushed: true };
    const when = (seconds: number, more: HistoryEvent[] = []) =>
      explain(evidence({ time: at(seconds), now: at(seconds) }, { events: [...events, ...more], held }));
    const { verdict: said, reason, sentence, advice, chain } = when(100);
    expect([said, reason]).toEqual(["paged", "fallback_told"]);
    expect(sentence).toBe(
      `Paged: mail was told at ${iso(20)}; it stands in as the fallback: ${failed}; web is tried again when the group is looked at next, at ${iso(310)}.`,
    );
    expect(advice.join()).toContain("tocsin redrive");
    expect(chain.map((s) => s.because)).toContain("mail/email[0] (fallback) was told");
    expect(when(15)).toMatchObject({
      reason: "delivery_under_way",
      sentence: `Not paged because ${failed}; mail/email[0] is being told; attempt 1 failed: greylisted.`,
    });
    const both = told(16, "result", { ...mail, ok: false, reason: "no such box (2 attempts)" });
    expect(when(17, [both])).toMatchObject({
      reason: "delivery_failed",
      sentence: expect.stringContaining(`${failed}; mail/email[0] could not be told and was given up at ${iso(16)}`),
    });
    // Sent again, it is heard of no more.
    const mended = [told(50, "intent", { id: "r" }), told(51, "result", { id: "r", ok: true })];
    expect(when(100, mended)).toMatchObject({ reason: "repeat_interval", verdict: "paged" });
  });

  it("names what failed beside what was told: another way of the receiver, and another route", () => {
    const slack = { integration: "slack[0]", id: "s" };
    const good = [told(10, "intent"), told(11, "result", { ok: true })];
    const bad = [told(10, "intent", slack), told(12, "result", { ...slack, ok: false, reason: "invalid_auth" })];
    const one = verdict(evidence({}, { events: [...good, ...bad] }));
    expect(one).toContain(
      `paged delivery_failed: Paged: web was told at ${iso(11)}; but web/slack[0] could not be told and was given up at ${iso(12)}: invalid_auth; web is tried again`,
    );
    const first = evidence({}, { events: good });
    const chat = { ...ROUTE, key: '{}/{team="x"}', receiver: "chat" };
    const second = evidence(
      {},
      { route: chat, events: bad.map((x) => ({ ...x, event: { ...x.event, receiver: "chat" } })) },
    );
    const two = explain({ ...first, routes: [...first.routes, ...second.routes] });
    expect(two).toMatchObject({ verdict: "paged", reason: "repeat_interval" });
    expect(two.sentence).toContain(`; on the route {}/{team="x"} to chat: chat/slack[0] could not be told`);
    expect(two.advice.join()).toContain("tocsin redrive");
  });

  it("takes what was told of an earlier firing for another page", () => {
    const events = [
      told(-50, "intent"),
      told(-49, "result", { ok: true }),
      event(5, { type: "group", nextFlush: iso(300) }),
    ];
    expect(verdict(evidence({}, { events }))).toContain("not_paged group_wait: ");
    const quiet = event(10, { type: "quiet", integration: "webhook[0]", lastTold: iso(2), repeatAt: iso(3602) });
    expect(verdict(evidence({}, { events: [...events, quiet] }))).toContain(
      `paged repeat_interval: Paged: web was told at ${iso(2)}`,
    );
  });

  it("holds a record until the next one, and knows what it does not know", () => {
    const muted = event(10, { type: "flush", muting: ["nights"] });
    const open = event(90, { type: "flush" });
    expect(verdict(evidence({ time: at(80) }, { events: [muted, open] }))).toContain("not_paged muted_time_interval: ");
    expect(verdict(evidence({ time: at(95) }, { events: [muted, open] }))).toContain("not_paged not_recorded: ");
    const more = event(10, { type: "flush", silenced: { s: ["another"] }, silencedMore: 3 });
    const { chain } = explain(evidence({}, { events: [more] }));
    expect(chain.map((s) => s.outcome)).toContain("not_recorded");
    const gone = event(10, { type: "flush", silenced: { s1: [FP] }, silencedMore: 0 });
    expect(verdict(evidence({}, { events: [gone] }))).toContain("silenced by silence s1, which is forgotten by now");
  });

  it("tells pending, unseen, over and shadow apart", () => {
    const moved = (more: Record<string, unknown>) =>
      verdict(evidence({ events: [event(0, { action: "x", value: "1", ...more })] }));
    expect(moved({ from: "inactive", to: "pending" })).toContain("pending for: Not paged because it was pending since");
    expect(moved({ from: "pending", to: "unknownPending", reason: "bus_down" })).toContain("pending unknown: ");
    expect(moved({ from: "firing", to: "unknownFiring", reason: "bus_down" })).toContain("not_paged ");
    expect(moved({ from: "firing", to: "resolved", reason: "target_gone" })).toContain(
      "inactive resolved: Not paged because it was over since",
    );
    expect(moved({ from: "inactive", to: "firing", shadow: true })).toContain("not_paged shadow: ");
    expect(verdict(evidence({ events: [], alert: undefined, routes: [] }))).toContain("unknown_alert no_rule: ");
    expect(verdict(evidence({ routes: [] }))).toContain("not_paged no_route: ");
  });

  it("does not take a shadow rule's word for that of a live rule with the same labels", () => {
    const shadow = { shadow: true };
    const arrived = told(2, "result", { ok: true });
    const both = [fired(0), fired(5, shadow)];
    expect(verdict(evidence({ events: both }, { events: [arrived] }))).toContain("paged repeat_interval: Paged: web");
    expect(verdict(evidence({ events: both, time: at(3) }, { events: [arrived] }))).toContain("Paged: web");
    const over = { action: "resolved", from: "firing", to: "resolved" };
    expect(verdict(evidence({ events: [...both, event(6, over)] }))).toContain("not_paged shadow: ");
    expect(verdict(evidence({ events: [...both, event(6, { ...over, ...shadow })] }, { events: [arrived] }))).toContain(
      "Paged: web",
    );
    expect(verdict(evidence({ events: [...both, event(6, over), event(7, { ...over, ...shadow })] }))).toContain(
      "inactive resolved: ",
    );
  });

  it("names the key that makes a shadow rule, the rule's own or the group's, and how it is promoted", () => {
    const rule = (over: Record<string, unknown>) =>
      ({ rule: { name: "A", shadow: true, ...over }, group: { name: "g", file: "/r.yml", intervalMs: 1000 } }) as never;
    const of = (over: Record<string, unknown>, more: Record<string, unknown> = { group: "g" }) =>
      explain(evidence({ rules: [rule(over)], events: [fired(0, { shadow: true, ...more })] })).advice;
    expect(of({})).toEqual([
      "promote the rule: take `shadow` out of the rule A in group g of /r.yml: tocsin rules promote --group g --rule A",
    ]);
    expect(of({ shadowOfGroup: true })).toEqual([
      "promote the rule: the key `shadow` stands on group g of /r.yml; take it out there, or for this rule alone write `shadow: false` to it: tocsin rules promote --group g --rule A (all of the group: tocsin rules promote --group g)",
    ]);
    expect(of({ name: "A b's" })[0]).toContain(`--rule 'A b'\\''s'`);
    expect(of({ shadow: undefined })).toEqual([
      "it was a shadow rule at that time; now it is none, and somebody is told",
    ]);
  });

  it("is of the time that is asked about: a rule that is a shadow rule since paged while it was live", () => {
    const rules = [
      { rule: { name: "A", shadow: true }, group: { name: "g", file: "/r.yml", intervalMs: 1000 } } as never,
    ];
    const events = [told(2, "result", { ok: true })];
    expect(verdict(evidence({ rules }, { events }))).toContain("paged repeat_interval: ");
    // What a client sends is of no rule, whatever its name.
    const received = event(0, { type: "received", action: "firing", endsAt: iso(500) });
    expect(verdict(evidence({ rules, events: [received] }, { events }))).toContain("paged repeat_interval: ");
    const active = { state: "firing", activeAt: at(0), shadow: true } as never;
    expect(verdict(evidence({ rules, events: [], active, now: at(100) }))).toContain("not_paged shadow: ");
  });

  it("says that a rule was promoted or demoted while its alert went on", () => {
    const turned = (seconds: number, action: string) =>
      event(seconds, {
        ...{ action, from: "firing", to: "firing", value: "9" },
        ...(action === "becameShadow" ? { shadow: true } : {}),
      });
    const promoted = [fired(0, { shadow: true }), turned(20, "becameLive")];
    const arrived = told(21, "result", { ok: true });
    const at10 = evidence({ events: promoted, time: at(10) }, { events: [arrived] });
    expect(verdict(at10)).toContain("not_paged shadow: Not paged because its rule is a shadow rule: ");
    const now = evidence({ events: promoted }, { events: [arrived] });
    expect(verdict(now)).toContain(`paged repeat_interval: Paged: web was told at ${iso(21)}`);
    const step = explain(now).chain.find((s) => s.at === iso(20));
    expect(step).toMatchObject({
      outcome: "promoted",
      because:
        "its rule was promoted: a shadow rule until then, a live one from now on; the alert goes on as firing, value 9",
    });
    const demoted = [fired(0), turned(20, "becameShadow")];
    const before = told(1, "result", { ok: true });
    expect(verdict(evidence({ events: demoted, time: at(10) }, { events: [before] }))).toContain("Paged: web");
    const after = evidence({ events: demoted }, { events: [before] });
    expect(verdict(after)).toContain(
      `not_paged shadow: Not paged because its rule is a shadow rule since ${iso(20)}: `,
    );
    expect(explain(after).chain.map((s) => s.outcome)).toContain("demoted");
    expect(JSON.stringify([explain(now), explain(after)])).not.toContain("firing -> firing");
    const pending = event(50, { action: "becameLive", from: "pending", to: "pending", value: "9", activeAt: iso(10) });
    const waiting = evidence({
      events: [pending],
      rules: [{ rule: { name: "A", holdMs: 300_000, lastEvaluation: 1 }, group: { intervalMs: 1000 } } as never],
    });
    expect(verdict(waiting)).toContain(`pending since ${iso(10)}; it fires when it has held for 5m, at ${iso(310)}`);
    const over = event(30, { action: "resolved", from: "firing", to: "resolved", value: "1", shadow: true });
    expect(verdict(evidence({ events: [...demoted, over] }))).toContain(`it was over since ${iso(30)}`);
  });

  it("ends what a client sent when its time is over, without a word of the client", () => {
    const received = event(0, { type: "received", action: "firing", endsAt: iso(50) });
    expect(verdict(evidence({ events: [received], time: at(40) }))).toContain("not_paged ");
    expect(verdict(evidence({ events: [received], time: at(60) }))).toContain("inactive resolved: ");
  });
});

describe("records", () => {
  it("are those of this process where the stream does not answer, and say so", async () => {
    const history = makeAlertHistory(
      () => Promise.reject(new Error("away")),
      () => T,
      3,
    );
    const subject = notificationSubject("web", "{}:{}");
    for (let i = 0; i < 5; i++) history.record(subject, { type: "quiet", time: iso(i), n: i });
    const records = openRecords(history, () => Promise.reject(new Error("the bus is not connected")), T);
    const read = await records.read("notifications", [subject]);
    expect(read.map((e) => [e.event.n, e.from])).toEqual([2, 3, 4].map((n) => [n, "memory"]));
    expect(await records.read("notifications", [notificationSubject("web", '{}:{a="b"}')])).toEqual([]);
    expect([...records.problems]).toEqual([
      `the stream of notifications could not be read (the bus is not connected): only what this process keeps since ${iso(1)}`,
    ]);
  });

  it("are those around the time where there are too many, and it is said which were read", async () => {
    const history = makeAlertHistory(
      () => Promise.resolve(),
      () => T,
    );
    const asked: (number | undefined)[] = [];
    const at = (n: number) => ({ subject: "s", time: T + n * 1000, data: new TextEncoder().encode("{}") });
    const records = openRecords(
      history,
      ({ around }) => {
        asked.push(around);
        return Promise.resolve({ messages: [at(1), at(2), at(7)], truncated: true, begin: T });
      },
      T + 5000,
    );
    await records.read("alerts", ["s"]);
    expect(asked).toEqual([T + 5000]);
    expect([...records.problems]).toEqual([
      `there are more records than can be read at once, so alerts may be missing here (only those from ${iso(1)} to ${iso(7)} were read): give all labels of the alert, or a shorter window`,
    ]);
  });

  it("that were dropped are counted for whoever has an outlet", () => {
    const history = makeAlertHistory(
      () => Promise.resolve(),
      () => T,
    );
    history.watch("rule-transitions", { waiting: () => 4, dropped: () => 2 });
    expect(history.outlets()).toEqual([
      { name: "alert-history", waiting: 0, dropped: 0 },
      { name: "rule-transitions", waiting: 4, dropped: 2 },
    ]);
  });

  it("are told once where stream and process have the same, and what is no record is passed over", async () => {
    const history = makeAlertHistory(
      () => Promise.resolve(),
      () => T,
    );
    history.keep("tocsin.alerts.default.A.1", { time: iso(1), to: "firing" });
    history.keep("tocsin.alerts.default.A.1", { time: iso(2), to: "resolved" });
    const message = (data: string) => ({
      subject: "tocsin.alerts.default.A.1",
      time: T,
      data: new TextEncoder().encode(data),
    });
    const messages = [
      message("no JSON"),
      message(JSON.stringify({ time: iso(1), to: "firing" })),
      message("null"),
      message("[1]"),
    ];
    const records = openRecords(history, () => Promise.resolve({ messages, truncated: false, begin: T }), T);
    const read = await records.read("alerts", ["tocsin.alerts.default.A.*"]);
    expect(read.map((e) => [e.event.to, e.from])).toEqual([
      ["firing", "stream"],
      ["resolved", "memory"],
    ]);
    expect(records.begin("alerts")).toBe(T);
  });
});
