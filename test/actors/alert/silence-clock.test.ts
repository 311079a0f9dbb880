import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { memoryDisk, posted, type WebhookServer, webhookServer } from "./fixtures.ts";

const START = 1_700_000_000_000;
const HOUR = 3_600_000;
let hook: WebhookServer;
beforeEach(async () => {
  hook = await webhookServer();
});
afterEach(() => hook.close());

const setup = Effect.gen(function* () {
  yield* TestClock.setTime(START);
  const manager = makeAlertManager({
    config: parseAlertmanagerConfig(
      "am.yml",
      `route:
  receiver: web
  group_by: ["..."]
  group_wait: 0s
  group_interval: 10s
  routes: [{ matchers: [alertname="SilenceEnding", created_by="anna"], receiver: anna }]
receivers:
  - { name: web, webhook_configs: [{ url: "${hook.url}/web" }] }
  - { name: anna, webhook_configs: [{ url: "${hook.url}/anna" }] }
`,
    ),
    dataDir: "/alerting",
    disk: memoryDisk(),
    publish: () => Promise.resolve(),
    externalUrl: "http://tocsin",
    userAgent: "Tocsin/test",
    onDeath: (notice) => {
      throw new Error(`died: ${notice.detail}`);
    },
  });
  yield* Effect.forkChild(Effect.scoped(manager.run));
  yield* settle;
  return manager;
});
const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
});
const later = (ms: number) => Effect.andThen(Effect.andThen(settle, TestClock.adjust(ms)), settle);
const draft = {
  id: "",
  matchers: [{ name: "alertname", op: "=" as const, value: "A" }],
  startsAt: START,
  endsAt: START + HOUR,
  createdBy: "anna",
  comment: "why",
};
const told = () => hook.received.map((r) => `${r.path} ${r.body.status} ${r.body.commonLabels.alertname}`);

describe("silences at work", () => {
  it.effect("an alert is told when its silence is over, and the silence's end is told to who made it before", () =>
    Effect.gen(function* () {
      const manager = yield* setup;
      const id = yield* Effect.promise(() => manager.silences.set({ ...draft, noticeBeforeMs: 60_000 }, START));
      manager.receive([posted({ alertname: "A" }, { startsAt: START, endsAt: START + 9 * HOUR })]);
      yield* later(HOUR - 70_000);
      expect(told()).toEqual([]);
      yield* later(15_000);
      yield* Effect.promise(() => hook.waitFor(1));
      expect(told()).toEqual(["/anna firing SilenceEnding"]);
      expect(hook.received[0]?.body).toMatchObject({
        commonLabels: { silence: id, created_by: "anna" },
        commonAnnotations: {
          comment: "why",
          summary: expect.stringContaining('{alertname="A"} ends at 2023-11-14T23:13'),
        },
      });
      yield* later(75_000);
      yield* Effect.promise(() => hook.waitFor(3));
      expect(told().slice(1).sort()).toEqual(["/anna resolved SilenceEnding", "/web firing A"]);
    }),
  );

  it.effect("until resolved: the end of an alert that was told is told, and the next time it fires is heard", () =>
    Effect.gen(function* () {
      const manager = yield* setup;
      const fires = (endsAt: number, startsAt = START) =>
        manager.receive([posted({ alertname: "A" }, { startsAt, endsAt })]);
      fires(START + 9 * HOUR);
      yield* Effect.promise(() => hook.waitFor(1));
      yield* Effect.promise(() =>
        manager.silences.set({ ...draft, endsAt: START + 8 * HOUR, untilResolved: true }, START),
      );
      yield* later(300_000);
      expect(told()).toEqual(["/web firing A"]);
      fires(START + 300_000);
      yield* later(20_000);
      yield* Effect.promise(() => hook.waitFor(2));
      expect([...manager.silences.all()].map((s) => s.endsAt < START + HOUR)).toEqual([true]);
      fires(START + 9 * HOUR, START + 320_000);
      yield* later(20_000);
      yield* Effect.promise(() => hook.waitFor(3));
      expect(told()).toEqual(["/web firing A", "/web resolved A", "/web firing A"]);
    }),
  );

  it.effect("recurs: mutes in its hours only", () =>
    Effect.gen(function* () {
      const manager = yield* setup;
      // START is 22:13:20 UTC.
      const recurrence = [
        {
          times: [{ from: 22 * 60, to: 22 * 60 + 15 }],
          weekdays: [],
          daysOfMonth: [],
          months: [],
          years: [],
          location: "UTC",
        },
      ];
      yield* Effect.promise(() => manager.silences.set({ ...draft, recurrence }, START));
      manager.receive([posted({ alertname: "A" }, { startsAt: START, endsAt: START + 9 * HOUR })]);
      yield* later(90_000);
      expect(told()).toEqual([]);
      yield* later(30_000);
      yield* Effect.promise(() => hook.waitFor(1));
      expect(told()).toEqual(["/web firing A"]);
    }),
  );
});
