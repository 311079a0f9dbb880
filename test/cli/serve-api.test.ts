import { connect, createServer } from "node:net";
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
import { idleAlertManager } from "../actors/alert/fixtures.ts";
import { configOf } from "../actors/collector/jobs.ts";
import { defect, until, watchDeaths } from "../actors/crash-watch.ts";
import { scriptedEngine } from "../actors/rule/fixtures.ts";
import { makeSimDisk } from "../lib/sim-disk.ts";
import { recordingIngest } from "../streams/outbox/recording-ingest.ts";
import { freePort } from "../support/free-port.ts";

function setup(port: number, answerMs = 5_000) {
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
  const run = serveApi(deps, { address, unusable, onUp: (app) => apps.push(app), answerMs });
  const tree = oneForOne("tocsin", [{ id: "api", restart: "permanent", run }], KEEP_TRYING, watch.onDeath);
  const get = (path: string) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    });
  return { watch, logged, engine, apps, unusable, get, start: Effect.forkChild(Effect.provide(tree, watch.log)) };
}

/** Lets the engine's answers wait; gives what lets each of them go. */
function holdQueries(engine: ReturnType<typeof scriptedEngine>): (() => void)[] {
  const { instant } = engine;
  const go: (() => void)[] = [];
  engine.instant = async (request) => {
    await new Promise<void>((resolve) => go.push(resolve));
    return instant(request);
  };
  return go;
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

  it.effect("that is stopped takes nothing new, and has ended when what it had is answered", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(() => freePort());
      const s = setup(port);
      const fiber = yield* s.start;
      yield* until(() => s.apps.length === 1);
      const slow = holdQueries(s.engine);
      const answers = ["a", "b"].map((query) => fetch(`http://127.0.0.1:${port}/api/v1/query?query=${query}`));
      yield* until(() => slow.length === 2);
      const events: string[] = [];
      const stop = yield* Effect.forkChild(
        Effect.andThen(
          Fiber.interrupt(fiber),
          Effect.sync(() => events.push("stopped")),
        ),
      );
      yield* until(() => s.apps[0]?.server.listening === false);
      const late = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/-/healthy`).catch((e: Error) => e));
      expect(late).toBeInstanceOf(Error);
      for (const [i, answer] of answers.entries()) {
        expect(events).toEqual([]);
        slow[i]?.();
        const response = yield* Effect.promise(() => answer);
        expect([response.status, response.headers.get("connection")]).toEqual([200, "close"]);
        expect(yield* Effect.promise(() => response.json())).toMatchObject({ status: "success" });
      }
      yield* Fiber.join(stop);
      expect(events).toEqual(["stopped"]);
    }),
  );

  it.effect("that is stopped answers 503 to what takes too long", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(() => freePort());
      const s = setup(port, 100);
      const fiber = yield* s.start;
      yield* until(() => s.apps.length === 1);
      const slow = holdQueries(s.engine);
      const answer = fetch(`http://127.0.0.1:${port}/api/v1/query?query=a`);
      // A request whose head never ends, and one whose body does not come: neither may hold up the stop.
      const stuck = [
        "GET /-/healthy HTTP/1.1\r\n",
        "POST /api/v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nq",
      ];
      const sockets = stuck.map((text) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {}).write(text);
        return socket;
      });
      const ended = sockets.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())));
      for (const socket of sockets) socket.resume();
      yield* until(() => slow.length === 1);
      yield* Fiber.interrupt(fiber);
      const response = yield* Effect.promise(() => answer);
      expect(response.status).toBe(503);
      const { errorType, error } = yield* Effect.promise(() => response.json() as Promise<Record<string, string>>);
      expect([errorType, error]).toEqual(["unavailable", expect.stringContaining("told to stop")]);
      yield* Effect.promise(() => Promise.all(ended));
      // The query that is answered nobody any more ends without a word.
      slow[0]?.();
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));
      expect(s.logged.filter((line) => JSON.parse(line).level >= 40)).toEqual([]);
      expect(s.watch.notices).toEqual([]);
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
