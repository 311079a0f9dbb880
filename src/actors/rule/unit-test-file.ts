import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  readBoolean,
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
import { ConfigError } from "../../model/config.ts";
import { type Labels, labelsFromEntries, labelsKey, METRIC_NAME } from "../../model/labels.ts";
import { type Point, readPoints } from "../../query/notation/series-notation.ts";
import { storedHistograms } from "../../query/notation/stored-histograms.ts";
import { parseSelector } from "../../query/parse/parse.ts";
import type { InputSeries } from "./unit-test-shard.ts";

/** A file of unit tests for rules, in promtool's format. Times and durations are milliseconds. */
export interface UnitTestFile {
  /** As written: paths and globs, relative to the file. */
  readonly ruleFiles: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly groupEvalOrder: readonly string[];
  /** Floats may differ in their last bit. */
  readonly fuzzyCompare: boolean;
  readonly tests: readonly UnitTest[];
}

export interface UnitTest {
  /** "" where it has none. */
  readonly name: string;
  readonly intervalMs: number;
  readonly inputs: readonly InputSeries[];
  readonly alerts: readonly AlertCase[];
  readonly expressions: readonly ExpressionCase[];
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
  /** The time that all others are counted from, Unix ms. */
  readonly start: number;
}

export interface AlertCase {
  readonly evalTime: number;
  /** "" is an error that the run reports. */
  readonly alertname: string;
  readonly expected: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

export interface ExpressionCase {
  readonly expr: string;
  readonly evalTime: number;
  readonly expected: readonly ExpectedSample[];
}

/** Labels and histogram are read when the case is run: what is wrong with them fails the case, not the file. */
export interface ExpectedSample {
  readonly labels: string;
  readonly value: number;
  readonly histogram: string;
}

const FILE_KEYS = ["rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"];
const TEST_KEYS = [
  "interval",
  "input_series",
  "alert_rule_test",
  "promql_expr_test",
  "external_labels",
  "external_url",
  "name",
  "start_timestamp",
];
const DEFAULT_INTERVAL_MS = 60_000;

interface Reading {
  readonly r: YamlReader;
  readonly ignoreUnknown: boolean;
}

/** Reads a file of unit tests. Throws `ConfigError` with every problem and its place. */
export function parseUnitTestFile(file: string, text: string, ignoreUnknown = false): UnitTestFile {
  const r = readYaml(file, text);
  if (r.problems.length > 0) throw new ConfigError(r.problems);
  const reading: Reading = { r, ignoreUnknown };
  const root = keysOf(reading, r.root, "the test file", FILE_KEYS);
  const interval = durationOf(r, root, "evaluation_interval") ?? 0;
  const evaluationIntervalMs = interval > 0 ? interval : DEFAULT_INTERVAL_MS;
  const strings = (key: string) => readList(r, root.get(key)?.value, key).map((n) => readString(r, n, key) ?? "");
  const order = strings("group_eval_order");
  const repeated = order.find((name, i) => order.indexOf(name) !== i);
  if (repeated !== undefined) {
    report(r, root.get("group_eval_order")?.value, `group name repeated in evaluation order: ${repeated}`);
  }
  const tests = readList(r, root.get("tests")?.value, "tests").map((n) => readTest(reading, n, evaluationIntervalMs));
  const fuzzyCompare = field(root, "fuzzy_compare", (n) => readBoolean(r, n, "fuzzy_compare")) ?? false;
  const ruleFiles = strings("rule_files");
  if (r.problems.length > 0) throw new ConfigError(r.problems);
  return { ruleFiles, evaluationIntervalMs, groupEvalOrder: order, fuzzyCompare, tests };
}

function readTest(reading: Reading, node: Node, evaluationIntervalMs: number): UnitTest {
  const { r } = reading;
  const entries = keysOf(reading, node, "the test", TEST_KEYS);
  const interval = durationOf(r, entries, "interval") ?? 0;
  const list = (key: string) => readList(r, entries.get(key)?.value, key);
  const inputs = new Map<string, InputSeries>();
  for (const item of list("input_series")) {
    const series = readInput(reading, item);
    // Of series that are given twice the last one counts.
    if (series !== undefined) inputs.set(labelsKey(series.labels), series);
  }
  return {
    name: field(entries, "name", (n) => readString(r, n, "name")) ?? "",
    intervalMs: interval > 0 ? interval : evaluationIntervalMs,
    inputs: [...inputs.values()],
    alerts: list("alert_rule_test").map((item) => readAlertCase(reading, item)),
    expressions: list("promql_expr_test").map((item) => readExpressionCase(reading, item)),
    externalLabels: readStrings(r, entries.get("external_labels"), "external_labels"),
    externalUrl: field(entries, "external_url", (n) => readString(r, n, "external_url")) ?? "",
    start: field(entries, "start_timestamp", (n) => readParsed(r, n, "start_timestamp", startTime)) ?? 0,
  };
}

function readInput(reading: Reading, node: Node): InputSeries | undefined {
  const { r } = reading;
  const entries = keysOf(reading, node, "the input series", ["series", "values"]);
  const labels = field(entries, "series", (n) => readParsed(r, n, "series", readMetricText));
  const points = field(entries, "values", (n) => readParsed(r, n, "values", readPoints)) ?? [];
  if (labels === undefined) {
    if (!entries.has("series")) report(r, node, "series is missing");
    return undefined;
  }
  return { labels, points: storedHistograms(points) };
}

function readAlertCase(reading: Reading, node: Node): AlertCase {
  const { r } = reading;
  const entries = keysOf(reading, node, "the alert test", ["eval_time", "alertname", "exp_alerts"]);
  return {
    evalTime: durationOf(r, entries, "eval_time") ?? 0,
    alertname: field(entries, "alertname", (n) => readString(r, n, "alertname")) ?? "",
    expected: readList(r, entries.get("exp_alerts")?.value, "exp_alerts").map((item) => {
      const alert = keysOf(reading, item, "the expected alert", ["exp_labels", "exp_annotations"]);
      return {
        labels: readStrings(r, alert.get("exp_labels"), "exp_labels"),
        annotations: readStrings(r, alert.get("exp_annotations"), "exp_annotations"),
      };
    }),
  };
}

function readExpressionCase(reading: Reading, node: Node): ExpressionCase {
  const { r } = reading;
  const entries = keysOf(reading, node, "the expression test", ["expr", "eval_time", "exp_samples"]);
  return {
    expr: field(entries, "expr", (n) => readString(r, n, "expr")) ?? "",
    evalTime: durationOf(r, entries, "eval_time") ?? 0,
    expected: readList(r, entries.get("exp_samples")?.value, "exp_samples").map((item) => {
      const sample = keysOf(reading, item, "the expected sample", ["labels", "value", "histogram"]);
      const text = (key: string) => field(sample, key, (n) => readString(r, n, key)) ?? "";
      const value = field(sample, "value", (n) => readParsed(r, n, "value", readFloat)) ?? 0;
      return { labels: text("labels"), value, histogram: text("histogram") };
    }),
  };
}

/**
 * The labels of a metric as series are written: `up{job="a"}`. "" has none. Throws for what is none.
 */
export function readMetricText(text: string): Labels {
  if (text.trim() === "") return [];
  const entries = parseSelector(text).map(({ name, op, value }): [string, string] => {
    if (op !== "=") throw new Error(`a series is named by = alone, not ${name}${op}${JSON.stringify(value)}`);
    return [name, value];
  });
  const names = entries.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`${twice === METRIC_NAME ? "the name" : `label ${twice}`} is given twice`);
  return labelsFromEntries(entries);
}

/** The one histogram of a text in the notation of series. Throws for anything else. */
export function readOneHistogram(text: string): Extract<Point, { kind: "histogram" }>["histogram"] {
  const points = readPoints(text);
  if (points.length !== 1) throw new Error(`expected 1 value, got ${points.length}`);
  const [point] = points;
  if (point?.kind !== "histogram") throw new Error(`expected a histogram, got ${text}`);
  return point.histogram;
}

/** A float as YAML 1.1 writes it, `.inf` and `.nan` among them, or as PromQL does. */
function readFloat(text: string): number {
  const special = /^([+-]?)\.?(inf|nan)$/i.exec(text.trim());
  if (special !== null) {
    if ((special[2] as string).toLowerCase() === "nan") return Number.NaN;
    return special[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const value = text.trim() === "" ? Number.NaN : Number(text.replaceAll("_", ""));
  if (Number.isNaN(value)) throw new Error(`not a number: ${JSON.stringify(text)}`);
  return value;
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function startTime(text: string): number {
  const seconds = text.trim() === "" ? Number.NaN : Number(text);
  const ms = RFC3339.test(text) ? Date.parse(text) : Math.round(seconds * 1000);
  if (Number.isFinite(ms)) return ms;
  throw new Error(`${JSON.stringify(text)} is neither Unix seconds nor a time like 2026-11-22T10:00:00Z`);
}

function readStrings(r: YamlReader, entry: YamlEntry | undefined, what: string): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  for (const { key, value } of readOpenMap(r, entry?.value, what).values()) {
    out[key] = readString(r, value, `${what}.${key}`) ?? "";
  }
  return out;
}

function durationOf(r: YamlReader, entries: ReadonlyMap<string, YamlEntry>, key: string): number | undefined {
  return field(entries, key, (n) => readParsed(r, n, key, parseDuration));
}

function keysOf({ r, ignoreUnknown }: Reading, node: Node | undefined, what: string, known: readonly string[]) {
  return ignoreUnknown ? readOpenMap(r, node, what) : readMap(r, node, what, known);
}
