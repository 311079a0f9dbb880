import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { type Labels, labelsKey } from "../../../src/model/labels.ts";
import { type Engine, type InstantResult, QueryError, type RangeResult } from "../../../src/model/query.ts";
import { writeHistogramRef, writeStale } from "../../../src/model/sample.ts";
import { formatMetric } from "../../../src/query/execute/format-metric.ts";
import { type MemorySource, partitionOf } from "./memory-source.ts";
import type { Command, EvalCommand, Expectation } from "./script.ts";
import type { Point } from "./series-notation.ts";

export function load(sources: readonly MemorySource[], command: Extract<Command, { kind: "load" }>): void {
  for (const { labels, points, starts } of command.series) {
    const kept = points.map((p, i) => ({ p, i })).filter(({ p }) => p.kind !== "none");
    if (kept.length === 0) continue;
    const values = new Float64Array(kept.length);
    const words = new Uint32Array(values.buffer);
    const histograms = makeHistogramBytes();
    kept.forEach(({ p }, k) => {
      if (p.kind === "float") values[k] = p.value;
      else if (p.kind === "stale") writeStale(words, k);
      // An empty one stands for each: nothing looks into histograms.
      else writeHistogramRef(words, k, encodeHistogram(makeHistogram(), histograms));
    });
    const ts = kept.map(({ i }) => i * command.gap);
    const st = kept.map(({ i }) => (starts[i] === undefined ? 0 : i * command.gap + (starts[i] as number)));
    (sources[partitionOf(labels, sources.length)] as MemorySource).add(labels, ts, values, st, histograms);
  }
}

/** Evaluates a case; undefined when it is as expected, else what is wrong. */
export async function check(engine: Engine, c: EvalCommand): Promise<string | undefined> {
  const base = { tenant: "default", query: c.query };
  let result: InstantResult | RangeResult;
  try {
    if (c.range === undefined) {
      const time = c.expectRange === undefined ? c.time : c.expectRange.end;
      result = await engine.instant({ ...base, time });
    } else result = await engine.range({ ...base, ...c.range });
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return checkFailure(c, error.message);
  }
  if (c.fail !== undefined) return "expected an error, got a result";
  return checkAnnotations(c, result) ?? checkResult(c, result);
}

const DEPENDS_ON_QUERY = /\b(start|end|range|step|sort|sort_desc|sort_by_label|sort_by_label_desc)\b\s*\(/i;

/**
 * Evaluates an instant case again as the middle of a range query of three steps, and compares the two; undefined when they
 * agree. Cases that depend on the query's own times are passed over, and those of which either way ends in an error.
 */
export async function checkAsRange(engine: Engine, c: EvalCommand): Promise<string | undefined> {
  if (c.range !== undefined || c.expectRange !== undefined || c.fail !== undefined) return undefined;
  if (DEPENDS_ON_QUERY.test(c.query)) return undefined;
  const base = { tenant: "default", query: c.query };
  const instant = await engine.instant({ ...base, time: c.time });
  if (instant.type !== "vector") return undefined;
  let range: RangeResult;
  try {
    range = await engine.range({ ...base, start: c.time - 60_000, end: c.time + 60_000, step: 60_000 });
  } catch (error) {
    if (error instanceof QueryError) return undefined;
    throw error;
  }
  const { labels, values, present, steps } = range.matrix;
  const rows = new Map<string, number>();
  labels.forEach((l, r) => {
    if (present[r * steps + 1] !== 0) rows.set(labelsKey(l), values[r * steps + 1] as number);
  });
  if (rows.size !== instant.labels.length)
    return `${rows.size} rows as a range, ${instant.labels.length} as an instant`;
  for (let r = 0; r < instant.labels.length; r++) {
    const other = rows.get(labelsKey(instant.labels[r] as Labels));
    if (other === undefined) return `no row ${formatMetric(instant.labels[r] as Labels)} as a range`;
    if (!near(other, instant.values[r] as number)) return `${other} as a range, ${instant.values[r]} as an instant`;
  }
  return undefined;
}

function matches(e: Expectation, text: string): boolean {
  if (e.match === undefined) return true;
  return e.match.kind === "msg" ? e.match.text === text : new RegExp(e.match.text).test(text);
}

function checkFailure(c: EvalCommand, message: string): string | undefined {
  if (c.fail === undefined) return `unexpected error: ${message}`;
  return matches(c.fail, message) ? undefined : `other error: ${message}`;
}

function checkAnnotations(c: EvalCommand, result: { warnings: readonly string[]; infos: readonly string[] }) {
  const one = (what: string, expected: readonly Expectation[], any: boolean, none: boolean, got: readonly string[]) => {
    if (none && got.length > 0) return `unexpected ${what}: ${got.join("; ")}`;
    if ((any || expected.length > 0) && got.length === 0) return `no ${what}`;
    for (const e of expected) if (!got.some((g) => matches(e, g))) return `other ${what}: ${got.join("; ")}`;
    if (expected.length === 0) return undefined;
    const stray = got.find((g) => !expected.some((e) => matches(e, g)));
    return stray === undefined ? undefined : `unexpected ${what}: ${stray}`;
  };
  return (
    one("warning", c.warns, c.anyWarn, c.noWarn, result.warnings) ??
    one("info", c.infos, c.anyInfo, c.noInfo, result.infos)
  );
}

/** As Prometheus's tests compare: relative error below 1e-6, NaN equals NaN. */
function near(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  if (a === 0 || b === 0 || Math.abs(a) + Math.abs(b) < 2 ** -1022) return Math.abs(a - b) < 1e-6 * 2 ** -1022;
  return Math.abs(a - b) / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < 1e-6;
}

function samePoint(expected: Point | undefined, got: number | undefined): boolean {
  if (expected === undefined || expected.kind === "none") return got === undefined;
  return expected.kind === "float" && got !== undefined && near(expected.value, got);
}

function checkResult(c: EvalCommand, result: InstantResult | RangeResult): string | undefined {
  if (result.type === "scalar") {
    return c.scalar !== undefined && near(c.scalar, result.value) ? undefined : `scalar ${result.value}`;
  }
  if (result.type === "string") return result.value === c.text ? undefined : `string ${JSON.stringify(result.value)}`;
  if (c.scalar !== undefined || c.text !== undefined) return `a ${result.type}`;
  if (result.type === "vector") return checkVector(c, result.labels, result.values);
  const rows = "matrix" in result ? rangeRows(result) : rawRows(c, result);
  return typeof rows === "string" ? rows : checkRows(c, rows);
}

function checkVector(c: EvalCommand, labels: readonly Labels[], values: Float64Array): string | undefined {
  const shown = labels.map((l, i) => `${formatMetric(l)} ${values[i]}`).join(", ");
  if (labels.length !== c.series.length) return `${labels.length} rows instead of ${c.series.length}: ${shown}`;
  const place = new Map(labels.map((l, i) => [labelsKey(l), i]));
  for (let i = 0; i < c.series.length; i++) {
    const expected = c.series[i] as EvalCommand["series"][number];
    const row = place.get(labelsKey(expected.labels));
    if (row === undefined) return `no row ${formatMetric(expected.labels)} in ${shown}`;
    if (c.ordered && row !== i) return `other order: ${shown}`;
    if (!samePoint(expected.points[0], values[row])) return `${formatMetric(expected.labels)} is ${values[row]}`;
  }
  return undefined;
}

type Rows = Map<string, { labels: Labels; points: (number | undefined)[] }>;

function rangeRows(result: RangeResult): Rows {
  const { steps, labels, values, present } = result.matrix;
  return new Map(
    labels.map((l, r) => {
      const points = Array.from({ length: steps }, (_, s) =>
        present[r * steps + s] === 0 ? undefined : (values[r * steps + s] as number),
      );
      return [labelsKey(l), { labels: l, points }];
    }),
  );
}

function rawRows(c: EvalCommand, result: Extract<InstantResult, { type: "matrix" }>): Rows | string {
  if (c.expectRange === undefined) return "a range vector";
  const { start, end, step } = c.expectRange;
  const rows: Rows = new Map();
  for (let r = 0; r < result.labels.length; r++) {
    const points = new Array<number | undefined>(Math.floor((end - start) / step) + 1).fill(undefined);
    const ts = result.ts[r] as Float64Array;
    for (let i = 0; i < ts.length; i++) {
      const at = ((ts[i] as number) - start) / step;
      if (!Number.isInteger(at) || at < 0 || at >= points.length) return `sample at ${ts[i]}`;
      points[at] = result.values[r]?.[i];
    }
    rows.set(labelsKey(result.labels[r] as Labels), { labels: result.labels[r] as Labels, points });
  }
  return rows;
}

function checkRows(c: EvalCommand, rows: Rows): string | undefined {
  const shown = [...rows.values()].map((r) => `${formatMetric(r.labels)} ${r.points.map((p) => p ?? "_").join(" ")}`);
  const expected = c.series.filter((s) => s.points.some((p) => p.kind !== "none"));
  if (rows.size !== expected.length) return `${rows.size} rows instead of ${expected.length}: ${shown.join(", ")}`;
  for (const e of expected) {
    const row = rows.get(labelsKey(e.labels));
    if (row === undefined) return `no row ${formatMetric(e.labels)} in ${shown.join(", ")}`;
    for (let s = 0; s < Math.max(row.points.length, e.points.length); s++) {
      if (!samePoint(e.points[s], row.points[s])) return `step ${s} of ${shown.join(", ")}`;
    }
  }
  return undefined;
}
