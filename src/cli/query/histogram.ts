import { formatSampleValue } from "../../lib/float-format.ts";
import type { Bucket, HistogramJson } from "./answer.ts";
import { type Column, formatTable } from "./table.ts";
import { clip, type Screen } from "./terminal.ts";

const BAR = 40;
const EIGHTHS = " ▏▎▍▌▋▊▉";

/** A bar of whole and eighth blocks: `share` (0 to 1) of the width. What is more than nothing has an eighth at least. */
export function bar(share: number, width: number): string {
  if (!(share > 0)) return "";
  const eighths = Math.max(1, Math.min(width * 8, Math.round(share * width * 8)));
  return "█".repeat(eighths >> 3) + (eighths % 8 === 0 ? "" : (EIGHTHS[eighths % 8] as string));
}

/** A native histogram: its count, sum and mean, and a bar for each bucket. Lines are no wider than the screen. */
export function formatHistogram(h: HistogramJson, screen: Screen, indent = "  "): string[] {
  const mean = Number(h.sum) / Number(h.count);
  const average = Number.isFinite(mean) ? `  mean ${Number(mean.toPrecision(6))}` : "";
  const lines = [clip(`${indent}count ${h.count}  sum ${h.sum}${average}`, screen.width)];
  const buckets = h.buckets ?? [];
  const counts = buckets.map((b) => Math.abs(Number(b[3])));
  const most = counts.reduce((max, n) => (n > max ? n : max), 0);
  const columns: Column[] = [
    { title: "", align: "right" },
    { title: "", align: "right" },
    { title: "", style: "cyan" },
  ];
  const bounds = buckets.map(formatBounds);
  const taken = bounds.reduce((w, b) => Math.max(w, b.length), 0) + 24;
  const width = Math.max(5, Math.min(BAR, screen.width - taken));
  const rows = buckets.map((b, i) => [bounds[i] as string, b[3], bar((counts[i] as number) / most, width)]);
  return [...lines, ...formatTable(columns, rows, screen, indent)];
}

/** One line: `{count:3, sum:6, (1,2]:3}`, as Prometheus prints histograms. */
export function formatHistogramLine(h: HistogramJson): string {
  const buckets = (h.buckets ?? []).map((b) => `, ${open(b)}${b[1]},${b[2]}${close(b)}:${b[3]}`);
  return `{count:${h.count}, sum:${h.sum}${buckets.join("")}}`;
}

/** Bounds are shortened to six digits: those of exponential buckets are powers of roots of two. */
function formatBounds(b: Bucket): string {
  return `${open(b)}${short(b[1])}, ${short(b[2])}${close(b)}`;
}

function short(bound: string): string {
  const v = Number(bound);
  return Number.isFinite(v) ? formatSampleValue(Number(v.toPrecision(6))) : bound;
}

function open([bounds]: Bucket): string {
  return bounds === 1 || bounds === 3 ? "[" : "(";
}

function close([bounds]: Bucket): string {
  return bounds === 0 || bounds === 3 ? "]" : ")";
}
