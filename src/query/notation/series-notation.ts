import { parseDuration } from "../../lib/duration.ts";
import { type Labels, labelsFromEntries, METRIC_NAME } from "../../model/labels.ts";
import { histogramSequence, readHistogram, type WrittenHistogram } from "./histogram-notation.ts";
import { readNumber } from "./read-number.ts";

/** The notation of series in promqltest scripts and in unit tests of rules: `metric{label="value"} 1 2+3x4 _ stale {{count:1 sum:2}}x3`. */
export type Point =
  | { readonly kind: "none" | "stale" }
  | { readonly kind: "float"; readonly value: number }
  | WrittenHistogram;

export interface SeriesLine {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

const STRING = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')/;

function readString(text: string): { value: string; length: number } {
  const m = STRING.exec(text);
  if (m === null) throw new Error(`string expected at ${text}`);
  const raw = m[1] ?? m[2] ?? "";
  const value = raw.replace(/\\(.)/g, (_, c: string) => ({ n: "\n", t: "\t", r: "\r" })[c] ?? c);
  return { value, length: m[0].length };
}

/** Reads the metric at the start of a line; `rest` is what follows it. */
export function readMetric(line: string): { labels: Labels; rest: string } {
  const entries: [string, string][] = [];
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? "";
  if (name !== "") entries.push([METRIC_NAME, name]);
  let rest = line.slice(name.length);
  if (/^\s*\{(?!\{)/.test(rest)) {
    rest = rest.trimStart().slice(1).trimStart();
    while (!rest.startsWith("}")) {
      const bare = /^[a-zA-Z_][a-zA-Z0-9_]*/.exec(rest)?.[0];
      const label = bare === undefined ? readString(rest) : { value: bare, length: bare.length };
      rest = rest.slice(label.length).trimStart();
      if (rest.startsWith("=")) {
        rest = rest.slice(1).trimStart();
        const value = readString(rest);
        entries.push([label.value, value.value]);
        rest = rest.slice(value.length).trimStart();
      } else entries.push([METRIC_NAME, label.value]);
      if (rest.startsWith(",")) rest = rest.slice(1).trimStart();
    }
    rest = rest.slice(1);
  }
  return { labels: labelsFromEntries(entries), rest };
}

const NUMBER = "(?:(?:\\d[\\d_]*\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?|[iI][nN][fF]|[nN][aA][nN])";
const FLOATS = new RegExp(`^([+-]?${NUMBER})(?:([+-]${NUMBER})?x(\\d+))?$`);

/** Points that one series may have: a mistyped repetition must not take all memory. */
const MAX_POINTS = 10_000_000;

export function readSeries(line: string): SeriesLine {
  const { labels, rest } = readMetric(line.trim());
  return { labels, points: readPoints(rest) };
}

/** Reads the values of a series: `1 2+3x4 _ stale {{count:1 sum:2}}x3`. Throws for what is none, and for too many. */
export function readPoints(text: string): Point[] {
  const points: Point[] = [];
  const room = (times: number): void => {
    if (points.length + times > MAX_POINTS) throw new Error(`more than ${MAX_POINTS} values`);
  };
  const add = (point: Point, times: number): void => {
    room(times);
    for (let i = 0; i < times; i++) points.push(point);
  };
  // A histogram has spaces inside: make every one a single word.
  const histograms: WrittenHistogram[] = [];
  const words = text
    .replace(/\{\{(.*?)\}\}/g, (_, inside: string) => `H${histograms.push(readHistogram(inside)) - 1}`)
    .trim()
    .split(/\s+/)
    .filter((w) => w !== "");
  for (const word of words) {
    const gap = /^_(?:x(\d+))?$/.exec(word);
    const histogram = /^H(\d+)(?:x(\d+))?$/.exec(word);
    const sequence = /^H(\d+)([+-])H(\d+)x(\d+)$/.exec(word);
    const floats = FLOATS.exec(word);
    if (gap !== null) add({ kind: "none" }, Number(gap[1] ?? 1));
    else if (word === "stale") add({ kind: "stale" }, 1);
    else if (histogram !== null) add(histograms[Number(histogram[1])] as Point, Number(histogram[2] ?? 0) + 1);
    else if (sequence !== null) {
      const [base, step] = [sequence[1], sequence[3]].map((i) => histograms[Number(i)] as WrittenHistogram);
      const sign = sequence[2] === "-" ? -1 : 1;
      room(Number(sequence[4]));
      points.push(...histogramSequence(base as WrittenHistogram, step as WrittenHistogram, sign, Number(sequence[4])));
    } else if (floats !== null) {
      let value = readNumber(floats[1] as string);
      const delta = floats[2] === undefined ? 0 : readNumber(floats[2]);
      const times = Number(floats[3] ?? 0);
      room(times);
      for (let i = 0; i <= times; i++) {
        points.push({ kind: "float", value });
        value += delta;
      }
    } else throw new Error(`unexpected value ${JSON.stringify(word)} in ${text.trim()}`);
  }
  return points;
}

const DURATION = "\\d+[a-z0-9]*?";
const START = new RegExp(`^([+-]?${DURATION})(?:([+-])(${DURATION}))?(?:x(\\d+))?$`);

export function readDuration(text: string): number {
  return text === "0" ? 0 : parseDuration(text);
}

function signed(text: string): number {
  const ms = readDuration(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -ms : ms;
}

/** A line `metric{...}@st -1m _ -1m-30sx3`: start times relative to the samples' times; undefined where none is given. */
export function readStartTimes(line: string): { labels: Labels; offsets: (number | undefined)[] } {
  const { labels, rest } = readMetric(line.trim());
  const offsets: (number | undefined)[] = [];
  for (const word of rest.replace(/^@st/, "").trim().split(/\s+/)) {
    const gap = /^_(?:x(\d+))?$/.exec(word);
    if (gap !== null) {
      for (let i = 0; i < Number(gap[1] ?? 1); i++) offsets.push(undefined);
      continue;
    }
    const m = START.exec(word);
    if (m === null) throw new Error(`unexpected start time ${JSON.stringify(word)}`);
    const delta = m[3] === undefined ? 0 : signed(`${m[2]}${m[3]}`);
    for (let i = 0; i <= Number(m[4] ?? 0); i++) offsets.push(signed(m[1] as string) + i * delta);
  }
  return { labels, offsets };
}
