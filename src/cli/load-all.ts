import { resolve } from "node:path";
import type { Logger as Log } from "pino";
import type { AlertmanagerConfig } from "../actors/alert/alertmanager-config.ts";
import { heartbeatRules } from "../actors/alert/heartbeat.ts";
import { loadAlertmanagerConfig, parseAlertmanagerConfig } from "../actors/alert/load-config.ts";
import { checkExpression } from "../actors/rule/check-expression.ts";
import { loadRuleFiles, parseRuleFile } from "../actors/rule/rule-file.ts";
import type { RuleGroupSpec } from "../actors/rule/rule-spec.ts";
import { loadConfig } from "../config/load-config.ts";
import { type Config, ConfigError, type ConfigProblem, formatProblem, type RetentionRule } from "../model/config.ts";
import type { Matcher } from "../model/matcher.ts";
import { parseSelector } from "../query/parse/parse.ts";
import type { SeriesRetention } from "../storage/engine/retention-rules.ts";

/** The configuration with everything that it names, checked whole. */
export interface Loaded {
  /** The configuration file as it was read, secrets masked. */
  readonly text: string;
  readonly config: Config;
  readonly groups: readonly RuleGroupSpec[];
  readonly alertmanager: AlertmanagerConfig;
  /** `storage.retention_rules`. */
  readonly retentionRules: readonly SeriesRetention[];
}

/** Without an alertmanager_config_file alerts are shown and go nowhere. */
const NOBODY = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

/** Reads all files; logs what is accepted without effect. Throws ConfigError with the problems of every file. */
export function loadAll(file: string, log: Pick<Log, "warn">): Loaded {
  const path = resolve(file);
  const { text, config, warnings } = loadConfig(path);
  for (const w of warnings) log.warn(formatProblem(w));
  const problems: ConfigProblem[] = [];
  const receivers = config.alertmanagerConfigFile;
  const alertmanager = collect(problems, () =>
    receivers === undefined ? parseAlertmanagerConfig(path, NOBODY) : loadAlertmanagerConfig(receivers),
  );
  const groups = collect(problems, () => loadRules(config, alertmanager, log)) ?? [];
  const retentionRules = collect(problems, () => readRetentionRules(config.storage.retentionRules)) ?? [];
  if (problems.length > 0 || alertmanager === undefined) throw new ConfigError(problems);
  return { text, config, groups, alertmanager, retentionRules };
}

/** Reads the rule files that the configuration names, and adds the heartbeat. Throws ConfigError with the problems of all. */
export function loadRules(
  config: Config,
  alertmanager: AlertmanagerConfig | undefined,
  log: Pick<Log, "warn">,
): readonly RuleGroupSpec[] {
  const { evaluationIntervalMs } = config.global;
  const { groups, warnings } = loadRuleFiles(config.ruleFiles, { evaluationIntervalMs, checkExpression });
  for (const w of warnings) log.warn(w);
  const heartbeat = alertmanager?.heartbeat;
  if (heartbeat === undefined) return groups;
  const own = parseRuleFile("tocsin:heartbeat", heartbeatRules(heartbeat), { evaluationIntervalMs, checkExpression });
  return [...own.groups, ...groups];
}

/** Parses the selectors of the rules; throws ConfigError with every one that is wrong. */
function readRetentionRules(rules: readonly RetentionRule[]): SeriesRetention[] {
  const problems: ConfigProblem[] = [];
  const read = rules.map((rule): SeriesRetention => {
    const { rawMs, m1Ms, h1Ms } = rule.keep;
    let matchers: readonly Matcher[] = [];
    try {
      matchers = parseSelector(rule.match);
    } catch (e) {
      problems.push({ ...rule.at, message: `match: ${e instanceof Error ? e.message : String(e)}` });
    }
    return {
      ...(rule.tenant === undefined ? {} : { tenant: rule.tenant }),
      matchers,
      ages: {
        ...(rawMs === undefined ? {} : { raw: rawMs }),
        ...(m1Ms === undefined ? {} : { "1m": m1Ms }),
        ...(h1Ms === undefined ? {} : { "1h": h1Ms }),
      },
    };
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return read;
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
