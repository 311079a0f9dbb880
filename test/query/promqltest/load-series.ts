import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { labelsFromEntries, labelsKey, labelValue, METRIC_NAME } from "../../../src/model/labels.ts";
import { writeHistogramRef, writeStale } from "../../../src/model/sample.ts";
import { readNumber } from "../../../src/query/notation/read-number.ts";
import type { Point } from "../../../src/query/notation/series-notation.ts";
import { storedHistograms } from "../../../src/query/notation/stored-histograms.ts";
import { type ClassicHistogram, customHistogram, setBucket } from "./custom-histogram.ts";
import { type MemorySource, partitionOf } from "./memory-source.ts";
import type { Command, LoadedSeries } from "./script.ts";

/** Which counter reset hints the samples have: those of the script, or those that Prometheus's storage gives back for them. */
export type LoadedHints = "sent" | "stored";

type LoadCommand = Extract<Command, { kind: "load" }>;

/** Adds a load command's series to the sources, each to one of them. */
export function load(sources: readonly MemorySource[], command: LoadCommand, hints: LoadedHints): void {
  for (const series of command.series) add(sources, series, command.gap, hints);
  if (command.nhcb) for (const series of customSeries(command.series)) add(sources, series, command.gap, hints);
}

function add(sources: readonly MemorySource[], series: LoadedSeries, gap: number, hints: LoadedHints): void {
  const { labels, starts } = series;
  const points = hints === "stored" ? storedHistograms(series.points) : series.points;
  const kept = points.map((p, i) => ({ p, i })).filter(({ p }) => p.kind !== "none");
  if (kept.length === 0) return;
  const values = new Float64Array(kept.length);
  const words = new Uint32Array(values.buffer);
  const histograms = makeHistogramBytes();
  kept.forEach(({ p }, k) => {
    if (p.kind === "float") values[k] = p.value;
    else if (p.kind === "stale") writeStale(words, k);
    else if (p.kind === "histogram") writeHistogramRef(words, k, encodeHistogram(p.histogram, histograms));
  });
  const ts = kept.map(({ i }) => i * gap);
  const st = kept.map(({ i }) => (starts[i] === undefined ? 0 : i * gap + (starts[i] as number)));
  (sources[partitionOf(labels, sources.length)] as MemorySource).add(labels, ts, values, st, histograms);
}

/** The classic histograms among the series (name_bucket with le, name_count, name_sum) as series of histograms with custom buckets. */
function customSeries(series: readonly LoadedSeries[]): LoadedSeries[] {
  const found = new Map<string, { labels: LoadedSeries["labels"]; at: (ClassicHistogram | undefined)[] }>();
  for (const { labels, points } of series) {
    const m = /^(.*)_(bucket|sum|count)$/s.exec(labelValue(labels, METRIC_NAME));
    if (m === null) continue;
    const le = labelValue(labels, "le");
    if (m[2] === "bucket" && le === "") throw new Error(`a bucket without le: ${labels}`);
    const bound = m[2] === "bucket" ? readNumber(le) : 0;
    if (Number.isNaN(bound)) continue;
    const entries = new Map<string, string>();
    for (let i = 0; i < labels.length; i += 2) entries.set(labels[i] as string, labels[i + 1] as string);
    entries.delete("le");
    entries.set(METRIC_NAME, m[1] as string);
    const base = labelsFromEntries(entries);
    const key = labelsKey(base);
    const group = found.get(key) ?? { labels: base, at: [] };
    found.set(key, group);
    points.forEach((p, i) => {
      if (p.kind !== "float") return;
      const classic: ClassicHistogram = group.at[i] ?? { buckets: new Map(), sum: 0 };
      group.at[i] = classic;
      if (m[2] === "bucket") setBucket(classic, bound, p.value);
      else if (m[2] === "count") classic.count = p.value;
      else classic.sum = p.value;
    });
  }
  return [...found.values()].map(({ labels, at }) => ({
    labels,
    points: Array.from(at, (c): Point => (c === undefined ? { kind: "none" } : customHistogram(c))),
    starts: [],
  }));
}
