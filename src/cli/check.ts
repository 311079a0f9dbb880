import { resolve } from "node:path";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { loadRuleFiles } from "../actors/rule/rule-file.ts";
import { ConfigError } from "../model/config.ts";
import { loadAll } from "./load-all.ts";

const warn = (line: unknown) => console.warn(`warning: ${String(line)}`);

/** `tocsin check config FILE`: the file and all that it names; exit code 1 with every problem and its place. */
export function checkConfig(file: string): void {
  report(() => {
    const { config, groups } = loadAll(file, { warn });
    const rules = groups.reduce((n, g) => n + g.rules.length, 0);
    return `${file} is valid: ${config.scrapeConfigs.length} scrape configs, ${groups.length} rule groups with ${rules} rules`;
  });
}

/** `tocsin check rules FILE…` */
export function checkRules(files: readonly string[]): void {
  report(() => {
    const { groups, warnings } = loadRuleFiles(
      files.map((f) => resolve(f)),
      { evaluationIntervalMs: 60_000, checkExpression },
    );
    for (const w of warnings) warn(w);
    return `${groups.length} rule groups with ${groups.reduce((n, g) => n + g.rules.length, 0)} rules are valid`;
  });
}

function report(check: () => string): void {
  try {
    console.log(check());
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    console.error(e.message);
    process.exitCode = 1;
  }
}
