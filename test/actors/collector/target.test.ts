import { describe, expect, it } from "vitest";
import { compileRelabel } from "../../../src/actors/collector/relabel.ts";
import { type Discovered, makeTarget, type TargetOutcome } from "../../../src/actors/collector/target.ts";
import { labelsToObject } from "../../../src/model/labels.ts";
import { job } from "./jobs.ts";

function make(keys: string, discovered: Discovered): TargetOutcome {
  const config = job(keys);
  return makeTarget(config, compileRelabel(config.relabelConfigs), discovered);
}

function target(keys: string, discovered: Discovered) {
  const made = make(keys, discovered);
  if (made.kind !== "target") throw new Error(JSON.stringify(made));
  return { ...made.target, labels: { ...labelsToObject(made.target.labels) } };
}

const web = { address: "web:80", labels: { dc: "eu", __meta_x: "1" } };

describe("a target", () => {
  it("has the defaults of its job, and only labels without __", () => {
    expect(target("", web)).toMatchObject({
      url: "http://web:80/metrics",
      labels: { job: "j", instance: "web:80", dc: "eu" },
      intervalMs: 10_000,
      timeoutMs: 10_000,
      discoveredLabels: {
        __address__: "web:80",
        __meta_x: "1",
        __metrics_path__: "/metrics",
        __scheme__: "http",
        __scrape_interval__: "10s",
        __scrape_timeout__: "10s",
        dc: "eu",
        job: "j",
      },
    });
  });

  it("is made by relabeling: address, path, scheme, parameters, interval, instance", () => {
    const rules = `relabel_configs: [
      {source_labels: [__address__], target_label: __param_target},
      {source_labels: [__param_target], target_label: instance},
      {target_label: __address__, replacement: 'prober:9115'},
      {target_label: __metrics_path__, replacement: probe},
      {target_label: __scheme__, replacement: https},
      {target_label: __scrape_interval__, replacement: 30s},
      {target_label: __scrape_timeout__, replacement: 5s}], params: {module: [icmp, v6]}`;
    expect(target(rules, web)).toMatchObject({
      url: "https://prober:9115/probe?module=icmp&module=v6&target=web%3A80",
      labels: { job: "j", instance: "web:80", dc: "eu" },
      intervalMs: 30_000,
      timeoutMs: 5000,
    });
  });

  it("may bring its own job, instance and path", () => {
    const own = { address: "a:1", labels: { job: "x", instance: "i", __metrics_path__: "/m" } };
    expect(target("", own)).toMatchObject({ url: "http://a:1/m", labels: { job: "x", instance: "i" } });
  });

  it("has an IPv6 address in brackets", () => {
    expect(target("", { address: "[::1]:9100", labels: {} }).url).toBe("http://[::1]:9100/metrics");
  });

  it("can be dropped", () => {
    const made = make("relabel_configs: [{source_labels: [dc], regex: eu, action: drop}]", web);
    expect(made).toMatchObject({ kind: "dropped", discoveredLabels: { dc: "eu" } });
  });

  it.each([
    ["{target_label: __address__, replacement: ''}", "no address"],
    ["{target_label: __address__, replacement: 'http://x/'}", "is no address"],
    ["{target_label: __address__, replacement: 'user@x'}", "is no address"],
    ["{target_label: __scheme__, replacement: ftp}", "not http or https"],
    ["{target_label: __scrape_interval__, replacement: often}", "not a valid duration"],
    ["{target_label: __scrape_timeout__, replacement: 1h}", "__scrape_timeout__ is longer"],
    ["{target_label: __scrape_interval__, replacement: '0'}", "__scrape_interval__ is 0"],
  ])("is invalid after %s", (rule, reason) => {
    expect(make(`relabel_configs: [${rule}]`, web)).toMatchObject({
      kind: "invalid",
      reason: expect.stringContaining(reason),
    });
  });

  it("has the same key exactly when it is the same", () => {
    const key = (keys: string, discovered: Discovered) => target(keys, discovered).key;
    expect(key("", web)).toBe(key("", { ...web, labels: { ...web.labels, __meta_x: "2" } }));
    expect(key("", web)).not.toBe(key("", { ...web, labels: { dc: "us" } }));
    expect(key("", web)).not.toBe(key("metrics_path: /m", web));
    expect(key("", web)).not.toBe(key("params: {a: [b]}", web));
  });
});
