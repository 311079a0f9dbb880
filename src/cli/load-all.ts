import { resolve } from "node:path";
import type { Logger as Log } from "pino";
import type { AlertmanagerConfig } from "../actors/alert/alertmanager-config.ts";
import { loadAlertmanagerConfig } from "../actors/alert/load-config.ts";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { loadRuleFiles } from "../actors/rule/rule-file.ts";
import type { RuleGroupSpec } from "../actors/rule/rule-spec.ts";
import { loadConfig } from "../config/load-config.ts";
import { type Config, ConfigError, type ConfigProblem, formatProblem } from "../model/config.ts";

/** The configuration with everything that it names, checked whole. */
export interface Loaded {
  readonly config: Config;
  readonly groups: readonly RuleGroupSpec[];
  /** Undefined: alerts are shown and go nowhere. */
  readonly alertmanager: AlertmanagerConfig | undefined;
}

/** Reads all files; logs what is accepted without effect. Throws ConfigError with the problems of every file. */
export function loadAll(file: string, log: Pick<Log, "warn">): Loaded {
  const { config, warnings } = loadConfig(resolve(file));
  for (const w of warnings) log.warn(formatProblem(w));
  const problems: ConfigProblem[] = [];
  const rules = collect(problems, () =>
    loadRuleFiles(config.ruleFiles, { evaluationIntervalMs: config.global.evaluationIntervalMs, checkExpression }),
  );
  for (const w of rules?.warnings ?? []) log.warn(w);
  const path = config.alertmanagerConfigFile;
  const alertmanager = path === undefined ? undefined : collect(problems, () => loadAlertmanagerConfig(path));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, groups: rules?.groups ?? [], alertmanager };
}

function collect<A>(problems: ConfigProblem[], load: () => A): A | undefined {
  try {
    return load();
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    problems.push(...e.problems);
    return undefined;
  }
}
