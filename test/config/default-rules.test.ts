import { globSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { checkExpression } from "../../src/actors/rule/check-expression.ts";
import { loadRuleFiles } from "../../src/actors/rule/rule-file.ts";
import { collectHost, hostCollectors } from "../../src/agent/host/collectors.ts";
import { LOCAL_HOST } from "../../src/agent/host/roots.ts";
import { makeEngine } from "../../src/query/engine.ts";
import { localShard, makeMemorySource } from "../query/promqltest/memory-source.ts";

const loaded = loadRuleFiles([resolve("config/rules/*.yml")], { evaluationIntervalMs: 5000, checkExpression });
const rules = loaded.groups.flatMap((group) => group.rules);

it("all default rule files are read", () => {
  const files = globSync("config/rules/*.yml").sort();
  expect(loaded.files).toEqual(files.map((file) => resolve(file)));
});

it("every default alert says how bad it is and what it means", () => {
  const alerts = rules.filter((rule) => rule.type === "alerting");
  expect(alerts.length).toBeGreaterThan(10);
  for (const alert of alerts) {
    expect(["warning", "critical"], alert.name).toContain(alert.labels.severity);
    expect(alert.annotations.summary, alert.name).toMatch(/\$labels|\$value/);
    expect(alert.annotations.description, alert.name).toBeTruthy();
    expect(alert.holdMs, alert.name).toBeGreaterThanOrEqual(60_000);
  }
});

it("the rules on hosts read what the host collector collects, or what a rule records", async () => {
  const names = new Set(["up", ...rules.filter((rule) => rule.type === "recording").map((rule) => rule.name)]);
  await collectHost(hostCollectors(Date.now), LOCAL_HOST, (name) => names.add(name));
  const host = loaded.groups.filter((group) => group.file.endsWith("host.yml")).flatMap((group) => group.rules);
  for (const rule of host) {
    expect(rule.reads, rule.name).toBeDefined();
    for (const name of rule.reads ?? []) expect(names, `${rule.name} reads ${name}`).toContain(name);
  }
});

/** The labels of what the alert's expression gives over counters that are read each minute. */
async function fires(alert: string, counters: readonly (readonly [labels: string, values: readonly number[]])[]) {
  const source = makeMemorySource();
  for (const [text, values] of counters) {
    const [name = "", ...pairs] = text.split(" ");
    const labels = [["__name__", name], ...pairs.map((pair) => pair.split("="))].flat();
    const missing = MINUTES - values.length;
    const ts = values.map((_, i) => (missing + i) * 60_000);
    source.add(labels, ts, Float64Array.from(values));
  }
  const engine = makeEngine({ shards: [localShard(0, source)] });
  const query = rules.find((rule) => rule.name === alert)?.query ?? "";
  const result = await engine.instant({ tenant: "default", query, time: (MINUTES - 1) * 60_000 });
  if (result.type !== "vector") throw new Error(result.type);
  return result.labels.map((labels) => labels.join(" "));
}
const MINUTES = 16;
const still = (value: number) => Array<number>(MINUTES).fill(value);

it("samples that shards drop as too late are told, by tenant where it is known", async () => {
  const by = "tocsin_shard_samples_rejected_total instance=a partition=0 reason=";
  const late = `${by}too_old`;
  const tenant = "tocsin_shard_samples_too_old_total instance=a partition=0 tenant=";
  const alert = "TocsinLateSamplesDropped";
  expect(
    await fires(alert, [
      [late, still(3)],
      [`${tenant}acme`, still(3)],
    ]),
  ).toEqual([]);
  const others = [`${by}duplicate`, `${by}overwritten`].map((name) => [name, [...still(0), 9].slice(1)] as const);
  expect(await fires(alert, others)).toEqual([]);
  const grows = [...still(0).slice(1), 5];
  expect(
    await fires(alert, [
      [late, grows],
      [`${tenant}acme`, grows],
      [`${tenant}zeta`, still(1)],
    ]),
  ).toEqual(["instance a tenant acme"]);
  // The first loss of all: the counter by tenant is new.
  expect(
    await fires(alert, [
      [late, grows],
      [`${tenant}acme`, [5]],
    ]),
  ).toEqual(["instance a"]);
});

it("samples that the gateway refuses are told", async () => {
  const refused = "tocsin_gateway_samples_rejected_total instance=a reason=beyond_retention";
  expect(await fires("TocsinSamplesRejected", [[refused, still(7)]])).toEqual([]);
  expect(await fires("TocsinSamplesRejected", [[refused, [...still(0).slice(1), 7]]])).toHaveLength(1);
});
