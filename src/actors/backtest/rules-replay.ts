import { type Labels, labelsFromObject, labelsKey, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { PATIENCE_MS } from "../rule/alert-table.ts";
import type { TemplateContext } from "../rule/alert-template.ts";
import { dataQueries } from "../rule/data-expression.ts";
import { firstTick } from "../rule/rule-group.clock.ts";
import {
  type AlertingRuleSpec,
  isShadow,
  type RecordingRuleSpec,
  type RuleGroupSpec,
  type RuleSpec,
} from "../rule/rule-spec.ts";
import { askTicks } from "./ask.ts";
import { makeOverlay, type Overlay, type RawSource } from "./overlay.ts";
import type { Episode, TimedPost } from "./page.ts";
import type { Answers, DataSource, TickSeries, Ticks } from "./points.ts";
import { type ReplayedRule, replayRule } from "./rule-replay.ts";
import { isBoundToRange, reachOf } from "./selectors.ts";
import { type Question, type SharedAnswers, shareAnswers } from "./shared-answers.ts";

/** A group, and the identity that decides at which times it is evaluated. */
export interface TimedGroup {
  readonly spec: RuleGroupSpec;
  readonly key: string;
}

/** When rules are evaluated, and how they are asked for. */
export interface Span {
  /** Evaluations from here on, to `until`, by the clock; Unix ms. */
  readonly from: number;
  readonly until: number;
  /** Ticks in one range query. */
  readonly sliceTicks: number;
  /** Shadow rules are told as others are. */
  readonly withShadow?: boolean;
}

/** What several runs over the same span have in common. */
export interface Common {
  /** Rules that a run before has replayed need not be asked again. */
  readonly known: Map<string, Promise<ReplayedRule>>;
  readonly shared: SharedAnswers;
}

export interface RulesReplay extends Span {
  readonly groups: readonly TimedGroup[];
  readonly source: DataSource & RawSource;
  /** Rules at a time. */
  readonly concurrency: number;
  readonly templates: TemplateContext;
  readonly common: Common;
  readonly progress?: (done: number, all: number) => void;
}

export interface ReplayedRules {
  /** In the order of time. */
  readonly posts: TimedPost[];
  readonly episodes: Episode[];
  readonly problems: readonly RuleProblem[];
  readonly rules: number;
  readonly evaluations: number;
  /** Shadow rules, which were left out. */
  readonly shadows: number;
}

/** A rule that could not be evaluated at some or all of its times. */
export interface RuleProblem {
  readonly group: string;
  readonly rule: string;
  readonly error: string;
  readonly failed: number;
  readonly of: number;
}

interface Task {
  readonly group: TimedGroup;
  readonly rule: RuleSpec;
}

/** Patience of a group, as it is made at run time. */
const PATIENCE_INTERVALS = 2;

/** What runs of these groups, one after another, have in common: no rule is replayed and no answer asked for twice. */
export function commonOf(runs: readonly (readonly TimedGroup[])[], source: DataSource, span: Span): Common {
  const keys = new Set<string>();
  const questions: Question[] = [];
  for (const groups of runs) {
    const tasks = liveTasks(groups, span);
    const recorded = recordedNames(tasks);
    for (const { group, rule } of tasks) {
      if (rule.type !== "alerting" || readsAny(rule, recorded)) continue;
      const ticks = ticksOf(group, span.from, span.until);
      const key = keyOf(group, rule, ticks);
      if (keys.has(key) || ticks.count === 0) continue;
      keys.add(key);
      const asked = [rule.query, seenQuery(rule)].filter((query) => query !== undefined);
      for (const query of asked) questions.push({ query, ticks, slice: sliceOf(query, span) });
    }
  }
  return { known: new Map(), shared: shareAnswers(source, questions) };
}

function liveTasks(groups: readonly TimedGroup[], { withShadow }: Span): Task[] {
  const tasks = groups.flatMap((group) => group.spec.rules.map((rule): Task => ({ group, rule })));
  return tasks.filter(({ rule }) => withShadow === true || !isShadow(rule));
}

function recordedNames(tasks: readonly Task[]): ReadonlySet<string> {
  return new Set(tasks.filter((t) => t.rule.type === "recording").map((t) => t.rule.name));
}

/** Alerting rules of one key are replayed in the same way. */
function keyOf({ spec }: TimedGroup, rule: RuleSpec, ticks: Ticks): string {
  return JSON.stringify([rule, spec.limit, spec.queryOffsetMs, ticks]);
}

function sliceOf(query: string, { sliceTicks }: Span): number {
  return isBoundToRange(query) ? 1 : sliceTicks;
}

/** Evaluates all rules over the stored data: recording rules first, those that others read before these. */
export async function replayRules(options: RulesReplay): Promise<ReplayedRules> {
  const { groups, from, until } = options;
  const all = groups.reduce((n, group) => n + group.spec.rules.length, 0);
  const live = liveTasks(groups, options);
  const recorded = recordedNames(live);
  const readers = live.filter(({ rule }) => readsAny(rule, recorded));
  const reach = readers.reduce((most, { rule }) => Math.max(most, reachOf(rule.query)), 0);
  const problems: RuleProblem[] = [];
  const out: ReplayedRules = {
    posts: [],
    episodes: [],
    problems,
    rules: live.length,
    evaluations: 0,
    shadows: all - live.length,
  };
  let evaluations = 0;
  let done = 0;
  const finish = () => options.progress?.(++done, live.length);
  const overlay = recorded.size === 0 ? undefined : makeOverlay(recorded, options.source);

  // Recording rules look back before the first evaluation that counts, for whoever reads them.
  const { order, loops } = inOrder(
    live.filter((t) => t.rule.type === "recording"),
    recorded,
  );
  for (const { group, rule } of order) {
    const ticks = ticksOf(group, from - reach, until);
    evaluations += ticks.count;
    if (readers.length > 0) {
      const answers = await answersOf(options, overlay, recorded, rule, ticks, from - 2 * reach, loops);
      const made = recordedSeries(rule as RecordingRuleSpec, answers, group.spec.limit, ticks);
      if (made.failed > 0) problems.push(problemOf(group, rule, made.error, made.failed, ticks.count));
      await overlay?.record(made.series, ticks);
    }
    finish();
  }
  const work = live.filter((t) => t.rule.type === "alerting");
  await eachOf(work, options.concurrency, async ({ group, rule }) => {
    if (rule.type !== "alerting") return;
    const ticks = ticksOf(group, from, until);
    evaluations += ticks.count;
    const own = readsAny(rule, recorded);
    const key = keyOf(group, rule, ticks);
    const make = async () => {
      const answers = await answersOf(options, overlay, recorded, rule, ticks, from - reach, loops);
      const seen = seenQuery(rule);
      const asSeen = seen === undefined ? undefined : { ...rule, query: seen };
      const seenAnswers = asSeen && (await answersOf(options, overlay, recorded, asSeen, ticks, from - reach, loops));
      return replayRule({
        rule,
        ticks,
        limit: group.spec.limit,
        queryOffsetMs: group.spec.queryOffsetMs,
        patienceMs: Math.max(PATIENCE_MS, PATIENCE_INTERVALS * group.spec.intervalMs),
        answers,
        seen: seenAnswers,
        externalLabels: labelsFromObject(options.templates.templates.externalLabels),
        templates: options.templates,
      });
    };
    let made = own ? undefined : options.common.known.get(key);
    if (made === undefined) {
      made = make();
      if (!own) options.common.known.set(key, made);
    }
    const replayed = await made;
    for (const post of replayed.posts) if (post.at <= until) out.posts.push(post);
    for (const episode of replayed.episodes) out.episodes.push(episode);
    if (replayed.failedTicks > 0) {
      problems.push(problemOf(group, rule, replayed.error, replayed.failedTicks, ticks.count));
    }
    finish();
  });
  out.posts.sort((a, b) => a.at - b.at || order1(a, b));
  return { ...out, evaluations };
}

/** The same order whichever rule was answered first. */
function order1(a: TimedPost, b: TimedPost): number {
  const [x, y] = [labelsKey(a.alert.labels), labelsKey(b.alert.labels)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function problemOf({ spec }: TimedGroup, rule: RuleSpec, error: string, failed: number, of: number): RuleProblem {
  return { group: spec.name, rule: rule.name, error, failed, of };
}

/** What is asked about missing data; undefined where that makes no difference. */
function seenQuery({ noData, query }: AlertingRuleSpec): string | undefined {
  if ((noData ?? "resolve") === "resolve") return undefined;
  try {
    return dataQueries(query)?.seen;
  } catch {
    return undefined;
  }
}

/** The times of a group's evaluations, as its clock has them, less its query offset. */
export function ticksOf({ spec, key }: TimedGroup, from: number, until: number): Ticks {
  const first = firstTick(key, spec.intervalMs, from);
  const count = Math.max(0, Math.floor((until - first) / spec.intervalMs) + 1);
  return { start: first - spec.queryOffsetMs, step: spec.intervalMs, count };
}

function readsAny({ reads }: RuleSpec, recorded: ReadonlySet<string>): boolean {
  return recorded.size > 0 && (reads === undefined || reads.some((name) => recorded.has(name)));
}

async function answersOf(
  options: RulesReplay,
  overlay: Overlay | undefined,
  recorded: ReadonlySet<string>,
  rule: RuleSpec,
  ticks: Ticks,
  rawFrom: number,
  loops: ReadonlySet<RuleSpec>,
): Promise<Answers> {
  if (ticks.count === 0) return { series: [], failed: undefined, error: "" };
  const slice = sliceOf(rule.query, options);
  if (overlay === undefined || !readsAny(rule, recorded) || loops.has(rule)) {
    return options.common.shared.ask({ query: rule.query, ticks, slice });
  }
  await overlay.prepare(rule.query, rawFrom, options.until);
  return askTicks(overlay, rule.query, ticks, slice);
}

/** Recording rules such that each comes behind those that it reads; `loops`: those that read themselves in the end. */
function inOrder(tasks: readonly Task[], recorded: ReadonlySet<string>) {
  const waiting = new Set(tasks);
  const order: Task[] = [];
  const loops = new Set<RuleSpec>();
  const reads = ({ rule }: Task, name: string) => rule.reads === undefined || rule.reads.includes(name);
  while (waiting.size > 0) {
    const names = new Set([...waiting].map((t) => t.rule.name).filter((name) => recorded.has(name)));
    const ready = [...waiting].filter((t) => ![...names].some((name) => reads(t, name)));
    const next = ready.length > 0 ? ready : [[...waiting][0] as Task];
    if (ready.length === 0) loops.add((next[0] as Task).rule);
    for (const task of next) {
      order.push(task);
      waiting.delete(task);
    }
  }
  return { order, loops };
}

/** What a recording rule would have written: its own name and labels; nothing at ticks at which it could not. */
function recordedSeries(rule: RecordingRuleSpec, answers: Answers, limit: number, ticks: Ticks) {
  let failed = answers.failed?.slice();
  let error = answers.error;
  const fail = (k: number, why: string) => {
    failed ??= new Uint8Array(ticks.count);
    failed[k] = 1;
    error ||= why;
  };
  const counts = limit > 0 && answers.series.length > limit ? new Int32Array(ticks.count) : undefined;
  const byKey = new Map<string, { labels: Labels; parts: TickSeries[] }>();
  for (const series of answers.series) {
    let labels = withLabel(series.labels, METRIC_NAME, rule.name);
    for (const [name, value] of Object.entries(rule.labels)) labels = withLabel(labels, name, value);
    const key = labelsKey(labels);
    const known = byKey.get(key) ?? { labels, parts: [] };
    byKey.set(key, known);
    known.parts.push(series);
    if (counts !== undefined) for (const k of series.ticks) (counts[k] as number)++;
  }
  for (const [k, n] of counts?.entries() ?? []) {
    if (n > limit) fail(k, `exceeded limit of ${limit} with ${n} series`);
  }
  const series: TickSeries[] = [];
  for (const { labels, parts } of byKey.values()) {
    const points = parts.flatMap((p) => [...p.ticks].map((k, i) => [k, p.values[i] as number] as const));
    if (parts.length > 1) {
      points.sort((a, b) => a[0] - b[0]);
      const same = "vector contains metrics with the same labelset after applying rule labels";
      for (let i = 1; i < points.length; i++)
        if (points[i]?.[0] === points[i - 1]?.[0]) fail(points[i]?.[0] ?? 0, same);
    }
    series.push({
      labels,
      ticks: Int32Array.from(points, ([k]) => k),
      values: Float64Array.from(points, ([, v]) => v),
    });
  }
  const bad = failed;
  const good =
    bad === undefined
      ? series
      : series.map(({ labels, ticks: at, values }) => ({
          labels,
          ticks: at.filter((k) => bad[k] !== 1),
          values: values.filter((_, i) => bad[at[i] as number] !== 1),
        }));
  return { series: good, failed: bad?.reduce((n, x) => n + x, 0) ?? 0, error };
}

/** Does the work for each, so many at a time. */
async function eachOf<T>(all: readonly T[], concurrency: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < all.length) await work(all[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, all.length) }, worker));
}
