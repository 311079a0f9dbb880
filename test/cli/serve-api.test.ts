import { createServer } from "node:net";
import { it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import type { FastifyInstance } from "fastify";
import pino from "pino";
import { describe, expect } from "vitest";
import { KEEP_TRYING, oneForOne } from "../../src/actors/runtime/supervisor.ts";
import { makeStorageAdmin } from "../../src/actors/shard/storage-admin.ts";
import type { ApiDeps } from "../../src/api/deps.ts";
import { makeApiMetrics, makeRegistry } from "../../src/api/metrics.ts";
import type { ListenError } from "../../src/cli/listen.ts";
import { serveApi } from "../../src/cli/serve-api.ts";
import { freePort } from "../../src/streams/nats/listen-address.ts";
import { idleAlertManager } from "../actors/alert/fixtures.ts";
import { configOf } from "../actors/collector/jobs.ts";
import { defect, until, watchDeaths } from "../actors/crash-watch.ts";
import { scriptedEngine } from "../actors/rule/fixtures.ts";
import { makeSimDisk } from "../lib/sim-disk.ts";
import { recordingIngest } from "../streams/outbox/recording-ingest.ts";

function setup(port: number) {
  const watch = watchDeaths();
  const logged: string[] = [];
  const registry = makeRegistry();
  const engine = scriptedEngine();
  const deps: ApiDeps = {
    engine,
    shards: [],
    ingest: recordingIngest(),
    visible: () => undefined,
    admin: makeStorageAdmin({ shards: [], dataDir: "/nowhere", disk: makeSimDisk(), now: () => 0 }),
    limits: configOf("").limits,
    limitsOf: () => configOf("").limits,
    rules: () => [],
    alerts: () => [],
    ruler: {} as ApiDeps["ruler"],
    alertManager: idleAlertManager(),
    postedAlerts: () => {},
    targets: () => [],
    droppedTargets: () => [],
    scrapeConfigs: () => [],
    registry,
    observe: makeApiMetrics(registry),
    ready: () => ({ ready: true, reason: "" }),
    reload: () => Promise.resolve(),
    configText: () => "",
    version: "0.0.0",
    startTime: 0,
    now: () => 0,
    log: pino({}, { write: (line: string) => void logged.push(line) }),
  };
  const apps: FastifyInstance[] = [];
  const unusable = Effect.runSync(Deferred.make<never, ListenError>());
  const address = { host: "127.0.0.1", port };
  const run = serveApi(deps, { address, unusable, onUp: (app) => apps.push(app) });
  const tree = oneForOne("tocsin", [{ id: "api", restart: "permanent", run }], KEEP_TRYING, watch.onDeath);
  const get = (path: string) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    });
  return { watch, logged, engine, apps, unusable, get, start: Effect.forkChild(Effect.provide(tree, watch.log)) };
}

describe("the API", () => {
  it.effect("answers 500 to a request whose handler throws, without its words, and goes on", () =>
    Effect.gen(function* () {
      const s = setup(yield* Effect.promise(() => freePort()));
      const fiber = yield* s.start;
      yield* until(() => s.apps.length === 1);
      s.engine.answers.bad = defect();
      const bad = yield* s.get("/api/v1/query?query=bad");
      expect(bad.status).toBe(500);
      expect(JSON.parse(bad.text)).toMatchObject({ status: "error", errorType: expect.any(String) });
      expect(bad.text).not.toContain(defect().message);
      expect(s.logged.some((line) => line.includes(defect().message))).toBe(true);
      expect((yield* s.get("/api/v1/query?query=up")).status).toBe(200);
      expect(s.watch.notices).toEqual([]);
      yield* Fiber.interrupt(fiber);
    }),
  );

  it.effect("listens again on its address when its server breaks", () =>
    Effect.gen(function* () {
      const s = setup(yield* Effect.promise(() => freePort()));
      const fiber = yield* s.start;
      yield* until(() => s.apps.length === 1);
      // What Node does when a connection cannot be accepted for want of file descriptors.
      s.apps[0]?.server.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
      yield* until(() => s.watch.notices.length === 1);
      expect(s.watch.notices).toMatchObject([
        { supervisor: "tocsin", child: "api", reason: "Error: accept EMFILE", action: "restart" },
      ]);
      yield* TestClock.adjust(200);
      yield* until(() => s.apps.length === 2);
      expect((yield* s.get("/-/healthy")).status).toBe(200);
      expect(yield* Effect.promise(s.watch.counted)).toEqual({ "tocsin/api": 1 });
      yield* Fiber.interrupt(fiber);
    }),
  );

  it.effect("that cannot have its address says so to the whole program", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(() => freePort());
      const other = createServer();
      yield* Effect.promise(() => new Promise<void>((up) => other.listen(port, "127.0.0.1", up)));
      const s = setup(port);
      const fiber = yield* s.start;
      const exit = yield* Effect.exit(Deferred.await(s.unusable));
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain(`127.0.0.1:${port} is in use`);
      other.close();
      yield* Fiber.interrupt(fiber);
    }),
  );
});
