import { it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { type AlertManager, makeAlertManager } from "../../src/actors/alert/alert-manager.ts";
import type { AlertmanagerConfig } from "../../src/actors/alert/alertmanager-config.ts";
import { parseAlertmanagerConfig } from "../../src/actors/alert/load-config.ts";
import {
  type Delivered,
  makeCounters,
  makeReceiverMailbox,
  receiverActor,
} from "../../src/actors/notify/receiver.actor.ts";
import { makeRuleManager, type RuleManager, type RuleManagerOptions } from "../../src/actors/rule/rule-manager.ts";
import type { RuleGroupSpec } from "../../src/actors/rule/rule-spec.ts";
import { KEEP_TRYING, oneForOne } from "../../src/actors/runtime/supervisor.ts";
import type { PostedAlert } from "../../src/model/alerts.ts";
import { memoryDisk, posted, type WebhookServer, webhookServer } from "./alert/fixtures.ts";
import { defect, failsOnce, pass, until, wait, watchDeaths } from "./crash-watch.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine } from "./rule/fixtures.ts";

const START = 1_700_000_000_000;
const begin = TestClock.setTime(START);

describe("a rule group that dies", () => {
  const setup = (groups: readonly RuleGroupSpec[], over: Partial<RuleManagerOptions> = {}) => {
    const watch = watchDeaths();
    const engine = scriptedEngine();
    const sent: PostedAlert[] = [];
    const sink = failsOnce((alerts: readonly PostedAlert[]) => void sent.push(...alerts));
    const manager = makeRuleManager(
      {
        engine,
        ingest: recordingIngest(),
        sink,
        publish: () => Promise.resolve(),
        dataDir: "/alerting",
        disk: memoryDisk(),
        externalLabels: {},
        externalUrl: "http://tocsin",
        onDeath: watch.onDeath,
        ...over,
      },
      groups,
    );
    const run = oneForOne(
      "alerting",
      [{ id: "rules", restart: "permanent", run: manager.run }],
      KEEP_TRYING,
      watch.onDeath,
    );
    return { watch, engine, sent, manager, start: Effect.forkChild(Effect.provide(run, watch.log)) };
  };
  const evaluations = (manager: RuleManager) => manager.stats().groups.map((g) => g.evaluations);
  const stateOf = (manager: RuleManager, name: string) => manager.alerts().find((a) => a.labels.includes(name));

  it.effect(
    "goes on where it was: firing alerts are told, pending clocks run on, the other group notices nothing",
    () =>
      Effect.gen(function* () {
        yield* begin;
        const waiting = alertingRule({ name: "Waiting", query: "waiting", holdMs: 60_000 });
        const now = alertingRule({ name: "Now", query: "now" });
        const s = setup([ruleGroup([waiting, now]), ruleGroup([alertingRule({ name: "Other" })], { name: "other" })]);
        s.engine.answers.waiting = [[{ host: "a" }, 1]];
        yield* s.start;
        yield* pass(() => stateOf(s.manager, "Waiting") !== undefined);
        const since = stateOf(s.manager, "Waiting")?.activeAt;
        // The alert manager's ear throws at the first firing alert.
        s.engine.answers.now = [[{ host: "b" }, 2]];
        yield* pass(() => s.watch.notices.length > 0);
        const died = yield* Clock.currentTimeMillis;
        const before = evaluations(s.manager)[1] as number;
        yield* pass(() => s.sent.some((a) => a.labels.includes("Waiting")));
        expect(s.sent[0]?.labels).toContain("Now");
        expect(stateOf(s.manager, "Waiting")).toMatchObject({ state: "firing", activeAt: since });
        // By the clock that began before the death: 60 s after, at the next tick.
        const firedAt = s.sent.find((a) => a.labels.includes("Waiting"))?.startsAt as number;
        expect(firedAt - (since as number)).toBe(60_000);
        const lasted = ((yield* Clock.currentTimeMillis) - died) / 10_000;
        expect((evaluations(s.manager)[1] as number) - before).toBeGreaterThanOrEqual(Math.floor(lasted));
        expect(s.watch.notices).toMatchObject([
          { supervisor: "rules", child: "/rules/test.yml;g", kind: "failure", action: "restart" },
        ]);
        expect(yield* Effect.promise(s.watch.counted)).toEqual({ "rules//rules/test.yml;g": 1 });
        expect(s.watch.lines).toContainEqual(
          expect.stringMatching(/^rules\/\/rules\/test.yml;g died \(TypeError: a fault/),
        );
      }),
  );

  it.effect(
    "an engine that throws what nobody foresaw kills nothing: the rule is unhealthy, its alert goes on firing",
    () =>
      Effect.gen(function* () {
        yield* begin;
        const s = setup([ruleGroup([alertingRule()])], { sink: () => {} });
        s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
        yield* s.start;
        yield* pass(() => stateOf(s.manager, "HighLoad")?.state === "firing");
        const { instant } = s.engine;
        Object.assign(s.engine, { instant: failsOnce(instant) });
        yield* pass(() => s.manager.stats().groups[0]?.failures === 1);
        expect(s.manager.rules()[0]?.rules[0]).toMatchObject({
          health: "err",
          state: "firing",
          lastError: "a fault for the test",
        });
        yield* pass(() => s.manager.rules()[0]?.rules[0]?.health === "ok");
        expect(stateOf(s.manager, "HighLoad")?.state).toBe("firing");
        expect(s.watch.notices).toEqual([]);
      }),
  );

  it.effect("the rule manager itself comes back with its groups", () =>
    Effect.gen(function* () {
      yield* begin;
      const disk = memoryDisk();
      const makeDir = failsOnce(disk.makeDir);
      const s = setup([ruleGroup([alertingRule()])], { disk: { ...disk, makeDir } });
      yield* s.start;
      yield* pass(() => evaluations(s.manager)[0] === 2);
      expect(s.watch.notices).toMatchObject([{ supervisor: "alerting", child: "rules", action: "restart" }]);
    }),
  );

  it.effect("transitions reach the bus although publishing throws once", () =>
    Effect.gen(function* () {
      yield* begin;
      const subjects: string[] = [];
      const publish = failsOnce((subject: string) => {
        subjects.push(subject);
        return Promise.resolve();
      });
      const s = setup([ruleGroup([alertingRule()])], { publish, sink: () => {} });
      s.engine.answers["load > 1"] = [[{ host: "a" }, 3]];
      yield* s.start;
      yield* pass(() => subjects.length > 0);
      expect(publish.struck()).toBe(true);
      expect(subjects.map((s) => s.replace(/[^.]+$/, "<alert>"))).toEqual(["tocsin.alerts.default.HighLoad.<alert>"]);
      expect(s.watch.notices).toEqual([]);
      expect(s.watch.lines).toContainEqual(expect.stringMatching(/^rule-transitions: events wait/));
    }),
  );
});

describe("alert manager", () => {
  let hook: WebhookServer;
  beforeEach(async () => {
    hook = await webhookServer();
  });
  afterEach(() => hook.close());

  const config = (): AlertmanagerConfig =>
    parseAlertmanagerConfig(
      "alertmanager.yml",
      `route:
  receiver: a
  group_by: [alertname]
  group_wait: 0s
  group_interval: 10s
  routes: [{ receiver: b, matchers: ["to = b"] }]
receivers:
  - { name: a, webhook_configs: [{ url: "${hook.url}/a" }] }
  - { name: b, webhook_configs: [{ url: "${hook.url}/b" }] }
`,
    );
  const setup = (over: Partial<Parameters<typeof makeAlertManager>[0]> = {}) => {
    const watch = watchDeaths();
    const manager: AlertManager = makeAlertManager({
      config: config(),
      dataDir: "/alerting",
      disk: memoryDisk(),
      publish: () => Promise.resolve(),
      externalUrl: "http://tocsin",
      userAgent: "Tocsin/test",
      now: () => START + 1,
      onDeath: watch.onDeath,
      ...over,
    });
    const child = { id: "alert-manager", restart: "permanent", run: manager.run } as const;
    const run = oneForOne("alerting", [child], KEEP_TRYING, watch.onDeath);
    return { watch, manager, start: Effect.forkChild(Effect.provide(run, watch.log)) };
  };
  const firing = (alertname: string, more: Record<string, string> = {}) =>
    posted({ alertname, ...more }, { startsAt: START, endsAt: START + 86_400_000 });
  const told = (path: string) => hook.received.filter((r) => r.path === path).map((r) => r.body.groupLabels.alertname);

  it.effect("that dies of a message keeps its alerts, and groups go on being told", () =>
    Effect.gen(function* () {
      yield* begin;
      const s = setup();
      yield* s.start;
      s.manager.receive([firing("Before")]);
      yield* until(() => hook.received.length === 1);
      yield* wait(10);
      s.manager.receive([null as unknown as PostedAlert, firing("Lost with the message")]);
      s.manager.receive([firing("After")]);
      yield* until(() => s.watch.notices.length === 1);
      expect(s.watch.notices).toMatchObject([{ supervisor: "alerting", child: "alert-manager", action: "restart" }]);
      yield* wait(200);
      yield* until(() => told("/a").includes("After"));
      const names = (yield* Effect.promise(s.manager.alerts)).map((a) => a.labels[1]);
      expect(names.sort()).toEqual(["After", "Before"]);
      expect(told("/a")).toEqual(["Before", "After"]);
      expect(yield* Effect.promise(s.watch.counted)).toEqual({ "alerting/alert-manager": 1 });
    }),
  );

  it.effect("that died tells the groups from before its death what is new in them", () =>
    Effect.gen(function* () {
      yield* begin;
      const s = setup();
      yield* s.start;
      s.manager.receive([firing("Before")]);
      yield* until(() => hook.received.length === 1);
      s.manager.receive([null as unknown as PostedAlert]);
      yield* until(() => s.watch.notices.length === 1);
      yield* wait(200);
      s.manager.receive([firing("Before", { host: "2" })]);
      yield* wait(10_000);
      yield* until(() => hook.received.length === 2, 3000);
      expect(hook.received[1]?.body.alerts).toHaveLength(2);
    }),
  );

  it.effect("a group that dies is told at its next interval; other groups notice nothing", () =>
    Effect.gen(function* () {
      yield* begin;
      const made = config();
      const webhook = made.receivers[0]?.integrations[0] as object;
      const maxAlerts = failsOnce(() => 0);
      Object.defineProperty(webhook, "maxAlerts", { get: maxAlerts });
      const s = setup({ config: made });
      yield* s.start;
      s.manager.receive([firing("Dies")]);
      yield* until(() => s.watch.notices.length === 1);
      s.manager.receive([firing("Other", { to: "b" })]);
      yield* until(() => told("/b").length === 1);
      yield* wait(200);
      expect(told("/a")).toEqual([]);
      yield* wait(9800);
      yield* until(() => told("/a").length === 1);
      const child = 'a {}:{alertname="Dies"} #1';
      expect(s.watch.notices).toMatchObject([{ supervisor: "alert-groups", child, action: "restart" }]);
      expect(yield* Effect.promise(s.watch.counted)).toEqual({ [`alert-groups/${child}`]: 1 });
    }),
  );

  it.effect("a receiver whose delivery throws answers it, and delivers the next one", () =>
    Effect.gen(function* () {
      yield* begin;
      const watch = watchDeaths();
      const mailbox = makeReceiverMailbox("a");
      const counters = makeCounters();
      const countersOf = failsOnce(
        () => counters,
        () => struck,
      );
      let struck = false;
      const child = { id: "a", restart: "permanent", run: receiverActor("a", mailbox, countersOf) } as const;
      yield* Effect.forkChild(Effect.provide(oneForOne("receivers", [child], KEEP_TRYING, watch.onDeath), watch.log));
      const outcomes: Delivered[] = [];
      const delivery = (attempt: () => Promise<{ ok: true }>) => ({
        alerts: [],
        attempt,
        deadline: START + 60_000,
        failed: () => {},
        done: (o: Delivered) => void outcomes.push(o),
      });
      // Of the attempt: tried again.
      mailbox.offer(delivery(failsOnce(() => Promise.resolve({ ok: true as const }))));
      yield* pass(() => outcomes.length > 0, 100);
      expect(outcomes[0]).toEqual({ ok: true });
      expect(watch.notices).toEqual([]);
      // Of the actor itself: it comes back, and goes on with what waits.
      struck = true;
      mailbox.offer(delivery(() => Promise.resolve({ ok: true })));
      mailbox.offer(delivery(() => Promise.resolve({ ok: true })));
      yield* pass(() => watch.notices.length === 1 && counters.sent === 2, 100);
      expect(watch.notices).toMatchObject([
        { supervisor: "receivers", child: "a", reason: `TypeError: ${defect().message}` },
      ]);
    }),
  );

  it.effect("a disk that throws what nobody foresaw does not silence notifications", () =>
    Effect.gen(function* () {
      yield* begin;
      const disk = memoryDisk();
      const s = setup({ disk });
      yield* s.start;
      yield* until(() => disk.files.size > 0);
      yield* wait(10);
      Object.assign(disk, { open: () => Promise.reject(defect()), rename: () => Promise.reject(defect()) });
      s.manager.receive([firing("Now")]);
      yield* until(() => told("/a").length === 1);
      yield* pass(() => s.watch.lines.some((l) => l.startsWith("alerts not saved")));
      expect(s.watch.notices).toEqual([]);
    }),
  );
});
