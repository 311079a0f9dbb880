import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { Attempt } from "../../../src/actors/notify/attempt.ts";
import type { Notification } from "../../../src/actors/notify/webhook-payload.ts";
import { memoryDisk, posted } from "./fixtures.ts";

// 2023-11-14 22:13:20 UTC.
const START = 1_700_000_000_000;
const MINUTE = 60_000;

const configWith = (route: string, more = "") =>
  parseAlertmanagerConfig(
    "am.yml",
    `route: {receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1m, ${route}}
receivers: [{name: pager, webhook_configs: [{url: "http://pager"}]}, {name: other, webhook_configs: [{url: "http://other"}]}]
${more}`,
  );

/** One alert manager in virtual time; further lives go on with its disk. */
function world(config: ReturnType<typeof configWith>, disk = memoryDisk()) {
  const told: { at: number; to: string; status: string; key: string }[] = [];
  const w = {
    disk,
    told,
    answer: (): Attempt | Promise<Attempt> => ({ ok: true }),
    said: () => told.map((t) => t.status),
  };
  const manager = makeAlertManager({
    config,
    dataDir: "/alerting",
    disk,
    attempt: (_integration, n: Notification) => async () => {
      const status = n.alerts.some((a) => a.endsAt === 0) ? "firing" : "resolved";
      told.push({ at: now - START, to: n.receiver, status, key: n.key });
      return w.answer();
    },
    publish: () => Promise.resolve(),
    externalUrl: "http://t",
    userAgent: "test",
    onDeath: ({ detail }) => {
      throw new Error(`died: ${detail}`);
    },
  });
  const answers = (how: typeof w.answer) => {
    w.answer = how;
  };
  return { ...w, manager, answers };
}

let now = START;
const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
});
const begin = Effect.fnUntraced(function* () {
  now = START;
  yield* TestClock.setTime(now);
});
const start = Effect.fnUntraced(function* (w: ReturnType<typeof world>) {
  const fiber = yield* Effect.forkDetach(Effect.scoped(w.manager.run));
  yield* settle;
  return fiber;
});
const pass = Effect.fnUntraced(function* (ms: number, step = 5000) {
  yield* settle;
  for (const end = now + ms; now < end; ) {
    now = Math.min(end, now + step);
    yield* TestClock.setTime(now);
    yield* settle;
  }
});
const A = { alertname: "A" };
const firing = (w: ReturnType<typeof world>) =>
  w.manager.receive([posted(A, { startsAt: START, endsAt: START + 86_400_000 })]);
const over = (w: ReturnType<typeof world>) => w.manager.receive([posted(A, { startsAt: START, endsAt: now })]);
const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, Logger.layer([]));

describe("a receiver that remembers keys", () => {
  it.effect("takes a repetition for one, though what was told before it has been forgotten meanwhile", () =>
    quiet(
      Effect.gen(function* () {
        yield* begin();
        const muted = configWith(
          "repeat_interval: 5m, routes: [{receiver: pager, mute_time_intervals: [night]}]",
          `time_intervals: [{name: night, time_intervals: [{times: [{start_time: "22:20", end_time: "23:00"}]}]}]`,
        );
        const w = world(muted);
        const fiber = yield* start(w);
        firing(w);
        yield* pass(60 * MINUTE);
        yield* Fiber.interrupt(fiber);
        // Down for longer than it is remembered what was told.
        now += 30 * MINUTE;
        yield* TestClock.setTime(now);
        const again = world(muted, w.disk);
        const second = yield* start(again);
        yield* pass(MINUTE);
        const keys = [...w.told, ...again.told].map((t) => t.key);
        expect(w.told.some((t) => t.at > 40 * MINUTE)).toBe(true);
        expect(again.told.length).toBe(1);
        expect(new Set(keys).size).toBe(keys.length);
        yield* Fiber.interrupt(second);
      }),
    ),
  );
});

describe("an end that could not be told yet", () => {
  for (const how of ["a restart", "another configuration"] as const) {
    it.effect(`is told however long that takes, through ${how}`, () =>
      quiet(
        Effect.gen(function* () {
          yield* begin();
          const first = world(configWith("repeat_interval: 100h"));
          let fiber = yield* start(first);
          firing(first);
          yield* pass(MINUTE);
          expect(first.said()).toEqual(["firing"]);
          first.answers(() => ({ ok: false, retry: false, reason: "down" }));
          over(first);
          yield* pass(40 * MINUTE, 15_000);
          const { length } = first.told;
          expect(length).toBeGreaterThan(30);
          let last = first;
          if (how === "a restart") {
            yield* Fiber.interrupt(fiber);
            last = world(configWith("repeat_interval: 100h"), first.disk);
            fiber = yield* start(last);
          } else {
            first.told.length = 0;
            first.answers(() => ({ ok: true }));
            first.manager.reload(configWith("repeat_interval: 101h"));
          }
          yield* pass(3 * MINUTE);
          expect(last.said()).toEqual(["resolved"]);
          yield* Fiber.interrupt(fiber);
        }),
      ),
    );
  }
});

it.effect("an end that was muted is told, though it has been forgotten that its beginning was", () =>
  quiet(
    Effect.gen(function* () {
      yield* begin();
      const w = world(
        configWith(
          "repeat_interval: 5m, routes: [{receiver: pager, mute_time_intervals: [night]}]",
          `time_intervals: [{name: night, time_intervals: [{times: [{start_time: "22:20", end_time: "23:59"}]}]}]`,
        ),
      );
      const fiber = yield* start(w);
      firing(w);
      yield* pass(8 * MINUTE);
      over(w);
      yield* pass(95 * MINUTE, 20_000);
      expect(w.said()).toEqual(["firing", "firing"]);
      yield* pass(10 * MINUTE);
      expect(w.said()).toEqual(["firing", "firing", "resolved"]);
      yield* Fiber.interrupt(fiber);
    }),
  ),
);

it.effect("an alert that began anew since it was saved is not taken for ended after a kill", () =>
  quiet(
    Effect.gen(function* () {
      yield* begin();
      const first = world(configWith("repeat_interval: 5h"));
      const fiber = yield* start(first);
      firing(first);
      yield* pass(MINUTE);
      over(first);
      yield* pass(2 * MINUTE);
      const saved = first.disk.files.get("/alerting/alerts.json") as Uint8Array;
      first.manager.receive([posted(A, { startsAt: now, endsAt: now + 86_400_000 })]);
      yield* pass(2 * MINUTE);
      expect(first.said()).toEqual(["firing", "resolved", "firing"]);
      yield* Fiber.interrupt(fiber);
      first.disk.files.set("/alerting/alerts.json", saved);
      const second = world(configWith("repeat_interval: 5h"), first.disk);
      const again = yield* start(second);
      yield* pass(2 * MINUTE);
      expect(second.said()).toEqual([]);
      yield* Fiber.interrupt(again);
    }),
  ),
);

describe("another configuration", () => {
  it.effect("a receiver that it mends is tried at once", () =>
    quiet(
      Effect.gen(function* () {
        yield* begin();
        const w = world(configWith("repeat_interval: 5h"));
        const fiber = yield* start(w);
        w.answers(() => ({ ok: false, retry: false, reason: "refused" }));
        firing(w);
        yield* pass(10_000);
        w.answers(() => ({ ok: true }));
        const { receivers, ...rest } = configWith("repeat_interval: 6h");
        w.manager.reload({ ...rest, receivers: receivers.map((r) => ({ ...r, fallbackReceiver: "other" })) });
        yield* pass(1000);
        expect(w.told.map((t) => t.at)).toEqual([0, 10_000]);
        yield* Fiber.interrupt(fiber);
      }),
    ),
  );

  it.effect("the last one that was asked for runs, though it is the one that ran before", () =>
    quiet(
      Effect.gen(function* () {
        yield* begin();
        const one = configWith("repeat_interval: 5h");
        const w = world(one);
        const fiber = yield* start(w);
        w.manager.reload(configWith("repeat_interval: 6h"));
        w.manager.reload(one);
        yield* pass(1000);
        expect(w.manager.config().hash).toBe(one.hash);
        yield* Fiber.interrupt(fiber);
      }),
    ),
  );

  it.effect("comes while a notification fails: it is one failure, and the group goes on in its rhythm", () =>
    quiet(
      Effect.gen(function* () {
        yield* begin();
        const w = world(configWith("repeat_interval: 5h"));
        const fiber = yield* start(w);
        let fail = () => {};
        const refused: Attempt = { ok: false, retry: false, reason: "refused" };
        w.answers(() => {
          w.answers(() => refused);
          return new Promise((resolve) => {
            fail = () => resolve(refused);
          });
        });
        firing(w);
        yield* pass(1000, 1000);
        w.manager.reload(configWith("repeat_interval: 6h"));
        yield* settle;
        fail();
        yield* pass(30_000, 1000);
        expect(w.manager.stats().integrations.find((i) => i.receiver === "pager")).toMatchObject({ requestsFailed: 1 });
        yield* pass(40_000, 1000);
        expect(w.manager.stats().integrations.find((i) => i.receiver === "pager")).toMatchObject({ requestsFailed: 2 });
        yield* Fiber.interrupt(fiber);
      }),
    ),
  );

  it.effect("a notification that was cut off and fails again is not told a second time at once", () =>
    quiet(
      Effect.gen(function* () {
        yield* begin();
        const first = world(configWith("repeat_interval: 5h"));
        const fiber = yield* start(first);
        first.answers(() => new Promise(() => {}));
        firing(first);
        yield* pass(3000);
        const stopped = yield* Effect.forkDetach(Fiber.interrupt(fiber));
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 2200)));
        yield* Fiber.join(stopped);
        const second = world(configWith("repeat_interval: 5h"), first.disk);
        second.answers(() => ({ ok: false, retry: false, reason: "refused" }));
        const again = yield* start(second);
        yield* pass(5000, 1000);
        expect(second.told.length).toBe(1);
        yield* Fiber.interrupt(again);
      }),
    ),
  );
});
