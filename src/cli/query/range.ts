import { METRIC_NAME } from "../../model/labels.ts";
import type { MatrixSeries } from "./answer.ts";
import { counted, formatSeconds, labelOf } from "./answer.ts";
import { formatQuantity } from "./axis.ts";
import { type ChartLine, formatChart, lineMark, MAX_LINES } from "./chart.ts";
import { heading } from "./instant.ts";
import { shortName, splitLabels } from "./series-name.ts";
import { type Column, formatTable } from "./table.ts";
import { clip, paint, type Screen, wrap } from "./terminal.ts";
import { formatSpan } from "./times.ts";
import type { Unit } from "./unit.ts";

/** What a range query was asked for, Unix ms. */
export interface AskedRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

interface Drawn extends ChartLine {
  readonly series: MatrixSeries;
}

/** A matrix as a line chart with its legend. Of native histograms the counts are drawn. No line is wider than the screen. */
export function formatRange(
  all: readonly MatrixSeries[],
  asked: AskedRange,
  unit: Unit,
  rows: number,
  screen: Screen,
): string[] {
  const { start, end, step } = asked;
  const below = (text: string): string[] => wrap(text, screen.width).map((line) => paint(screen, "dim", line));
  const times = `${formatSeconds(start / 1000)} to ${formatSeconds(end / 1000)} UTC, step ${formatSpan(step)}`;
  if (all.length === 0) return below(`no series, ${times}`);
  const { common, differing } = splitLabels(all);
  const lines = all.map(lineOf);
  const drawn = lines.length > MAX_LINES ? largest(lines, MAX_LINES) : lines;
  const out = heading(common, screen);
  out.push(...formatChart(drawn, { start, end, gapMs: step * 1.5, rows, unit }, screen));
  out.push(...legend(drawn, differing, unit, screen));
  out.push(...below(`${counted(all.length, "series", "series")}, ${times}`));
  if (drawn.length < all.length) {
    out.push(...below(`drawn: the ${MAX_LINES} of ${all.length} series with the largest values; -o csv has all`));
  }
  const points = all.reduce((n, s) => n + (s.values?.length ?? 0), 0);
  const finite = lines.reduce((n, l) => n + (l.series.histograms === undefined ? l.values.length : 0), 0);
  const isMixed = all.some((s) => s.histograms !== undefined);
  if (isMixed) out.push(...below("native histograms are drawn by their counts"));
  else if (finite < points) out.push(...below(`${counted(points - finite, "point")} not drawn: NaN or infinite`));
  return out;
}

function lineOf(series: MatrixSeries): Drawn {
  const points = [
    ...(series.values ?? []).map(([t, v]) => [t, Number(v.replace("Inf", "Infinity"))] as const),
    ...(series.histograms ?? []).map(([t, h]) => [t, Number(h.count)] as const),
  ]
    .filter(([, v]) => Number.isFinite(v))
    .sort((a, b) => a[0] - b[0]);
  return { series, times: points.map(([t]) => t * 1000), values: points.map(([, v]) => v) };
}

/** Those with the largest maximum, in the order in which they stand. */
function largest(lines: readonly Drawn[], n: number): Drawn[] {
  const ranked = [...lines].sort((a, b) => maximum(b.values) - maximum(a.values)).slice(0, n);
  return lines.filter((line) => ranked.includes(line));
}

function maximum(values: readonly number[]): number {
  return values.reduce((max, v) => (v > max ? v : max), Number.NEGATIVE_INFINITY);
}

function legend(lines: readonly Drawn[], differing: readonly string[], unit: Unit, screen: Screen): string[] {
  const facts = lines.map(({ values }) => {
    if (values.length === 0) return ["-", "-", "-", "-"];
    const mean = values.reduce((sum, v) => sum + v / values.length, 0);
    const min = values.reduce((m, v) => (v < m ? v : m), Number.POSITIVE_INFINITY);
    return [values.at(-1) as number, min, mean, maximum(values)].map((v) => formatQuantity(v, unit));
  });
  const titles = ["last", "min", "mean", "max"];
  if (lines.length === 1) {
    const text = titles.map((title, i) => `${title} ${facts[0]?.[i] ?? ""}`).join("   ");
    return wrap(text, screen.width);
  }
  const columns: Column[] = [
    ...differing.map((name) => ({ title: name === METRIC_NAME ? "name" : name })),
    ...titles.map((title) => ({ title, align: "right" as const, whole: true })),
  ];
  const room = { ...screen, width: screen.width - 2 };
  const cells = lines.map(({ series }, i) => [
    ...differing.map((n) => labelOf(series.metric, n) ?? ""),
    ...(facts[i] as string[]),
  ]);
  const table = formatTable(columns, cells, room);
  // Too narrow for a table: the names alone.
  const rows =
    table.length === lines.length + 1
      ? table.slice(1)
      : lines.map(({ series }) => clip(shortName(series.metric, differing), room.width));
  const head = table.length === lines.length + 1 ? [`  ${table[0]}`] : [];
  return [...head, ...rows.map((row, i) => `${lineMark(i, screen)} ${row}`)];
}
