import { type Labels, labelsKey, labelsWithout, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { withExternal } from "../rule/alert-rule.core.ts";
import { expandAll, type TemplateContext } from "../rule/alert-template.ts";
import { ownLabels } from "../rule/data-probe.ts";
import type { AlertingRuleSpec } from "../rule/rule-spec.ts";
import { type InstanceChange, replayInstance } from "./instance-replay.ts";
import type { Episode, TimedPost } from "./page.ts";
import { type Answers, type Runs, runsOf, runsOfFlags, type TickSeries, type Ticks } from "./points.ts";

export interface RuleReplay {
  readonly rule: AlertingRuleSpec;
  readonly ticks: Ticks;
  /** 0: no limit. */
  readonly limit: number;
  readonly queryOffsetMs: number;
  readonly patienceMs: number;
  readonly answers: Answers;
  /** Of the rule's question for its data, where its `no_data` needs that. */
  readonly seen: Answers | undefined;
  readonly externalLabels: Labels;
  readonly templates: TemplateContext;
}

export interface ReplayedRule {
  /** In no order. */
  readonly posts: readonly TimedPost[];
  readonly episodes: readonly Episode[];
  /** Ticks at which the rule could not be evaluated, and why the first time. */
  readonly failedTicks: number;
  readonly error: string;
}

/** Everything that makes one instance: one label set of the rule. */
interface Instance {
  readonly labels: Labels;
  /** Of the sample, for templates. */
  readonly sample: Labels;
  ticks: Int32Array;
  values: Float64Array;
}

/** A resolved alert is told again in this distance, as the server does (resend delay). */
const RESEND_MS = 60_000;
/** An alert's end that is not known yet; sending it again would only move it on. */
const FAR = 8.64e15;

/** Takes a rule's answers through its instances' states; returns what it tells the alert manager, and when. */
export async function replayRule(options: RuleReplay): Promise<ReplayedRule> {
  const { rule, ticks, answers, limit, queryOffsetMs } = options;
  const failed = answers.failed?.slice() ?? new Uint8Array(ticks.count);
  let error = answers.error;
  const { instances, clash } = await instancesOf(options);
  for (const tick of clash) failed[tick] = 1;
  if (clash.length > 0) error ||= "vector contains metrics with the same labelset after applying alert labels";
  const over = overLimit(instances, limit, ticks.count);
  for (const tick of over.ticks) failed[tick] = 1;
  if (over.ticks.length > 0) error ||= `exceeded limit of ${limit} with ${over.most} alerts`;

  const { all: seenAll, of: seenOf } = seenRuns(options);
  if (rule.noData === "alert" && options.seen !== undefined) addEmpty(options, instances, seenAll);
  const failures = runsOfFlags(failed);
  const posts: TimedPost[] = [];
  const episodes: Episode[] = [];
  const generatorUrl = `${options.templates.templates.externalUrl}/graph?g0.expr=${encodeURIComponent(rule.query)}&g0.tab=1`;
  for (const instance of instances.values()) {
    const changes = replayInstance({
      ticks,
      holdMs: rule.holdMs,
      keepMs: rule.keepFiringForMs,
      patienceMs: options.patienceMs,
      active: runsOf(instance.ticks),
      failed: failures,
      policy: rule.noData ?? "resolve",
      seen: seenOf(instance.labels),
      seenFailed: runsOfFlags(options.seen?.failed),
    });
    if (changes.length === 0) continue;
    const labels = withExternal(instance.labels, options.externalLabels);
    let annotations: Readonly<Record<string, string>> = {};
    let open: InstanceChange | undefined;
    for (const change of changes) {
      const at = ticks.start + change.tick * ticks.step + queryOffsetMs;
      if (change.to === "firing") {
        const time = ticks.start + change.tick * ticks.step;
        const value = valueAt(instance, change.tick);
        annotations = await expandAll(options.templates, rule.annotations, { labels: instance.sample, value, time });
        open = change;
        posts.push({ at, alert: { labels, annotations, startsAt: change.at, endsAt: FAR, generatorUrl } });
        continue;
      }
      const firedAt = open?.at ?? change.at;
      open = undefined;
      episodes.push({ alertname: rule.name, labels, firedAt, endedAt: change.at });
      // Its end is told again for as long as it is remembered, unless it is true again.
      const alert = { labels, annotations, startsAt: firedAt, endsAt: change.at, generatorUrl };
      const until = Math.min(change.until, ticks.count);
      let sentAt = Number.NEGATIVE_INFINITY;
      for (let k = change.tick; k < until; k++) {
        const wall = ticks.start + k * ticks.step + queryOffsetMs;
        if (sentAt + RESEND_MS >= wall) continue;
        sentAt = wall;
        posts.push({ at: wall, alert });
      }
    }
    if (open !== undefined) episodes.push({ alertname: rule.name, labels, firedAt: open.at, endedAt: 0 });
  }
  return { posts, episodes, failedTicks: failed.reduce((n, x) => n + x, 0), error };
}

/** Texts whose templates can tell nothing but the sample's labels. */
function dependsOnTick(texts: Readonly<Record<string, string>>): boolean {
  return Object.values(texts).some((text) => text.includes("{{") && /value|query|now/i.test(text));
}

/** The rule's instances by key, and the ticks at which two samples would be the same one. */
async function instancesOf({ rule, ticks, answers, templates }: RuleReplay) {
  const parts = new Map<string, { instance: Instance; series: TickSeries[] }>();
  const add = (labels: Labels, series: TickSeries): void => {
    const key = labelsKey(labels);
    const known = parts.get(key);
    if (known !== undefined) known.series.push(series);
    else {
      const { ticks: k, values } = series;
      parts.set(key, { instance: { labels, sample: series.labels, ticks: k, values }, series: [series] });
    }
  };
  const labelled = (of: Labels, labels: Readonly<Record<string, string>>): Labels => {
    let own = withLabel(of, METRIC_NAME, "");
    for (const name in labels) own = withLabel(own, name, labels[name] as string);
    return withLabel(own, "alertname", rule.name);
  };
  const moving = dependsOnTick(rule.labels);
  for (const series of answers.series) {
    const at = (i: number) => {
      const time = ticks.start + (series.ticks[i] as number) * ticks.step;
      return expandAll(templates, rule.labels, { labels: series.labels, value: series.values[i] as number, time });
    };
    if (!moving) {
      add(labelled(series.labels, await at(0)), series);
      continue;
    }
    const byKey = new Map<string, { labels: Labels; ticks: number[]; values: number[] }>();
    for (const [i, tick] of series.ticks.entries()) {
      const labels = labelled(series.labels, await at(i));
      const key = labelsKey(labels);
      const known = byKey.get(key) ?? { labels, ticks: [], values: [] };
      byKey.set(key, known);
      known.ticks.push(tick);
      known.values.push(series.values[i] as number);
    }
    for (const { labels, ...columns } of byKey.values()) {
      const values = Float64Array.from(columns.values);
      add(labels, { labels: series.labels, ticks: Int32Array.from(columns.ticks), values });
    }
  }
  const clash: number[] = [];
  const instances = new Map<string, Instance>();
  for (const [key, { instance, series }] of parts) {
    instances.set(key, instance);
    if (series.length > 1) join(instance, series, clash);
  }
  return { instances, clash };
}

function join(instance: Instance, series: readonly TickSeries[], clash: number[]): void {
  const points = series.flatMap((s) => [...s.ticks].map((tick, i) => [tick, s.values[i] as number] as const));
  points.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < points.length; i++) if (points[i]?.[0] === points[i - 1]?.[0]) clash.push(points[i]?.[0] ?? 0);
  const single = points.filter(([tick], i) => tick !== points[i - 1]?.[0]);
  instance.ticks = Int32Array.from(single, ([tick]) => tick);
  instance.values = Float64Array.from(single, ([, value]) => value);
}

function overLimit(instances: ReadonlyMap<string, Instance>, limit: number, count: number) {
  const ticks: number[] = [];
  let most = 0;
  if (limit > 0 && instances.size > limit) {
    const active = new Int32Array(count);
    for (const instance of instances.values()) for (const tick of instance.ticks) (active[tick] as number)++;
    for (const [tick, n] of active.entries()) {
      if (n <= limit) continue;
      ticks.push(tick);
      most = Math.max(most, n);
    }
  }
  return { ticks, most };
}

/** When the data of an instance was there; always where the rule does not ask. */
function seenRuns({ rule, ticks, seen }: RuleReplay): { all: Runs; of: (labels: Labels) => Runs } {
  const always: Runs = [0, ticks.count];
  if (seen === undefined) return { all: always, of: () => always };
  const own = ownLabels(rule.labels);
  const keyOf = (labels: Labels) => labelsKey(labelsWithout(labels, own));
  const flags = new Map<string, Uint8Array>();
  const any = new Uint8Array(ticks.count);
  for (const series of seen.series) {
    const key = keyOf(series.labels);
    const mine = flags.get(key) ?? new Uint8Array(ticks.count);
    flags.set(key, mine);
    for (const tick of series.ticks) {
      mine[tick] = 1;
      any[tick] = 1;
    }
  }
  const all = runsOfFlags(any);
  const nameless = labelsKey([]);
  return {
    all,
    // One without labels of its own stands for everything that the expression reads.
    of: (labels) => {
      const key = keyOf(labels);
      return key === nameless ? all : runsOfFlags(flags.get(key));
    },
  };
}

/** Data that is missing altogether is an alert of its own, with the labels that every alert of the rule has. */
function addEmpty({ rule, ticks, answers }: RuleReplay, instances: Map<string, Instance>, seen: Runs): void {
  const none = new Uint8Array(ticks.count).fill(1);
  for (const series of answers.series) for (const tick of series.ticks) none[tick] = 0;
  for (let i = 0; i < seen.length; i += 2) none.fill(0, seen[i], seen[i + 1]);
  const empty = Int32Array.from(none.keys().filter((k) => none[k] === 1));
  if (empty.length === 0) return;
  let labels: Labels = [];
  for (const [name, text] of Object.entries(rule.labels)) labels = withLabel(labels, name, text);
  labels = withLabel(labels, "alertname", rule.name);
  const key = labelsKey(labels);
  const known = instances.get(key);
  const made: Instance = { labels, sample: [], ticks: empty, values: new Float64Array(empty.length) };
  if (known !== undefined)
    join(
      made,
      [known, made].map((x) => ({ ...x, labels: x.sample })),
      [],
    );
  instances.set(key, made);
}

function valueAt({ ticks, values }: Instance, tick: number): number {
  let [low, high] = [0, ticks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ticks[middle] as number) < tick) low = middle + 1;
    else high = middle;
  }
  return ticks[low] === tick ? (values[low] as number) : Number.NaN;
}
