import { describe, expect, it } from "vitest";
import { heartbeatRules } from "../../../src/actors/alert/heartbeat.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { compileRoute, routesOf } from "../../../src/actors/alert/route.core.ts";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { ConfigError } from "../../../src/model/config.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

const parse = (text: string) => parseAlertmanagerConfig("/etc/am.yml", text);
function problems(text: string): string[] {
  try {
    parse(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => `${p.line}:${p.column}: ${p.message}`);
  }
}
const BASE = "route: { receiver: a }\n";

describe("fallback_receiver", () => {
  it("is one for all, and another one of single receivers, which may stand behind them", () => {
    const config = parse(
      `${BASE}fallback_receiver: b\nreceivers:\n- { name: a, fallback_receiver: c }\n- name: b\n- name: c\n`,
    );
    expect(config.fallbackReceiver).toBe("b");
    expect(config.receivers.map((r) => r.fallbackReceiver)).toEqual(["c", undefined, undefined]);
    expect(parse(`${BASE}receivers: [{ name: a }]`).fallbackReceiver).toBeUndefined();
  });

  it("has to be a receiver that there is, or the place is named", () => {
    expect(problems(`${BASE}fallback_receiver: x\nreceivers:\n- name: a\n  fallback_receiver: y\n`)).toEqual([
      '2:20: undefined receiver "x" used in fallback_receiver',
      '5:22: undefined receiver "y" used in fallback_receiver',
    ]);
    expect(problems(`${BASE}fallback_reciever: a\nreceivers: [{ name: a }]`)).toEqual([
      '2:1: unknown key "fallback_reciever" in the configuration, did you mean "fallback_receiver"?',
    ]);
    expect(problems(`${BASE}fallback_receiver: [a]\nreceivers: [{ name: a }]`)).toHaveLength(1);
  });
});

describe("heartbeat", () => {
  const labels = labelsFromObject({ alertname: "Watchdog", tocsin: "heartbeat", severity: "none" });
  const receivers = "receivers: [{ name: a }, { name: dog }]\n";

  it("has its own route before all others, told at each interval, whatever the root groups by", () => {
    const config = parse(
      `route: { receiver: a, group_by: [...], routes: [{ receiver: a, matchers: ['alertname=~".+"'] }] }\n${receivers}heartbeat: { receiver: dog, interval: 30s }\n`,
    );
    expect(config.heartbeat).toEqual({ receiver: "dog", intervalMs: 30_000 });
    const [route, ...others] = routesOf(compileRoute(config.route), labels);
    expect(others).toEqual([]);
    expect(route).toMatchObject({ receiver: "dog", groupWaitMs: 0, groupIntervalMs: 30_000, groupBy: ["alertname"] });
    expect(route?.repeatIntervalMs).toBeLessThan(30_000);
    expect(routesOf(compileRoute(config.route), labelsFromObject({ alertname: "X" }))[0]?.receiver).toBe("a");
  });

  it("is every minute where nothing is said, and a rule file that holds", () => {
    const { heartbeat } = parse(`${BASE}${receivers}heartbeat: { receiver: dog }`);
    expect(heartbeat?.intervalMs).toBe(60_000);
    const options = { evaluationIntervalMs: 15_000, checkExpression };
    const { groups, problems } = parseRuleFile("heartbeat", heartbeatRules(heartbeat!), options);
    expect(problems).toEqual([]);
    expect(groups).toMatchObject([{ intervalMs: 60_000, rules: [{ name: "Watchdog", query: "vector(1)" }] }]);
  });

  it.each([
    ["heartbeat: {}", "3:12: heartbeat: missing receiver"],
    ["heartbeat: { interval: 1m }", "3:12: heartbeat: missing receiver"],
    ["heartbeat: { receiver: x }", '3:24: undefined receiver "x" used in heartbeat.receiver'],
    ["heartbeat: { receiver: dog, interval: 10ms }", "3:39: heartbeat: interval must be at least 1s"],
    ["heartbeat: { receiver: dog, every: 1m }", '3:29: unknown key "every" in heartbeat'],
    ["heartbeat: { receiver: dog, interval: soon }", /^3:39: interval: /],
    ["heartbeat: dog", /^3:12: /],
  ] as const)("%s", (text, problem) => {
    const found = problems(`${BASE}${receivers}${text}`);
    expect(found.length).toBeGreaterThan(0);
    if (typeof problem === "string") expect(found[0]).toBe(problem);
    else expect(found[0]).toMatch(problem);
  });
});
