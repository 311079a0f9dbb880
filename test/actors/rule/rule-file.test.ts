import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { loadRuleFiles, parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { ConfigError } from "../../../src/model/config.ts";

const options = { evaluationIntervalMs: 60_000, checkExpression };
const problems = (text: string) =>
  parseRuleFile("r.yml", text, options).problems.map((p) => `${p.line}:${p.column}: ${p.message}`);

describe("rule files", () => {
  it("reads everything that a group and a rule can have", () => {
    const { groups, problems } = parseRuleFile(
      "/etc/r.yml",
      `groups:
  - name: g
    interval: 15s
    query_offset: 1m
    limit: 10
    labels: {team: infra, tier: 1}
    rules:
      - record: job:load:sum
        expr: sum by(job) (load{x="1"})
        labels: {tier: gold}
      - alert: High
        expr: |
          load
            > 1
        for: 5m
        keep_firing_for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.host }} is at {{ $value }}"}
  - name: h
    rules: []
`,
      options,
    );
    expect(problems).toEqual([]);
    expect(groups).toEqual([
      {
        name: "g",
        file: "/etc/r.yml",
        intervalMs: 15_000,
        queryOffsetMs: 60_000,
        limit: 10,
        rules: [
          {
            type: "recording",
            name: "job:load:sum",
            query: 'sum by (job) (load{x="1"})',
            reads: ["load"],
            labels: { team: "infra", tier: "gold" },
          },
          {
            type: "alerting",
            name: "High",
            query: "load > 1",
            reads: ["load"],
            labels: { team: "infra", tier: "1", severity: "page" },
            holdMs: 300_000,
            keepFiringForMs: 60_000,
            annotations: { summary: "{{ $labels.host }} is at {{ $value }}" },
          },
        ],
      },
      { name: "h", file: "/etc/r.yml", intervalMs: 60_000, queryOffsetMs: 0, limit: 0, rules: [] },
    ]);
  });

  it("takes a limit below one for none, as Prometheus does", () => {
    for (const limit of [-1, 0])
      expect(parseRuleFile("f", `groups: [{name: g, limit: ${limit}}]`, options).groups[0]?.limit).toBe(0);
    expect(problems("groups: [{name: g, limit: 1.5}]")).toHaveLength(1);
  });

  it("names the place of every mistake, all at once", () => {
    expect(
      problems(`groups:
- name: g
  intervall: 5s
  rules:
  - record: a{b}
    expr: up
    for: 5m
  - alert: A
    record: b
    expr: up
  - expr: up
  - alert: B
  - alert: C
    expr: up
    for: five
    labels: {__name__: x}
    annotations: {s: "{{ $labls.x }}"}
- name: g
  rules: {}
`),
    ).toEqual([
      '3:3: unknown key "intervall" in the group, did you mean "interval"?',
      "5:13: braces present in the recording rule name; should it be in expr?",
      "7:5: invalid field 'for' in recording rule",
      "8:5: only one of 'record' and 'alert' must be set",
      "11:5: one of 'record' or 'alert' must be set",
      "12:5: field 'expr' must be set in rule",
      '15:10: for: not a valid duration string: "five"',
      "16:14: invalid label name: __name__",
      '17:22: template of "s" in alert C: template: template:1:4: undefined variable "$labls"',
      '18:3: groupname: "g" is repeated in the same file',
      "19:10: rules must be a list",
    ]);
  });

  it.each([
    ["plain", "expr: sum(up) foo", "4:19"],
    ["double-quoted", 'expr: "sum(up) foo"', "4:20"],
    ["single-quoted", "expr: 'sum(up) foo'", "4:20"],
    ["literal block", "expr: |\n        sum(\n          up) foo\n", "6:15"],
  ])("finds the place inside a %s expression", (_, expr, place) => {
    const [message] = problems(`groups:\n- name: g\n  rules:\n  - ${expr}\n    alert: A\n`);
    expect(message).toMatch(new RegExp(`^${place}: could not parse expression: unexpected identifier "foo"`));
  });

  it("reads who is a shadow rule: the rule's own word, else the group's; never one that records", () => {
    const { groups, problems: none } = parseRuleFile(
      "r.yml",
      `groups:
- name: g
  shadow: true
  rules: [{alert: A, expr: up}, {alert: B, expr: up, shadow: false}, {record: c, expr: up}]
- name: h
  rules: [{alert: A, expr: up, shadow: "yes"}, {alert: B, expr: up}]
`,
      options,
    );
    expect(none).toEqual([]);
    expect(groups.flatMap((g) => g.rules.map((r) => ("shadow" in r ? r.shadow : undefined)))).toEqual([
      true,
      undefined,
      undefined,
      true,
      undefined,
    ]);
    expect(groups.map((g) => g.rules.map((r) => "shadowOfGroup" in r))).toEqual([
      [true, false, false],
      [false, false],
    ]);
    expect(problems("groups:\n- name: g\n  rules:\n  - record: x\n    expr: up\n    shadow: true\n")).toEqual([
      "6:5: invalid field 'shadow' in recording rule",
    ]);
    expect(problems("groups:\n- name: g\n  shadow: maybe\n  rules: []\n")).toEqual([
      '3:11: shadow must be true or false, not "maybe"',
    ]);
  });

  it("reports YAML mistakes and a file that is no rule file", () => {
    expect(problems("groups: [")[0]).toMatch(/^1:\d+: /);
    expect(problems("- a")).toEqual(["1:1: the rule file must be a mapping"]);
    expect(problems("")).toEqual([]);
  });

  it("loads globs, warns of what matches nothing, and throws all problems of all files", () => {
    const folder = mkdtempSync(join(tmpdir(), "tocsin-rule-files-"));
    writeFileSync(join(folder, "b.yml"), "groups: [{name: b, rules: [{record: x, expr: up}]}]");
    writeFileSync(join(folder, "a.yml"), "groups: [{name: a, rules: []}]");
    const loaded = loadRuleFiles([join(folder, "*.yml"), join(folder, "a.yml"), join(folder, "none*.yml")], options);
    expect(loaded.groups.map((g) => g.name)).toEqual(["a", "b"]);
    expect(loaded.files).toEqual([join(folder, "a.yml"), join(folder, "b.yml")]);
    expect(loaded.warnings).toEqual([`rule_files: no file matches ${join(folder, "none*.yml")}`]);
    writeFileSync(join(folder, "c.yml"), "groups: [{name: c, rule: []}]");
    writeFileSync(join(folder, "d.yml"), "group: []");
    expect(() => loadRuleFiles([join(folder, "*.yml")], options)).toThrow(ConfigError);
    expect(() => loadRuleFiles([join(folder, "*.yml")], options)).toThrow(
      /c\.yml:1:20: unknown key "rule".*d\.yml:1:1: unknown key "group".*did you mean "groups"/s,
    );
  });
});
