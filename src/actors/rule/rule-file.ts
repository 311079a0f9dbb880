import { globSync, readFileSync } from "node:fs";
import { isMap, type Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  placeInScalar,
  readBoolean,
  readInteger,
  readList,
  readMap,
  readOpenMap,
  readParsed,
  readString,
  readYaml,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import { ConfigError, type ConfigProblem } from "../../model/config.ts";
import { NO_DATA_POLICIES, type NoDataPolicy } from "./absence.ts";
import { checkTemplate } from "./alert-template.ts";
import type { CheckExpression } from "./expression.ts";
import type { RuleGroupSpec, RuleSpec } from "./rule-spec.ts";

export interface RuleFileOptions {
  /** `global.evaluation_interval`, for groups that name none. */
  readonly evaluationIntervalMs: number;
  readonly checkExpression: CheckExpression;
  /** Keys that nobody knows are passed over, not problems. */
  readonly ignoreUnknown?: boolean;
}

export interface RuleFiles {
  readonly groups: readonly RuleGroupSpec[];
  /** The files that were read, absolute. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads Prometheus rule files.
 * @param patterns absolute paths or globs
 * Throws `ConfigError` with every problem of every file.
 */
export function loadRuleFiles(patterns: readonly string[], options: RuleFileOptions): RuleFiles {
  const files: string[] = [];
  const warnings: string[] = [];
  for (const pattern of patterns) {
    const found = globSync(pattern).sort();
    if (found.length === 0) warnings.push(`rule_files: no file matches ${pattern}`);
    for (const file of found) if (!files.includes(file)) files.push(file);
  }
  const groups: RuleGroupSpec[] = [];
  const problems: ConfigProblem[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      problems.push({ file, line: 0, column: 0, message: `cannot be read: ${(error as Error).message}` });
      continue;
    }
    const parsed = parseRuleFile(file, text, options);
    groups.push(...parsed.groups);
    problems.push(...parsed.problems);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { groups, files, warnings };
}

/** Parses one rule file's text; groups are only complete when there are no problems. */
export function parseRuleFile(
  file: string,
  text: string,
  options: RuleFileOptions,
): { groups: RuleGroupSpec[]; problems: readonly ConfigProblem[] } {
  const r = readYaml(file, text);
  const groups: RuleGroupSpec[] = [];
  if (r.problems.length > 0) return { groups, problems: r.problems };
  const root = keysOf(r, r.root, "the rule file", ["groups", "namespace"], options);
  const names = new Set<string>();
  for (const node of readList(r, root.get("groups")?.value, "groups")) {
    const group = readGroup(r, node, options);
    if (names.has(group.name)) report(r, node, `groupname: ${JSON.stringify(group.name)} is repeated in the same file`);
    names.add(group.name);
    groups.push(group);
  }
  const problems = [...r.problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return { groups, problems };
}

/** Parses one group alone, as a request to the ruler has it. No group where the text is no YAML. */
export function parseRuleGroup(
  file: string,
  text: string,
  options: RuleFileOptions,
): { group: RuleGroupSpec | undefined; problems: readonly ConfigProblem[] } {
  const r = readYaml(file, text);
  if (r.problems.length > 0) return { group: undefined, problems: r.problems };
  if (r.root === undefined) {
    return {
      group: undefined,
      problems: [{ file, line: 0, column: 0, message: "there is no rule group: the text is empty" }],
    };
  }
  if (isMap(r.root) && r.root.has("groups") && !r.root.has("name")) {
    report(r, r.root, "this is a file of rule groups: send each of its groups by itself, from its name on");
    return { group: undefined, problems: r.problems };
  }
  const group = readGroup(r, r.root, options);
  return { group, problems: [...r.problems].sort((a, b) => a.line - b.line || a.column - b.column) };
}

const GROUP_KEYS = ["name", "interval", "query_offset", "limit", "labels", "shadow", "rules"];

function readGroup(r: YamlReader, node: Node, options: RuleFileOptions): RuleGroupSpec {
  const entries = keysOf(r, node, "the group", GROUP_KEYS, options);
  const name = field(entries, "name", (n) => readString(r, n, "name")) ?? "";
  if (name === "") report(r, node, "Groupname must not be empty");
  const interval = durationOf(r, entries, "interval") ?? 0;
  const labels = readLabels(r, entries.get("labels"), "label");
  const shadow = field(entries, "shadow", (n) => readBoolean(r, n, "shadow")) ?? false;
  return {
    name,
    file: r.file,
    intervalMs: interval > 0 ? interval : options.evaluationIntervalMs,
    queryOffsetMs: durationOf(r, entries, "query_offset") ?? 0,
    // Less than one is no limit, as in Prometheus.
    limit: Math.max(0, field(entries, "limit", (n) => readInteger(r, n, "limit", Number.MIN_SAFE_INTEGER)) ?? 0),
    rules: readList(r, entries.get("rules")?.value, "rules").map((rule) => readRule(r, rule, labels, shadow, options)),
  };
}

const RULE_KEYS = ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "no_data", "shadow"];

function readRule(
  r: YamlReader,
  node: Node,
  groupLabels: Readonly<Record<string, string>>,
  groupShadow: boolean,
  options: RuleFileOptions,
): RuleSpec {
  const entries = keysOf(r, node, "the rule", RULE_KEYS, options);
  const record = field(entries, "record", (n) => readString(r, n, "record")) ?? "";
  const alert = field(entries, "alert", (n) => readString(r, n, "alert")) ?? "";
  if (record !== "" && alert !== "") {
    report(r, entries.get("alert")?.keyNode, "only one of 'record' and 'alert' must be set");
  }
  if (record === "" && alert === "") report(r, node, "one of 'record' or 'alert' must be set");
  const expression = readExpression(r, node, entries.get("expr"), options);
  const own = readLabels(r, entries.get("labels"), "label");
  const labels = { ...groupLabels, ...own };
  const holdMs = durationOf(r, entries, "for") ?? 0;
  const keepFiringForMs = durationOf(r, entries, "keep_firing_for") ?? 0;
  const annotations = readLabels(r, entries.get("annotations"), "annotation");
  if (record !== "") {
    for (const key of ["for", "keep_firing_for", "annotations", "no_data", "shadow"]) {
      const entry = entries.get(key);
      if (entry !== undefined) report(r, entry.keyNode, `invalid field '${key}' in recording rule`);
    }
    if (!record.isWellFormed()) report(r, entries.get("record")?.value, `invalid recording rule name: ${record}`);
    if (/[{}]/.test(record)) {
      report(r, entries.get("record")?.value, "braces present in the recording rule name; should it be in expr?");
    }
    return { type: "recording", name: record, ...expression, labels };
  }
  checkTemplates(r, entries.get("labels"), alert);
  checkTemplates(r, entries.get("annotations"), alert);
  const noData = field(entries, "no_data", (n) => readPolicy(r, n));
  // The rule's own word wins, so that one rule of a shadow group can be made live.
  const ownShadow = field(entries, "shadow", (n) => readBoolean(r, n, "shadow"));
  const shadow = ownShadow ?? groupShadow;
  const rule = { type: "alerting", name: alert, ...expression, labels, holdMs, keepFiringForMs, annotations } as const;
  return {
    ...rule,
    ...(noData === undefined ? {} : { noData }),
    ...(shadow ? ({ shadow: true } as const) : {}),
    ...(shadow && ownShadow === undefined ? ({ shadowOfGroup: true } as const) : {}),
  };
}

function readPolicy(r: YamlReader, node: Node | undefined): NoDataPolicy | undefined {
  const text = readString(r, node, "no_data");
  const policy = NO_DATA_POLICIES.find((p) => p === text);
  if (policy === undefined) report(r, node, `no_data must be one of ${NO_DATA_POLICIES.join(", ")}, not ${text}`);
  return policy;
}

function readExpression(r: YamlReader, rule: Node, entry: YamlEntry | undefined, options: RuleFileOptions) {
  const query = readString(r, entry?.value, "expr") ?? "";
  if (query.trim() === "") {
    report(r, entry?.keyNode ?? rule, "field 'expr' must be set in rule");
    return { query: "", reads: [] };
  }
  const checked = options.checkExpression(query);
  if (checked.error === undefined) return { query: checked.canonical, reads: checked.reads };
  const place = placeInScalar(r, entry?.value, checked.error.line, checked.error.column);
  r.problems.push({ file: r.file, ...place, message: `could not parse expression: ${checked.error.message}` });
  return { query, reads: [] };
}

function readLabels(r: YamlReader, entry: YamlEntry | undefined, what: "label" | "annotation"): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { key, keyNode, value } of readOpenMap(r, entry?.value, `${what}s`).values()) {
    if (key === "" || !key.isWellFormed() || (what === "label" && key === "__name__")) {
      report(r, keyNode, `invalid ${what} name: ${key}`);
      continue;
    }
    const text = readString(r, value, `${what} ${key}`) ?? "";
    if (!text.isWellFormed()) report(r, value, `invalid ${what} value: ${text}`);
    out[key] = text;
  }
  return out;
}

function checkTemplates(r: YamlReader, entry: YamlEntry | undefined, alert: string): void {
  for (const { key, value, keyNode } of readOpenMap(r, entry?.value, "templates").values()) {
    const error = checkTemplate(readString(r, value, key) ?? "");
    if (error !== undefined)
      report(r, value ?? keyNode, `template of ${JSON.stringify(key)} in alert ${alert}: ${error}`);
  }
}

function durationOf(r: YamlReader, entries: ReadonlyMap<string, YamlEntry>, key: string): number | undefined {
  return field(entries, key, (n) => readParsed(r, n, key, parseDuration));
}

function keysOf(
  r: YamlReader,
  node: Node | undefined,
  what: string,
  known: readonly string[],
  { ignoreUnknown }: RuleFileOptions,
) {
  return ignoreUnknown === true ? readOpenMap(r, node, what) : readMap(r, node, what, known);
}
