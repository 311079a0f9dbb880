/** A recording of a node_exporter: lines `# SCRAPE <unix ms>`, each followed by what one scrape answered, gzipped. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface RecordedSeries {
  /** As it stands in the recording. */
  readonly name: string;
  /** Sorted by name. */
  readonly labels: readonly (readonly [string, string])[];
  /** One value a scrape; undefined where the series was not there. */
  readonly values: (number | undefined)[];
}

export interface Recording {
  readonly scrapes: number;
  /** Time of the first one, Unix ms. */
  readonly start: number;
  readonly series: readonly RecordedSeries[];
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads a recording; every series gets the labels of `target` (job, instance, ...) besides its own labels. */
export function readRecording(path: string, target: Readonly<Record<string, string>> = {}): Recording {
  const series = new Map<string, RecordedSeries>();
  let scrapes = 0;
  let start = 0;
  for (const line of gunzipSync(readFileSync(path)).toString().split("\n")) {
    if (line.startsWith("# SCRAPE ") && scrapes++ === 0) start = Number.parseInt(line.slice(9), 10);
    if (line === "" || line.startsWith("#")) continue;
    const end = line.indexOf("}") < 0 ? line.indexOf(" ") : line.lastIndexOf("}") + 1;
    const key = line.slice(0, end);
    let found = series.get(key);
    if (found === undefined) {
      const brace = key.indexOf("{");
      const labels: Record<string, string> = { ...target, __name__: brace < 0 ? key : key.slice(0, brace) };
      for (const [, name, value] of key.slice(brace < 0 ? key.length : brace).matchAll(LABEL)) {
        labels[name as string] = (value as string).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
      }
      const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
      found = { name: key, labels: sorted, values: [] };
      series.set(key, found);
    }
    while (found.values.length < scrapes - 1) found.values.push(undefined);
    found.values.push(numberOf(line.slice(end).trim().split(" ")[0] as string));
  }
  return { scrapes, start, series: [...series.values()] };
}

function numberOf(text: string): number {
  if (/^[+]?Inf$/.test(text)) return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
