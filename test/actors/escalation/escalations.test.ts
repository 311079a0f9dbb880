import { it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { escalationRoutes } from "../../../src/api/routes/escalations.ts";
import { memoryDisk, posted, type WebhookServer, webhookServer } from "../alert/fixtures.ts";

const START = 1_700_000_000_000;
const HOUR = 3_600_000;
let hook: WebhookServer;
beforeEach(async () => {
  hook = await webhookServer();
});
afterEach(() => hook.close());

const config = (route = "", more = "", escalation = "") =>
  parseAlertmanagerConfig(
    "alertmanager.yml",
    `route: {receiver: last, escalation: ops, group_by: [alertname], group_wait: 0s, group_interval: 1m, ${route}}
receivers:
${["last", "ann", "bob", "boss"].map((name) => `  - {name: ${name}, webhook_configs: [{url: "${hook.url}/${name}"}]}`).join("\n")}
schedules:
  - name: primary
    time_zone: Europe/Berlin
    rotations: [{receivers: [ann, bob], start: 2023-11-06, handoff: "09:00", shift: 1w}]
escalations:
  - name: ops
    steps:
      - notify: ["schedule:primary"]
      - {after: 10m, notify: [bob, boss]}
    repeat_after: 20m
    ${escalation}
${more}`,
  );

type Files = ReturnType<typeof memoryDisk>;
function setup(disk: Files = memoryDisk(), over = config()) {
  return makeAlertManager({
    config: over,
    dataDir: "/alerting",
    disk,
    ackSecret: () => Promise.resolve(Buffer.from("a secret that only the test has")),
    publish: () => Promise.resolve(),
    externalUrl: "http://tocsin",
    userAgent: "Tocsin/test",
    onDeath: (notice) => {
      throw new Error(`died: ${notice.detail}`);
    },
  });
}

const start = (manager: ReturnType<typeof setup>) =>
  Effect.gen(function* () {
    if ((yield* Clock.currentTimeMillis) < START) yield* TestClock.setTime(START);
    return yield* Effect.forkChild(Effect.scoped(manager.run));
  });
/** Lets the actors act on what they have been told. */
const settle = Effect.promise(async () => {
  for (let i = 0; i < 40; i++) await new Promise((r) => setImmediate(r));
});
const later = (ms: number) => Effect.andThen(Effect.andThen(settle, TestClock.adjust(ms)), settle);
const hooked = (count: number) =>
  Effect.andThen(
    Effect.promise(() => hook.waitFor(count)),
    settle,
  );
const paths = () => hook.received.map((r) => `${r.path.slice(1)} ${r.body.status}`);
const fires = (host = "1") => posted({ alertname: "A", host }, { startsAt: START, endsAt: START + 100 * HOUR });
const bodyOf = (i: number) => hook.received[i]?.body as unknown as { ackURL: string; escalation: string; step: number };

describe("escalations of groups", () => {
  it.effect(
    "page who is on call, then up the chain, stop when acknowledged, and tell all who were paged of the end",
    () =>
      Effect.gen(function* () {
        const manager = setup();
        yield* start(manager);
        manager.receive([fires()]);
        yield* later(0);
        yield* hooked(1);
        // START is in the second week of the rotation.
        expect(paths()).toEqual(["bob firing"]);
        expect(bodyOf(0)).toMatchObject({ step: 1 });
        expect(bodyOf(0).ackURL).toMatch(/^http:\/\/tocsin\/ack\/[0-9a-f]{16}\?by=bob&expires=\d+&signature=/);
        yield* later(9 * 60_000);
        expect(hook.received.length).toBe(1);
        yield* later(60_000);
        yield* hooked(3);
        expect(paths().slice(1).sort()).toEqual(["bob firing", "boss firing"]);
        const { id } = manager.escalations.all()[0]!.state;
        yield* Effect.promise(() =>
          manager.escalations.acknowledge(id, { by: "boss", via: "api", comment: "" }, START + 1),
        );
        yield* later(5 * HOUR);
        expect(hook.received.length).toBe(3);
        const now = yield* Clock.currentTimeMillis;
        manager.receive([{ ...fires(), endsAt: now }]);
        yield* later(60_000);
        yield* hooked(5);
        expect(paths().slice(3).sort()).toEqual(["bob resolved", "boss resolved"]);
        expect(manager.escalations.unfinished()).toEqual([]);
      }),
  );

  it.effect("go on after a restart where they stood: no page is lost and none is repeated", () =>
    Effect.gen(function* () {
      const disk = memoryDisk();
      let manager = setup(disk);
      let fiber = yield* start(manager);
      manager.receive([fires()]);
      yield* later(0);
      yield* hooked(1);
      const restart = Effect.gen(function* () {
        yield* Fiber.interrupt(fiber);
        manager = setup(disk);
        fiber = yield* start(manager);
        yield* later(0);
      });
      yield* restart;
      yield* later(9 * 60_000);
      expect(paths()).toEqual(["bob firing"]);
      // The deadline passes while nobody looks, and the alert is not on disk.
      yield* Fiber.interrupt(fiber);
      disk.files.delete("/alerting/alerts.json");
      yield* TestClock.adjust(30 * 60_000);
      yield* restart;
      yield* hooked(3);
      expect(paths().slice(1).sort()).toEqual(["bob firing", "boss firing"]);
      const { id } = manager.escalations.all()[0]!.state;
      yield* Effect.promise(() => manager.escalations.acknowledge(id, { by: "bob", via: "api", comment: "" }, START));
      manager.receive([fires()]);
      yield* later(1000);
      yield* restart;
      yield* later(HOUR);
      expect(hook.received.length).toBe(3);
      expect(manager.escalations.get(id)?.state.acknowledgement?.by).toBe("bob");
    }),
  );

  it.effect("wait while their alerts are muted, and page when they are not any more", () =>
    Effect.gen(function* () {
      const night =
        "time_intervals: [{name: early, time_intervals: [{times: [{start_time: '22:15', end_time: '23:30'}]}]}]";
      const over = config("routes: [{mute_time_intervals: [early]}]", night);
      const manager = setup(memoryDisk(), over);
      yield* start(manager); // at 22:13:20 UTC
      manager.receive([fires()]);
      yield* later(0);
      yield* hooked(1);
      for (let i = 0; i < 75; i++) yield* later(60_000);
      expect(paths()).toEqual(["bob firing"]);
      yield* later(2 * 60_000);
      yield* hooked(3);
      expect(paths().slice(1).sort()).toEqual(["bob firing", "boss firing"]);
    }),
  );

  it.effect("page although the disk takes nothing", () =>
    Effect.gen(function* () {
      const disk = memoryDisk();
      const manager = setup(disk);
      yield* start(manager);
      yield* later(0);
      disk.fail = "ENOSPC";
      manager.receive([fires()]);
      yield* later(0);
      yield* hooked(1);
      yield* later(10 * 60_000);
      yield* hooked(3);
      disk.fail = undefined;
      manager.receive([fires("2")]);
      yield* later(60_000);
      expect(new TextDecoder().decode(disk.files.get("/alerting/escalations.log"))).toContain('"step":2');
    }),
  );

  it.effect("end without a word when the configuration has no route to them any more", () =>
    Effect.gen(function* () {
      const manager = setup();
      yield* start(manager);
      manager.receive([fires()]);
      yield* later(0);
      yield* hooked(1);
      const plain = `route: {receiver: last, group_wait: 0s}\nreceivers: [{name: last, webhook_configs: [{url: "${hook.url}/last"}]}]`;
      manager.reload(parseAlertmanagerConfig("alertmanager.yml", plain));
      yield* later(0);
      yield* hooked(2);
      expect(paths()).toEqual(["bob firing", "last firing"]);
      expect(manager.escalations.all()[0]?.state).toMatchObject({ status: "resolved", open: [] });
    }),
  );
});

describe("the API", () => {
  const server = async (manager: ReturnType<typeof setup>, now: () => number) => {
    const { default: Fastify } = await import("fastify");
    const app = Fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    escalationRoutes(app, { alertManager: manager, now } as unknown as Parameters<typeof escalationRoutes>[1]);
    return app;
  };

  it.effect("acknowledges by the link of a page, when its button is pressed and not before", () =>
    Effect.gen(function* () {
      const manager = setup();
      yield* start(manager);
      manager.receive([fires("<b>")]);
      yield* later(0);
      yield* hooked(1);
      let now = START + 1000;
      const app = yield* Effect.promise(() => server(manager, () => now));
      const inject = (method: "GET" | "POST", url: string, payload?: unknown) =>
        Effect.promise(() =>
          app.inject({
            method,
            url,
            ...(payload === undefined
              ? {}
              : { payload: JSON.stringify(payload), headers: { "content-type": "application/json" } }),
          }),
        );
      const link = bodyOf(0).ackURL.slice("http://tocsin".length);
      const { id } = manager.escalations.all()[0]!.state;
      const stateOf = () => manager.escalations.get(id)?.state.status;

      const shown = yield* inject("GET", link);
      expect(shown.statusCode).toBe(200);
      expect(shown.body).toContain("Acknowledge as bob");
      expect(shown.body).toContain("host=&lt;b&gt;");
      expect(stateOf()).toBe("triggered");
      for (const forged of [link.replace("by=bob", "by=eve"), link.replace(id, "0123456789abcdef"), `/ack/${id}`]) {
        expect((yield* inject("POST", forged)).statusCode).toBe(403);
      }
      now += 8 * 24 * HOUR;
      expect((yield* inject("POST", link)).body).toContain("expired");
      expect(stateOf()).toBe("triggered");
      now = START + 2000;
      expect((yield* inject("POST", link)).body).toContain("By bob");
      expect(manager.escalations.get(id)?.state).toMatchObject({
        status: "acknowledged",
        acknowledgement: { via: "link" },
      });
      // Pressed again, or looked at again, it says so and stays acknowledged, from now on; a changed signature still is none.
      expect((yield* inject("GET", link)).body).toContain("bob acknowledged it at");
      const twice = yield* inject("POST", link);
      expect([twice.statusCode, stateOf()]).toEqual([200, "acknowledged"]);
      const signature = /signature=([^&]+)/.exec(link)?.[1] as string;
      const other = signature.startsWith("A") ? "B" : "A";
      const tampered = yield* inject("POST", link.replace(signature, other + signature.slice(1)));
      expect([tampered.statusCode, tampered.body]).toEqual([403, expect.stringContaining("not one of this server")]);

      const list = (yield* inject("GET", "/api/v1/escalations?escalation_state=active")).json();
      expect(list.data.escalations).toMatchObject([
        { id, state: "acknowledged", acknowledgement: { by: "bob" }, alerts: [{ firing: true }] },
      ]);
      expect(list.data.escalations[0].history.map((h: { what: string }) => h.what)).toEqual([
        "triggered",
        "paged",
        "told",
        "acknowledged",
        "acknowledged",
      ]);
      const again = yield* inject("POST", `/api/v1/escalations/${id}/ack`, { by: "ann", comment: "mine" });
      expect(again.json().data).toMatchObject({
        state: "acknowledged",
        acknowledgement: { by: "ann", comment: "mine" },
      });
      for (const body of [{}, { by: "" }, { by: 1 }, { by: "x", more: 1 }, [], "x"]) {
        expect((yield* inject("POST", `/api/v1/escalations/${id}/ack`, body)).statusCode).toBeGreaterThanOrEqual(400);
      }
      expect((yield* inject("POST", "/api/v1/escalations/none/ack", { by: "x" })).statusCode).toBe(404);
      const onCall = (yield* inject("GET", "/api/v1/oncall?at=2023-11-15T00:00:00Z")).json();
      expect(onCall.data.schedules).toEqual([
        {
          schedule: "primary",
          timeZone: "Europe/Berlin",
          receiver: "bob",
          by: "rotation",
          until: "2023-11-20T08:00:00.000Z",
          next: "ann",
        },
      ]);
      yield* Effect.promise(() => app.close());
    }),
  );
});
