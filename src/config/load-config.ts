import { globSync } from "node:fs";
import { isMap } from "yaml";
import { formatDuration } from "../lib/duration.ts";
import { placeOf } from "../lib/yaml-reader.ts";
import {
  type Config,
  ConfigError,
  type ConfigProblem,
  type RetentionRule,
  type ScrapeConfig,
} from "../model/config.ts";
import { limitsSchema } from "./limit-keys.ts";
import { toLimits, toOverrides } from "./limits.ts";
import { maskSecrets } from "./mask-secrets.ts";
import { globalSchema, rootSchema, scrapeConfigFileSchema } from "./root-keys.ts";
import type { ReadKeys, Schema } from "./schema/schema.ts";
import { isNull, openSource, parseSource, problem, type Source, sortProblems, warn } from "./schema/source.ts";
import { globalScrapeTimeout, type ReadGlobal, toScrapeConfig } from "./scrape-config.ts";
import { pathFrom } from "./secrets.ts";
import {
  agentSchema,
  exemplarsSchema,
  type retentionRuleSchema,
  retentionSchema,
  retentionSizeSchema,
  storageSchema,
  streamsSchema,
  usualCacheBytes,
} from "./server-keys.ts";

type Root = ReadKeys<(typeof rootSchema)["keys"]>;
type ReadRetentionRule = ReadKeys<(typeof retentionRuleSchema)["keys"]>;

export interface LoadedConfig {
  /** The file as it was read, its secrets masked; for people. */
  readonly text: string;
  readonly config: Config;
  /** Keys that are accepted and have no effect, each with its place; to be logged. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Loads the configuration file with everything it names (secrets, scrape_config_files). Rule files and the alert
 * manager's file are only located: their owners read them.
 * @param env for `external_labels`
 * @throws ConfigError with every problem at once, each with file, line and column
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): LoadedConfig {
  return readConfig(openSource(file), env);
}

/** The same for a text that is not (yet) a file; relative paths are taken from the folder of `file`. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv = process.env): LoadedConfig {
  return readConfig(parseSource(file, text), env);
}

function readConfig(source: Source, env: NodeJS.ProcessEnv): LoadedConfig {
  const root = readRoot(source, rootSchema);
  const problems = source.problems;
  const warnings = source.warnings;
  if (root === undefined) throw new ConfigError(sortProblems(problems));
  const global = root.global ?? sectionDefaults(globalSchema);
  checkGlobal(source, global);
  const scrapeConfigs = root.scrape_configs.map((read) => toScrapeConfig(source, read, global));
  const jobs = new Map<string, string>();
  checkJobNames(source, root.scrape_configs, jobs);
  for (const file of expandGlobs(source, root.scrape_config_files)) {
    scrapeConfigs.push(...readScrapeConfigFile(file, global, jobs, problems, warnings));
  }
  const config = toConfig(source, root, global, scrapeConfigs, env);
  if (problems.length > 0) throw new ConfigError(sortProblems(problems));
  return { text: maskSecrets(source.text), config, warnings: sortProblems(warnings) };
}

/** The value of a whole text; undefined after a problem. An empty text is an empty object. */
function readRoot<T>(source: Source, schema: Schema<T>): T | undefined {
  if (source.problems.length > 0) return undefined;
  const root = source.yaml.root;
  if (isNull(root)) return parseSchemaText(source, schema, "{}");
  if (root !== undefined && !isMap(root)) {
    problem(source, root, "expected top-level keys (global:, scrape_configs:, ...)");
    return undefined;
  }
  return root === undefined ? undefined : schema.read(source, root);
}

function parseSchemaText<T>(source: Source, schema: Schema<T>, text: string): T | undefined {
  const inner = parseSource(source.file, text);
  return inner.yaml.root === undefined ? undefined : schema.read(inner, inner.yaml.root);
}

/** The defaults of a section that the text does not have. */
function sectionDefaults<T>(schema: Schema<T>): T {
  const value = parseSchemaText(parseSource("", ""), schema, "{}");
  if (value === undefined) throw new Error(`${schema.word}: a section without required keys has defaults`);
  return value;
}

function checkGlobal(source: Source, global: ReadGlobal): void {
  const timeout = globalScrapeTimeout(global);
  if (timeout <= global.scrape_interval) return;
  const message = `scrape_timeout ${formatDuration(timeout)} is longer than scrape_interval ${formatDuration(global.scrape_interval)}`;
  problem(source, source.nodes.get(global), `global: ${message}`);
}

function checkJobNames(source: Source, reads: Root["scrape_configs"], seen: Map<string, string>): void {
  for (const read of reads) {
    const before = seen.get(read.job_name);
    if (before === undefined) seen.set(read.job_name, source.file);
    else {
      const where = before === source.file ? "" : ` (it is in ${before})`;
      problem(source, source.nodes.get(read), `job_name ${JSON.stringify(read.job_name)} is taken${where}`);
    }
  }
}

function readScrapeConfigFile(
  file: string,
  global: ReadGlobal,
  jobs: Map<string, string>,
  problems: ConfigProblem[],
  warnings: ConfigProblem[],
): ScrapeConfig[] {
  let source: Source;
  try {
    source = openSource(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return [];
  }
  const read = readRoot(source, scrapeConfigFileSchema);
  const reads = read?.scrape_configs ?? [];
  checkJobNames(source, reads, jobs);
  const configs = reads.map((one) => toScrapeConfig(source, one, global));
  problems.push(...source.problems);
  warnings.push(...source.warnings);
  return configs;
}

function expandGlobs(source: Source, patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => {
    const path = pathFrom(source, pattern);
    return /[*?[{]/.test(pattern) ? globSync(path).sort() : [path];
  });
}

function toConfig(
  source: Source,
  root: Root,
  global: ReadGlobal,
  scrapeConfigs: readonly ScrapeConfig[],
  env: NodeJS.ProcessEnv,
): Config {
  const agent = root.agent ?? sectionDefaults(agentSchema);
  const storage = root.storage ?? sectionDefaults(storageSchema);
  const retention = storage.retention ?? sectionDefaults(retentionSchema);
  const sizes = storage.retention_size ?? sectionDefaults(retentionSizeSchema);
  const streams = root.streams ?? sectionDefaults(streamsSchema);
  const limits = root.limits ?? sectionDefaults(limitsSchema);
  return {
    global: {
      scrapeIntervalMs: global.scrape_interval,
      scrapeTimeoutMs: globalScrapeTimeout(global),
      evaluationIntervalMs: global.evaluation_interval,
      externalLabels: expandLabels(source, global, env),
    },
    scrapeConfigs,
    ruleFiles: root.rule_files.map((file) => pathFrom(source, file)),
    ...(root.alertmanager_config_file === undefined
      ? {}
      : { alertmanagerConfigFile: pathFrom(source, root.alertmanager_config_file) }),
    ...(root.external_url === undefined ? {} : { externalUrl: root.external_url }),
    agent: {
      enabled: agent.enabled,
      intervalMs: agent.interval,
      labels: agent.labels,
      ...(agent.instance === undefined ? {} : { instance: agent.instance }),
    },
    storage: {
      partitions: storage.partitions,
      outOfOrderWindowMs: storage.out_of_order_window,
      retention: { rawMs: retention.raw, m1Ms: retention["1m"], h1Ms: retention["1h"] },
      maxBlockRangeMs: storage.max_block_range ?? 0,
      upkeepMs: storage.upkeep_interval,
      cacheBytes: storage.cache_size ?? usualCacheBytes(),
      retentionBytes: { raw: sizes.raw, m1: sizes["1m"], h1: sizes["1h"] },
      retentionRules: storage.retention_rules.map((rule) => toRetentionRule(source, rule)),
      maxExemplars: (storage.exemplars ?? sectionDefaults(exemplarsSchema)).max_exemplars,
    },
    streams: {
      ...(streams.url === undefined ? {} : { url: streams.url }),
      ...(streams.claims_url === undefined ? {} : { claimsUrl: streams.claims_url }),
      claimsLeaseMs: streams.claims_lease,
      listen: streams.listen,
      maxAgeMs: streams.max_age,
      maxBytes: streams.max_size,
    },
    limits: toLimits(limits),
    overrides: toOverrides(root.overrides),
  };
}

function toRetentionRule(source: Source, rule: ReadRetentionRule): RetentionRule {
  return {
    match: rule.match,
    ...(rule.tenant === undefined ? {} : { tenant: rule.tenant }),
    keep: {
      ...(rule.raw === undefined ? {} : { rawMs: rule.raw }),
      ...(rule["1m"] === undefined ? {} : { m1Ms: rule["1m"] }),
      ...(rule["1h"] === undefined ? {} : { h1Ms: rule["1h"] }),
    },
    at: { file: source.file, ...placeOf(source.yaml, source.nodes.get(rule)) },
  };
}

/** `$NAME` and `${NAME}` in external labels are environment variables; `$$` is a dollar sign. */
function expandLabels(source: Source, global: ReadGlobal, env: NodeJS.ProcessEnv): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, text] of Object.entries(global.external_labels)) {
    out[name] = text.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, braced?: string, bare?: string) => {
      if (all === "$$") return "$";
      const variable = braced ?? bare ?? "";
      const value = env[variable];
      if (value === undefined) {
        warn(source, source.nodes.get(global), `external label ${name}: the environment has no ${variable}`);
      }
      return value ?? "";
    });
  }
  return out;
}
