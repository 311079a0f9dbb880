import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, it, onTestFinished } from "vitest";
import { liveConfiguration } from "../../src/cli/reload.ts";
import { startWatch } from "../../src/cli/watch-rules.ts";

it("reads changed rule files again whole, or goes on with the ones before", () => {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-watch-rules-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  const group = (name: string, expr = "up") => `groups: [{ name: ${name}, rules: [{ record: a:b, expr: "${expr}" }] }]`;
  write("tocsin.yml", 'rule_files: ["rules/*.yml", r.yml]\n');
  write("r.yml", group("one"));
  const live = liveConfiguration(join(dir, "tocsin.yml"), pino({ level: "silent" }));
  const [said, failed]: [string[], string[]] = [[], []];
  const applied: string[][] = [];
  const { watch, reloads } = startWatch({
    live,
    applyRules: () => applied.push(live.current().groups.map((g) => g.name)),
    log: { info: (line: string) => said.push(line), error: (line: string) => failed.push(line) } as never,
    everyMs: 3_600_000,
  });
  onTestFinished(() => watch.close());

  write("r.yml", group("two"));
  expect(watch.look()).toBe(true);
  expect(applied).toEqual([["two"]]);
  expect(said).toEqual(["rule files changed and were read again: 1 groups with 1 rules"]);

  write("r.yml", group("three", "sum("));
  expect(watch.look()).toBe(true);
  expect(live.current().groups.map((g) => g.name)).toEqual(["two"]);
  expect(applied).toHaveLength(1);
  expect(failed[0]).toMatch(/the rules before go on:\n.*r\.yml:1:\d+: could not parse expression/);
  expect(reloads()).toEqual({ ok: 1, failed: 1, current: false });

  write("r.yml", group("four"));
  expect(watch.look()).toBe(true);
  expect(applied.at(-1)).toEqual(["four"]);
  expect(reloads()).toEqual({ ok: 2, failed: 1, current: true });
});
