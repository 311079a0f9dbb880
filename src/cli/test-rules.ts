import { globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { loadRuleFiles } from "../actors/rule/rule-file.ts";
import type { RuleGroupSpec } from "../actors/rule/rule-spec.ts";
import { parseUnitTestFile, type UnitTest, type UnitTestFile } from "../actors/rule/unit-test-file.ts";
import { runUnitTest } from "../actors/rule/unit-test-run.ts";
import { ConfigError } from "../model/config.ts";
import { type JunitSuite, junitXml } from "./test-junit.ts";

export interface TestRulesOptions {
  /** Regular expressions: only tests whose name one of them finds are run. */
  readonly run?: readonly string[];
  readonly diff?: boolean;
  readonly debug?: boolean;
  /** Where to write the results as JUnit XML. */
  readonly junit?: string;
  readonly ignoreUnknownFields?: boolean;
}

/** Where a command writes to. */
export interface TestOutput {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/**
 * `tocsin test rules FILE…`: runs promtool's unit tests for rules. Resolves to the exit code: 0 all went well, 1 something
 * did not, or could not be read.
 */
export async function testRules(
  files: readonly string[],
  options: TestRulesOptions,
  io: TestOutput = { out: (line) => console.log(line), err: (line) => console.error(line) },
): Promise<number> {
  let wanted: RegExp | undefined;
  try {
    const patterns = options.run ?? [];
    wanted = patterns.length === 0 ? undefined : new RegExp(patterns.map((p) => `(?:${p})`).join("|"), "u");
  } catch (e) {
    io.err(`--run: ${(e as Error).message}`);
    return 1;
  }
  const suites: JunitSuite[] = [];
  for (const file of files) {
    io.out(`Unit Testing:  ${file}`);
    const suite = await testFile(file, wanted, options, io);
    suites.push(suite);
    const failures = [...suite.problems, ...suite.cases.flatMap((c) => c.failures)];
    if (failures.length === 0) io.out("  SUCCESS");
    else {
      io.err("  FAILED:");
      for (const failure of failures) io.err(`${failure}\n`);
    }
    io.out("");
  }
  if (options.junit !== undefined) {
    try {
      writeFileSync(options.junit, junitXml(suites));
    } catch (e) {
      io.err(`cannot write ${options.junit}: ${(e as Error).message}`);
      return 1;
    }
  }
  return suites.some((s) => s.problems.length > 0 || s.cases.some((c) => c.failures.length > 0)) ? 1 : 0;
}

async function testFile(
  file: string,
  wanted: RegExp | undefined,
  options: TestRulesOptions,
  io: TestOutput,
): Promise<JunitSuite> {
  const suite: JunitSuite = { name: file, problems: [], cases: [] };
  const ignoreUnknown = options.ignoreUnknownFields === true;
  let parsed: UnitTestFile;
  try {
    parsed = parseUnitTestFile(file, readFileSync(file, "utf8"), ignoreUnknown);
  } catch (e) {
    return { ...suite, problems: [messageOf(e)] };
  }
  const ruleFiles = resolveFiles(file, parsed.ruleFiles, io);
  for (const [i, test] of parsed.tests.entries()) {
    const name = test.name === "" ? `unnamed#${i}` : test.name;
    // A test without a name answers to "", as promtool has it.
    if (wanted !== undefined && !wanted.test(test.name)) continue;
    const started = performance.now();
    if (options.debug === true) io.err(`DEBUG: Starting test ${name}`);
    const failures = await testOne(test, parsed, ruleFiles, options, io);
    if (options.debug === true) {
      io.err(`DEBUG: Test ${name} finished, took ${(performance.now() - started).toFixed(3)}ms`);
    }
    suite.cases.push({ name, failures, seconds: (performance.now() - started) / 1000 });
  }
  return suite;
}

async function testOne(
  test: UnitTest,
  file: UnitTestFile,
  ruleFiles: readonly string[],
  options: TestRulesOptions,
  io: TestOutput,
): Promise<readonly string[]> {
  const { evaluationIntervalMs, groupEvalOrder, fuzzyCompare } = file;
  let groups: readonly RuleGroupSpec[];
  try {
    const reading = { evaluationIntervalMs: test.intervalMs, checkExpression };
    groups = loadRuleFiles(ruleFiles, {
      ...reading,
      ignoreUnknown: options.ignoreUnknownFields === true,
    }).groups;
  } catch (e) {
    return [messageOf(e)];
  }
  const diff = options.diff === true;
  const dump = options.debug === true ? { dump: (text: string) => io.err(`DEBUG: ${text}`) } : {};
  try {
    return await runUnitTest(test, groups, { evaluationIntervalMs, groupEvalOrder, fuzzyCompare, diff, ...dump });
  } catch (e) {
    return [messageOf(e)];
  }
}

/** The rule files that a test file names, relative to it. */
function resolveFiles(file: string, patterns: readonly string[], io: TestOutput): string[] {
  return patterns.flatMap((pattern) => {
    const path = isAbsolute(pattern) ? pattern : join(dirname(file), pattern);
    const found = globSync(path).sort();
    if (found.length === 0) io.err(`  WARNING: no file match pattern ${path}`);
    return found;
  });
}

function messageOf(e: unknown): string {
  if (e instanceof ConfigError) return e.problems.length === 0 ? "unreadable" : e.message;
  return e instanceof Error ? e.message : String(e);
}
