import type { ExplainAnswer } from "../../model/explain.ts";
import { type Labels, labelsFromObject, labelsKey, labelValue } from "../../model/labels.ts";
import { compileMatcher, formatMatcher, type Matcher } from "../../model/matcher.ts";
import type { Engine } from "../../model/query.ts";
import type { ActiveAlert, RuleGroupStatus } from "../../model/rules.ts";
import { DEFAULT_TENANT } from "../../model/sample.ts";
import type { AlertManager } from "../alert/alert-manager.ts";
import { fingerprint } from "../alert/fingerprint.ts";
import { withExternal } from "../rule/alert-rule.core.ts";
import type { AlertHistory, HistoryEvent } from "./alert-history.ts";
import { alertSubject, alertSubjects, ruleGroupSubject } from "./event-subjects.ts";
import { type Evidence, isoTime, type RuleSeen } from "./evidence.ts";
import { explain } from "./explain.core.ts";
import { openRecords, type ReadStream, type Records } from "./read-records.ts";
import { matchersOf, recompute } from "./recompute.ts";
import { routesSeen } from "./routes-seen.ts";

export interface ExplainRequest {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  /** Unix ms. */
  readonly time: number;
  /** How far back is looked for alerts that are no more, ms. */
  readonly windowMs: number;
  /** Only routes to this receiver. */
  readonly receiver?: string;
  /** Instances that are explained. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface ExplainerOptions {
  readonly history: AlertHistory;
  readonly readStream: ReadStream;
  readonly alertManager: Pick<AlertManager, "held" | "silences" | "escalations">;
  readonly rules: (tenant: string) => readonly RuleGroupStatus[];
  readonly alerts: (tenant: string) => readonly ActiveAlert[];
  readonly engine: Engine;
  readonly externalLabels: (tenant: string) => Readonly<Record<string, string>>;
  readonly now: () => number;
}

export type Explainer = (request: ExplainRequest) => Promise<ExplainAnswer>;

type Known = { readonly labels: Labels; readonly fingerprint: string };

const RULES_RECOMPUTED = 5;
/** What a search for alerts may take of the time that an answer has. */
const WINDOW_PATIENCE_MS = 350;
/** Where no instance is known, this far behind the time is looked at for what came of it. */
const AFTER_MS = 3_600_000;

/** Explains why somebody was told of an alert or not, from what is recorded. */
export function makeExplainer(options: ExplainerOptions): Explainer {
  return async (request) => {
    const { tenant, matchers, time } = request;
    const records = openRecords(options.history, options.readStream, time);
    const rules = rulesFor(options.rules(tenant), matchers);
    const known = await instances(options, records, request);
    const ruleEvents = await ruleRecords(records, tenant, rules, time - Math.max(request.windowMs, AFTER_MS));
    const shown = known.slice(0, request.limit);
    const wanted: (Known | undefined)[] = shown.length === 0 ? [undefined] : shown;
    const explained = await Promise.all(
      wanted.map(async (alert) => {
        const evidence = await evidenceOf(options, records, request, alert, rules);
        return explain({ ...evidence, ruleEvents: ruleEvents.filter((e) => concerns(e, evidence.rules)) });
      }),
    );
    const dropped = options.history.outlets().reduce((sum, outlet) => sum + outlet.dropped, 0);
    if (dropped > 0)
      records.problems.add(`${dropped} records were dropped while the bus was away: what they said is missing here`);
    const begin = (ms: number | null) => (ms === null ? null : isoTime(ms));
    const first = explained[0] as (typeof explained)[number];
    const early = records.begin("alerts");
    if (early !== null && early > time) records.problems.add(`records begin at ${isoTime(early)}, after that time`);
    return {
      time: isoTime(time),
      verdict: first.verdict,
      sentence:
        shown.length === 0
          ? `No alert with ${matchers.map(formatMatcher).join(", ")}: ${first.sentence}`
          : first.sentence,
      instances: explained,
      leftOut: known.length - shown.length,
      records: {
        alertsBegin: begin(early),
        notificationsBegin: begin(records.begin("notifications")),
        problems: [...records.problems],
      },
    };
  };
}

/** The alerts that fit: those that are held now, and those of which there are records; firing ones first. */
async function instances(o: ExplainerOptions, records: Records, request: ExplainRequest): Promise<Known[]> {
  const { tenant, matchers, time, windowMs } = request;
  const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
  const fits = (labels: Labels) => tests.every(({ name, test }) => test(labelValue(labels, name)));
  const own = (labels: Labels) => (labelValue(labels, "tenant") || DEFAULT_TENANT) === tenant;
  const out = new Map<string, Known>();
  const add = (labels: Labels, id = fingerprint(labels)) => {
    if (fits(labels) && own(labels) && !out.has(id)) out.set(id, { labels, fingerprint: id });
  };
  for (const alert of o.alertManager.held().alerts.values())
    if (alert.startsAt <= time) add(alert.labels, alert.fingerprint);
  const external = labelsFromObject(o.externalLabels(tenant));
  for (const alert of o.alerts(tenant)) if (alert.activeAt <= time) add(withExternal(alert.labels, external));
  const name = matchers.find((m) => m.name === "alertname" && m.op === "=")?.value;
  const exact = exactOf(matchers);
  const seen: HistoryEvent[] = [];
  if (exact !== undefined && name !== undefined) {
    const ids = new Set([fingerprint(exact), fingerprint(withExternal(exact, external))]);
    const subjects = [...ids].map((id) => alertSubject(tenant, name, id));
    seen.push(...(await records.read("alerts", subjects, { lastOnly: true })));
  }
  // Whoever spells out all labels of an alert asks for that one.
  if (seen.length === 0) {
    const window = { from: time - windowMs, patienceMs: WINDOW_PATIENCE_MS };
    seen.push(...(await records.read("alerts", [alertSubjects(tenant, name)], window)));
  }
  for (const { event, time: at } of seen) {
    if (at > time && !("from" in event)) continue;
    if (typeof event.labels !== "object" || event.labels === null || typeof event.fingerprint !== "string") continue;
    if (Object.values(event.labels).some((value) => typeof value !== "string")) continue;
    const labels = labelsFromObject(event.labels as Record<string, string>);
    const whole = "action" in event && event.type !== "received" ? withExternal(labels, external) : labels;
    add(whole, event.fingerprint);
  }
  return [...out.values()];
}

/** The label set that the matchers spell out; undefined where one is no equality. */
function exactOf(matchers: readonly Matcher[]): Labels | undefined {
  if (matchers.some((m) => m.op !== "=")) return undefined;
  return labelsFromObject(Object.fromEntries(matchers.map((m) => [m.name, m.value])));
}

function rulesFor(groups: readonly RuleGroupStatus[], matchers: readonly Matcher[]): RuleSeen[] {
  const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
  const test = (name: string, value: string) => tests.every((t) => t.name !== name || t.test(value));
  const named = matchers.some((m) => m.name === "alertname");
  if (!named) return [];
  return groups.flatMap((group) =>
    group.rules.flatMap((rule) => (rule.type === "alerting" && test("alertname", rule.name) ? [{ group, rule }] : [])),
  );
}

async function ruleRecords(
  records: Records,
  tenant: string,
  rules: readonly RuleSeen[],
  from: number,
): Promise<HistoryEvent[]> {
  const some = rules.slice(0, RULES_RECOMPUTED);
  const health = new Set(some.map(({ rule }) => alertSubject(tenant, rule.name, "rule")));
  const ticks = new Set(some.map(({ group }) => ruleGroupSubject(tenant, group.file, group.name)));
  const [a, b] = await Promise.all([
    health.size === 0 ? [] : records.read("alerts", [...health]),
    ticks.size === 0 ? [] : records.read("alerts", [...ticks], { from }),
  ]);
  return [...a, ...b].sort((x, y) => x.time - y.time);
}

function concerns({ event }: HistoryEvent, rules: readonly RuleSeen[]): boolean {
  return rules.some(({ rule, group }) => event.group === group.name && (event.rule ?? rule.name) === rule.name);
}

async function evidenceOf(
  o: ExplainerOptions,
  records: Records,
  request: ExplainRequest,
  alert: Known | undefined,
  candidates: readonly RuleSeen[],
): Promise<Evidence> {
  const { tenant, time, signal } = request;
  const now = o.now();
  const matchers = alert === undefined ? request.matchers : matchersOf(alert.labels);
  const name = alert === undefined ? "" : labelValue(alert.labels, "alertname");
  const rules = alert === undefined ? candidates : rulesFor(o.rules(tenant), matchers);
  const external = labelsFromObject(o.externalLabels(tenant));
  const key = alert === undefined ? "" : labelsKey(alert.labels);
  const active = o.alerts(tenant).find((a) => labelsKey(withExternal(a.labels, external)) === key);
  const [events, recomputed, routes] = await Promise.all([
    alert === undefined ? [] : records.read("alerts", [alertSubject(tenant, name, alert.fingerprint)]),
    Promise.all(
      rules
        .slice(0, RULES_RECOMPUTED)
        .map((rule) => recompute({ engine: o.engine, tenant, signal }, rule, matchers, time)),
    ),
    alert === undefined ? [] : routesSeen(o, records, alert, request),
  ]);
  const silence = (id: string) => o.alertManager.silences.get(id);
  return { time, now, alert, events, ruleEvents: [], rules, active, recomputed, routes, silence };
}
