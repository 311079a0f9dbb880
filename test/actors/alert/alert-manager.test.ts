import { it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { type AlertManagerOptions, makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { memoryDisk, posted, type WebhookServer, webhookServer } from "./fixtures.ts";

const START = 1_700_000_000_000;
let hook: WebhookServer;
beforeEach(async () => {
  hook = await webhookServer();
});
afterEach(() => hook.close());

const config = (route: string, more = "") =>
  parseAlertmanagerConfig(
    "alertmanager.yml",
    `route: {receiver: web, ${route}}
receivers:
  - name: web
    webhook_configs: [{url: "${hook.url}/web"}]
  - name: quiet
    webhook_configs: [{url: "${hook.url}/quiet", send_resolved: false}]
${more}`,
  );

function setup(over: Partial<AlertManagerOptions> & Pick<AlertManagerOptions, "config">) {
  const published: Record<string, unknown>[] = [];
  const options: AlertManagerOptions = {
    dataDir: "/alerting",
    disk: memoryDisk(),
    // Shown as of the start; the actors follow the test's clock.
    now: () => START + 1,
    publish: (_subject, payload) => {
      published.push(JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>);
      return Promise.resolve();
    },
    externalUrl: "http://tocsin",
    userAgent: "Tocsin/test",
    onDeath: (notice) => {
      throw new Error(`died: ${notice.detail}`);
    },
    ...over,
  };
  return { manager: makeAlertManager(options), options, published };
}

const begin = Effect.gen(function* () {
  if ((yield* Clock.currentTimeMillis) < START) yield* TestClock.setTime(START);
});
const start = (manager: { run: Effect.Effect<never, unknown, import("effect/Scope").Scope> }) =>
  Effect.andThen(begin, Effect.forkChild(Effect.scoped(manager.run)));
const hooked = (count: number) => Effect.promise(() => hook.waitFor(count));
const now = Clock.currentTimeMillis;
/** Lets the actors act on what they have been told. */
const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
});
const later = (ms: number) => Effect.andThen(Effect.andThen(settle, TestClock.adjust(ms)), settle);

describe("alert manager", () => {
  it.effect("groups after group_wait, tells changes at group_interval, resolved at the end, and then nothing", () =>
    Effect.gen(function* () {
      const { manager, published } = setup({
        config: config("group_by: [alertname], group_wait: 10s, group_interval: 1m, repeat_interval: 1h"),
      });
      yield* start(manager);
      const t = yield* now;
      const far = t + 10_000_000;
      manager.receive([posted({ alertname: "A", host: "1" }, { startsAt: t, endsAt: far })]);
      manager.receive([posted({ alertname: "A", host: "2" }, { startsAt: t, endsAt: far })]);
      manager.receive([posted({ alertname: "B" }, { startsAt: t, endsAt: far })]);
      yield* later(9_999);
      expect(hook.received.length).toBe(0);
      expect((yield* Effect.promise(manager.alerts)).map((a) => a.state)).toEqual([
        "unprocessed",
        "unprocessed",
        "unprocessed",
      ]);
      yield* later(1);
      yield* hooked(2);
      const byKey = new Map(hook.received.map((r) => [r.body.groupKey, r.body]));
      expect([...byKey.keys()].sort()).toEqual([`{}:{alertname="A"}`, `{}:{alertname="B"}`]);
      expect(byKey.get(`{}:{alertname="A"}`)).toEqual({
        receiver: "web",
        status: "firing",
        alerts: ["1", "2"].map((host) => ({
          status: "firing",
          labels: { alertname: "A", host },
          annotations: { summary: "it burns" },
          startsAt: "2023-11-14T22:13:20Z",
          endsAt: "0001-01-01T00:00:00Z",
          generatorURL: "http://tocsin/graph",
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
        })),
        notification_reason: "first notification",
        groupLabels: { alertname: "A" },
        commonLabels: { alertname: "A" },
        commonAnnotations: { summary: "it burns" },
        externalURL: "http://tocsin",
        version: "4",
        groupKey: `{}:{alertname="A"}`,
        truncatedAlerts: 0,
      });
      yield* later(60_000); // nothing new
      const t2 = yield* now;
      manager.receive([posted({ alertname: "A", host: "1" }, { startsAt: t, endsAt: t2 })]);
      yield* later(59_999);
      expect(hook.received.length).toBe(2);
      yield* later(1);
      yield* hooked(3);
      expect(hook.received[2]?.body.alerts.map((a) => a.status)).toEqual(["resolved", "firing"]);
      manager.receive([posted({ alertname: "A", host: "2" }, { startsAt: t, endsAt: t2 })]);
      yield* later(60_000);
      yield* hooked(4);
      expect(hook.received[3]?.body).toMatchObject({ status: "resolved", alerts: [{ labels: { host: "2" } }] });
      yield* later(120_000);
      expect(hook.received.length).toBe(4);
      expect((yield* Effect.promise(manager.groups)).map((g) => g.key)).toEqual([`{}:{alertname="B"}`]);
      expect(manager.stats().integrations[0]).toMatchObject({ receiver: "web", sent: 4, failed: 0 });
      expect(published.map((p) => p.type)).toEqual([
        "intent",
        "intent",
        "result",
        "result",
        "intent",
        "result",
        "intent",
        "result",
      ]);
    }),
  );

  it.effect("a group without group_wait is flushed once, whatever comes one after another before its interval", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_wait: 0s, group_interval: 1m, repeat_interval: 1h") });
      yield* start(manager);
      const t = yield* now;
      for (let host = 0; host < 5; host++) {
        manager.receive([
          posted({ alertname: "A", host: `${host}` }, { startsAt: t - 60_000, endsAt: t + 10_000_000 }),
        ]);
        if (host === 0) yield* hooked(1);
        yield* later(5);
      }
      yield* later(59_000 - 25);
      expect(hook.received.map((r) => r.body.alerts.length)).toEqual([1]);
      yield* later(1_000);
      yield* hooked(2);
      expect(hook.received.map((r) => r.body.alerts.length)).toEqual([1, 5]);
    }),
  );

  it.effect("repeats after repeat_interval", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_wait: 0s, group_interval: 1m, repeat_interval: 3m") });
      yield* start(manager);
      const t = yield* now;
      manager.receive([posted({ alertname: "A" }, { startsAt: t, endsAt: t + 10_000_000 })]);
      yield* hooked(1);
      for (let i = 0; i < 3; i++) yield* later(60_000);
      expect(hook.received.length).toBe(1);
      yield* later(60_000);
      yield* hooked(2);
      const reason = "repeat interval elapsed";
      expect(hook.received[1]?.body).toEqual({ ...hook.received[0]?.body, notification_reason: reason });
    }),
  );

  it.effect("an alert that nobody sends again ends by itself", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_wait: 0s, group_interval: 1m") });
      yield* start(manager);
      manager.receive([posted({ alertname: "A" })]);
      yield* hooked(1);
      for (let i = 0; i < 5; i++) yield* later(60_000);
      yield* hooked(2);
      expect(hook.received[1]?.body.status).toBe("resolved");
    }),
  );

  it.effect("a receiver that fails is tried again with pauses; 4xx is tried again at the next group interval", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_wait: 0s, group_interval: 1m") });
      yield* start(manager);
      const t = yield* now;
      hook.answers.push(500, 503, 200);
      manager.receive([posted({ alertname: "A" }, { startsAt: t, endsAt: t + 10_000_000 })]);
      yield* hooked(1);
      for (const count of [2, 3]) {
        while (hook.received.length < count) yield* later(250);
      }
      expect((yield* now) - t).toBeLessThan(5_000);
      hook.answers.push(400);
      manager.receive([posted({ alertname: "B" }, { startsAt: t, endsAt: t + 10_000_000 })]);
      yield* later(60_000);
      yield* hooked(4);
      yield* later(60_000);
      yield* hooked(5);
      yield* later(120_000);
      expect(hook.received.length).toBe(5);
      const [web] = manager.stats().integrations;
      expect(web).toMatchObject({ sent: 2, failed: 1, requests: 5, requestsFailed: 3 });
    }),
  );

  it.effect("send_resolved: false tells no end, and the next firing is told again", () =>
    Effect.gen(function* () {
      const { manager } = setup({
        config: config("group_wait: 0s, group_interval: 1m, routes: [{matchers: ['team=\"x\"'], receiver: quiet}]"),
      });
      yield* start(manager);
      const t = yield* now;
      const alert = (endsAt: number) => posted({ alertname: "A", team: "x" }, { startsAt: t, endsAt });
      manager.receive([alert(t + 10_000_000)]);
      yield* hooked(1);
      expect(hook.received[0]).toMatchObject({ path: "/quiet", body: { groupKey: `{}/{team="x"}:{}` } });
      yield* later(1000);
      manager.receive([alert(t + 1000)]);
      yield* later(120_000);
      expect(hook.received.length).toBe(1);
      const again = yield* now;
      manager.receive([posted({ alertname: "A", team: "x" }, { startsAt: again, endsAt: again + 10_000_000 })]);
      yield* hooked(2);
      expect(hook.received[1]?.body.status).toBe("firing");
    }),
  );

  it.effect("inhibition: the target is told only when the source is gone", () =>
    Effect.gen(function* () {
      const rule = `inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [host]
`;
      const { manager } = setup({
        config: config("group_by: ['...'], group_wait: 0s, group_interval: 1m", rule),
      });
      yield* start(manager);
      const t = yield* now;
      const far = t + 10_000_000;
      const critical = (endsAt: number) =>
        posted({ alertname: "Down", severity: "critical", host: "1" }, { startsAt: t, endsAt });
      manager.receive([critical(far)]);
      manager.receive([posted({ alertname: "Slow", severity: "warning", host: "1" }, { startsAt: t, endsAt: far })]);
      manager.receive([posted({ alertname: "Slow", severity: "warning", host: "2" }, { startsAt: t, endsAt: far })]);
      yield* hooked(2);
      expect(hook.received.map((r) => r.body.commonLabels.host).sort()).toEqual(["1", "2"]);
      const slow = (yield* Effect.promise(manager.alerts)).find((a) => a.state === "suppressed");
      expect(slow?.labels).toEqual(["alertname", "Slow", "host", "1", "severity", "warning"]);
      yield* later(1000);
      manager.receive([critical(t + 1000)]);
      yield* later(60_000);
      yield* hooked(4);
      const bodies = hook.received.slice(2).map((r) => `${r.body.status} ${r.body.commonLabels.alertname}`);
      expect(bodies.sort()).toEqual(["firing Slow", "resolved Down"]);
    }),
  );

  it.effect("a restart neither repeats nor forgets", () =>
    Effect.gen(function* () {
      const s = setup({ config: config("group_wait: 10s, group_interval: 1m, repeat_interval: 1h") });
      const first = yield* start(s.manager);
      const t = yield* now;
      const alert = (name: string, endsAt = t + 10_000_000) => posted({ alertname: name }, { startsAt: t, endsAt });
      s.manager.receive([alert("A")]);
      yield* later(10_000);
      yield* hooked(1);
      s.manager.receive([alert("B")]);
      yield* settle;
      yield* Fiber.interrupt(first);

      const again = makeAlertManager(s.options);
      yield* start(again);
      again.receive([alert("A")]);
      yield* later(59_999);
      expect(hook.received.length).toBe(1);
      yield* later(1);
      yield* hooked(2); // B, which came in between, at the group's own time
      expect(hook.received[1]?.body.alerts.map((a) => a.labels.alertname)).toEqual(["A", "B"]);
      again.receive([alert("A", t + 70_000), alert("B", t + 70_000)]);
      yield* later(60_000);
      yield* hooked(3);
      expect(hook.received[2]?.body.status).toBe("resolved");
    }),
  );

  it.effect("a new configuration routes what is there, and does not tell again what is told", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_wait: 0s, group_interval: 1m") });
      yield* start(manager);
      const t = yield* now;
      manager.receive([posted({ alertname: "A" }, { startsAt: t, endsAt: t + 10_000_000 })]);
      yield* hooked(1);
      yield* settle;
      manager.reload(config("group_wait: 0s, group_interval: 1m", "# same routes\n"));
      yield* later(60_000);
      expect(hook.received.length).toBe(1);
      manager.reload(config("group_wait: 0s, group_interval: 1m, routes: [{receiver: quiet}]"));
      yield* hooked(2);
      expect(hook.received[1]?.path).toBe("/quiet");
    }),
  );

  it.live("tells a firing alert within 200 ms when group_wait is 0s", () =>
    Effect.gen(function* () {
      const { manager } = setup({ config: config("group_by: ['...'], group_wait: 0s") });
      yield* Effect.forkChild(Effect.scoped(manager.run));
      manager.receive([posted({ alertname: "warm" })]);
      yield* hooked(1);
      const started = performance.now();
      manager.receive([posted({ alertname: "A" })]);
      yield* hooked(2);
      const ms = (hook.received[1]?.at ?? 0) - started;
      yield* Effect.log(`from receive to webhook: ${ms.toFixed(1)} ms`);
      expect(ms).toBeLessThan(200);
    }),
  );
});
