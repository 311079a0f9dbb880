import { assert, it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { makeRuleManager, type RuleManager, type RuleManagerOptions } from "../../../src/actors/rule/rule-manager.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { RESET_GAUGE, RESET_YES } from "../../../src/model/histogram.ts";
import { TryLater } from "../../../src/model/ingest.ts";
import { QueryError } from "../../../src/model/query.ts";
import {
  alertingRule,
  freshFolder,
  histogramOf,
  recordingIngest,
  recordingRule,
  ruleGroup,
  scriptedEngine,
  summary,
  until,
} from "./fixtures.ts";

const decoder = new TextDecoder();

function setup(groups: readonly RuleGroupSpec[], over: Partial<RuleManagerOptions> = {}) {
  const engine = scriptedEngine();
  const ingest = recordingIngest();
  const sent: PostedAlert[][] = [];
  const published: Record<string, unknown>[] = [];
  const options: RuleManagerOptions = {
    engine,
    ingest,
    sink: (alerts) => sent.push([...alerts]),
    publish: (_subject, payload) => {
      published.push(JSON.parse(decoder.decode(payload)) as Record<string, unknown>);
      return Promise.resolve();
    },
    dataDir: freshFolder(),
    externalLabels: {},
    externalUrl: "http://tocsin",
    onDeath: () => {},
    ...over,
  };
  return { engine, ingest, sent, published, options, manager: makeRuleManager(options, groups) };
}

const START = 1_700_000_000_000;

/** Starts the manager, at a time of this century. */
const start = (manager: RuleManager) =>
  Effect.gen(function* () {
    if ((yield* Clock.currentTimeMillis) < START) yield* TestClock.setTime(START);
    return yield* Effect.forkChild(Effect.scoped(manager.run));
  });

/** Moves the clock to the next tick and waits for its evaluation to end (the actor sleeps again). */
const nextTick = (manager: RuleManager, intervalMs = 10_000, group = 0) =>
  Effect.gen(function* () {
    yield* Effect.promise(() => until(() => manager.stats().groups[group] !== undefined));
    const before = manager.stats().groups[group]?.evaluations ?? 0;
    yield* settle;
    yield* TestClock.adjust(intervalMs);
    yield* Effect.promise(() => until(() => (manager.stats().groups[group]?.evaluations ?? 0) > before));
    yield* settle;
  });

/** Sets other groups, and waits until they are there: the first has evaluated nothing yet. */
const reloaded = (manager: RuleManager, groups: readonly RuleGroupSpec[]) =>
  Effect.gen(function* () {
    manager.reload(groups);
    yield* Effect.promise(() => until(() => manager.stats().groups[0]?.evaluations === 0));
    yield* settle;
  });

/** Lets what an evaluation does not wait for (samples, events) get through. */
const settle = Effect.promise(async () => {
  for (let i = 0; i < 5; i++) await new Promise((r) => setImmediate(r));
});

describe("rule manager", () => {
  it.effect("pending, firing, resolved: states, series and transitions", () =>
    Effect.gen(function* () {
      const s = setup([ruleGroup([alertingRule({ holdMs: 20_000, labels: { severity: "page" } })])]);
      s.engine.answers["load > 1"] = [[{ __name__: "load", host: "a" }, 3]];
      yield* start(s.manager);
      yield* nextTick(s.manager);
      const [group] = s.manager.rules();
      const rule = group?.rules[0];
      assert.isTrue(rule?.type === "alerting" && rule.state === "pending" && rule.health === "ok");
      expect(s.sent).toEqual([]);
      yield* nextTick(s.manager);
      yield* nextTick(s.manager);
      const [firing] = s.sent;
      expect(firing?.[0]?.labels).toEqual(["alertname", "HighLoad", "host", "a", "severity", "page"]);
      expect(s.manager.alerts()).toMatchObject([{ state: "firing", value: 3 }]);
      s.engine.answers["load > 1"] = [];
      yield* nextTick(s.manager);
      const last = s.sent.at(-1)?.[0] as PostedAlert;
      expect(summary(last, last.endsAt as number)).toContain("resolved");
      expect(s.manager.alerts()).toEqual([]);
      expect(s.published.map((p) => p.action)).toEqual(["becamePending", "becameFiring", "becameResolved"]);
      const t = s.engine.asked.map((a) => a.time);
      expect(s.ingest.lines).toEqual([
        `${t[0]} ALERTS{alertname="HighLoad", alertstate="pending", host="a", severity="page"} 1`,
        `${t[0]} ALERTS_FOR_STATE{alertname="HighLoad", host="a", severity="page"} ${Math.floor((t[0] as number) / 1000)}`,
        `${t[1]} ALERTS{alertname="HighLoad", alertstate="pending", host="a", severity="page"} 1`,
        `${t[1]} ALERTS_FOR_STATE{alertname="HighLoad", host="a", severity="page"} ${Math.floor((t[0] as number) / 1000)}`,
        `${t[2]} ALERTS{alertname="HighLoad", alertstate="firing", host="a", severity="page"} 1`,
        `${t[2]} ALERTS_FOR_STATE{alertname="HighLoad", host="a", severity="page"} ${Math.floor((t[0] as number) / 1000)}`,
        `${t[2]} ALERTS{alertname="HighLoad", alertstate="pending", host="a", severity="page"} stale`,
        `${t[3]} ALERTS{alertname="HighLoad", alertstate="firing", host="a", severity="page"} stale`,
        `${t[3]} ALERTS_FOR_STATE{alertname="HighLoad", host="a", severity="page"} stale`,
      ]);
    }),
  );

  it.effect(
    "a rule that turns to shadow and back over a reload: alerts end with the reason and come again, clocks go on",
    () =>
      Effect.gen(function* () {
        const live = alertingRule({ name: "A", holdMs: 10_000 });
        const beside = alertingRule({ name: "A", query: "b", labels: { candidate: "yes" }, shadow: true });
        const s = setup([ruleGroup([live, beside])]);
        s.engine.answers = { "load > 1": [[{ host: "a" }, 3]], b: [[{ host: "b" }, 3]] };
        yield* start(s.manager);
        yield* nextTick(s.manager);
        yield* nextTick(s.manager);
        const told = () => s.sent.splice(0).flat();
        expect(told().map((a) => a.labels)).toEqual([["alertname", "A", "host", "a"]]);
        const since = s.manager.alerts().map((a) => a.activeAt);
        // The live rule of a shadow rule's name is counted beside it.
        const fired = () => s.manager.rules()[0]?.rules.map((r) => r.type === "alerting" && r.tally?.fired);
        expect(fired()).toEqual([1, 1]);
        yield* reloaded(s.manager, [ruleGroup([{ ...live, shadow: true }, beside])]);
        yield* nextTick(s.manager);
        expect(told()).toMatchObject([{ labels: ["alertname", "A", "host", "a"], sight: { reason: "shadow" } }]);
        yield* nextTick(s.manager);
        expect(told()).toEqual([]);
        expect(s.ingest.lines.filter((l) => l.includes(" ALERTS{")).at(-1)).toMatch(/stale$/);
        yield* reloaded(s.manager, [ruleGroup([live, beside])]);
        yield* nextTick(s.manager);
        expect(told().map((a) => a.labels)).toEqual([["alertname", "A", "host", "a"]]);
        expect(s.manager.alerts().map((a) => a.activeAt)).toEqual(since);
        expect(s.ingest.lines.filter((l) => l.includes(" ALERTS{")).at(-1)).toMatch(/ 1$/);
        expect(s.published.filter((p) => p.action === "becameShadow" || p.action === "becameLive")).toMatchObject([
          { action: "becameShadow", shadow: true, to: "firing" },
          { action: "becameLive", to: "firing" },
        ]);
      }),
  );

  it.effect("a failed query and a partial result resolve nothing, and firing goes on being sent", () =>
    Effect.gen(function* () {
      const s = setup([ruleGroup([alertingRule()])], { resendDelayMs: 5000 });
      s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
      yield* start(s.manager);
      yield* nextTick(s.manager);
      s.engine.answers["load > 1"] = new QueryError("timeout", "query timed out");
      yield* nextTick(s.manager);
      expect(s.manager.rules()[0]?.rules[0]).toMatchObject({
        health: "err",
        lastError: "query timed out",
        state: "firing",
      });
      s.engine.answers["load > 1"] = [];
      s.engine.partial = true;
      yield* nextTick(s.manager);
      expect(s.manager.rules()[0]?.rules[0]).toMatchObject({ health: "err", state: "firing" });
      expect(s.sent.length).toBe(3);
      for (const [alert] of s.sent) expect(alert?.endsAt).toBeGreaterThan(alert?.startsAt as number);
      s.engine.partial = false;
      yield* nextTick(s.manager);
      expect(s.manager.rules()[0]?.rules[0]).toMatchObject({ health: "ok", state: "inactive", lastError: "" });
      expect(s.manager.stats().groups[0]).toMatchObject({ evaluations: 4, failures: 2 });
    }),
  );

  it.effect("recording rules write their series and end those that vanish; the bus being down loses nothing", () =>
    Effect.gen(function* () {
      const s = setup([ruleGroup([recordingRule({ labels: { team: "x" } })])]);
      s.engine.answers["sum(load)"] = [
        [{ job: "a" }, 1],
        [{ job: "b" }, 2],
      ];
      s.ingest.failWith = new TryLater("bus_unavailable", 503, 1, "down");
      yield* start(s.manager);
      yield* nextTick(s.manager);
      expect(s.ingest.lines).toEqual([]);
      s.ingest.failWith = undefined;
      s.engine.answers["sum(load)"] = [[{ job: "a" }, 5]];
      yield* nextTick(s.manager);
      const [t0, t1] = s.engine.asked.map((a) => a.time);
      expect(s.ingest.lines).toEqual([
        `${t0} job:load:sum{job="a", team="x"} 1`,
        `${t0} job:load:sum{job="b", team="x"} 2`,
        `${t1} job:load:sum{job="a", team="x"} 5`,
        `${t1} job:load:sum{job="b", team="x"} stale`,
      ]);
    }),
  );

  it.effect("recording rules write native histograms; one that cannot be stored is told, the others are recorded", () =>
    Effect.gen(function* () {
      const s = setup([ruleGroup([recordingRule()])]);
      s.engine.answers["sum(load)"] = [
        [{ job: "a" }, histogramOf({ resetHint: RESET_YES })],
        [{ job: "b" }, 2],
        [{ job: "c" }, histogramOf({ resetHint: RESET_GAUGE, schema: 1 })],
      ];
      s.ingest.failWith = new TryLater("bus_unavailable", 503, 1, "down");
      yield* start(s.manager);
      yield* nextTick(s.manager);
      s.ingest.failWith = undefined;
      const negative = histogramOf({ positive: [-1, 4] });
      s.engine.answers["sum(load)"] = [
        [{ job: "a" }, negative],
        [{ job: "c" }, histogramOf()],
      ];
      yield* nextTick(s.manager);
      const [t0, t1] = s.engine.asked.map((a) => a.time);
      expect(s.ingest.lines).toEqual([
        `${t0} job:load:sum{job="a"} {{count:3 sum:2.5 buckets:[1 2]}}`,
        `${t0} job:load:sum{job="b"} 2`,
        `${t0} job:load:sum{job="c"} {{schema:1 count:3 sum:2.5 counter_reset_hint:gauge buckets:[1 2]}}`,
        `${t1} job:load:sum{job="c"} {{count:3 sum:2.5 buckets:[1 2]}}`,
        `${t1} job:load:sum{job="a"} stale`,
        `${t1} job:load:sum{job="b"} stale`,
      ]);
      expect(s.manager.rules()[0]?.rules[0]).toMatchObject({
        health: "err",
        lastError: 'histogram not recorded: job:load:sum{job="a"}: bucket 0 has the negative count -1',
      });
    }),
  );

  it.effect("an alert over a native histogram has the value 0, its texts see the histogram", () =>
    Effect.gen(function* () {
      const annotations = { text: "{{ $value }}: {{ $value.Count }} of {{ .Value.Sum }}" };
      const s = setup([ruleGroup([alertingRule({ annotations })])]);
      s.engine.answers["load > 1"] = [[{ __name__: "load" }, histogramOf()]];
      yield* start(s.manager);
      yield* nextTick(s.manager);
      expect(s.manager.alerts()).toMatchObject([
        {
          state: "firing",
          value: 0,
          annotations: { text: "{count:3, sum:2.5, (0.5,1]:1, (1,2]:2}: 3 of 2.5" },
        },
      ]);
    }),
  );

  it.effect("a restart keeps pending clocks and firing alerts", () =>
    Effect.gen(function* () {
      const groups = [ruleGroup([alertingRule({ holdMs: 30_000 }), alertingRule({ name: "Now", query: "up == 0" })])];
      const s = setup(groups);
      s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
      s.engine.answers["up == 0"] = [[{ host: "b" }, 0]];
      const first = yield* start(s.manager);
      yield* nextTick(s.manager);
      yield* nextTick(s.manager);
      const before = s.manager.alerts();
      expect(before.map((a) => a.state)).toEqual(["pending", "firing"]);
      yield* Fiber.interrupt(first);

      const again = makeRuleManager(s.options, groups);
      yield* start(again);
      yield* Effect.promise(() => until(() => again.alerts().length === 2));
      expect(again.alerts()).toEqual(before);
      yield* nextTick(again);
      yield* nextTick(again);
      expect(again.alerts().map((a) => [a.state, a.activeAt])).toEqual(before.map((a) => ["firing", a.activeAt]));
      // Told again after the restart with the same start: the alert manager sees one alert.
      const starts = s.sent
        .flat()
        .filter((a) => a.labels[1] === "Now")
        .map((a) => a.startsAt);
      expect(new Set(starts).size).toBe(1);
    }),
  );

  it.effect("a restart tells what fires before it looks again: the one before may have died with it untold", () =>
    Effect.gen(function* () {
      const groups = [ruleGroup([alertingRule()])];
      const s = setup(groups);
      s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
      const first = yield* start(s.manager);
      yield* nextTick(s.manager);
      yield* Fiber.interrupt(first);
      s.sent.length = 0;
      s.engine.answers["load > 1"] = [];
      const again = makeRuleManager(s.options, groups);
      yield* start(again);
      yield* nextTick(again);
      const told = s.sent.flat().map((a) => (a.endsAt as number) > (a.startsAt as number) + 30_000);
      expect(told).toEqual([true, false]);
    }),
  );

  it.effect("right after a long gap, absence is not taken as the end", () =>
    Effect.gen(function* () {
      const groups = [ruleGroup([alertingRule()])];
      const s = setup(groups);
      s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
      const first = yield* start(s.manager);
      yield* nextTick(s.manager);
      yield* Fiber.interrupt(first);
      yield* TestClock.adjust(60_000);
      s.engine.answers["load > 1"] = [];
      const again = makeRuleManager(s.options, groups);
      yield* start(again);
      yield* nextTick(again);
      expect(again.alerts().map((a) => a.state)).toEqual(["firing"]);
      for (let i = 0; i < 14; i++) yield* nextTick(again);
      expect(again.alerts()).toEqual([]);
    }),
  );

  it.effect("reload: unchanged groups go on, changed ones keep alerts, removed ones end their series", () =>
    Effect.gen(function* () {
      const stays = ruleGroup([alertingRule({ name: "Stays" })], { name: "stays" });
      const edited = ruleGroup([alertingRule({ name: "Edited", query: "q1" }), recordingRule()], { name: "edited" });
      const goes = ruleGroup([recordingRule({ name: "gone", query: "q3" })], { name: "goes" });
      const s = setup([stays, edited, goes]);
      s.engine.answers = { "load > 1": [[{}, 1]], q1: [[{}, 1]], q2: [[{}, 1]], q3: [[{}, 7]], "sum(load)": [[{}, 9]] };
      yield* start(s.manager);
      for (const i of [0, 1, 2]) {
        yield* Effect.promise(() => until(() => s.manager.stats().groups[i] !== undefined));
      }
      yield* nextTick(s.manager);
      yield* Effect.promise(() => until(() => s.manager.stats().groups.every((g) => g.evaluations > 0)));
      yield* settle;
      const activeAt = s.manager.alerts().map((a) => a.activeAt);
      s.manager.reload([stays, ruleGroup([alertingRule({ name: "Edited", query: "q2" })], { name: "edited" })]);
      yield* Effect.promise(() =>
        until(() => s.manager.rules().length === 2 && s.manager.rules()[1]?.rules.length === 1),
      );
      yield* settle;
      expect(s.manager.stats().groups[0]?.evaluations).toBe(1);
      expect(s.manager.alerts().map((a) => a.activeAt)).toEqual(activeAt);
      expect(s.ingest.lines.filter((l) => l.endsWith("stale")).map((l) => l.split(" ")[1])).toEqual([
        "job:load:sum",
        "gone",
      ]);
    }),
  );

  it.effect("ticks that were missed are evaluated in order, up to a bound", () =>
    Effect.gen(function* () {
      const s = setup([ruleGroup([alertingRule()])], { catchUpTicks: 2 });
      yield* start(s.manager);
      yield* nextTick(s.manager);
      yield* TestClock.adjust(100_000);
      const [begin] = s.engine.asked;
      const last = (begin?.time as number) + 100_000;
      yield* Effect.promise(() =>
        until(
          () =>
            s.engine.asked.at(-1)?.time === last && s.manager.stats().groups[0]?.evaluations === s.engine.asked.length,
        ),
      );
      const times = s.engine.asked.map((a) => a.time);
      const group = s.manager.stats().groups[0];
      expect(group?.missed).toBeGreaterThan(4);
      expect((group?.missed ?? 0) + (group?.evaluations ?? 0)).toBe(11);
      expect([...times].sort((a, b) => a - b)).toEqual(times);
    }),
  );
});
