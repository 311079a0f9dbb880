import { resolve } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import pino from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import { checkExpression } from "../../src/actors/rule/check-expression.ts";
import { loadRuleFiles } from "../../src/actors/rule/rule-file.ts";
import { makeCensus } from "../../src/actors/runtime/census.ts";
import { openDataDir } from "../../src/cli/data-dir.ts";
import { loadAll } from "../../src/cli/load-all.ts";
import { wireBus } from "../../src/cli/wire-bus.ts";
import { wireMetrics } from "../../src/cli/wire-metrics.ts";
import { wireParts } from "../../src/cli/wire-parts.ts";
import { until } from "../actors/crash-watch.ts";
import { withTempDir } from "../actors/shard/running-shard.ts";
import { withNatsServer } from "../streams/nats/with-nats-server.ts";
import { type Family, familiesOf } from "./exposition-families.ts";

/** What /metrics says of real parts after samples that were taken, one that was not, and a death. */
async function ownMetrics(url: string, dir: string): Promise<string> {
  const silent = pino({ level: "silent" });
  const loaded = loadAll(resolve("config/tocsin.yml"), silent);
  const census = makeCensus();
  const { onDeath } = census;
  const program = Effect.gen(function* () {
    const dataDir = yield* Effect.acquireRelease(
      Effect.promise(() => openDataDir(dir, 2)),
      (d) => Effect.promise(() => d.release()),
    );
    const busParts = yield* wireBus({ url, streams: loaded.config.streams, dataDir, say: () => {}, onDeath });
    const address = { host: "127.0.0.1", port: 1 };
    const externalUrl = "http://127.0.0.1:9090";
    const made = {
      loaded: () => loaded,
      dataDir,
      address,
      externalUrl,
      version: "0",
      startTime: 0,
      onDeath,
      log: silent,
    };
    const parts = yield* wireParts({ ...busParts, ...made });
    const ruleFiles = () => ({ ok: 0, failed: 0, current: true });
    const { registry } = wireMetrics({ parts, busParts, census, ingestReader: () => undefined, ruleFiles });
    yield* Effect.acquireRelease(
      Effect.sync(() => Effect.runFork(Effect.scoped(parts.shards.child.run))),
      (fiber) => Fiber.interrupt(fiber),
    );
    const text = new TextEncoder().encode(`a{b="c"} 1\nd 2\ne{${"x".repeat(2000)}="y"} 3\n`);
    const result = yield* Effect.promise(() => parts.gateway.exposition("default", text, Date.now()));
    expect(result).toMatchObject({ accepted: 2, rejected: [{ count: 1 }] });
    yield* until(() => parts.shards.ready().ready, 20_000);
    const notice = { supervisor: "s", child: 'c "quoted" \\ \n', kind: "failure", reason: "", detail: "" } as const;
    onDeath({ ...notice, deaths: 1, action: "restart", delayMs: 1 });
    while (true) {
      const out = yield* Effect.promise(() => registry.metrics());
      const stored = familiesOf(out).find((f) => f.name === "tocsin_shard_samples_appended_total")?.samples ?? [];
      if (stored.reduce((sum, s) => sum + s.value, 0) === 2) return out;
      yield* Effect.sleep(300);
    }
  });
  return await Effect.runPromise(Effect.scoped(program));
}

describe("/metrics of real parts", () => {
  let families: Family[];
  beforeAll(async () => {
    families = familiesOf(await withNatsServer((nats) => withTempDir((dir) => ownMetrics(nats.url, dir))));
  }, 60_000);
  const family = (name: string) => families.find((f) => f.name === name);
  const figure = (name: string, ...labels: string[]) =>
    family(name)?.samples.find((s) => labels.every((l) => s.labels.includes(l)))?.value;

  it("has a type and a help text for every family, in Prometheus's naming", () => {
    expect(families.length).toBeGreaterThan(50);
    for (const { name, type, help } of families) {
      expect(help, name).not.toBe("");
      if (name.startsWith("tocsin_")) expect(help, name).toMatch(/^[A-Z0-9].*\.$/);
      expect(name, name).toMatch(/^(tocsin|alertmanager|process|nodejs)_[a-z0-9_]+[a-z0-9]$/);
      expect(["counter", "gauge", "histogram"], name).toContain(type);
      if (!name.startsWith("tocsin_")) continue;
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      // Units are base units, spelled out.
      expect(name, name).not.toMatch(/_(ms|millis|milliseconds|kb|mb|kilobytes|minutes|percent)(_|$)/);
    }
  });

  it("has histograms whose buckets add up", () => {
    const histograms = families.filter((f) => f.type === "histogram" && f.samples.length > 0);
    expect(histograms.map((h) => h.name)).toContain("tocsin_wal_fsync_duration_seconds");
    for (const { name, samples } of histograms) {
      const rows = new Map<string, { le: number; value: number }[]>();
      for (const s of samples.filter((x) => x.name.endsWith("_bucket"))) {
        const at = s.labels.indexOf("le");
        const key = JSON.stringify(s.labels.toSpliced(at, 2).filter((l) => !l.startsWith(name)));
        const le = s.labels[at + 1] === "+Inf" ? Number.POSITIVE_INFINITY : Number(s.labels[at + 1]);
        rows.set(key, [...(rows.get(key) ?? []), { le, value: s.value }]);
      }
      for (const [key, buckets] of rows) {
        const count = samples.find(
          (s) => s.name === `${name}_count` && JSON.stringify(s.labels.filter((l) => !l.startsWith(name))) === key,
        );
        expect(buckets.at(-1), `${name} ${key}`).toEqual({ le: Number.POSITIVE_INFINITY, value: count?.value });
        const sorted = [...buckets].sort((a, b) => a.le - b.le);
        expect(buckets, name).toEqual(sorted);
        expect(
          sorted.map((b) => b.value),
          name,
        ).toEqual(sorted.map((b) => b.value).sort((a, b) => a - b));
      }
    }
  });

  it("counts what happened", () => {
    expect(figure("tocsin_gateway_samples_accepted_total")).toBe(2);
    expect(family("tocsin_gateway_samples_rejected_total")?.samples).toMatchObject([{ value: 1 }]);
    for (const partition of ["0", "1"]) {
      expect(figure("tocsin_shard_up", partition)).toBe(1);
      expect(figure("tocsin_stream_lag_messages", partition)).toBe(0);
      expect(figure("tocsin_mailbox_depth", `shard/${partition}`)).toBeGreaterThanOrEqual(0);
    }
    const series = family("tocsin_head_series")?.samples.map((s) => s.value) ?? [];
    expect(series.reduce((a, b) => a + b, 0)).toBe(2);
    expect(figure("tocsin_actor_deaths_total", "s", 'c "quoted" \\ \n')).toBe(1);
  });

  it("offers everything that a monitoring person asks for", () => {
    const asked = [
      ["tocsin_samples_accepted_total", "counter"],
      ["tocsin_samples_rejected_total", "counter"],
      ["tocsin_stream_lag_messages", "gauge"],
      ["tocsin_wal_fsync_duration_seconds", "histogram"],
      ["tocsin_head_series", "gauge"],
      ["tocsin_query_duration_seconds", "histogram"],
      ["tocsin_rule_evaluation_duration_seconds", "histogram"],
      ["tocsin_notifications_total", "counter"],
      ["tocsin_actor_deaths_total", "counter"],
    ] as const;
    for (const [name, type] of asked) expect(family(name)?.type, name).toBe(type);
  });

  it("has what the default alerts on Tocsin itself read", () => {
    const { groups } = loadRuleFiles([resolve("config/rules/tocsin.yml")], {
      evaluationIntervalMs: 5000,
      checkExpression,
    });
    const offered = new Set(
      families.flatMap(({ name, type }) =>
        type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    const rules = groups.flatMap((g) => g.rules);
    expect(rules.length).toBeGreaterThan(3);
    for (const rule of rules) {
      expect(rule.reads?.length, rule.name).toBeGreaterThan(0);
      for (const name of rule.reads ?? [])
        if (name !== "up") expect(offered, `${rule.name} reads ${name}`).toContain(name);
    }
  });
});
