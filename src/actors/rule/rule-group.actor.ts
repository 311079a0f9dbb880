import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Disk } from "../../lib/disk.ts";
import type { AlertSink } from "../../model/alerts.ts";
import { labelsFromObject } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { type AlertTransition, takeUnsent } from "./alert-rule.core.ts";
import type { AlertTemplates } from "./alert-template.ts";
import { evaluateRule } from "./rule-evaluation.ts";
import { firstTick, missedTicks } from "./rule-group.clock.ts";
import {
  type GroupRuntime,
  makeGroupRuntime,
  noteAlive,
  type RuleRuntime,
  restoreGroup,
  ruleIdentity,
  saveGroup,
  stateFile,
} from "./rule-group.state.ts";
import { emitStale, flush, type MadeSeries, type RuleOutput } from "./rule-output.ts";
import { groupKey, type RuleGroupSpec } from "./rule-spec.ts";

/**
 * The actor of one rule group: evaluates its rules in order at each tick of its interval.
 *
 * Invariants:
 * - Per rule: query, move the instances, write the state file, then tell the alert manager and publish the transitions.
 *   What cannot be written is told anyway (and logged): a full disk must not silence a page.
 * - A rule that fails keeps its instances; those that fire go on being sent.
 * - Time comes from Effect's clock alone.
 */
export interface RuleGroupDeps {
  readonly engine: Engine;
  readonly output: RuleOutput;
  readonly tenant: string;
  readonly templates: AlertTemplates;
  readonly sink: AlertSink;
  readonly transition: (event: TransitionEvent) => void;
  readonly disk: Disk;
  /** Folder of the state files; it exists. */
  readonly stateDir: string;
  readonly resendDelayMs: number;
  /** Ticks that a group that fell behind evaluates late; what is older is skipped and counted. */
  readonly catchUpTicks: number;
  /** False while queries cannot answer yet (shards replay). */
  readonly ready: () => boolean;
  /**
   * Waits until the shards have consumed what was written up to `time`, at most `maxWaitMs`; false when they have not.
   * Absent: inputs count as complete.
   */
  readonly inputsComplete?: (time: number, maxWaitMs: number) => Promise<boolean>;
  readonly onEvaluated: (seconds: number) => void;
}

export interface TransitionEvent extends AlertTransition {
  readonly group: string;
  readonly file: string;
  readonly rule: string;
  readonly time: number;
}

/** A gap longer than this many intervals has emptied the windows that rules look at. */
const GAP_INTERVALS = 2;
const MAX_HOLD_MS = 5 * 60_000;

/**
 * Runs the group for ever.
 * @param publishRuntime hears of the runtime of this incarnation, for status pages
 * @param inherited series that the rules of this group made before a reload, by rule identity
 */
export const ruleGroupActor = Effect.fnUntraced(function* (
  spec: RuleGroupSpec,
  deps: RuleGroupDeps,
  publishRuntime: (runtime: GroupRuntime) => void,
  inherited: () => ReadonlyMap<string, MadeSeries>,
) {
  const runtime = makeGroupRuntime(spec);
  yield* restore(spec, deps, runtime);
  for (const rule of runtime.rules) {
    for (const [key, ref] of inherited().get(ruleIdentity(rule.spec)) ?? []) rule.made.set(key, ref);
  }
  publishRuntime(runtime);
  let tick = firstTick(groupKey(spec), spec.intervalMs, yield* Clock.currentTimeMillis);
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    if (tick > now) yield* Effect.sleep(tick - now);
    yield* waitUntilReady(deps);
    const missed = missedTicks(tick, spec.intervalMs, yield* Clock.currentTimeMillis, deps.catchUpTicks);
    runtime.missed += missed;
    tick += missed * spec.intervalMs;
    yield* evaluateGroup(deps, runtime, tick - spec.queryOffsetMs);
    tick += spec.intervalMs;
  }
});

const restore = Effect.fnUntraced(function* (spec: RuleGroupSpec, deps: RuleGroupDeps, runtime: GroupRuntime) {
  const last = yield* Effect.tryPromise(() => restoreGroup(deps.disk, deps.stateDir, runtime, deps.output)).pipe(
    Effect.catch((error) =>
      Effect.gen(function* () {
        const path = stateFile(deps.stateDir, spec);
        yield* Effect.logError(
          `rule group ${spec.name}: state not restored, alerts start anew; ${path} is kept as .damaged (${reason(error.cause)})`,
        );
        yield* Effect.ignore(Effect.tryPromise(() => deps.disk.rename(path, `${path}.damaged`)));
        return 0;
      }),
    ),
  );
  const now = yield* Clock.currentTimeMillis;
  const gap = last > 0 ? now - last : 0;
  runtime.lastEvaluation = last;
  if (gap > GAP_INTERVALS * spec.intervalMs) runtime.holdAbsentUntil = now + Math.min(gap, MAX_HOLD_MS);
});

/** Ready is asked often, since a page may wait for it; after a minute of no the evaluation is tried anyway. */
const waitUntilReady = Effect.fnUntraced(function* (deps: RuleGroupDeps) {
  for (let waited = 0; !deps.ready() && waited < 60_000; waited += 100) yield* Effect.sleep(100);
});

const evaluateGroup = Effect.fnUntraced(function* (deps: RuleGroupDeps, runtime: GroupRuntime, time: number) {
  const { spec } = runtime;
  const started = performance.now();
  const patience = Math.min(5000, spec.intervalMs / 2);
  let complete = yield* inputsComplete(deps, time, patience);
  runtime.evaluation++;
  runtime.lastEvaluation = time;
  let samples = 0;
  const written = new Set<string>();
  for (const rule of runtime.rules) {
    if (rule.spec.reads === undefined ? written.size > 0 : rule.spec.reads.some((name) => written.has(name))) {
      // It reads what a rule before it has just written: let that arrive.
      yield* waited(flush(deps.output), patience);
      complete = (yield* inputsComplete(deps, time, patience)) && complete;
      written.clear();
    }
    samples += yield* evaluateOne(deps, runtime, rule, time, complete && time >= runtime.holdAbsentUntil);
    if (rule.spec.type === "recording") written.add(rule.spec.name);
    else written.add("ALERTS").add("ALERTS_FOR_STATE");
  }
  runtime.lastSamples = samples;
  runtime.evaluationMs = performance.now() - started;
  // Not waited for: the next tick must not depend on the bus.
  void flush(deps.output);
  yield* Effect.ignore(Effect.tryPromise(() => noteAlive(deps.disk, deps.stateDir, runtime)));
  runtime.evaluations++;
});

const evaluateOne = Effect.fnUntraced(function* (
  deps: RuleGroupDeps,
  runtime: GroupRuntime,
  rule: RuleRuntime,
  time: number,
  absenceCounts: boolean,
) {
  const started = performance.now();
  const context = { engine: deps.engine, tenant: deps.tenant, output: deps.output, templates: deps.templates };
  const evaluated = yield* Effect.tryPromise({
    try: (signal) => evaluateRule({ ...context, signal }, runtime, rule, time, absenceCounts),
    catch: (error) => reason(error),
  }).pipe(Effect.catch((error) => Effect.succeed({ samples: 0, transitions: [], error })));
  rule.lastEvaluation = time;
  rule.health = evaluated.error === "" ? "ok" : "err";
  if (evaluated.error !== "") {
    runtime.failures++;
    if (evaluated.error !== rule.lastError) {
      yield* Effect.logWarning(`rule ${rule.spec.name} of group ${runtime.spec.name}: ${evaluated.error}`);
    }
  }
  rule.lastError = evaluated.error;
  if (evaluated.transitions.length > 0) {
    yield* Effect.tryPromise(() => saveGroup(deps.disk, deps.stateDir, runtime)).pipe(
      Effect.catch((error) =>
        Effect.logError(`rule group ${runtime.spec.name}: alert state not saved (${reason(error.cause)})`),
      ),
    );
  }
  if (rule.table !== undefined) {
    const unsent = takeUnsent(rule.table, time, {
      resendDelayMs: deps.resendDelayMs,
      intervalMs: runtime.spec.intervalMs,
      externalLabels: labelsFromObject(deps.templates.externalLabels),
      generatorUrl: `${deps.templates.externalUrl}/graph?g0.expr=${encodeURIComponent(rule.spec.query)}&g0.tab=1`,
    });
    if (unsent.length > 0) deps.sink(unsent);
  }
  const { name: group, file } = runtime.spec;
  for (const t of evaluated.transitions) deps.transition({ ...t, group, file, rule: rule.spec.name, time });
  rule.evaluationMs = performance.now() - started;
  deps.onEvaluated(rule.evaluationMs / 1000);
  return evaluated.samples;
});

const inputsComplete = (deps: RuleGroupDeps, time: number, maxWaitMs: number): Effect.Effect<boolean> => {
  const ask = deps.inputsComplete;
  if (ask === undefined) return Effect.succeed(true);
  return Effect.tryPromise(() => ask(time, maxWaitMs)).pipe(Effect.catch(() => Effect.succeed(false)));
};

function waited(work: Promise<unknown>, maxWaitMs: number): Effect.Effect<void> {
  return Effect.promise(() => work).pipe(Effect.timeoutOption(maxWaitMs), Effect.asVoid);
}

/** Ends the series of rules that are gone for good. */
export function retireSeries(output: RuleOutput, made: Iterable<MadeSeries>, time: number): void {
  for (const series of made) emitStale(output, time, series, new Map());
  void flush(output);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
