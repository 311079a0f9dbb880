import { resolve } from "node:path";
import type { AlertmanagerConfig, Route } from "../../actors/alert/alertmanager-config.ts";
import { loadAlertmanagerConfig } from "../../actors/alert/load-config.ts";
import type { Page } from "../../actors/backtest/page.ts";
import { replayRouting } from "../../actors/backtest/route-replay.ts";
import { commonOf, type ReplayedRules, replayRules, type TimedGroup } from "../../actors/backtest/rules-replay.ts";
import { checkExpression } from "../../actors/rule/check-expression.ts";
import { loadRuleFiles } from "../../actors/rule/rule-file.ts";
import { ConfigError } from "../../model/config.ts";
import { type CommonOptions, type Io, serverOf, tellError, wholeNumber } from "../query/command.ts";
import { parseSpan, parseWhen, UsageError } from "../query/times.ts";
import { type Current, readCurrent, readSilences } from "./current.ts";
import { firstInRange } from "./data-range.ts";
import { timedGroups } from "./groups.ts";
import { makeHttpSource } from "./http-source.ts";
import { printReport } from "./print.ts";
import { makeReport, type RunResult, reportJson } from "./report.ts";

export interface BacktestOptions extends CommonOptions {
  readonly rules?: readonly string[];
  readonly alertmanager?: string;
  readonly from: string;
  readonly to: string;
  readonly add?: boolean;
  readonly compare?: boolean;
  readonly silences?: boolean;
  readonly withShadow?: boolean;
  readonly ackAfter?: string;
  readonly zone?: string;
  readonly limit: string;
  readonly slice: string;
}

/** Rules that are asked for at a time. */
const CONCURRENCY = 4;
/** Of one group: more than three years of an interval of a minute. */
const MAX_EVALUATIONS = 2_000_000;
/** Before `from`: so that what fired for long is not taken for new. */
const SETTLE_MS = 15 * 60_000;

/** `tocsin backtest`. Returns the exit code: 2 for wrong options, 1 for files with problems and servers that do not answer. */
export async function runBacktest(options: BacktestOptions, io: Io): Promise<number> {
  try {
    await backtest(options, io);
    return 0;
  } catch (e) {
    if (e instanceof ConfigError) {
      io.complain(`${e.message}\n`);
      return 1;
    }
    return tellError(io, e);
  }
}

async function backtest(options: BacktestOptions, io: Io): Promise<void> {
  const started = performance.now();
  const now = io.now();
  let from = parseWhen(options.from, "--from", now);
  const end = parseWhen(options.to, "--to", now);
  if (from >= end) throw new UsageError("--from: must be before --to");
  if (from >= now) throw new UsageError("--from: must be before now");
  // What is to come is not known.
  const to = Math.min(end, now);
  if (options.rules === undefined && options.alertmanager === undefined) {
    throw new UsageError("what is to be tried? Give --rules, --alertmanager or both");
  }
  const zone = zoneOf(options.zone);
  const limit = wholeNumber(options.limit, "--limit", 1);
  const sliceTicks = wholeNumber(options.slice, "--slice", 1);
  const ackAfter = options.ackAfter === undefined ? {} : { ackAfterMs: parseSpan(options.ackAfter, "--ack-after") };
  // Files before the server: what is wrong with them needs no server.
  const candidateRouting =
    options.alertmanager === undefined ? undefined : loadAlertmanagerConfig(resolve(options.alertmanager));
  if (options.rules !== undefined) loadCandidate(options.rules, 60_000, io);

  const server = serverOf(options);
  const current = await readCurrent(server);
  const silences = options.silences === false ? [] : await readSilences(server, now);
  const notes = [...current.notes];
  const own = timedGroups(current.groups, []);
  const candidate =
    options.rules === undefined
      ? own
      : candidateGroups(options, current, loadCandidate(options.rules, current.evaluationIntervalMs, undefined), notes);
  const routing = candidateRouting ?? current.alertmanager;
  const first = await firstInRange(server, from, to);
  if (first > from) {
    notes.push(`nothing is stored before about ${new Date(first).toISOString()}: it begins there`);
    from = first;
  }

  const source = makeHttpSource(server);
  const compare = options.compare !== false;
  const warmMs = Math.max(...[candidate, compare ? own : []].flat().map(holdOf), 0) + SETTLE_MS;
  const routes = [routing, current.alertmanager].map(longestWait);
  const begin = from - warmMs - Math.max(...routes);
  const withShadow = options.withShadow === true ? { withShadow: true } : {};
  const span = { from: begin, until: to, sliceTicks, ...withShadow };
  for (const { spec } of [...candidate, ...(compare ? own : [])]) {
    const evaluations = Math.floor((to - begin) / spec.intervalMs);
    if (evaluations <= MAX_EVALUATIONS) continue;
    const counted = `group ${spec.name} would be evaluated ${evaluations.toLocaleString("en-US")} times`;
    throw new UsageError(`${counted}; give a --from that is nearer to --to, or the group a longer interval`);
  }
  const common = commonOf(compare && candidate !== own ? [candidate, own] : [candidate], source, span);
  const replay = (groups: readonly TimedGroup[]): Promise<ReplayedRules> =>
    replayRules({
      ...span,
      groups,
      source,
      concurrency: CONCURRENCY,
      templates: {
        engine: { instant: (request) => source.instant(request) },
        tenant: "",
        templates: { externalLabels: current.externalLabels, externalUrl: server.url.replace(/\/+$/, "") },
      },
      common,
      progress: progressOf(io),
    });
  const route = (rules: ReplayedRules, config: AlertmanagerConfig): RunResult => ({
    pages: replayRouting({ config, posts: rules.posts, silences, until: to, ...ackAfter }).filter(inRange(from)),
    episodes: rules.episodes,
    problems: rules.problems,
    people: peopleOf(config),
  });
  const rules = await replay(candidate);
  const after = route(rules, routing);
  const before = compare ? route(candidate === own ? rules : await replay(own), current.alertmanager) : undefined;
  if (rules.shadows > 0) notes.push(`${rules.shadows} shadow rules tell nobody (--with-shadow: as if they were live)`);
  if (routing.heartbeat !== undefined) notes.push("the heartbeat is left out");
  for (const warning of source.warnings) notes.push(`the server says: ${warning}`);
  const about = {
    from,
    to,
    zone,
    rules: rules.rules,
    evaluations: rules.evaluations,
    seconds: (performance.now() - started) / 1000,
    notes,
  };
  const report = makeReport(about, after, before);
  if (options.output === "json") io.write(`${JSON.stringify(reportJson(report))}\n`);
  else printReport(report, io, limit);
  for (const p of after.problems) {
    io.complain(`warning: rule ${p.rule} of group ${p.group}: ${p.failed} of ${p.of} evaluations fail: ${p.error}\n`);
  }
  for (const note of notes) io.complain(`note: ${note}\n`);
}

function inRange(from: number): (page: Page) => boolean {
  return (page) => page.at >= from;
}

function loadCandidate(patterns: readonly string[], evaluationIntervalMs: number, io: Io | undefined) {
  const files = patterns.map((p) => resolve(p));
  const { groups, warnings } = loadRuleFiles(files, { evaluationIntervalMs, checkExpression });
  if (io !== undefined && groups.length === 0) {
    throw new UsageError(`--rules: ${warnings.length > 0 ? `no file matches ${patterns.join(", ")}` : "no groups"}`);
  }
  if (io !== undefined) for (const warning of warnings) io.complain(`warning: ${warning}\n`);
  return groups;
}

/** The candidate groups, and with --add those of the server that none of them replaces. */
function candidateGroups(
  options: BacktestOptions,
  current: Current,
  groups: Current["groups"],
  notes: string[],
): TimedGroup[] {
  const timed = timedGroups(groups, current.groups);
  const replaced = new Set(timed.map((g) => g.key));
  const rest = timedGroups(current.groups, []).filter((g) => !replaced.has(g.key));
  if (options.add === true) return [...timed, ...rest];
  if (rest.length > 0 && options.compare !== false) {
    const names = rest.map((g) => g.spec.name).join(", ");
    notes.push(`the candidate files lack groups that are configured now: ${names} (--add: they stay)`);
  }
  return timed;
}

function zoneOf(zone: string | undefined): string {
  const name = zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw new UsageError(`--zone: ${JSON.stringify(name)} is no time zone; write Europe/Berlin`);
  }
}

/** For so long a group's state depends on what was before. */
function holdOf({ spec }: TimedGroup): number {
  const ofRule = spec.rules.map((r) => (r.type === "alerting" ? r.holdMs + r.keepFiringForMs : 0));
  return Math.max(0, ...ofRule) + 2 * spec.intervalMs;
}

function longestWait({ route }: AlertmanagerConfig): number {
  const of = (r: Route): number => Math.max(r.groupWaitMs + r.groupIntervalMs, ...r.routes.map(of));
  return of(route);
}

function peopleOf({ escalation }: AlertmanagerConfig): ReadonlySet<string> {
  const people = new Set<string>();
  for (const { rotations, overrides } of escalation.schedules.values()) {
    for (const rotation of rotations) for (const receiver of rotation.receivers) people.add(receiver);
    for (const override of overrides) people.add(override.receiver);
  }
  return people;
}

/** Tells how far it is, on a terminal only. */
function progressOf(io: Io): (done: number, all: number) => void {
  if (process.stderr.isTTY !== true) return () => {};
  return (done, all) => io.complain(`\r${done} of ${all} rules${done === all ? "\r\u001b[K" : ""}`);
}
