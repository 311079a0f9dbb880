import type { Ranking, TsdbStatus } from "./answer.ts";
import { formatCount } from "./answer.ts";
import { formatQuantity } from "./axis.ts";
import { bar } from "./histogram.ts";
import { type Column, formatTable } from "./table.ts";
import { paint, type Screen } from "./terminal.ts";

/** The rankings of status/tsdb, and how each is told. */
export const RANKINGS = {
  metrics: { key: "seriesCountByMetricName", title: "metric name", count: "series" },
  pairs: { key: "seriesCountByLabelValuePair", title: "label=value", count: "series" },
  labels: { key: "labelValueCountByLabelName", title: "label name", count: "values" },
  memory: { key: "memoryInBytesByLabelName", title: "label name", count: "memory" },
} as const;
export type RankingName = keyof typeof RANKINGS;

/** A ranking as a table with bars, and, of series, their share in all of them. */
export function formatTop(status: TsdbStatus, names: readonly RankingName[], screen: Screen): string[] {
  const total = status.headStats.numSeries;
  const lines: string[] = [];
  for (const name of names) {
    const { key, title, count } = RANKINGS[name];
    const ranking: Ranking = status[key];
    const most = ranking.reduce((max, { value }) => Math.max(max, value), 0);
    const isShare = count === "series" && total > 0;
    const columns: Column[] = [
      { title },
      { title: count, align: "right", whole: true },
      ...(isShare ? [{ title: "share", align: "right" as const, whole: true }] : []),
      { title: "", style: "cyan" },
    ];
    const rows = ranking.map(({ name: what, value }) => [
      what,
      count === "memory" ? formatQuantity(value, { base: "bytes", perSecond: false }) : formatCount(value),
      ...(isShare ? [`${((100 * value) / total).toFixed(1)} %`] : []),
      bar(value / most, 24),
    ]);
    if (lines.length > 0) lines.push("");
    lines.push(...formatTable(columns, rows, screen));
  }
  return [...lines, "", paint(screen, "dim", `${formatCount(total)} series in memory`)];
}
