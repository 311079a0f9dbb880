import { resolve } from "node:path";
import type { Logger as Log } from "pino";
import type { AlertmanagerConfig } from "../actors/alert/alertmanager-config.ts";
import { loadAlertmanagerConfig, parseAlertmanagerConfig } from "../actors/alert/load-config.ts";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { loadRuleFiles } from "../actors/rule/rule-file.ts";
import type { RuleGroupSpec } from "../actors/rule/rule-spec.ts";
import { loadConfig } from "../config/load-config.ts";
import { type Config, ConfigError, type ConfigProblem, formatProblem } from "../model/config.ts";

/** The configuration with everything that it names, checked whole. */
export interface Loaded {
  /** The configuration file as it was read, secrets masked. */
  readonly text: string;
  readonly config: Config;
  readonly groups: readonly RuleGroupSpec[];
  readonly alertmanager: AlertmanagerConfig;
}

/** Without an alertmanager_config_file alerts are shown and go nowhere. */
const NOBODY = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

/** Reads all files; logs what is accepted without effect. Throws ConfigError with the problems of every file. */
export function loadAll(file: string, log: Pick<Log, "warn">): Loaded {
  const path = resolve(file);
  const { text, config, warnings } = loadConfig(path);
  for (const w of warnings) log.warn(formatProblem(w));
  const problems: ConfigProblem[] = [];
  const rules = collect(problems, () =>
    loadRuleFiles(config.ruleFiles, { evaluationIntervalMs: config.global.evaluationIntervalMs, checkExpression }),
  );
  for (const w of rules?.warnings ?? []) log.warn(w);
  const receivers = config.alertmanagerConfigFile;
  const alertmanager = collect(problems, () =>
    receivers === undefined ? parseAlertmanagerConfig(path, NOBODY) : loadAlertmanagerConfig(receivers),
  );
  if (problems.length > 0 || alertmanager === undefined) throw new ConfigError(problems);
  return { text, config, groups: rules?.groups ?? [], alertmanager };
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
