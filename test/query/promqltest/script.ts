import type { Labels } from "../../../src/model/labels.ts";
import { readNumber } from "../../../src/query/notation/read-number.ts";
import {
  type Point,
  readDuration,
  readSeries,
  readStartTimes,
  type SeriesLine,
} from "../../../src/query/notation/series-notation.ts";

/** A promqltest script as commands. The language is that of Prometheus's promql/promqltest. */
export type Command =
  | { readonly kind: "clear" }
  | { readonly kind: "load"; readonly gap: number; readonly nhcb: boolean; readonly series: readonly LoadedSeries[] }
  | EvalCommand;

export interface LoadedSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
  readonly starts: readonly (number | undefined)[];
}

export interface Expectation {
  readonly match?: { readonly kind: "msg" | "regex"; readonly text: string };
}

export interface EvalCommand {
  readonly kind: "eval";
  readonly line: number;
  readonly query: string;
  readonly range?: { readonly start: number; readonly end: number; readonly step: number };
  readonly time: number;
  readonly fail?: Expectation;
  readonly warns: readonly Expectation[];
  readonly infos: readonly Expectation[];
  readonly anyWarn: boolean;
  readonly anyInfo: boolean;
  readonly noWarn: boolean;
  readonly noInfo: boolean;
  readonly ordered: boolean;
  readonly text?: string;
  readonly scalar?: number;
  readonly expectRange?: { readonly start: number; readonly end: number; readonly step: number };
  readonly series: readonly SeriesLine[];
}

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+at\s+(\S+)\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/;
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const EXPECT_RANGE = /^expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/;

export function readScript(text: string): Command[] {
  const lines = text.split("\n").map((l) => (l.trim().startsWith("#") ? "" : l.trim()));
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line === "") continue;
    const block: string[] = [];
    while (i + 1 < lines.length && lines[i + 1] !== "" && !/^(eval|load|clear)/.test(lines[i + 1] as string)) {
      block.push(lines[++i] as string);
    }
    const number = i + 1 - block.length;
    if (line === "clear") commands.push({ kind: "clear" });
    else if (line.startsWith("load")) commands.push(readLoad(line, block));
    else if (line.startsWith("eval")) commands.push(readEval(line, block, number));
    else throw new Error(`line ${number}: not a command: ${line}`);
  }
  return commands;
}

function readLoad(line: string, block: readonly string[]): Command {
  const gap = readDuration(line.split(/\s+/)[1] as string);
  const series: LoadedSeries[] = [];
  let starts: (number | undefined)[] = [];
  for (const l of block) {
    if (/^\S+@st\s/.test(l)) {
      starts = readStartTimes(l).offsets;
      continue;
    }
    series.push({ ...readSeries(l), starts });
    starts = [];
  }
  return { kind: "load", gap, nhcb: line.startsWith("load_with_nhcb"), series };
}

function readEval(line: string, block: readonly string[], number: number): EvalCommand {
  const instant = INSTANT.exec(line);
  const range = RANGE.exec(line);
  const m = instant ?? range;
  if (m === null) throw new Error(`line ${number}: cannot read ${line}`);
  const times = (a: string, b: string, c: string) => ({
    start: readDuration(a),
    end: readDuration(b),
    step: readDuration(c),
  });
  const mode = m[1];
  let fail: Expectation | undefined = mode === "fail" ? {} : undefined;
  const warns: Expectation[] = [];
  const infos: Expectation[] = [];
  const flags = new Set<string>(mode === "ordered" ? ["ordered"] : []);
  let text: string | undefined;
  let scalar: number | undefined;
  let expectRange: EvalCommand["expectRange"];
  const series: SeriesLine[] = [];
  for (const l of block) {
    const expect = EXPECT.exec(l);
    const ranged = EXPECT_RANGE.exec(l);
    if (ranged !== null) expectRange = times(ranged[1] as string, ranged[2] as string, ranged[3] as string);
    else if (l.startsWith("expect string")) text = l.slice("expect string ".length).trim().slice(1, -1);
    else if (expect !== null) {
      const kind = expect[2] as "msg" | "regex" | undefined;
      const e = kind === undefined ? {} : { match: { kind, text: (expect[3] as string).trim() } };
      if (expect[1] === "fail") fail = e;
      else if (expect[1] === "warn") warns.push(e);
      else if (expect[1] === "info") infos.push(e);
      else flags.add(expect[1] as string);
    } else if (/^[+-]?(\d|\.\d|inf|nan)/i.test(l) && !l.includes("{") && !l.includes(" ")) scalar = readNumber(l);
    else series.push(readSeries(l));
  }
  return {
    kind: "eval",
    line: number,
    query: (instant?.[3] ?? range?.[5]) as string,
    time: instant === null ? 0 : readDuration(instant[2] as string),
    ...(range === null ? {} : { range: times(range[2] as string, range[3] as string, range[4] as string) }),
    ...(fail === undefined ? {} : { fail }),
    warns,
    infos,
    anyWarn: mode === "warn",
    anyInfo: mode === "info",
    noWarn: flags.has("no_warn"),
    noInfo: flags.has("no_info"),
    ordered: flags.has("ordered"),
    ...(text === undefined ? {} : { text }),
    ...(scalar === undefined ? {} : { scalar }),
    ...(expectRange === undefined ? {} : { expectRange }),
    series,
  };
}
