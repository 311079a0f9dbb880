import { METRIC_NAME } from "../../model/labels.ts";
import type { MatrixSeries, Metric, QueryData, VectorSeries } from "./answer.ts";
import { counted, formatSeconds, labelOf } from "./answer.ts";
import { formatHistogram, formatHistogramLine } from "./histogram.ts";
import { formatSeries, shortName, splitLabels } from "./series-name.ts";
import { type Column, formatTable } from "./table.ts";
import { paint, type Screen, visible, wrap } from "./terminal.ts";

/** The answer of an instant query as a table; `time` (Unix seconds) stands below it. */
export function formatInstant(data: QueryData, time: number, screen: Screen): string[] {
  const at = `at ${formatSeconds(time)} UTC`;
  const below = (what: string): string[] => wrap(`${what} ${at}`, screen.width).map((l) => paint(screen, "dim", l));
  switch (data.resultType) {
    case "scalar":
      return [...wrap(data.result[1], screen.width), ...below("scalar")];
    case "string":
      return [...wrap(visible(data.result[1]), screen.width), ...below("string")];
    case "vector":
      if (data.result.length === 0) return below("no series");
      return [...formatVector(data.result, screen), ...below(counted(data.result.length, "series", "series"))];
    case "matrix": {
      if (data.result.length === 0) return below("no series");
      const points = data.result.reduce((n, s) => n + (s.values?.length ?? 0) + (s.histograms?.length ?? 0), 0);
      const what = `${counted(data.result.length, "series", "series")}, ${counted(points, "sample")}`;
      return [...formatSamples(data.result, screen), ...below(what)];
    }
  }
}

function formatVector(series: readonly VectorSeries[], screen: Screen): string[] {
  const { common, differing } = splitLabels(series);
  const floats = series.filter((s) => s.value !== undefined);
  const lines = heading(common, screen);
  if (floats.length > 0) {
    const columns: Column[] = [
      ...differing.map((name) => ({ title: name === METRIC_NAME ? "name" : name })),
      { title: differing.length === 0 ? "" : "value", align: "right", whole: true },
    ];
    const rows = floats.map(({ metric, value }) => [
      ...differing.map((n) => labelOf(metric, n) ?? ""),
      value?.[1] ?? "",
    ]);
    lines.push(...formatTable(columns, rows, screen));
  }
  for (const { metric, histogram } of series) {
    if (histogram === undefined) continue;
    if (differing.length > 0) lines.push(...seriesLine(metric, differing, screen));
    lines.push(...formatHistogram(histogram[1], screen));
  }
  return lines;
}

/** Raw samples, series by series: each with its own times. */
function formatSamples(series: readonly MatrixSeries[], screen: Screen): string[] {
  const { common, differing } = splitLabels(series);
  const lines = heading(common, screen);
  const columns: Column[] = [
    { title: "", style: "dim" },
    { title: "", align: "right" },
  ];
  for (const { metric, values = [], histograms = [] } of series) {
    if (differing.length > 0) lines.push(...seriesLine(metric, differing, screen));
    const rows = values.map(([t, v]) => [formatSeconds(t), v]);
    lines.push(...formatTable(columns, rows, screen, "  "));
    for (const [t, h] of histograms) {
      lines.push(`  ${paint(screen, "dim", formatSeconds(t))}`, ...formatHistogram(h, screen, "    "));
    }
  }
  return lines;
}

/** What all series have in common, once; nothing where that is nothing. */
export function heading(common: Metric, screen: Screen): string[] {
  if (Object.keys(common).length === 0) return [];
  return wrap(formatSeries(common), screen.width, "  ").map((line) => paint(screen, "cyan", line));
}

function seriesLine(metric: Metric, differing: readonly string[], screen: Screen): string[] {
  return wrap(shortName(metric, differing), screen.width, "  ").map((line) => paint(screen, "bold", line));
}

/** As promtool prints: `up{job="node"} => 1 @[1767225600]`; samples of a range one below the other. */
export function formatPromText(data: QueryData): string[] {
  const at = (t: number): string => `@[${t}]`;
  switch (data.resultType) {
    case "scalar":
      return [`scalar: ${data.result[1]} ${at(data.result[0])}`];
    case "string":
      return [`string: ${visible(data.result[1])} ${at(data.result[0])}`];
    case "vector":
      return data.result.map(({ metric, value, histogram }) => {
        const [t, text] = value ?? [
          histogram?.[0] ?? 0,
          histogram === undefined ? "" : formatHistogramLine(histogram[1]),
        ];
        return `${formatSeries(metric)} => ${text} ${at(t)}`;
      });
    case "matrix":
      return data.result.flatMap(({ metric, values = [], histograms = [] }) => {
        const points = [...values, ...histograms.map(([t, h]) => [t, formatHistogramLine(h)] as const)];
        points.sort((a, b) => a[0] - b[0]);
        return [`${formatSeries(metric)} =>`, ...points.map(([t, v]) => `${v} ${at(t)}`)];
      });
  }
}
