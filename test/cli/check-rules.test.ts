import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type CheckRulesOptions, checkRules } from "../../src/cli/check-rules.ts";
import { findPeer } from "../support/find-program.ts";

const promtool = findPeer("3.5", "promtool");

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "tocsin-check-rules-"));
});
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

function check(files: readonly string[], options: CheckRulesOptions = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  vi.spyOn(console, "log").mockImplementation((line) => void out.push(String(line)));
  vi.spyOn(console, "error").mockImplementation((line) => void err.push(String(line)));
  const code = checkRules(files, options);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const GOOD = "groups: [{ name: g, rules: [{ record: a:b, expr: up }, { alert: A, expr: up == 0 }] }]";
const TWICE = `groups:
  - name: g
    rules:
      - { record: a:b, expr: up, labels: { x: "1" } }
      - { record: a:b, expr: down, labels: { x: "1" } }
      - { alert: A, expr: up }
      - { record: a:b, expr: up }
`;

describe("tocsin check rules", () => {
  it("counts what is good", () => {
    const good = file("good.yml", GOOD);
    expect(check([good, good])).toEqual({
      code: 0,
      out: `Checking ${good}\n  SUCCESS: 2 rules found\n\nChecking ${good}\n  SUCCESS: 2 rules found\n`,
      err: "",
    });
  });

  it("names the place of what is not, exit code 1", () => {
    const bad = file("bad.yml", "groups:\n  - name: g\n    rules:\n      - { alert: A, expr: up ==, for: 1x }\n");
    const { code, err } = check([file("good2.yml", GOOD), bad, join(dir, "none.yml")]);
    expect(code).toBe(1);
    expect(err).toContain(`${bad}:4:`);
    expect(err).toContain(`${join(dir, "none.yml")}: cannot be read`);
    expect(err).not.toContain("good2.yml");
  });

  it("lint: rules that come twice are told; an error only with --lint-fatal, exit code 3", () => {
    const twice = file("twice.yml", TWICE);
    const { code, out, err } = check([twice]);
    expect(code).toBe(0);
    expect(out).not.toContain("SUCCESS");
    expect(err).toContain("lint error 1 duplicate rule(s) found.\nMetric: a:b\nLabel(s):\n\tx: 1\n");
    expect(check([twice], { lintFatal: true }).code).toBe(3);
    expect(check([twice], { lintFatal: true, lint: "none" })).toMatchObject({ code: 0, err: "" });
    expect(check([twice], { lint: "al" })).toMatchObject({
      code: 1,
      err: expect.stringContaining("unknown lint option"),
    });
  });

  it("passes over unknown keys where told so", () => {
    const extra = file("extra.yml", "groups: [{ name: g, owner: me, rules: [{ record: a, expr: up, team: x }] }]");
    expect(check([extra]).err).toContain('unknown key "owner"');
    expect(check([extra], { ignoreUnknownFields: true }).code).toBe(0);
  });

  it.skipIf(promtool === undefined)("has the exit codes and the counts of the real promtool", () => {
    const files: Record<string, string> = {
      good: GOOD,
      twice: TWICE,
      empty: "",
      unknown: "groups: [{ name: g, foo: 1 }]",
      sameGroups: "groups: [{ name: g }, { name: g }]",
      noName: "groups: [{ rules: [] }]",
      badTemplate: 'groups: [{ name: g, rules: [{ alert: A, expr: up, labels: { a: "{{ $x }}" } }] }]',
      badFunction: 'groups: [{ name: g, rules: [{ alert: A, expr: up, annotations: { a: "{{ nope 1 }}" } }] }]',
      functions:
        'groups: [{ name: g, rules: [{ alert: A, expr: up, annotations: { a: "{{ 3.0 | toTime }}{{ externalURL }}{{ pathPrefix }}{{ args 1 }}{{ strvalue . }}{{ safeHtml `x` }}{{ graphLink `up` }}{{ tableLink `up` }}" } }] }]',
      both: "groups: [{ name: g, rules: [{ alert: A, record: B, expr: up }] }]",
      forInRecord: "groups: [{ name: g, rules: [{ record: B, expr: up, for: 1m }] }]",
      allKeys:
        "groups: [{ name: g, interval: 5s, limit: 3, query_offset: 1m, labels: { a: b }, rules: [{ alert: A, expr: up, for: 1m, keep_firing_for: 2m }] }]",
      badLabel: "groups: [{ name: g, labels: { __name__: x }, rules: [] }]",
      utf8: 'groups: [{ name: g, rules: [{ record: "größe.x", expr: \'{"größe"}\', labels: { "a.b": c } }] }]',
      badDuration: "groups: [{ name: g, interval: 5x }]",
    };
    const codes = Object.entries(files).map(([name, text]) => {
      const path = file(`peer-${name}.yml`, text);
      const args = ["check", "rules", "--lint-fatal", path];
      const peer = spawnSync(promtool as string, args, { encoding: "utf8" });
      const ours = check([path], { lintFatal: true });
      const counts = [ours.out, peer.stdout].map((text) => /\d+ rules found/.exec(text)?.[0]);
      return { name, ours: [ours.code, counts[0]], peer: [peer.status, counts[1]] };
    });
    for (const { name, ours, peer } of codes) expect([name, ...ours]).toEqual([name, ...peer]);
  });
});
