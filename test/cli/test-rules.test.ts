import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type TestRulesOptions, testRules } from "../../src/cli/test-rules.ts";
import { findPeer } from "../support/find-program.ts";

const FOLDER = join(import.meta.dirname, "rule-tests");
const promtool = findPeer("3.5", "promtool");

async function run(files: readonly string[], options: TestRulesOptions = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await testRules(files, options, { out: (l) => out.push(l), err: (l) => err.push(l) });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const at = (name: string) => join(FOLDER, name);

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-test-rules-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

function fileWith(text: string): string {
  const file = join(folder(), "t.yml");
  writeFileSync(file, text);
  return file;
}

/** What differs between two programs in no matter: blank lines and the names of the files. */
const essence = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("Unit Testing:"))
    .sort();

describe("tocsin test rules", () => {
  it("says SUCCESS of alerts, recorded series and native histograms as they are expected", async () => {
    const { code, out, err } = await run([at("good.test.yml"), at("fuzzy.test.yml")]);
    expect(err).toBe("");
    expect(out.match(/ {2}SUCCESS/g)).toHaveLength(2);
    expect(code).toBe(0);
  });

  it.each([
    ["bad-rules", /bad-rules\.yml:5:19: could not parse expression: unclosed left parenthesis/],
    ["bad-series", /bad-series\.test\.yml:1:36: series: .*unexpected end of input inside braces/],
    ["bad-values", /bad-values\.test\.yml:1:47: values: unexpected value "nope"/],
    ["bad-key", /bad-key\.test\.yml:1:11: unknown key "promql_expr_tests".*did you mean "promql_expr_test"/],
    ["bad-order", /bad-order\.test\.yml:2:19: group name repeated in evaluation order: a/],
    ["bad-yaml", /bad-yaml\.test\.yml:2:1: /],
    ["broken", /rule: both, time: 0s, err: .*same labelset(.|\n)*rule: many, time: 0s, err: exceeded limit of 1/],
  ])("%s: names what is wrong, exit code 1", async (name, message) => {
    const { code, err } = await run([at(`${name}.test.yml`)]);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  });

  it("goes on with the other files, and warns of rule files that are not there", async () => {
    const { code, out, err } = await run([at("exact.test.yml"), at("none.yml"), at("no-rules.test.yml")]);
    expect(code).toBe(1);
    expect(out).toContain("SUCCESS");
    expect(err).toMatch(/exp: \{\} 3E-01\n +got: \{\} 3.0000000000000004E-01/);
    expect(err).toMatch(/ENOENT.*none\.yml/);
    expect(err).toMatch(/WARNING: no file match pattern .*none\.yml/);
  });

  it("--run: only tests whose name fits", async () => {
    expect((await run([at("failing.test.yml")], { run: ["^fine$"] })).code).toBe(0);
    expect((await run([at("failing.test.yml")], { run: ["^fine$", "label"] })).err).toContain("name: wrong label");
    expect((await run([at("failing.test.yml")], { run: ["("] })).err).toMatch(/^--run: /);
  });

  it("--diff: marks what is missing, what is too much and what has another value", async () => {
    const { err } = await run([at("failing.test.yml")], { diff: true, run: ["wrong label"] });
    expect(err).toContain('"instance": \u001b[0;33m"b" => "a"\u001b[0m');
    expect(err).toContain('\u001b[0;31m"a": "b"\u001b[0m');
    expect(err).toContain('\u001b[0;32m"alertname": "Gone"\u001b[0m');
  });

  it("--debug: tells all samples at the end", async () => {
    const { err } = await run([at("good.test.yml")], { debug: true });
    expect(err).toContain("DEBUG: Starting test unnamed#2");
    expect(err).toMatch(/Dump of all data \(input_series and rules\) at 20m1s:/);
    expect(err).toContain('{__name__="job:requests:rate2m", job="web", team="shop"} =>\n0 @[60000]\n3 @[120000]');
  });

  it("--junit: writes the results, with what failed", async () => {
    const junit = join(folder(), "j.xml");
    await run([at("failing.test.yml"), at("bad-yaml.test.yml")], { junit });
    const xml = readFileSync(junit, "utf8");
    expect(xml).toMatch(/^<testsuites><testsuite name="[^"]*failing\.test\.yml" tests="4" failures="10" errors="0"/);
    expect(xml).toContain("expr: &quot;x&quot;, time: 1m,&#xA;");
    expect(xml).toMatch(/<testcase name="fine" time="[\d.]+"><\/testcase>/);
    expect(xml).toMatch(/tests="0" failures="0" errors="1".*<system-err>.*bad-yaml/);
    expect((await run([at("fuzzy.test.yml")], { junit: "/nowhere/j.xml" })).code).toBe(1);
  });

  it("--ignore-unknown-fields", async () => {
    const file = fileWith(
      "tests: [{ owner: me, promql_expr_test: [{ expr: vector(1), exp_samples: [{ value: 1 }] }] }]",
    );
    expect((await run([file])).err).toContain('unknown key "owner"');
    expect((await run([file], { ignoreUnknownFields: true })).code).toBe(0);
  });

  it.each([
    ["2024-01-01T00:00:00Z", 1_704_067_500],
    ["1609459200", 1_609_459_500],
  ])("start_timestamp %s: input and evaluation begin there", async (start, at5m) => {
    const cases = `[{ expr: timestamp(x), eval_time: 5m, exp_samples: [{ value: ${at5m} }] }, { expr: x, eval_time: 5m, exp_samples: [{ labels: x, value: 6 }] }]`;
    const inputs = "[{ series: x, values: 1+1x9 }]";
    const { err } = await run([
      fileWith(
        `tests: [{ start_timestamp: ${start}, interval: 1m, input_series: ${inputs}, promql_expr_test: ${cases} }]`,
      ),
    ]);
    expect(err).toBe("");
  });

  it("samples after the last evaluation are not there yet", async () => {
    const test = "{ expr: x offset -10m, eval_time: 5m, exp_samples: [{ labels: x, value: 6 }] }";
    const file = fileWith(
      `tests: [{ interval: 1m, input_series: [{ series: x, values: 1+1x20 }], promql_expr_test: [${test}] }]`,
    );
    expect((await run([file])).err).toContain("got: nil");
  });

  it("bounds what a mistyped repetition may make", async () => {
    const file = fileWith("tests: [{ input_series: [{ series: x, values: 1x99999999999 }] }]");
    expect((await run([file])).err).toContain("more than 10000000 values");
  });

  describe.skipIf(promtool === undefined)("beside the real promtool", () => {
    /** Files whose mistakes promtool tells without their place: only the exit code is the same. */
    const OTHER_WORDS = /^bad-/;

    it.each(readdirSync(FOLDER).filter((f) => f.endsWith(".test.yml")))("%s", async (file) => {
      const peer = spawnSync(promtool as string, ["test", "rules", at(file)], { encoding: "utf8" });
      const ours = await run([at(file)]);
      expect(ours.code).toBe(peer.status);
      if (OTHER_WORDS.test(file)) return;
      expect(essence(`${ours.out}\n${ours.err}`)).toEqual(essence(`${peer.stdout}\n${peer.stderr}`));
    });
  });
});
