import { it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { type AlertManagerOptions, makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { Attempt } from "../../../src/actors/notify/attempt.ts";
import type { Notification } from "../../../src/actors/notify/webhook-payload.ts";
import { seededRandom } from "../../lib/sim-disk.ts";
import { memoryDisk, posted } from "../alert/fixtures.ts";

const START = 1_700_000_000_000;
const CONFIG = `
route: {receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 100h,
        routes: [{receiver: other, matchers: [to="other"]}, {receiver: chain, matchers: [to="chain"]}]}
fallback_receiver: last
receivers:
  - {name: pager, fallback_receiver: phone, webhook_configs: [{url: "http://pager"}]}
  - {name: phone, webhook_configs: [{url: "http://phone"}]}
  - {name: other, webhook_configs: [{url: "http://other"}]}
  - {name: chain, webhook_configs: [{url: "http://chain"}]}
  - {name: last, webhook_configs: [{url: "http://last"}]}
`;

function world(disk = memoryDisk()) {
  const told: { at: number; to: string; n: Notification }[] = [];
  const answers: Record<string, (count: number) => Attempt> = {};
  const events: { msgId: string | undefined; type: string; receiver: string; reason?: string }[] = [];
  let now = START;
  let busIsDown = false;
  const options: AlertManagerOptions = {
    config: parseAlertmanagerConfig("am.yml", CONFIG),
    dataDir: "/alerting",
    disk,
    attempt: (_integration, n) => () => {
      told.push({ at: now - START, to: n.receiver, n });
      const count = told.filter((t) => t.to === n.receiver).length;
      return Promise.resolve(answers[n.receiver]?.(count) ?? { ok: true });
    },
    publish: (_subject, payload, msgId) => {
      if (busIsDown) return Promise.reject(new Error("no bus"));
      const event = JSON.parse(new TextDecoder().decode(payload)) as { type: string; receiver: string };
      events.push({ ...event, msgId });
      return Promise.resolve();
    },
    externalUrl: "http://t",
    userAgent: "test",
    onDeath: ({ detail }) => {
      throw new Error(`died: ${detail}`);
    },
  };
  const manager = makeAlertManager(options);
  const settle = Effect.promise(async () => {
    for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
  });
  /** Time passes in steps of a second. */
  const pass = Effect.fnUntraced(function* (seconds: number) {
    yield* settle;
    for (let i = 0; i < seconds; i++) {
      now += 1000;
      yield* TestClock.setTime(now);
      yield* settle;
    }
  });
  const step = Effect.fnUntraced(function* (ms: number) {
    now += ms;
    yield* TestClock.setTime(now);
    yield* settle;
  });
  return {
    disk,
    manager,
    step,
    answers,
    events,
    told,
    to: (receiver: string) => told.filter((t) => t.to === receiver),
    bus: (up: boolean) => {
      busIsDown = !up;
    },
    pass,
    start: Effect.gen(function* () {
      const clock = yield* Clock.currentTimeMillis;
      if (clock < START) yield* TestClock.setTime(START);
      now = Math.max(clock, START);
      const fiber = yield* Effect.forkDetach(Effect.scoped(manager.run));
      yield* settle;
      return fiber;
    }),
    fire: (alertname: string, to = "pager", over = false) =>
      manager.receive([
        posted({ alertname, to }, over ? { startsAt: START, endsAt: now } : { startsAt: START, endsAt: START + 1e9 }),
      ]),
  };
}

const busy: Attempt = { ok: false, retry: true, reason: "busy" };
const refused: Attempt = { ok: false, retry: false, reason: "refused" };
const quiet = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, Logger.layer([]));

describe("a receiver that fails", () => {
  it.effect("is tried with growing pauses, without delaying others, and then the fallback is told, once", () =>
    quiet(
      Effect.gen(function* () {
        const w = world();
        yield* w.start;
        w.answers.pager = () => busy;
        w.fire("A");
        w.fire("B", "other");
        yield* w.pass(1);
        expect(w.to("other").length).toBe(1);
        yield* w.pass(65);
        const tries = w.to("pager").map((t) => t.at);
        expect(tries.length).toBeGreaterThan(4);
        // Every attempt has the same key.
        expect(new Set(w.to("pager").map((t) => t.n.key)).size).toBe(1);
        expect(w.to("phone").length).toBe(1);
        expect(w.to("last").length).toBe(0);
        expect(w.manager.deadLetters().map((l) => [l.intent.receiver, l.failures])).toEqual([["pager", 1]]);
        yield* w.pass(130);
        // It fails at each group interval: one letter, and the fallback knows already.
        expect(w.to("phone").length).toBe(1);
        expect(w.manager.deadLetters().map((l) => l.failures)).toEqual([3]);
        expect(w.manager.stats().integrations.find((i) => i.receiver === "pager")).toMatchObject({ fallbacks: 1 });
        // Its end is told to whoever was told of it.
        delete w.answers.pager;
        w.fire("A", "pager", true);
        yield* w.pass(130);
        expect(w.to("phone").map((t) => t.n.alerts[0]?.endsAt === 0)).toEqual([true, false]);
        expect(w.manager.deadLetters()).toEqual([]);
      }),
    ),
  );

  it.effect("nobody stands in for a fallback receiver; both letters can be sent again", () =>
    quiet(
      Effect.gen(function* () {
        const w = world();
        yield* w.start;
        w.answers.chain = () => refused;
        w.answers.last = () => refused;
        w.fire("A", "chain");
        yield* w.pass(2);
        expect(w.to("chain").length).toBe(1);
        expect(w.to("last").length).toBe(1);
        expect(w.to("phone").length).toBe(0);
        const letters = w.manager.deadLetters();
        expect(letters.map((l) => l.intent.receiver)).toEqual(["chain", "last"]);
        delete w.answers.chain;
        const work = Effect.promise(() => w.manager.redrive(letters));
        const fiber = yield* Effect.forkChild(work);
        yield* w.pass(1);
        expect((yield* Fiber.join(fiber)).map((r) => [r.receiver, r.result, r.reason])).toEqual([
          ["chain", "sent", undefined],
          ["last", "failed", "refused (1 attempt)"],
        ]);
        expect(w.to("chain").map((t) => t.n.key)).toEqual([letters[0]?.intent.key, letters[0]?.intent.key]);
        expect(w.manager.deadLetters().map((l) => l.intent.receiver)).toEqual(["last"]);
        // It is known now: the next group interval does not tell it again.
        yield* w.pass(130);
        expect(w.to("chain").length).toBe(2);
      }),
    ),
  );

  it.effect("is not asked before it said, and not waited for beyond five minutes", () =>
    quiet(
      Effect.gen(function* () {
        const w = world();
        yield* w.start;
        w.answers.pager = (count) => (count === 1 ? { ...busy, ok: false, retryAfterMs: 90_000 } : { ok: true });
        w.answers.other = (count) => (count === 1 ? { ...busy, ok: false, retryAfterMs: 86_400_000 } : { ok: true });
        w.fire("A");
        w.fire("B", "other");
        yield* w.pass(310);
        const [first, second] = w.to("pager").map((t) => t.at / 1000);
        expect((second as number) - (first as number)).toBeGreaterThanOrEqual(90);
        expect((second as number) - (first as number)).toBeLessThan(93);
        expect(w.to("phone").length).toBe(0);
        const [begun, again] = w.to("other").map((t) => t.at / 1000);
        expect((again as number) - (begun as number)).toBeLessThanOrEqual(301);
      }),
    ),
  );
});

describe("without the bus", () => {
  it.effect("pages all the same; what was not published is, once, after it is back and after a restart", () =>
    quiet(
      Effect.gen(function* () {
        const first = world();
        first.bus(false);
        const fiber = yield* first.start;
        first.fire("A");
        yield* first.pass(3);
        expect(first.to("pager").length).toBe(1);
        expect(first.manager.stats().events.unpublished).toBe(2);
        yield* Fiber.interrupt(fiber);
        const second = world(first.disk);
        const again = yield* second.start;
        yield* second.pass(3);
        expect(second.told).toEqual([]);
        expect(second.events.map((e) => e.type)).toEqual(["intent", "result"]);
        expect(new Set(second.events.map((e) => e.msgId)).size).toBe(2);
        yield* Fiber.interrupt(again);
        const third = world(first.disk);
        yield* third.start;
        yield* third.pass(3);
        expect(third.events).toEqual([]);
      }),
    ),
  );
});

it.effect("a notification that fails without a wait before it counts once, however often its alerts are heard of", () =>
  quiet(
    Effect.gen(function* () {
      for (let seed = 1; seed <= 25; seed++) {
        const random = seededRandom(seed);
        const w = world();
        w.answers.other = () => refused;
        w.answers.last = () => refused;
        const fiber = yield* w.start;
        const alerts = ["A", "B", "C"].slice(0, 1 + Math.floor(random() * 3));
        // Everything within the first group interval, often within the same milliseconds.
        for (let i = 0; i < 30; i++) {
          w.fire(alerts[Math.floor(random() * alerts.length)] as string, "other");
          if (random() < 0.6) yield* w.step(Math.floor(random() * 30));
        }
        yield* w.step(1);
        const fired = new Set(w.to("other").map((t) => t.n.groupKey)).size;
        const about = (type: string, receiver: string) =>
          w.events.filter((e) => e.type === type && e.receiver === receiver).length;
        for (const receiver of ["other", "last"]) {
          const counted = w.manager.stats().integrations.find((i) => i.receiver === receiver);
          expect([seed, counted?.failed, counted?.requests, counted?.requestsFailed]).toEqual([
            seed,
            fired,
            fired,
            fired,
          ]);
          expect([seed, about("intent", receiver), about("result", receiver)]).toEqual([seed, fired, fired]);
          expect([seed, w.to(receiver).length]).toEqual([seed, fired]);
        }
        const letters = w.manager.deadLetters();
        expect(letters.map((l) => l.failures)).toEqual(letters.map(() => 1));
        yield* Fiber.interrupt(fiber);
      }
    }),
  ),
);

describe("two evaluators", () => {
  it.effect("tell the same with the same keys", () =>
    quiet(
      Effect.gen(function* () {
        const [a, b] = [world(), world()];
        yield* a.start;
        yield* b.start;
        for (const w of [a, b]) w.fire("A");
        yield* a.pass(3);
        for (const w of [a, b]) w.fire("B");
        yield* a.pass(3);
        for (const w of [a, b]) w.fire("A", "pager", true);
        yield* a.pass(70);
        const keys = (w: typeof a) => w.to("pager").map((t) => t.n.key);
        expect(keys(a).length).toBe(3);
        expect(new Set(keys(a)).size).toBe(3);
        expect(keys(a)).toEqual(keys(b));
      }),
    ),
  );
});
