import { formatDuration } from "../../lib/duration.ts";
import { formatExpr } from "../../query/parse/format.ts";
import type { QueryData, StatsJson } from "./answer.ts";
import { counted, formatCount, formatSeconds } from "./answer.ts";
import { ask, type Server } from "./client.ts";
import type { PlanNode, SelectorRead } from "./plan-tree.ts";
import type { AskedRange } from "./range.ts";
import { type Column, formatTable } from "./table.ts";
import { paint, type Screen, wrap } from "./terminal.ts";

/** What a selector reads, as the server counts it. */
export interface SelectorCount {
  readonly series: number;
  /** Samples and buckets; undefined where the server does not say. */
  readonly samples: number | undefined;
}

const PLACES = { shards: "in the shards", merged: "in the shards, merged in front", front: "in front" } as const;

/** The plan as a tree, beside each part where it runs and what it reads. */
export function formatPlan(
  tree: PlanNode,
  counts: ReadonlyMap<SelectorRead, SelectorCount>,
  isRange: boolean,
  screen: Screen,
): string[] {
  const rows: string[][] = [];
  const walk = (node: PlanNode, first: string, rest: string): void => {
    const read = node.read === undefined ? undefined : counts.get(node.read);
    const notes: string[] = [PLACES[node.place]];
    if (isRange && node.once && (node.children.length > 0 || node.read !== undefined)) notes.push("once for all steps");
    const series = read === undefined ? "" : formatCount(read.series);
    rows.push([
      first + node.text,
      notes.join(", "),
      series,
      read?.samples === undefined ? "" : formatCount(read.samples),
    ]);
    node.children.forEach((child, i) => {
      const isLast = i === node.children.length - 1;
      walk(child, `${rest}${isLast ? "└─ " : "├─ "}`, `${rest}${isLast ? "   " : "│  "}`);
    });
  };
  walk(tree, "", "");
  const columns: Column[] = [{ title: "plan" }, { title: "runs", style: "cyan" }];
  if (counts.size > 0) columns.push({ title: "series", align: "right" }, { title: "samples", align: "right" });
  const shown = rows.map((row) => row.slice(0, columns.length));
  return formatTable(columns, shown, screen);
}

/** What the server says that the query took. */
export function formatStats(stats: StatsJson | undefined, screen: Screen): string[] {
  if (stats === undefined) return [];
  const lines: string[] = [];
  const { samplesRead, totalQueryableSamples: windows, peakSamples } = stats.samples ?? {};
  const read = [
    ...(samplesRead === undefined ? [] : [`${counted(samplesRead, "sample")} read`]),
    ...(windows === undefined ? [] : [`${formatCount(windows)} in the windows of all steps`]),
    ...(peakSamples === undefined ? [] : [`${counted(peakSamples, "point")} held at most`]),
  ];
  if (read.length > 0) lines.push(...wrap(read.join(", "), screen.width, "  "));
  const { queryPreparationTime: before, innerEvalTime: within } = stats.timings ?? {};
  if (before !== undefined && within !== undefined) {
    lines.push(
      ...wrap(`${milliseconds(before)} to read the query, ${milliseconds(within)} to evaluate it`, screen.width),
    );
  }
  const tiers = stats.tiers ?? [];
  if (tiers.length === 0) return lines;
  const columns: Column[] = [
    { title: "tier" },
    { title: "from" },
    { title: "to (UTC)" },
    { title: "rows", align: "right" },
    { title: "" },
  ];
  const rows = tiers.map((t) => [
    ...[t.tier, formatSeconds(t.from), formatSeconds(t.to), formatCount(t.rows)],
    t.rounded ? "rounded: its buckets do not fit the windows" : "",
  ]);
  return [...lines, "", ...formatTable(columns, rows, screen)].map((l) => (l === "" ? l : paint(screen, "dim", l)));
}

function milliseconds(seconds: number): string {
  return `${Number((seconds * 1000).toPrecision(3))} ms`;
}

/**
 * Asks the server how many series and samples each selector has in the times that the query reads: a count of its own, which
 * reads them once more. Warnings of these are not told: the query itself has them.
 */
export async function countReads(
  server: Server,
  reads: readonly SelectorRead[],
  { start, end }: AskedRange,
): Promise<Map<SelectorRead, SelectorCount>> {
  const asked = new Map<string, Promise<SelectorCount>>();
  const found = await Promise.all(
    reads.map(async (read) => {
      const { at } = read;
      const fixed = at === "start" ? start : at === "end" ? end : at;
      const until = (fixed ?? end) - read.offset;
      const span = read.range + (fixed === undefined ? end - start : 0);
      const { pos, name, matchers } = read.selector;
      const selector = formatExpr({ kind: "vectorSelector", pos, name, matchers, offset: 0 });
      const query = `count(count_over_time(${selector}[${formatDuration(Math.max(1, span))}]))`;
      const key = `${until} ${query}`;
      const count = asked.get(key) ?? countOne(server, query, until);
      asked.set(key, count);
      return [read, await count] as const;
    }),
  );
  return new Map(found);
}

async function countOne(server: Server, query: string, time: number): Promise<SelectorCount> {
  const params = { query, time: String(time / 1000), stats: "all" };
  const { data } = await ask<QueryData>(server, "/api/v1/query", Object.entries(params));
  const value = data.resultType === "vector" ? (data.result[0]?.value?.[1] ?? "0") : "0";
  const samples = data.stats?.samples;
  return { series: Number(value), samples: samples?.samplesRead ?? samples?.totalQueryableSamples };
}
