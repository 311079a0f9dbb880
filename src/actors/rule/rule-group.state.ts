import type { FiringTally, RuleHealth } from "../../model/rules.ts";
import type { Reason } from "./absence.ts";
import { type AlertTable, makeAlertTable, PATIENCE_MS } from "./alert-table.ts";
import { dataQueries } from "./data-expression.ts";
import { ownLabels, type ProbedRule } from "./data-probe.ts";
import type { MadeSeries } from "./rule-output.ts";
import { isShadow, type RuleGroupSpec, type RuleSpec } from "./rule-spec.ts";
import { type TextKind, textKind } from "./text-kind.ts";

/** A rule group at run time; what of it survives a restart: rule-group.store.ts. */
export interface GroupRuntime {
  readonly spec: RuleGroupSpec;
  readonly rules: readonly RuleRuntime[];
  /** Number of the last evaluation, done or not. */
  evaluation: number;
  lastEvaluation: number;
  evaluationMs: number;
  /** Evaluations that are done. */
  evaluations: number;
  failures: number;
  missed: number;
  lastSamples: number;
  /** Why the inputs of the last evaluation were not complete; "" when they were. */
  inputs: Reason;
  /** Evaluations on incomplete inputs, by why. */
  readonly incomplete: Map<Reason, number>;
  /** How many ms after its time the last evaluation began. */
  lateMs: number;
  /** Until this evaluation time an absent instance is held, since a gap emptied the windows that rules look at. */
  holdAbsentUntil: number;
}

export interface RuleRuntime {
  readonly spec: RuleSpec;
  /** Only of an alerting rule. */
  readonly table: AlertTable | undefined;
  /** What is asked about its instances that are missing. */
  readonly data: ProbedRule;
  readonly texts: { readonly labels: TextKind; readonly annotations: TextKind };
  /** Of a recording rule: what the last evaluation made. Of an alerting rule: what an incarnation before made. */
  made: MadeSeries;
  /** What it has become since its state was written; undefined where it is what it was. */
  turned: "shadow" | "live" | undefined;
  /** Of a shadow rule, and of live ones that are compared with one. */
  tally: FiringTally | undefined;
  health: RuleHealth;
  lastError: string;
  evaluationMs: number;
  lastEvaluation: number;
}

/** Not seeing for less than so many intervals is bridged. */
const PATIENCE_INTERVALS = 2;

export function makeGroupRuntime(spec: RuleGroupSpec): GroupRuntime {
  const patienceMs = Math.max(PATIENCE_MS, PATIENCE_INTERVALS * spec.intervalMs);
  return {
    spec,
    rules: spec.rules.map((rule) => makeRuleRuntime(rule, patienceMs)),
    evaluation: 0,
    lastEvaluation: 0,
    evaluationMs: 0,
    evaluations: 0,
    failures: 0,
    missed: 0,
    lastSamples: 0,
    inputs: "",
    incomplete: new Map(),
    lateMs: 0,
    holdAbsentUntil: 0,
  };
}

function makeRuleRuntime(spec: RuleSpec, patienceMs: number): RuleRuntime {
  const alerting = spec.type === "alerting";
  return {
    spec,
    table: alerting ? makeAlertTable(spec.holdMs, spec.keepFiringForMs, patienceMs) : undefined,
    data: alerting ? probedRule(spec) : NOT_PROBED,
    texts: {
      labels: textKind(spec.labels),
      annotations: alerting ? textKind(spec.annotations) : "fixed",
    },
    made: new Map(),
    turned: undefined,
    tally: undefined,
    health: "unknown",
    lastError: "",
    evaluationMs: 0,
    lastEvaluation: 0,
  };
}

const NOT_PROBED: ProbedRule = { policy: "resolve", queries: undefined, ownLabels: new Set() };

function probedRule(spec: Extract<RuleSpec, { type: "alerting" }>): ProbedRule {
  const data: { queries?: ProbedRule["queries"] } = {};
  return {
    policy: spec.noData ?? "resolve",
    // Most rules never miss an instance, and there may be ten thousands of them.
    get queries() {
      if (!("queries" in data)) data.queries = attempt(() => dataQueries(spec.query));
      return data.queries;
    },
    ownLabels: ownLabels(spec.labels),
  };
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    // What the checks of rule files let through and this cannot read has an end like any other.
    return undefined;
  }
}

/** Which rule a persisted or handed-over one is; rules that share it are told apart by their order. */
export function ruleIdentity(rule: RuleSpec): string {
  return JSON.stringify([rule.type, rule.name, Object.entries(rule.labels).sort()]);
}

/** As `ruleIdentity`, but a rule that turns to or from shadow makes other series. */
export function seriesIdentity(rule: RuleSpec): string {
  return isShadow(rule) ? `shadow ${ruleIdentity(rule)}` : ruleIdentity(rule);
}
