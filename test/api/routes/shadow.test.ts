import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { makeRuler } from "../../../src/actors/rule/ruler-store.ts";
import { turnRules } from "../../../src/cli/rules-shadow.ts";
import { realDisk } from "../../../src/lib/disk.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { RuleGroupStatus } from "../../../src/model/rules.ts";
import { freshFolder } from "../../actors/rule/fixtures.ts";
import { heard } from "../../cli/heard.ts";
import { wholeServer } from "./whole-server.ts";

const rule = (name: string, shadow: boolean) => ({
  type: "alerting" as const,
  name,
  query: "up == 0",
  state: "inactive" as const,
  health: "ok" as const,
  lastError: "",
  labels: labelsFromObject({}),
  annotations: {},
  alerts: [],
  holdMs: 0,
  keepFiringForMs: 0,
  shadow,
});

const group = (file: string, name: string, ...rules: ReturnType<typeof rule>[]) =>
  ({ file, name, rules }) as unknown as RuleGroupStatus;

const text = (name: string, alert: string, shadow: boolean) =>
  `name: ${name}\nrules:\n  - alert: ${alert}\n    expr: up == 0\n${shadow ? "    shadow: true\n" : ""}`;

/** Two namespaces and a file have the alert Down as a shadow rule, another file has it live; Slow is in the file alone. */
async function server() {
  const dir = freshFolder();
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const ruler = makeRuler({
    disk: realDisk,
    dir: join(dir, "rules"),
    checkExpression,
    evaluationIntervalMs: () => 60_000,
    limitsOf: () => ({ maxRulesPerRuleGroup: 0, maxRuleGroups: 0 }),
    onChange: () => {},
  });
  const file = join(dir, "a b.yml");
  writeFileSync(file, "groups:\n- name: g\n  rules:\n  - alert: Slow\n    expr: up == 0\n    shadow: true\n");
  await ruler.set("default", "one", text("g", "Down", true));
  await ruler.set("default", "two", text("h", "Down", true));
  await ruler.set("default", "one", text("same", "Other", true));
  await ruler.set("default", "two", text("same", "Other", true));
  const all = [
    group("one", "g", rule("Down", true)),
    group("two", "h", rule("Down", true)),
    group(file, "g", rule("Down", true), rule("Slow", true)),
    group(join(dir, "live.yml"), "g", rule("Down", false)),
    group("one", "same", rule("Other", true)),
    group("two", "same", rule("Other", true)),
  ];
  const app = wholeServer({ ruler, rules: (tenant) => (tenant === "default" ? all : []) });
  onTestFinished(() => app.close());
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const stored = (namespace: string, name: string) =>
    ruler.list("default", namespace)[namespace]?.find((d) => d.name === name)?.content;
  const promote = (alert: string | undefined, options: object = {}) =>
    heard(() => turnRules(false, alert, { url, ...options }));
  return { app, file, url, stored, promote };
}

it("a name that is in several groups is refused, and each one is told as it can be named", async () => {
  const { app, file, stored, promote } = await server();
  const refused = await promote("Down");
  expect(refused.code).toBe(1);
  expect(refused.err.split("\n")).toEqual([
    "error: Down is in several places, and nothing is changed; say which:",
    "  tocsin rules promote Down --group g --namespace one",
    "  tocsin rules promote Down --group h --namespace two",
    `  tocsin rules promote Down --group g --file '${file}'`,
    "",
  ]);
  expect(JSON.stringify(stored("one", "g"))).toContain('"shadow":true');
  const answer = await app.inject({ method: "POST", url: "/api/v1/shadow-rules/promote?rule=Down" });
  expect(answer.statusCode).toBe(400);
  expect(answer.json().error).toContain(`group "g" of file ${JSON.stringify(file)}`);
  // With what it told, it is that one and no other.
  expect(await promote("Down", { group: "g", namespace: "one" })).toMatchObject({ code: 0, err: "" });
  expect(JSON.stringify(stored("one", "g"))).not.toContain("shadow");
  expect(JSON.stringify(stored("two", "h"))).toContain('"shadow":true');
});

it("a group's name that several namespaces have is refused too", async () => {
  const { promote } = await server();
  const refused = await promote(undefined, { group: "same" });
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringContaining("rules promote --group same --namespace two\n"),
  });
});

it("a name that one group alone has needs no group, and a file may be named by its path's end", async () => {
  const { promote, file } = await server();
  expect(await promote("Slow")).toMatchObject({ code: 1, out: expect.stringContaining(`${file}:6`) });
  expect(await promote("Slow", { file: "a b.yml" })).toMatchObject({
    code: 1,
    out: expect.stringContaining(`${file}:6`),
  });
});

it("what is not there, or not named, is said", async () => {
  const { promote } = await server();
  expect(await promote("Nope")).toMatchObject({ code: 1, err: expect.stringContaining('no alert rule "Nope"') });
  expect(await promote("Down", { group: "g", namespace: "x" })).toMatchObject({
    code: 1,
    err: expect.stringContaining('no rule group "g" in "x"'),
  });
  expect(await promote("Slow", { group: "h" })).toMatchObject({
    code: 1,
    err: expect.stringContaining('no alert rule "Slow" in group "h"'),
  });
  // A tenant sees its own alone.
  expect(await promote("Down", { tenant: "acme" })).toMatchObject({
    code: 1,
    err: expect.stringContaining("no alert rule"),
  });
  expect(await promote(undefined)).toMatchObject({ code: 2, err: expect.stringContaining("which one?") });
  expect(await promote("Down", { rule: "Up" })).toMatchObject({ code: 2 });
});
