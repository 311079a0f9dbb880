import { join } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { type Disk, realDisk } from "../../lib/disk.ts";
import type { AlertSink, EventPublisher } from "../../model/alerts.ts";
import type { Ingest } from "../../model/ingest.ts";
import { labelsFromObject, labelsToObject } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { type ActiveAlert, RULE_DURATION_BUCKETS, type RuleGroupStatus, type RuleStats } from "../../model/rules.ts";
import { DEFAULT_TENANT } from "../../model/sample.ts";
import { fingerprint } from "../alert/fingerprint.ts";
import type { AlertHistory } from "../history/alert-history.ts";
import { alertSubject, ruleGroupSubject } from "../history/event-subjects.ts";
import { makeEventOutlet } from "../notify/event-outlet.ts";
import { spawn } from "../runtime/actor.ts";
import type { OnDeath } from "../runtime/death.ts";
import { makeDynamicSupervisor } from "../runtime/dynamic-supervisor.ts";
import { makeMailbox } from "../runtime/mailbox.ts";
import { KEEP_TRYING } from "../runtime/supervisor.ts";
import { seriesMade } from "./alert-evaluation.ts";
import { withExternal } from "./alert-rule.core.ts";
import { boundedEngine } from "./bounded-engine.ts";
import { type RuleGroupDeps, retireSeries, ruleGroupActor } from "./rule-group.actor.ts";
import { type GroupRuntime, seriesIdentity } from "./rule-group.state.ts";
import { stateFile } from "./rule-group.store.ts";
import type { TransitionEvent } from "./rule-group.teller.ts";
import { tidyRuleStates } from "./rule-group.tidy.ts";
import { type MadeSeries, makeRuleOutput, type RuleOutput } from "./rule-output.ts";
import { groupKey, isShadow, type RuleGroupSpec, sameGroup } from "./rule-spec.ts";
import { groupStatus, ruleAlerts } from "./rule-status.ts";

export interface RuleManagerOptions {
  readonly engine: Engine;
  readonly ingest: Pick<Ingest, "series" | "append">;
  /** Where firing and resolved alerts go: the alert manager's `receive`. */
  readonly sink: AlertSink;
  /** Publishes transitions to `tocsin.alerts.<tenant>.<alertname>.<fingerprint>`. */
  readonly publish: EventPublisher;
  /** Keeps transitions, and records how evaluations went, for explanations. */
  readonly history?: AlertHistory;
  /** `<data>/alerting`; the state is kept in its folder `rules`. */
  readonly dataDir: string;
  readonly externalLabels: Readonly<Record<string, string>>;
  /** Without a slash at the end; for links in alerts. */
  readonly externalUrl: string;
  readonly onDeath: OnDeath;
  readonly disk?: Disk;
  readonly tenant?: string;
  readonly resendDelayMs?: number;
  readonly catchUpTicks?: number;
  readonly ready?: () => boolean;
  readonly inputsComplete?: RuleGroupDeps["inputsComplete"];
}

export interface RuleManager {
  /** Runs the groups; a child of the supervision tree. Does not return. */
  readonly run: Effect.Effect<never, unknown, Scope.Scope>;
  /**
   * Sets the groups. Groups that did not change go on undisturbed; a changed one keeps the alerts of its rules of the same
   * name and labels. Takes effect as soon as the manager runs.
   */
  reload(groups: readonly RuleGroupSpec[]): void;
  /** Of one tenant where it is given. */
  rules(tenant?: string): readonly RuleGroupStatus[];
  alerts(tenant?: string): readonly ActiveAlert[];
  stats(): RuleStats;
}

/** Prometheus's rules.alert.resend-delay. */
const RESEND_DELAY_MS = 60_000;
/** Ticks that are made up for after an outage; what is older is left out. */
const CATCH_UP_TICKS = 40;

/** Queries of rules that are under way at once; a shard takes twice as many from all who ask. */
const QUERIES_AT_ONCE = 128;

/** The actor that owns all rule groups. */
export function makeRuleManager(options: RuleManagerOptions, groups: readonly RuleGroupSpec[] = []): RuleManager {
  const ownerOf = (spec: RuleGroupSpec) => spec.tenant ?? options.tenant ?? DEFAULT_TENANT;
  const disk = options.disk ?? realDisk;
  const stateDir = join(options.dataDir, "rules");
  const engine = boundedEngine(options.engine, QUERIES_AT_ONCE);
  const wake = makeMailbox<void>("rule-manager", { capacity: 1, overflow: "dropNewest" });
  const events = makeEventOutlet("rule-transitions", options.publish, options.history?.keep);
  options.history?.watch("rule-transitions", events);
  const runtimes = new Map<string, GroupRuntime>();
  const outputs = new Map<string, RuleOutput>();
  const durations = { buckets: RULE_DURATION_BUCKETS.map(() => 0), count: 0, seconds: 0 };
  let wanted = groups;

  const ofTenant = (tenant: string | undefined) =>
    tenant === undefined ? wanted : wanted.filter((g) => ownerOf(g) === tenant);
  /** All tenants' alerts meet in one alert manager: the label keeps those of others apart. */
  const externalLabelsOf = (tenant: string) =>
    tenant === (options.tenant ?? DEFAULT_TENANT) ? options.externalLabels : { tenant, ...options.externalLabels };

  /** Names of a tenant's shadow rules, made anew when the groups are others. */
  const shadows = new Map<string, { readonly of: readonly RuleGroupSpec[]; readonly names: ReadonlySet<string> }>();
  const shadowNames = (tenant: string): ReadonlySet<string> => {
    const known = shadows.get(tenant);
    if (known?.of === wanted) return known.names;
    const names = new Set(ofTenant(tenant).flatMap((g) => g.rules.filter(isShadow).map((rule) => rule.name)));
    shadows.set(tenant, { of: wanted, names });
    return names;
  };

  const depsOf = (output: RuleOutput, tenant: string): RuleGroupDeps => ({
    engine,
    output,
    tenant,
    templates: { externalLabels: externalLabelsOf(tenant), externalUrl: options.externalUrl },
    sink: options.sink,
    transition: (event) => {
      // As the alert manager has it.
      const alert = fingerprint(withExternal(event.labels, labelsFromObject(externalLabelsOf(tenant))));
      events.offer(alertSubject(tenant, event.rule, alert), { ...transitionRecord(tenant, event), fingerprint: alert });
    },
    note: ({ rule, ...event }) => {
      const { file, group } = event;
      const subject = rule === undefined ? ruleGroupSubject(tenant, file, group) : alertSubject(tenant, rule, "rule");
      options.history?.record(subject, { version: 1, tenant, ...(rule === undefined ? {} : { rule }), ...event });
    },
    counted: (rule) => shadowNames(tenant).has(rule),
    disk,
    stateDir,
    resendDelayMs: options.resendDelayMs ?? RESEND_DELAY_MS,
    catchUpTicks: options.catchUpTicks ?? CATCH_UP_TICKS,
    ready: options.ready ?? (() => true),
    ...(options.inputsComplete === undefined ? {} : { inputsComplete: options.inputsComplete }),
    onEvaluated: (seconds) => {
      durations.count++;
      durations.seconds += seconds;
      for (const [i, bound] of RULE_DURATION_BUCKETS.entries()) {
        if (seconds <= bound) durations.buckets[i] = (durations.buckets[i] ?? 0) + 1;
      }
    },
  });

  const run = Effect.gen(function* () {
    yield* Effect.promise(() => disk.makeDir(stateDir));
    yield* spawn("rule-transitions", events.run);
    const inUse = () => wanted.map((group) => stateFile(stateDir, group));
    yield* spawn("rule-state-tidy", tidyRuleStates({ disk, folder: stateDir, inUse }));
    const supervisor = yield* makeDynamicSupervisor("rules", KEEP_TRYING, options.onDeath);
    const running = new Map<string, RuleGroupSpec>();
    while (true) {
      const next = new Map(wanted.map((g) => [groupKey(g), g]));
      const now = yield* Clock.currentTimeMillis;
      for (const [key, spec] of running) {
        const changed = next.get(key);
        if (changed !== undefined && sameGroup(changed, spec)) continue;
        yield* supervisor.stop(key);
        running.delete(key);
        retire(key, changed, now);
      }
      for (const [key, spec] of next) {
        if (running.has(key)) continue;
        const tenant = ownerOf(spec);
        const output = outputs.get(key) ?? makeRuleOutput(options.ingest, tenant);
        outputs.set(key, output);
        const publishRuntime = (runtime: GroupRuntime) => runtimes.set(key, runtime);
        // Of the incarnation before: after a crash of this group, or of its older version after a reload.
        const before = () => madeBy(runtimes.get(key), output);
        yield* supervisor.start({
          id: key,
          restart: "permanent",
          run: ruleGroupActor(spec, depsOf(output, tenant), publishRuntime, before),
        });
        running.set(key, spec);
      }
      yield* wake.take;
    }
  });

  /** Ends the series of the rules that go. */
  const retire = (key: string, changed: RuleGroupSpec | undefined, now: number): void => {
    const stays = new Set((changed?.rules ?? []).map(seriesIdentity));
    const gone = (runtimes.get(key)?.rules ?? []).filter((rule) => !stays.has(seriesIdentity(rule.spec)));
    const output = outputs.get(key);
    if (output !== undefined) {
      retireSeries(
        output,
        gone.map((rule) => seriesMade(rule, output)),
        now,
      );
    }
    if (changed !== undefined) return;
    runtimes.delete(key);
    outputs.delete(key);
  };

  return {
    run,
    reload: (next) => {
      wanted = next;
      wake.offer();
    },
    rules: (tenant) => inOrder(ofTenant(tenant), runtimes).map(groupStatus),
    alerts: (tenant) => inOrder(ofTenant(tenant), runtimes).flatMap((g) => g.rules.flatMap(ruleAlerts)),
    stats: () => ({
      groups: inOrder(wanted, runtimes).map((g) => ({
        name: g.spec.name,
        file: g.spec.file,
        rules: g.rules.length,
        lastDurationMs: g.evaluationMs,
        lastEvaluation: g.evaluations > 0 ? g.lastEvaluation : 0,
        evaluations: g.evaluations,
        failures: g.failures,
        missed: g.missed,
        incomplete: g.incomplete,
        lateMs: g.lateMs,
        lastSamples: g.lastSamples,
      })),
      durationBuckets: durations.buckets,
      durationCount: durations.count,
      durationSeconds: durations.seconds,
    }),
  };
}

function inOrder(wanted: readonly RuleGroupSpec[], runtimes: ReadonlyMap<string, GroupRuntime>): GroupRuntime[] {
  return wanted.map((g) => runtimes.get(groupKey(g))).filter((r) => r !== undefined);
}

function madeBy(runtime: GroupRuntime | undefined, output: RuleOutput): ReadonlyMap<string, MadeSeries> {
  return new Map((runtime?.rules ?? []).map((rule) => [seriesIdentity(rule.spec), seriesMade(rule, output)]));
}

/** One transition as the ALERTS stream holds it. */
function transitionRecord(tenant: string, event: TransitionEvent): Readonly<Record<string, unknown>> {
  return {
    version: 1,
    time: new Date(event.time).toISOString(),
    tenant,
    file: event.file,
    group: event.group,
    rule: event.rule,
    action: event.action,
    from: event.from,
    to: event.to,
    labels: labelsToObject(event.labels),
    annotations: event.annotations,
    value: String(event.value),
    activeAt: new Date(event.activeAt).toISOString(),
    ...(event.shadow === true ? { shadow: true } : {}),
    ...(event.reason === "" ? {} : { reason: event.reason }),
    ...(event.inputs === "" ? {} : { inputs: event.inputs }),
    ...(event.lateMs === 0 ? {} : { lateMs: event.lateMs }),
  };
}
