import { compareLabels, type Labels, labelsKey } from "../../../src/model/labels.ts";
import { type Engine, type InstantResult, QueryError, type RangeResult } from "../../../src/model/query.ts";
import { formatMetric } from "../../../src/query/execute/format-metric.ts";
import type { Point } from "../../../src/query/notation/series-notation.ts";
import { type HintCare, near, sameHistogram } from "./compare-histograms.ts";
import { type Cell, cellAt, type Rows, rangeRows, rawRows, showCell } from "./result-cells.ts";
import type { EvalCommand, Expectation } from "./script.ts";

/** Evaluates a case; undefined when it is as expected, else what is wrong. */
export async function check(engine: Engine, c: EvalCommand, hints: HintCare): Promise<string | undefined> {
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
  return checkAnnotations(c, result, hints) ?? checkResult(c, result, hints);
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
  let instant: InstantResult;
  let range: RangeResult;
  try {
    instant = await engine.instant({ ...base, time: c.time });
    if (instant.type !== "vector") return undefined;
    range = await engine.range({ ...base, start: c.time - 60_000, end: c.time + 60_000, step: 60_000 });
  } catch (error) {
    if (error instanceof QueryError) return undefined;
    throw error;
  }
  const rows = new Map([...rangeRows(range)].filter(([, row]) => row.cells[1] !== undefined));
  if (rows.size !== instant.labels.length)
    return `${rows.size} rows as a range, ${instant.labels.length} as an instant`;
  for (let r = 0; r < instant.labels.length; r++) {
    const row = rows.get(labelsKey(instant.labels[r] as Labels));
    if (row === undefined) return `no row ${formatMetric(instant.labels[r] as Labels)} as a range`;
    const cell = cellAt(instant, r);
    if (!sameCell(asPoint(row.cells[1]), cell, "all"))
      return `${showCell(row.cells[1])} as a range, ${showCell(cell)} as an instant`;
  }
  return undefined;
}

/** A result that another one is to be equal to. */
function asPoint(cell: Cell): Point {
  if (cell === undefined) return { kind: "none" };
  if (typeof cell === "number") return { kind: "float", value: cell };
  return { kind: "histogram", histogram: cell, hintSet: true };
}

function matches(e: Expectation, text: string): boolean {
  if (e.match === undefined) return true;
  return e.match.kind === "msg" ? e.match.text === text : new RegExp(e.match.text).test(text);
}

function checkFailure(c: EvalCommand, message: string): string | undefined {
  if (c.fail === undefined) return `unexpected error: ${message}`;
  return matches(c.fail, message) ? undefined : `other error: ${message}`;
}

const OF_HINTS = "PromQL warning: conflicting counter resets";

function checkAnnotations(
  c: EvalCommand,
  result: { warnings: readonly string[]; infos: readonly string[] },
  hints: HintCare,
) {
  const ofHints = c.warns.every((e) => e.match?.kind === "msg" && e.match.text.startsWith(OF_HINTS));
  const mayLack = hints === "gauge" && c.warns.length > 0 && ofHints && result.warnings.length === 0;
  const one = (what: string, expected: readonly Expectation[], any: boolean, none: boolean, got: readonly string[]) => {
    if (none && got.length > 0) return `unexpected ${what}: ${got.join("; ")}`;
    if ((any || expected.length > 0) && got.length === 0) return `no ${what}`;
    for (const e of expected) if (!got.some((g) => matches(e, g))) return `other ${what}: ${got.join("; ")}`;
    if (expected.length === 0) return undefined;
    const stray = got.find((g) => !expected.some((e) => matches(e, g)));
    return stray === undefined ? undefined : `unexpected ${what}: ${stray}`;
  };
  const wrong = mayLack ? undefined : one("warning", c.warns, c.anyWarn, c.noWarn, result.warnings);
  return wrong ?? one("info", c.infos, c.anyInfo, c.noInfo, result.infos);
}

function sameCell(expected: Point | undefined, got: Cell, hints: HintCare): boolean {
  if (expected === undefined || expected.kind === "none") return got === undefined;
  if (expected.kind === "histogram") return typeof got === "object" && sameHistogram(expected, got, hints);
  return expected.kind === "float" && typeof got === "number" && near(expected.value, got);
}

function checkResult(c: EvalCommand, result: InstantResult | RangeResult, hints: HintCare): string | undefined {
  if (result.type === "scalar") {
    return c.scalar !== undefined && near(c.scalar, result.value) ? undefined : `scalar ${result.value}`;
  }
  if (result.type === "string") return result.value === c.text ? undefined : `string ${JSON.stringify(result.value)}`;
  if (c.scalar !== undefined || c.text !== undefined) return `a ${result.type}`;
  if (result.type === "vector") return checkVector(c, result, hints);
  if ("matrix" in result) return checkSorted(result.matrix.labels) ?? checkRows(c, rangeRows(result), hints);
  if (c.expectRange === undefined) return "a range vector";
  const rows = rawRows(c.expectRange, result);
  return typeof rows === "string" ? rows : (checkSorted(result.labels) ?? checkRows(c, rows, hints));
}

function checkSorted(labels: readonly Labels[]): string | undefined {
  for (let i = 1; i < labels.length; i++) {
    const row = labels[i] as Labels;
    if (compareLabels(labels[i - 1] as Labels, row) >= 0) return `${formatMetric(row)} is out of order`;
  }
  return undefined;
}

function checkVector(c: EvalCommand, result: Extract<InstantResult, { type: "vector" }>, hints: HintCare) {
  const { labels } = result;
  const cells = labels.map((_, i) => cellAt(result, i));
  const shown = labels.map((l, i) => `${formatMetric(l)} ${showCell(cells[i])}`).join(", ");
  if (labels.length !== c.series.length) return `${labels.length} rows instead of ${c.series.length}: ${shown}`;
  const place = new Map(labels.map((l, i) => [labelsKey(l), i]));
  for (let i = 0; i < c.series.length; i++) {
    const expected = c.series[i] as EvalCommand["series"][number];
    const row = place.get(labelsKey(expected.labels));
    if (row === undefined) return `no row ${formatMetric(expected.labels)} in ${shown}`;
    if (c.ordered && row !== i) return `other order: ${shown}`;
    const point = expected.points[0];
    if (!sameCell(point, cells[row], hints)) {
      return `${formatMetric(expected.labels)} is ${showCell(cells[row])}, not ${showPoint(point)}`;
    }
  }
  return undefined;
}

function showPoint(point: Point | undefined): string {
  if (point?.kind === "histogram") return showCell(point.histogram);
  return point?.kind === "float" ? String(point.value) : (point?.kind ?? "none");
}

function checkRows(c: EvalCommand, rows: Rows, hints: HintCare): string | undefined {
  const shown = [...rows.values()].map((r) => `${formatMetric(r.labels)} ${r.cells.map(showCell).join(" ")}`);
  const expected = c.series.filter((s) => s.points.some((p) => p.kind !== "none"));
  if (rows.size !== expected.length) return `${rows.size} rows instead of ${expected.length}: ${shown.join(", ")}`;
  for (const e of expected) {
    const row = rows.get(labelsKey(e.labels));
    if (row === undefined) return `no row ${formatMetric(e.labels)} in ${shown.join(", ")}`;
    for (let s = 0; s < Math.max(row.cells.length, e.points.length); s++) {
      if (!sameCell(e.points[s], row.cells[s], hints)) {
        return `step ${s} of ${shown.join(", ")} is not ${showPoint(e.points[s])}`;
      }
    }
  }
  return undefined;
}
