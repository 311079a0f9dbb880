import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type {
  AlertingRuleSpec,
  RecordingRuleSpec,
  RuleGroupSpec,
  RuleSpec,
} from "../../../src/actors/rule/rule-spec.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { type Histogram, makeHistogram } from "../../../src/model/histogram.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import type { Ingest, SeriesRef } from "../../../src/model/ingest.ts";
import { formatLabels, type Labels, labelsFromObject } from "../../../src/model/labels.ts";
import { type Engine, type InstantResult, QueryError } from "../../../src/model/query.ts";
import { histogramRef, isHistogramAt, isStaleAt } from "../../../src/model/sample.ts";
import { notateHistogram } from "../../../src/query/histogram/show.ts";

/** An engine whose answers are set by the test: the vector for a query, or the error it fails with. */
export interface ScriptedEngine extends Engine {
  answers: Record<string, readonly (readonly [Record<string, string>, number | Histogram])[] | Error>;
  partial: boolean;
  readonly asked: { query: string; time: number }[];
}

export function scriptedEngine(answers: ScriptedEngine["answers"] = {}): ScriptedEngine {
  const engine: ScriptedEngine = {
    answers,
    partial: false,
    asked: [],
    instant: ({ query, time }): Promise<InstantResult> => {
      engine.asked.push({ query, time });
      const rows = engine.answers[query] ?? [];
      if (rows instanceof Error) return Promise.reject(rows);
      const histograms: Histogram[] = [];
      const cells = rows.map(([, value]) => (typeof value === "number" ? value : histograms.push(value) - 1));
      return Promise.resolve({
        type: "vector",
        time,
        labels: rows.map(([labels]) => labelsFromObject(labels)),
        values: Float64Array.from(cells),
        present: Uint8Array.from(rows, ([, value]) => (typeof value === "number" ? 1 : 2)),
        histograms,
        warnings: engine.partial ? ["shard 1 is down"] : [],
        infos: [],
        partial: engine.partial,
      });
    },
    range: () => Promise.reject(new QueryError("internal", "not scripted")),
  };
  return engine;
}

/** A float histogram with buckets (0.5, 1] and (1, 2]; the parts that are given. */
export function histogramOf(over: Partial<Histogram> = {}): Histogram {
  return { ...makeHistogram(), float: true, count: 3, sum: 2.5, positiveSpans: [0, 2], positive: [1, 2], ...over };
}

/** An ingest that keeps what it is given as lines `time series value`, histograms in the notation of test scripts. */
export interface RecordingIngest extends Pick<Ingest, "series" | "append"> {
  readonly lines: string[];
  failWith: Error | undefined;
}

export function recordingIngest(): RecordingIngest {
  const ingest: RecordingIngest = {
    lines: [],
    failWith: undefined,
    series: (tenant: string, labels: Labels): SeriesRef => ({ tenant, labels, hashLo: 0, hashHi: 0 }),
    append: (refs, ts, values, histograms) => {
      if (ingest.failWith !== undefined) return Promise.reject(ingest.failWith);
      const words = new Uint32Array(values.buffer);
      const shown = (i: number) => {
        if (isStaleAt(words, i)) return "stale";
        if (!isHistogramAt(words, i)) return values[i];
        return notateHistogram(decodeHistogram(histograms ?? new Uint8Array(), histogramRef(words, i)));
      };
      for (const [i, ref] of refs.entries()) ingest.lines.push(`${ts[i]} ${formatLabels(ref.labels)} ${shown(i)}`);
      return Promise.resolve({ accepted: refs.length, rejected: [] });
    },
  };
  return ingest;
}

export function alertingRule(over: Partial<AlertingRuleSpec> = {}): AlertingRuleSpec {
  return {
    type: "alerting",
    name: "HighLoad",
    query: "load > 1",
    reads: ["load"],
    labels: {},
    annotations: {},
    holdMs: 0,
    keepFiringForMs: 0,
    ...over,
  };
}

export function recordingRule(over: Partial<RecordingRuleSpec> = {}): RecordingRuleSpec {
  return { type: "recording", name: "job:load:sum", query: "sum(load)", reads: ["load"], labels: {}, ...over };
}

export function ruleGroup(rules: readonly RuleSpec[], over: Partial<RuleGroupSpec> = {}): RuleGroupSpec {
  return { name: "g", file: "/rules/test.yml", intervalMs: 10_000, queryOffsetMs: 0, limit: 0, rules, ...over };
}

export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), "tocsin-rules-"));
}

/** Lets the event loop run until the condition holds; the test's own timeout is the bound. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await breathe();
}

export function summary(alert: PostedAlert, now: number): string {
  return `${formatLabels(alert.labels)} ${alert.endsAt !== undefined && alert.endsAt <= now ? "resolved" : "firing"}`;
}
