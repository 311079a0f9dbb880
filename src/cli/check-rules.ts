import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { parseRuleFile } from "../actors/rule/rule-file.ts";
import type { RuleGroupSpec } from "../actors/rule/rule-spec.ts";
import { formatProblem } from "../model/config.ts";

export interface CheckRulesOptions {
  /** `all`, `duplicate-rules` (the default) or `none`. */
  readonly lint?: string;
  /** What lint finds is an error, with exit code 3. */
  readonly lintFatal?: boolean;
  readonly ignoreUnknownFields?: boolean;
}

const LINTS: readonly string[] = ["all", "duplicate-rules", "none"];
/** Exit codes as promtool's. */
const FAILED = 1;
const LINT_FAILED = 3;

/** `tocsin check rules [FILE…]`, from the standard input without files. Returns the exit code. */
export function checkRules(files: readonly string[], options: CheckRulesOptions = {}): number {
  const lint = options.lint ?? "duplicate-rules";
  if (!LINTS.includes(lint)) {
    console.error(`unknown lint option ${JSON.stringify(lint)}, there are ${LINTS.join(", ")}`);
    return FAILED;
  }
  let [failed, linted] = [false, false];
  const one = (shown: string, file: string, read: () => string) => {
    console.log(`Checking ${shown}`);
    const { groups, problems } = checkOne(file, read, options);
    const found = problems.length === 0 && lint !== "none" ? duplicates(groups) : [];
    if (problems.length > 0 || found.length > 0) console.error("  FAILED:");
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) failed = true;
    else if (found.length > 0) {
      console.error(`lint error ${found.length} duplicate rule(s) found.\n${found.join("\n")}`);
      console.error("Might cause inconsistency while recording expressions");
      linted = true;
    } else console.log(`  SUCCESS: ${groups.reduce((n, g) => n + g.rules.length, 0)} rules found`);
    console.log("");
  };
  if (files.length === 0) one("standard input", "standard input", () => readFileSync(0, "utf8"));
  for (const pattern of files) {
    const found = globSync(pattern).sort();
    for (const file of found.length === 0 ? [pattern] : found) {
      one(file, resolve(file), () => readFileSync(file, "utf8"));
    }
  }
  if (failed) return FAILED;
  return linted && options.lintFatal === true ? LINT_FAILED : 0;
}

function checkOne(
  file: string,
  read: () => string,
  { ignoreUnknownFields }: CheckRulesOptions,
): { groups: readonly RuleGroupSpec[]; problems: readonly string[] } {
  let text: string;
  try {
    text = read();
  } catch (e) {
    return { groups: [], problems: [`${file}: cannot be read: ${(e as Error).message}`] };
  }
  const ignoreUnknown = ignoreUnknownFields === true;
  const { groups, problems } = parseRuleFile(file, text, {
    evaluationIntervalMs: 60_000,
    checkExpression,
    ignoreUnknown,
  });
  return { groups, problems: problems.map(formatProblem) };
}

/** The rules of a file that come more than once: same name and labels, each named once in words. */
function duplicates(groups: readonly RuleGroupSpec[]): string[] {
  const counts = new Map<string, { readonly words: string; times: number }>();
  for (const { name, labels } of groups.flatMap((g) => g.rules)) {
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([name, sorted]);
    const words = [`Metric: ${name}`, "Label(s):", ...sorted.map(([label, value]) => `\t${label}: ${value}`)].join(
      "\n",
    );
    const known = counts.get(key) ?? { words, times: 0 };
    known.times++;
    counts.set(key, known);
  }
  return [...counts.values()].filter(({ times }) => times > 1).map(({ words }) => words);
}
