import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { checkConfig } from "../../src/cli/check.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "tocsin-check-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
/** The whole program; slow, so only where the command line itself is meant. */
const tocsin = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["src/main.ts", ...args], { encoding: "utf8" });
  return { status, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
};
/** What a command says, and the exit code that it leaves. */
const said = (command: () => void) => {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  vi.spyOn(console, "log").mockImplementation((line) => void stdout.push(String(line)));
  vi.spyOn(console, "warn").mockImplementation((line) => void stderr.push(String(line)));
  vi.spyOn(console, "error").mockImplementation((line) => void stderr.push(String(line)));
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    command();
    return { status: process.exitCode, stdout: stdout.join("\n"), stderr: stderr.join("\n") };
  } finally {
    process.exitCode = before;
  }
};
afterEach(() => vi.restoreAllMocks());
const RULES = "groups: [{ name: g, rules: [{ record: a:b, expr: up }, { alert: A, expr: up == 0 }] }]";

describe("tocsin check", { timeout: 90_000 }, () => {
  it("config: a valid one, with all that it names", () => {
    file("rules.yml", RULES);
    const config = file("good.yml", "rule_files: [rules.yml]\nscrape_configs: [{ job_name: j }]\n");
    expect(said(() => checkConfig(config))).toEqual({
      status: 0,
      stdout: `${config} is valid: 1 scrape configs, 1 rule groups with 2 rules`,
      stderr: "",
    });
  });

  it("config: the default one", () => {
    const { status, stdout } = said(() => checkConfig(resolve("config/tocsin.yml")));
    expect(stdout).toMatch(/tocsin.yml is valid: \d+ scrape configs, \d+ rule groups with \d+ rules$/);
    expect(status).toBe(0);
  });

  it("config: every problem of every file, each with its place; exit code 1", () => {
    const rules = file("bad-rules.yml", "groups:\n  - name: g\n    rules:\n      - record: a\n        expr: sum(\n");
    const receivers = file("bad-alertmanager.yml", "route: { receiver: nobody }\nreceivers: []\n");
    const config = file("bad.yml", "rule_files: [bad-rules.yml]\nalertmanager_config_file: bad-alertmanager.yml\n");
    const { status, stdout, stderr } = said(() => checkConfig(config));
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(`${rules}:5:`);
    expect(stderr).toContain(`${receivers}:1:`);
    const broken = file(
      "broken.yml",
      "scrape_configs: [{ job_name: j, scrape_intervall: 5s }]\nagent: { interval: 1 }\n",
    );
    const all = said(() => checkConfig(broken));
    expect(all.status).toBe(1);
    expect(all.stderr).toContain(`${broken}:1:33`);
    expect(all.stderr).toContain(`${broken}:2:`);
    expect(all.stderr).not.toMatch(/^\s+at /m);
  });

  it("config: a file that is not there", () => {
    const { status, stderr } = said(() => checkConfig(join(dir, "none.yml")));
    expect(status).toBe(1);
    expect(stderr).toContain("none.yml");
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it("exits with 1 when something is wrong, and with its place on stderr", () => {
    const bad = file("bad-key.yml", "no_such_key: 1\n");
    expect(tocsin("check", "config", bad)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining(`${bad}:1:1`),
    });
  });

  it("answers wrong usage with what is wrong, and exits with 1", () => {
    expect(tocsin("check", "config")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("missing required argument 'file'"),
    });
  });
});
