import { formatDuration } from "../../lib/duration.ts";
import { decodeHistogram } from "../../model/histogram-code.ts";
import { compareLabels, type Labels } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { DEFAULT_TENANT, histogramRef, isHistogramAt, isStaleAt } from "../../model/sample.ts";
import { makeEngine } from "../../query/engine.ts";
import { formatMetric } from "../../query/execute/format-metric.ts";
import { notateHistogram } from "../../query/histogram/show.ts";
import { type EvaluationContext, evaluateRule } from "./rule-evaluation.ts";
import { type GroupRuntime, makeGroupRuntime } from "./rule-group.state.ts";
import { flush, makeRuleOutput } from "./rule-output.ts";
import { resultRows } from "./rule-result.ts";
import type { RuleGroupSpec } from "./rule-spec.ts";
import { activeAlerts } from "./rule-status.ts";
import {
  type AlertCase,
  type ExpectedSample,
  type ExpressionCase,
  readMetricText,
  readOneHistogram,
  type UnitTest,
} from "./unit-test-file.ts";
import { makeInputFeed, makeUnitTestShard } from "./unit-test-shard.ts";
import { diffAlerts, indent, type ShownAlert, type ShownSample, showAlerts, showSamples } from "./unit-test-show.ts";

/**
 * Runs one unit test of rules in virtual time: the server's own evaluation, alert instances, templates and query engine
 * over a shard in memory. What counts as success is what promtool says.
 */
export interface UnitTestOptions {
  readonly evaluationIntervalMs: number;
  readonly groupEvalOrder: readonly string[];
  readonly fuzzyCompare: boolean;
  /** Alerts that differ are told as a coloured difference. */
  readonly diff: boolean;
  /** Hears of all samples at the end, in words. */
  readonly dump?: (text: string) => void;
}

/** The failures in words, as promtool has them; none when all is as expected. */
export async function runUnitTest(
  test: UnitTest,
  groups: readonly RuleGroupSpec[],
  options: UnitTestOptions,
): Promise<string[]> {
  const nameless = test.alerts.find((a) => a.alertname === "");
  if (nameless !== undefined) {
    const where = test.name === "" ? "" : ` (in TestGroup ${test.name})`;
    return [
      `an item under alert_rule_test misses required attribute alertname at eval_time ${formatDuration(nameless.evalTime)}${where}`,
    ];
  }
  const shard = makeUnitTestShard();
  const feed = makeInputFeed(shard.ingest, test.inputs, test.start, test.intervalMs);
  const engine = makeEngine({ shards: [shard.client], defaultSubqueryStepMs: options.evaluationIntervalMs });
  const context: EvaluationContext = {
    engine,
    tenant: DEFAULT_TENANT,
    output: makeRuleOutput(shard.ingest, DEFAULT_TENANT),
    templates: { externalLabels: test.externalLabels, externalUrl: test.externalUrl },
    signal: new AbortController().signal,
  };
  const runtimes = inOrder(groups, options.groupEvalOrder).map(makeGroupRuntime);
  const failures: string[] = [];
  const last = Math.max(0, ...test.alerts.map((a) => a.evalTime), ...test.expressions.map((e) => e.evalTime));
  for (let at = 0; at <= last; at += options.evaluationIntervalMs) {
    await feed.until(test.start + at);
    const broken = await evaluateAll(context, runtimes, test.start + at, at);
    failures.push(...broken);
    if (broken.length > 0) return failures;
    const due = test.alerts.filter((a) => a.evalTime >= at && a.evalTime < at + options.evaluationIntervalMs);
    for (const alert of due.sort((a, b) => a.evalTime - b.evalTime)) {
      const failure = checkAlerts(test, alert, runtimes, options.diff);
      if (failure !== undefined) failures.push(failure);
    }
  }
  for (const expression of test.expressions) {
    const failure = await checkExpressionCase(engine, expression, test.start, options.fuzzyCompare);
    if (failure !== undefined) failures.push(failure);
  }
  if (options.dump !== undefined) options.dump(await allData(engine, test.start, last));
  return failures;
}

/** Groups that are not named in the order are as if they came first. */
function inOrder(groups: readonly RuleGroupSpec[], order: readonly string[]): RuleGroupSpec[] {
  const rank = (g: RuleGroupSpec) => Math.max(0, order.indexOf(g.name));
  return [...groups].sort((a, b) => rank(a) - rank(b));
}

async function evaluateAll(
  context: EvaluationContext,
  runtimes: readonly GroupRuntime[],
  time: number,
  since: number,
): Promise<string[]> {
  const failures: string[] = [];
  for (const runtime of runtimes) {
    runtime.evaluation++;
    for (const rule of runtime.rules) {
      let error: string;
      try {
        error = (await evaluateRule(context, runtime, rule, time - runtime.spec.queryOffsetMs)).error;
      } catch (e) {
        error = e instanceof Error ? e.message : String(e);
      }
      // The rules behind it, of this group and of others, see what it has made.
      await flush(context.output);
      error ||= context.output.lastError;
      if (error !== "") failures.push(`    rule: ${rule.spec.name}, time: ${formatDuration(since)}, err: ${error}`);
    }
  }
  return failures;
}

function checkAlerts(
  test: UnitTest,
  alert: AlertCase,
  runtimes: readonly GroupRuntime[],
  diff: boolean,
): string | undefined {
  const rules = runtimes.flatMap((g) => g.rules).filter((rule) => rule.spec.name === alert.alertname);
  const firing = rules
    .flatMap((rule) => (rule.table === undefined ? [] : activeAlerts(rule.table)))
    .filter((a) => a.state === "firing");
  const got = sorted(firing.map((a) => ({ labels: a.labels, annotations: pairs(a.annotations) })));
  const expected = sorted(
    alert.expected.map((e) => ({
      labels: pairs({ ...e.labels, alertname: alert.alertname }),
      annotations: pairs(e.annotations),
    })),
  );
  if (JSON.stringify(expected) === JSON.stringify(got)) return undefined;
  const name = test.name === "" ? "" : `    name: ${test.name},\n`;
  const head = `${name}    alertname: ${alert.alertname}, time: ${formatDuration(alert.evalTime)}, \n`;
  const by = "            ";
  if (diff) return `${head}        diff: ${indent(diffAlerts(expected, got), by)}`;
  return `${head}        exp:${indent(showAlerts(expected), by)}, \n        got:${indent(showAlerts(got), by)}`;
}

/** Names and values in the order of the names; empty values stay. */
function pairs(texts: Readonly<Record<string, string>>): Labels {
  return Object.keys(texts)
    .sort()
    .flatMap((name) => [name, texts[name] as string]);
}

function sorted(alerts: ShownAlert[]): ShownAlert[] {
  return alerts.sort((a, b) => compareLabels(a.labels, b.labels) || compareLabels(a.annotations, b.annotations));
}

async function checkExpressionCase(
  engine: Engine,
  { expr, evalTime, expected }: ExpressionCase,
  start: number,
  fuzzy: boolean,
): Promise<string | undefined> {
  const head = `    expr: ${JSON.stringify(expr)}, time: ${formatDuration(evalTime)},`;
  let got: ShownSample[];
  let wanted: ShownSample[];
  try {
    const result = await engine.instant({ tenant: DEFAULT_TENANT, query: expr, time: start + evalTime });
    got = resultRows(result).map(({ labels, value }) =>
      typeof value === "number"
        ? { labels, value, histogram: "" }
        : { labels, value: 0, histogram: notateHistogram(value) },
    );
    wanted = expected.map(expectedSample);
  } catch (e) {
    return `${head} err: ${e instanceof Error ? e.message : String(e)}`;
  }
  const byLabels = (a: ShownSample, b: ShownSample) => compareLabels(a.labels, b.labels);
  got.sort(byLabels);
  wanted.sort(byLabels);
  const same = (e: ShownSample, g: ShownSample | undefined) =>
    g !== undefined &&
    compareLabels(e.labels, g.labels) === 0 &&
    e.histogram === g.histogram &&
    sameFloat(e.value, g.value, fuzzy);
  if (wanted.length === got.length && wanted.every((e, i) => same(e, got[i]))) return undefined;
  return `${head}\n        exp: ${showSamples(wanted)}\n        got: ${showSamples(got)}`;
}

function expectedSample({ labels, value, histogram }: ExpectedSample): ShownSample {
  try {
    const read = histogram === "" ? "" : notateHistogram(readOneHistogram(histogram));
    return { labels: readMetricText(labels), value, histogram: read };
  } catch (e) {
    throw new Error(`labels ${JSON.stringify(labels)}: ${e instanceof Error ? e.message : String(e)}`);
  }
}

/** As Go's ==, in which NaN differs from everything; `fuzzy`: or next to it. */
function sameFloat(a: number, b: number, fuzzy: boolean): boolean {
  return a === b || (fuzzy && (neighbour(a, 1n) === b || neighbour(a, -1n) === b));
}

const bits = new DataView(new ArrayBuffer(8));

/** The next larger (1) or smaller (-1) float. */
function neighbour(v: number, by: 1n | -1n): number {
  if (!Number.isFinite(v)) return v;
  if (v === 0) return Number(by) * Number.MIN_VALUE;
  bits.setFloat64(0, v);
  bits.setBigInt64(0, bits.getBigInt64(0) + (v > 0 ? by : -by));
  return bits.getFloat64(0);
}

/** Everything that is stored until the end of a test, a line a sample. */
async function allData(engine: Engine, start: number, last: number): Promise<string> {
  const end = Math.floor((last + 1000) / 1000) * 1000;
  const query = `{__name__=~".+"}[${formatDuration(end)}]`;
  const result = await engine.instant({ tenant: DEFAULT_TENANT, query, time: start + end });
  const lines = [`Dump of all data (input_series and rules) at ${formatDuration(end)}:`];
  if (result.type !== "matrix") return lines.join("\n");
  for (const [r, labels] of result.labels.entries()) {
    lines.push(`${formatMetric(labels)} =>`);
    const ts = result.ts[r] as Float64Array;
    const values = result.values[r] as Float64Array;
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
    for (let i = 0; i < ts.length; i++) {
      if (isStaleAt(words, i)) continue;
      const value = isHistogramAt(words, i)
        ? notateHistogram(decodeHistogram(result.histograms[r] as Uint8Array, histogramRef(words, i)))
        : String(values[i]);
      lines.push(`${value} @[${ts[i]}]`);
    }
  }
  return lines.join("\n");
}
