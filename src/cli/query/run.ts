import { parseExpr } from "../../query/parse/parse.ts";
import { type CostJson, labelOf, type Metric, type QueryData, type TsdbStatus } from "./answer.ts";
import { type Answer, ask, ServerError } from "./client.ts";
import { type CommonOptions, type Io, serverOf, tellNotes, wholeNumber, writeLines } from "./command.ts";
import { askCost, formatCost } from "./cost.ts";
import { csvLine } from "./csv.ts";
import { countReads, formatPlan, formatStats, type SelectorCount } from "./explain.ts";
import { formatInstant, formatPromText } from "./instant.ts";
import { planTree, readsOf, type SelectorRead } from "./plan-tree.ts";
import { type AskedRange, formatRange } from "./range.ts";
import { formatCsv } from "./result-csv.ts";
import { formatSeries } from "./series-name.ts";
import { visible } from "./terminal.ts";
import { parseSpan, parseWhen, stepFor, UsageError } from "./times.ts";
import { formatTop, RANKINGS, type RankingName } from "./top.ts";
import { formatTrace } from "./trace.ts";
import { unitOfQuery } from "./unit.ts";

export interface InstantOptions extends CommonOptions {
  readonly time: string;
  readonly limit?: string;
  readonly trace?: boolean;
}
export interface RangeOptions extends CommonOptions {
  readonly start: string;
  readonly end: string;
  readonly step?: string;
  readonly height: string;
  readonly limit?: string;
  readonly trace?: boolean;
}
export interface ListOptions extends CommonOptions {
  readonly start?: string;
  readonly end?: string;
  readonly match?: readonly string[];
  readonly limit?: string;
}
export interface TopOptions extends CommonOptions {
  readonly limit: string;
}
export interface ExplainOptions extends CommonOptions {
  readonly time: string;
  readonly start?: string;
  readonly end?: string;
  readonly step?: string;
  readonly offline?: boolean;
}

type Params = [string, string][];

/** `tocsin query instant`. Throws `ServerError` and `UsageError`, as all of these do. */
export async function runInstant(query: string, options: InstantOptions, io: Io): Promise<void> {
  const time = parseWhen(options.time, "--time", io.now()) / 1000;
  const params: Params = [["query", query], ["time", String(time)], ...limitOf(options), ...traceOf(options)];
  const answer = await ask<QueryData>(serverOf(options), "/api/v1/query", params);
  const data = known(answer.data);
  if (options.output === "json") writeLines(io, [JSON.stringify(data)]);
  else if (options.output === "csv") writeLines(io, formatCsv(data));
  else if (options.output === "promql-text") writeLines(io, formatPromText(data));
  else writeLines(io, formatInstant(data, time, io.out));
  tellTrace(io, answer, options);
  tellNotes(io, answer, query);
}

/** `tocsin query range` */
export async function runRange(query: string, options: RangeOptions, io: Io): Promise<void> {
  const asked = rangeOf(options.start, options.end, options.step, io.now());
  const rows = wholeNumber(options.height, "--height", 4);
  const params: Params = [["query", query], ...rangeParams(asked), ...limitOf(options), ...traceOf(options)];
  const answer = await ask<QueryData>(serverOf(options), "/api/v1/query_range", params);
  const data = known(answer.data);
  if (data.resultType !== "matrix") throw new ServerError("", `a range query was answered with a ${data.resultType}`);
  if (options.output === "json") writeLines(io, [JSON.stringify(data)]);
  else if (options.output === "csv") writeLines(io, formatCsv(data));
  else if (options.output === "promql-text") writeLines(io, formatPromText(data));
  else if (options.output === "table") writeLines(io, formatInstant(data, asked.end / 1000, io.out));
  else writeLines(io, formatRange(data.result, asked, unitOfQuery(query), rows, io.out));
  tellTrace(io, answer, options);
  tellNotes(io, answer, query);
}

/** `tocsin query series` */
export async function runSeries(selectors: readonly string[], options: ListOptions, io: Io): Promise<void> {
  const params: Params = [...matchOf(selectors), ...listParams(options, io)];
  const answer = await ask<Metric[]>(serverOf(options), "/api/v1/series", params);
  const series = answer.data;
  if (options.output === "json") writeLines(io, [JSON.stringify(series)]);
  else if (options.output === "csv") {
    const names = [...new Set(series.flatMap((s) => Object.keys(s)))].sort();
    writeLines(io, [csvLine(names), ...series.map((s) => csvLine(names.map((n) => labelOf(s, n) ?? "")))]);
  } else writeLines(io, series.map(formatSeries));
  tellNotes(io, answer, selectors[0]);
}

/** `tocsin query labels [name]` */
export async function runLabels(name: string | undefined, options: ListOptions, io: Io): Promise<void> {
  const params: Params = [...matchOf(options.match ?? []), ...listParams(options, io)];
  const path = name === undefined ? "/api/v1/labels" : `/api/v1/label/${encodeURIComponent(name)}/values`;
  const answer = await ask<string[]>(serverOf(options), path, params, name === undefined ? "POST" : "GET");
  if (options.output === "json") writeLines(io, [JSON.stringify(answer.data)]);
  else if (options.output === "csv")
    writeLines(
      io,
      [name ?? "label", ...answer.data].map((v) => csvLine([v])),
    );
  else writeLines(io, answer.data.map(visible));
  tellNotes(io, answer);
}

/** `tocsin query top [ranking]`: what most series are made of. */
export async function runTop(what: RankingName | undefined, options: TopOptions, io: Io): Promise<void> {
  const limit = String(wholeNumber(options.limit, "--limit", 1));
  const answer = await ask<TsdbStatus>(serverOf(options), "/api/v1/status/tsdb", [["limit", limit]], "GET");
  const names: RankingName[] = what === undefined ? ["metrics", "pairs"] : [what];
  if (options.output === "json") {
    writeLines(io, [JSON.stringify(Object.fromEntries(names.map((n) => [n, answer.data[RANKINGS[n].key]])))]);
  } else if (options.output === "csv") {
    const rows = names.flatMap((n) => answer.data[RANKINGS[n].key].map((r) => csvLine([n, r.name, String(r.value)])));
    writeLines(io, ["ranking,name,count", ...rows]);
  } else writeLines(io, formatTop(answer.data, names, io.out));
  tellNotes(io, answer);
}

/** What a selector without a range looks back where nothing else is said. */
const LOOKBACK_MS = 300_000;

/** `tocsin query explain`: the plan first, which needs no server; then what the server says of it. */
export async function runExplain(query: string, options: ExplainOptions, io: Io): Promise<void> {
  const isRange = options.start !== undefined;
  const now = io.now();
  if (!isRange && (options.end ?? options.step) !== undefined) throw new UsageError("--end and --step need --start");
  const time = parseWhen(options.time, "--time", now);
  const asked = isRange
    ? rangeOf(options.start ?? "", options.end ?? "now", options.step, now)
    : { start: time, end: time, step: 0 };
  const tree = planTree(parseExpr(query), LOOKBACK_MS);
  const asJson = options.output === "json";
  let cost: CostJson | undefined;
  const tell = (counts: ReadonlyMap<SelectorRead, SelectorCount>, stats?: QueryData["stats"]): void => {
    const below = [cost === undefined ? [] : formatCost(cost, io.out), formatStats(stats, io.out)];
    const text = [
      ...formatPlan(tree, counts, isRange, io.out),
      ...below.flatMap((b) => (b.length > 0 ? ["", ...b] : b)),
    ];
    writeLines(io, asJson ? [JSON.stringify({ query, plan: planJson(tree, counts), cost, stats })] : text);
  };
  if (options.offline === true) return tell(new Map());
  const server = serverOf(options);
  const at: Params = isRange ? rangeParams(asked) : [["time", String(time / 1000)]];
  const path = isRange ? "/api/v1/query_range" : "/api/v1/query";
  try {
    cost = await askCost(server, [["query", query], ...at]);
    const answer = await ask<QueryData>(server, path, [["query", query], ["stats", "all"], ...at]);
    tell(await countReads(server, readsOf(tree), asked), answer.data.stats);
    tellNotes(io, answer, query);
  } catch (e) {
    // The plan is worth something without the server too.
    if (e instanceof ServerError && !asJson) tell(new Map());
    throw e;
  }
}

function planJson(node: ReturnType<typeof planTree>, counts: ReadonlyMap<SelectorRead, SelectorCount>): unknown {
  const { text, place, once, read, children } = node;
  const count = read === undefined ? undefined : counts.get(read);
  return { text, runs: place, once, ...count, children: children.map((child) => planJson(child, counts)) };
}

/** Times relative to now are whole seconds. */
function rangeOf(from: string, to: string, stepText: string | undefined, at: number): AskedRange {
  const now = Math.floor(at / 1000) * 1000;
  const start = parseWhen(from, "--start", now);
  const end = parseWhen(to, "--end", now);
  if (end < start) throw new UsageError("--end lies before --start");
  const step = stepText === undefined ? stepFor(end - start) : parseSpan(stepText, "--step");
  return { start, end, step };
}

function rangeParams({ start, end, step }: AskedRange): Params {
  return [
    ["start", String(start / 1000)],
    ["end", String(end / 1000)],
    ["step", String(step / 1000)],
  ];
}

function limitOf({ limit }: { readonly limit?: string }): Params {
  return limit === undefined ? [] : [["limit", String(wholeNumber(limit, "--limit", 1))]];
}

function traceOf({ trace }: { readonly trace?: boolean }): Params {
  return trace === true ? [["trace", "1"]] : [];
}

/** Below what people read; what programs read stays as it is, and the trace goes where warnings go. */
function tellTrace(io: Io, { trace }: Answer<unknown>, options: CommonOptions & { readonly trace?: boolean }): void {
  if (options.trace !== true) return;
  const forPeople = options.output === "table" || options.output === "chart";
  const lines = trace === undefined ? ["the server tells no trace"] : formatTrace(trace, forPeople ? io.out : io.err);
  if (forPeople) writeLines(io, ["", ...lines]);
  else io.complain(`${lines.join("\n")}\n`);
}

function matchOf(selectors: readonly string[]): Params {
  return selectors.map((selector) => ["match[]", selector]);
}

function listParams(options: ListOptions, io: Io): Params {
  const time = (name: "start" | "end"): Params => {
    const text = options[name];
    return text === undefined ? [] : [[name, String(parseWhen(text, `--${name}`, io.now()) / 1000)]];
  };
  return [...time("start"), ...time("end"), ...limitOf(options)];
}

/** An answer that has the shape of a result. Throws `ServerError` for one that has not. */
function known(data: QueryData): QueryData {
  if (["vector", "matrix", "scalar", "string"].includes(data?.resultType) && Array.isArray(data.result)) return data;
  throw new ServerError("", `the server answered with a result of an unknown kind: ${String(data?.resultType)}`);
}
