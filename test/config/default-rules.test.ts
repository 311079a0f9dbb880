import { globSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { checkExpression } from "../../src/actors/rule/check-expression.ts";
import { loadRuleFiles } from "../../src/actors/rule/rule-file.ts";
import { collectHost, hostCollectors } from "../../src/agent/host/collectors.ts";
import { LOCAL_HOST } from "../../src/agent/host/roots.ts";

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
