import { describe, expect, it } from "vitest";
import { compileRelabel, relabelLabels } from "../../../src/actors/collector/relabel.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import { labelsFromObject, labelsToObject } from "../../../src/model/labels.ts";

/** Runs rules, written as in a configuration, on labels; undefined when they are dropped. */
function run(rules: string, labels: Record<string, string>): Record<string, string> | undefined {
  const text = `scrape_configs: [{ job_name: a, metric_relabel_configs: [${rules}] }]`;
  const config = parseConfig(text, "t.yml").config.scrapeConfigs[0];
  if (config === undefined) throw new Error("no job");
  const out = relabelLabels(compileRelabel(config.metricRelabelConfigs), labelsFromObject(labels));
  return out === undefined ? undefined : { ...labelsToObject(out) };
}

const abc = { a: "foo", b: "bar", c: "baz" };

describe("relabeling", () => {
  it("replace: groups of the joined values, anchored", () => {
    const join = "source_labels: [a, b], separator: '-'";
    expect(run(`{${join}, target_label: d}`, abc)).toEqual({ ...abc, d: "foo-bar" });
    expect(run(`{${join}, regex: 'f(.*)-(?P<x>b.)r', target_label: d, replacement: '\${2}\${x}:$1:$$'}`, abc)).toEqual({
      ...abc,
      d: "baba:oo:$",
    });
    expect(run(`{${join}, regex: 'oo-bar', target_label: d}`, abc)).toEqual(abc);
    expect(run("{source_labels: [a], regex: 'f|foo', target_label: d, replacement: x}", abc)).toEqual({
      ...abc,
      d: "x",
    });
  });

  it("replace: a name made of groups; an empty value removes the label, an empty name does nothing", () => {
    expect(run("{source_labels: [a], regex: '(.)(.*)', target_label: '${1}_$2', replacement: v}", abc)).toEqual({
      ...abc,
      f_oo: "v",
    });
    expect(run("{source_labels: [a], target_label: b, replacement: ''}", abc)).toEqual({ a: "foo", c: "baz" });
    expect(run("{source_labels: [none], target_label: b}", abc)).toEqual({ a: "foo", c: "baz" });
    expect(run("{source_labels: [none], target_label: '$1', replacement: x}", abc)).toEqual(abc);
    expect(run("{target_label: d, replacement: fixed}", abc)).toEqual({ ...abc, d: "fixed" });
  });

  it("replace: $1x is the group 1x, which does not exist; a lone dollar stands for itself", () => {
    const rule = (replacement: string) =>
      run(`{source_labels: [a], regex: '(f)(oo)', target_label: d, replacement: '${replacement}'}`, { a: "foo" })?.d;
    expect(rule("<$1x>")).toBe("<>");
    expect(rule("<${1}x>")).toBe("<fx>");
    expect(rule("$ ${ ${1 $")).toBe("$ ${ ${1 $");
    expect(rule("$2$1$0$3")).toBe("ooffoo");
    expect(rule("$01")).toBeUndefined();
  });

  it("replace: a dot matches a line feed", () => {
    expect(run("{source_labels: [a], regex: 'x(.*)y', target_label: d}", { a: "x1\n2y" })?.d).toBe("1\n2");
  });

  it("keep and drop", () => {
    expect(run("{source_labels: [a], regex: f.., action: keep}", abc)).toEqual(abc);
    expect(run("{source_labels: [a], regex: f., action: keep}", abc)).toBeUndefined();
    expect(run("{source_labels: [a], regex: f.., action: drop}", abc)).toBeUndefined();
    expect(run("{source_labels: [none], regex: '', action: drop}", abc)).toBeUndefined();
    expect(run("{source_labels: [a, none], regex: 'foo;', action: keep}", abc)).toEqual(abc);
  });

  it("keepequal and dropequal", () => {
    const same = { a: "x", b: "x", c: "y" };
    expect(run("{source_labels: [a], target_label: b, action: keepequal}", same)).toEqual(same);
    expect(run("{source_labels: [a], target_label: c, action: keepequal}", same)).toBeUndefined();
    expect(run("{source_labels: [a], target_label: b, action: dropequal}", same)).toBeUndefined();
    expect(run("{source_labels: [a], target_label: c, action: dropequal}", same)).toEqual(same);
  });

  // The values are those of Prometheus: a fleet that shares targets by hashmod may have members of both kinds.
  it.each([
    ["{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}", abc, "976"],
    ["{source_labels: [a], target_label: d, action: hashmod, modulus: 1000}", { a: "foo\nbar" }, "734"],
  ])("hashmod: %s", (rule, labels, expected) => {
    expect(run(rule, labels)?.d).toBe(expected);
  });

  it("labelmap, labeldrop, labelkeep", () => {
    const labels = { __meta_k8s_app: "web", __meta_k8s_zone: "z1", job: "j" };
    expect(run("{regex: '__meta_k8s_(.+)', action: labelmap}", labels)).toEqual({ ...labels, app: "web", zone: "z1" });
    expect(run("{regex: '__meta_(.+)_(.+)', action: labelmap, replacement: '${2}_$1'}", labels)).toEqual({
      ...labels,
      app_k8s: "web",
      zone_k8s: "z1",
    });
    expect(run("{regex: '__meta_.*', action: labeldrop}", labels)).toEqual({ job: "j" });
    expect(run("{regex: 'jo.', action: labelkeep}", labels)).toEqual({ job: "j" });
  });

  it("lowercase and uppercase", () => {
    expect(run("{source_labels: [a], target_label: b, action: uppercase}", { a: "bÄr" })).toEqual({
      a: "bÄr",
      b: "BÄR",
    });
    expect(run("{source_labels: [a], target_label: a, action: lowercase}", { a: "BÄr" })).toEqual({ a: "bär" });
  });

  it("runs the rules one after the other, up to a drop", () => {
    const rules = `{source_labels: [a], target_label: x, replacement: "1"},
      {source_labels: [x], regex: "1", target_label: y, replacement: "2"},
      {regex: x, action: labeldrop}`;
    expect(run(rules, { a: "v" })).toEqual({ a: "v", y: "2" });
  });

  it("takes long texts and hostile patterns in good time", () => {
    const start = performance.now();
    expect(run("{source_labels: [a], regex: '(a+)+b', target_label: d}", { a: "a".repeat(30_000) })).toBeDefined();
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
