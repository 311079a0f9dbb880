import { type HistogramJson, labelOf, type MatrixSeries, type QueryData } from "./answer.ts";
import { csvLine } from "./csv.ts";

/**
 * A result as CSV, a line a sample: the labels by name, then `time` (Unix seconds) and `value`, and, where there are native
 * histograms, `count`, `sum` and `buckets` (JSON, as the API has them). A label that has one of these names is in
 * quotation marks of PromQL's: `"time"`.
 */
export function formatCsv(data: QueryData): string[] {
  switch (data.resultType) {
    case "scalar":
    case "string":
      return [csvLine(["time", "value"]), csvLine([String(data.result[0]), data.result[1]])];
    case "matrix":
      return seriesCsv(data.result);
    case "vector":
      return seriesCsv(
        data.result.map(({ metric, value, histogram }) => ({
          metric,
          ...(value === undefined ? {} : { values: [value] }),
          ...(histogram === undefined ? {} : { histograms: [histogram] }),
        })),
      );
  }
}

function seriesCsv(series: readonly MatrixSeries[]): string[] {
  const names = [...new Set(series.flatMap((s) => Object.keys(s.metric)))].sort();
  const hasHistograms = series.some((s) => s.histograms !== undefined);
  const own = ["time", "value", ...(hasHistograms ? ["count", "sum", "buckets"] : [])];
  const lines = [csvLine([...names.map((n) => (own.includes(n) ? `"${n}"` : n)), ...own])];
  for (const { metric, values = [], histograms = [] } of series) {
    const labels = names.map((n) => labelOf(metric, n) ?? "");
    const empty = hasHistograms ? ["", "", ""] : [];
    for (const [t, v] of values) lines.push(csvLine([...labels, String(t), v, ...empty]));
    for (const [t, h] of histograms) lines.push(csvLine([...labels, String(t), "", ...histogramCells(h)]));
  }
  return lines;
}

function histogramCells(h: HistogramJson): string[] {
  return [h.count, h.sum, JSON.stringify(h.buckets ?? [])];
}
