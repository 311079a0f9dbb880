import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { describe, expect } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { Notification } from "../../../src/actors/notify/webhook-payload.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { memoryDisk } from "../alert/fixtures.ts";
import { folder, group, live, T, TICK } from "./shadow-life.ts";

interface Sent {
  readonly at: number;
  readonly alerts: readonly PostedAlert[];
}

/** What the alert manager is sent: `firing` has a number of ticks, the first `shadow` of them before the promotion. */
async function promoted(firing: readonly boolean[], shadow: number, keepFiringForMs = 0): Promise<Sent[]> {
  const sent: Sent[] = [];
  const life = {
    disk: await folder(),
    sink: (alerts: readonly PostedAlert[], at: number) => void sent.push({ at, alerts: [...alerts] }),
  };
  const script = firing.map((f) => (f ? ["x"] : []));
  await live(group(true, 0, keepFiringForMs), script, 0, shadow, life);
  expect(sent).toEqual([]);
  await live(group(false, 0, keepFiringForMs), script, shadow, script.length, life);
  return sent;
}

const settle = Effect.promise(async () => {
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r));
});

/** The pages that an alert manager makes of it in virtual time, as `seconds after T, firing or resolved`. */
const paged = Effect.fnUntraced(function* (sent: readonly Sent[], groupWait: string) {
  const pages: string[] = [];
  let now = T;
  const manager = makeAlertManager({
    config: parseAlertmanagerConfig(
      "am.yml",
      `route: {receiver: pager, group_by: [alertname], group_wait: ${groupWait}, group_interval: 1m}
receivers: [{name: pager, webhook_configs: [{url: "http://pager"}]}]
`,
    ),
    dataDir: "/alerting",
    disk: memoryDisk(),
    attempt: (_integration, n: Notification) => async () => {
      pages.push(`${(now - T) / 1000} ${n.alerts.some((a) => a.endsAt === 0) ? "firing" : "resolved"}`);
      return { ok: true };
    },
    publish: () => Promise.resolve(),
    externalUrl: "http://t",
    userAgent: "test",
    onDeath: ({ detail }) => {
      throw new Error(`died: ${detail}`);
    },
  });
  yield* TestClock.setTime(now);
  const fiber = yield* Effect.forkDetach(Effect.scoped(manager.run));
  yield* settle;
  const waiting = [...sent];
  for (const end = T + 20 * TICK; now < end; ) {
    now += 5000;
    yield* TestClock.setTime(now);
    while ((waiting[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      manager.receive((waiting.shift() as Sent).alerts);
    }
    yield* settle;
  }
  yield* Fiber.interrupt(fiber);
  return pages;
});

const ticks = (on: number, off: number) => [...Array<boolean>(on).fill(true), ...Array<boolean>(off).fill(false)];

describe("the promotion of a shadow rule", () => {
  it.effect("an alert that ended before it is told to nobody", () =>
    Effect.gen(function* () {
      const sent = yield* Effect.promise(() => promoted(ticks(3, 8), 4));
      expect(sent).toEqual([]);
      expect(yield* paged(sent, "0s")).toEqual([]);
    }),
  );

  it.effect("one that ends with the first evaluation after it is not told as resolved", () =>
    Effect.gen(function* () {
      const sent = yield* Effect.promise(() => promoted(ticks(4, 8), 4));
      for (const wait of ["0s", "2m"]) expect(yield* paged(sent, wait)).toEqual([]);
    }),
  );

  it.effect("nor one that ends behind it while its group waits", () =>
    Effect.gen(function* () {
      const sent = yield* Effect.promise(() => promoted(ticks(6, 8), 4));
      expect(sent.length).toBeGreaterThan(1);
      expect(yield* paged(sent, "5m")).toEqual([]);
    }),
  );

  it.effect("one that fires at it is paged at once, and its end is told then", () =>
    Effect.gen(function* () {
      // It has fired for a minute at the promotion, so that there is nothing left to wait for.
      const sent = yield* Effect.promise(() => promoted(ticks(7, 8), 4));
      expect(yield* paged(sent, "30s")).toEqual(["60 firing", "120 resolved"]);
    }),
  );

  it.effect("one that is kept firing over it is paged, and ends once", () =>
    Effect.gen(function* () {
      const sent = yield* Effect.promise(() => promoted(ticks(3, 10), 4, 4 * TICK));
      const pages = yield* paged(sent, "0s");
      expect(pages.map((p) => p.split(" ")[1])).toEqual(["firing", "resolved"]);
      expect(pages[0]).toBe("60 firing");
    }),
  );
});
