import pino from "pino";
import { Registry } from "prom-client";
import type { ApiDeps } from "../../../src/api/deps.ts";
import { makeApiMetrics } from "../../../src/api/metrics.ts";
import { makeServer } from "../../../src/api/server.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { idleAlertManager } from "../../actors/alert/fixtures.ts";
import { configOf } from "../../actors/collector/jobs.ts";
import { scriptedEngine } from "../../actors/rule/fixtures.ts";
import { recordingIngest } from "../../streams/outbox/recording-ingest.ts";

/** The server with all routes over parts that know nothing, but for what a test gives; answers injected requests. */
export function wholeServer(given: Partial<ApiDeps> = {}) {
  const registry = given.registry ?? new Registry();
  const { limits } = configOf("");
  return makeServer({
    engine: scriptedEngine(),
    shards: [],
    ingest: recordingIngest(),
    visible: () => undefined,
    admin: {} as ApiDeps["admin"],
    limits,
    limitsOf: () => limits,
    rules: () => [],
    alerts: () => [],
    ruler: {} as ApiDeps["ruler"],
    alertManager: idleAlertManager(),
    postedAlerts: () => {},
    targets: () => [],
    droppedTargets: () => [],
    scrapeConfigs: () => [],
    registry,
    observe: makeApiMetrics(new Registry()),
    ready: () => ({ ready: true, reason: "" }),
    reload: () => Promise.resolve(),
    configText: () => "",
    version: "1.2.3",
    startTime: 0,
    now: () => 1_000_000_000,
    log: pino({ level: "silent" }),
    ...given,
  });
}

/** A shard that answers each kind of request with what is given for it, and with an error what it does not know. */
export function scriptedShard(partition: number, answers: Readonly<Record<string, unknown>>): ShardClient {
  return {
    partition,
    request: (request) =>
      request.kind in answers ? Promise.resolve(answers[request.kind] as never) : Promise.reject(new Error("down")),
  };
}
