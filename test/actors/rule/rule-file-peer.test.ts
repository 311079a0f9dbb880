import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { findPeer } from "../../support/find-program.ts";

// Stricter on purpose: more than one document in a file, and an item of a list that is null; Tocsin's own keys and functions that
// Prometheus has behind a flag are taken. All else is valid, or not, for both.
const ruleOf = (rule: string) => `groups: [{name: g, rules: [${rule}]}]`;
const cases = [
  "",
  "groups:",
  "groups: []",
  "groups: [{}]",
  "groups: [{name: ''}]",
  "groups: [{name: g}]",
  "groups: [{name: g},{name: g}]",
  "foo: 1",
  "groups: [{name: g, foo: 1}]",
  "groups: [{name: g, interval: 5}]",
  "groups: [{name: g, interval: 1m, limit: 5, query_offset: 1m, labels: {a: b}}]",
  "groups: [{name: g, limit: -1}]",
  "groups: [{name: g, limit: x}]",
  "groups: [{name: g, query_offset: -1m}]",
  "groups: [{name: g, labels: {__name__: b}}]",
  "groups: [{name: g, labels: {'': b}}]",
  "groups: [{name: g, labels: {'a b': b}}]",
  "groups: [{name: g, interval: 0s}]",
  "groups: [{name: 5, rules: [{alert: 5, expr: 1}]}]",
  ...[
    "{alert: A, expr: up}",
    "{alert: A, expr: 'up ==='}",
    "{alert: A}",
    "{expr: up}",
    "{alert: A, record: b, expr: up}",
    "{record: 'a b', expr: up}",
    "{record: 'a{b}', expr: up}",
    "{record: a, expr: up, for: 1m}",
    "{record: a, expr: up, annotations: {a: b}}",
    "{record: a, expr: up, keep_firing_for: 1m}",
    "{alert: A, expr: up, for: 5}",
    "{alert: A, expr: up, for: '5'}",
    "{alert: A, expr: up, for: 1d5m}",
    "{alert: A, expr: up, for: 5m1d}",
    "{alert: A, expr: up, for: -5m}",
    "{alert: A, expr: up, for: 0}",
    "{alert: A, expr: up, for: 1.5m}",
    "{alert: A, expr: up, keep_firing_for: 10m}",
    "{alert: A, expr: up, labels: {'': x}}",
    "{alert: A, expr: up, labels: {__name__: x}}",
    "{alert: A, expr: up, labels: {alertname: x}}",
    "{alert: A, expr: up, labels: {'a-b': x}}",
    "{alert: A, expr: up, annotations: {'a-b': x}}",
    "{alert: A, expr: up, annotations: {'': x}}",
    "{alert: A, expr: up, labels: {a: 5}}",
    "{alert: A, expr: up, labels: {a: true}}",
    "{alert: A, expr: up, labels: {a: ~}}",
    "{alert: A, expr: up, labels: {a: [x]}}",
    "{alert: A, expr: up, annotations: {a: '{{ $labels.x }'}}",
    "{alert: A, expr: up, annotations: {a: '{{ $nope }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ nope }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ if }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ template \"x\" }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ .Foo }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ query \"up(\" }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ humanize \"x\" }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ end }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ \"a\" | humanize | toUpper }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ 1 | 2 }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ range }}'}}",
    "{alert: A, expr: up, annotations: {a: '{{ first (query \"x\") }}'}}",
    "{alert: A, expr: 1}",
    "{alert: A, expr: '\"x\"'}",
    "{alert: A, expr: 'up[5m]'}",
    "{record: a, expr: 'up[5m]'}",
    "{record: a, expr: '\"x\"'}",
    "{record: a, expr: 5}",
    "{alert: '', expr: up}",
    "{alert: 'ä b', expr: up}",
    "{record: 'ä b', expr: up}",
    "{alert: A, expr: up, foo: 1}",
    "{alert: A, alert: B, expr: up}",
    "{alert: A, expr: |\n up}",
    "{alert: A, expr: ''}",
    "{alert: A, expr: '   '}",
    "{alert: A, expr: '# c'}",
    "{alert: A, expr: 'up', labels: }",
    "{alert: A, expr: 'rate(up)'}",
    "{alert: A, expr: 'foo(up)'}",
    "{alert: A, expr: 'rate(up[5m]) by (x)'}",
    "{alert: A, expr: 'up @ start()'}",
    "{alert: A, expr: 'up offset -5m'}",
    "{record: a, expr: up, labels: {a: '{{ nope }}'}}",
    "{record: __name__, expr: up}",
    "{record: '1a', expr: up}",
    "{record: 'a:b', expr: up}",
  ].map(ruleOf),
  "a: [",
  "groups: {}",
  "groups: x",
  "- x",
  "groups:\n- name: g\n  rules: x",
  "groups:\n- name: g\n  rules: {}",
  "groups:\n- name: g\n  rules:\n",
];

const promtool = findPeer("3.5", "promtool");
describe.skipIf(promtool === undefined)(
  "rule files against promtool (needs 3.5 or newer on PATH or in PEERS_BIN)",
  () => {
    it("are valid for both or for none", () => {
      const folder = mkdtempSync(join(tmpdir(), "tocsin-rules-"));
      try {
        const files = cases.map((text, i) => {
          const file = join(folder, `${i}.yml`);
          writeFileSync(file, text);
          return file;
        });
        // One run tells of all files: what is wrong is said on lines that begin with the file.
        const { stdout, stderr } = spawnSync(promtool as string, ["check", "rules", "--lint=none", ...files], {
          encoding: "utf8",
        });
        const said = stdout + stderr;
        const ours = cases.map((text) => {
          const { problems } = parseRuleFile("f.yml", text, { evaluationIntervalMs: 60_000, checkExpression });
          return `${text}: ${problems.length === 0 ? "valid" : "wrong"}`;
        });
        const theirs = cases.map((text, i) => {
          const part = said.slice(said.indexOf(`Checking ${files[i]}\n`)).slice(9);
          const next = part.indexOf("Checking ");
          return `${text}: ${(next < 0 ? part : part.slice(0, next)).includes("SUCCESS:") ? "valid" : "wrong"}`;
        });
        expect(ours).toEqual(theirs);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);
