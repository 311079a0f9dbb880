import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { type Disk, DiskError } from "../../lib/disk.ts";
import type { AlertSink } from "../../model/alerts.ts";
import type { Engine } from "../../model/query.ts";
import type { Reason } from "./absence.ts";
import { endSeriesOfBefore, slice } from "./alert-evaluation.ts";
import { applyBlindness } from "./alert-rule.core.ts";
import type { AlertTemplates } from "./alert-template.ts";
import { type Note, noteCircumstances, noteHealth, noteMissed } from "./evaluation-notes.ts";
import { type Circumstances, evaluateOrHold } from "./rule-evaluation.ts";
import { type Ahead, askAhead, runsOf } from "./rule-group.ahead.ts";
import { firstTick, missedTicks } from "./rule-group.clock.ts";
import { type GroupRuntime, makeGroupRuntime, type RuleRuntime, seriesIdentity } from "./rule-group.state.ts";
import { type GroupStore, openGroupStore, stateFile } from "./rule-group.store.ts";
import { makeTeller, type Teller, type TransitionEvent } from "./rule-group.teller.ts";
import { emitStale, flush, type MadeSeries, type RuleOutput } from "./rule-output.ts";
import { groupKey, type RuleGroupSpec } from "./rule-spec.ts";

/**
 * The actor of one rule group: evaluates its rules in order at each tick of its interval.
 *
 * Invariants:
 * - Per rule: query, move the instances, write what changed, then tell the alert manager and publish the transitions. The
 *   rules behind it are evaluated meanwhile (rule-group.teller.ts).
 * - Ticks are evaluated in order, also those that were missed, but for the oldest of a long outage.
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
  /** See rule-group.teller.ts. */
  readonly counted?: (rule: string) => boolean;
  /** Hears how evaluations went, where that changes. */
  readonly note?: Note;
  readonly disk: Disk;
  /** Folder of the state files; it exists. */
  readonly stateDir: string;
  readonly resendDelayMs: number;
  /** Ticks that a group that fell behind evaluates late; what is older is skipped and counted. */
  readonly catchUpTicks: number;
  /** False while what queries lack is on its way (shards replay). True with what will not come soon: a dead shard or bus. */
  readonly ready: () => boolean;
  /**
   * Waits until the shards have consumed what was published until now, at most `maxWaitMs`. Resolves with why they have not,
   * "" when they have. Absent: inputs count as complete.
   */
  readonly inputsComplete?: (maxWaitMs: number) => Promise<Reason>;
  readonly onEvaluated: (seconds: number) => void;
}

/** A gap longer than this many intervals has emptied the windows that rules look at. */
const GAP_INTERVALS = 2;
const MAX_HOLD_MS = 5 * 60_000;
const READY_WAIT_MS = 60_000;

/**
 * Runs the group for ever.
 * @param publishRuntime hears of the runtime of this incarnation, for status pages
 * @param inherited series that the rules of this group made before a reload, by what `seriesIdentity` says
 */
export const ruleGroupActor = Effect.fnUntraced(function* (
  spec: RuleGroupSpec,
  deps: RuleGroupDeps,
  publishRuntime: (runtime: GroupRuntime) => void,
  inherited: () => ReadonlyMap<string, MadeSeries>,
) {
  const runtime = makeGroupRuntime(spec);
  const store = yield* restore(spec, deps, runtime);
  const teller = makeTeller({ ...deps, runtime, store });
  if (runtime.rules.some((rule) => rule.turned !== undefined)) yield* turn(deps, runtime, teller, store);
  teller.resume(yield* Clock.currentTimeMillis);
  // What is under way is told also when the group is stopped: it is on disk as told.
  const close = Effect.promise(() => teller.close());
  yield* Effect.ensuring(run(spec, deps, runtime, teller, publishRuntime, inherited), close);
});

/** Rules that have turned to or from shadow: their alerts are taken back, or told from now on, and their series end. */
const turn = Effect.fnUntraced(function* (
  { output }: RuleGroupDeps,
  runtime: GroupRuntime,
  teller: Teller,
  store: GroupStore,
) {
  for (const rule of runtime.rules) {
    if (rule.turned !== undefined) endSeriesOfBefore(rule, output);
  }
  teller.turned(yield* Clock.currentTimeMillis);
  // Only then is it noted: cut off in between, it is told again.
  yield* Effect.tryPromise(() => store.settle()).pipe(
    Effect.catch((e) => Effect.logError(`rule group ${runtime.spec.name}: alert state not saved (${reason(e.cause)})`)),
  );
});

const run = Effect.fnUntraced(function* (
  spec: RuleGroupSpec,
  deps: RuleGroupDeps,
  runtime: GroupRuntime,
  teller: Teller,
  publishRuntime: (runtime: GroupRuntime) => void,
  inherited: () => ReadonlyMap<string, MadeSeries>,
) {
  for (const rule of runtime.rules) {
    for (const [key, ref] of inherited().get(seriesIdentity(rule.spec)) ?? []) rule.made.set(key, ref);
  }
  publishRuntime(runtime);
  const started = yield* Clock.currentTimeMillis;
  const last = runtime.lastEvaluation;
  // Where there was an evaluation before, with the tick behind it.
  const from = last > 0 ? Math.min(started, last + spec.queryOffsetMs + 1) : started;
  const patience = { ms: READY_WAIT_MS };
  let tick = firstTick(groupKey(spec), spec.intervalMs, from);
  const runs = runsOf(spec.rules);
  while (true) {
    const now = yield* Clock.currentTimeMillis;
    if (tick > now) yield* Effect.sleep(tick - now);
    const ready = yield* waitUntilReady(deps, patience);
    const missed = missedTicks(tick, spec.intervalMs, yield* Clock.currentTimeMillis, deps.catchUpTicks);
    runtime.missed += missed;
    tick += missed * spec.intervalMs;
    if (missed > 0) {
      noteMissed(deps.note, runtime, missed, tick - spec.queryOffsetMs);
      yield* passOver(teller, runtime, tick - spec.queryOffsetMs);
    }
    const begun = yield* Clock.currentTimeMillis;
    const before = { inputs: runtime.inputs, lateMs: runtime.lateMs };
    runtime.lateMs = begun - tick >= spec.intervalMs ? begun - tick : 0;
    const ahead = askAhead(deps.engine, deps.tenant, spec.rules, runs, tick - spec.queryOffsetMs);
    const evaluation = evaluateGroup(deps, runtime, teller, tick - spec.queryOffsetMs, ready, ahead);
    yield* Effect.ensuring(evaluation, Effect.sync(ahead.close));
    noteCircumstances(deps.note, runtime, before, tick - spec.queryOffsetMs);
    tick += spec.intervalMs;
  }
});

/** How often a state that the disk does not give is asked for at a start; behind that it is better to page anew than not at all. */
const READ_TRIES = 6;
const READ_AGAIN_MS = 1_000;

const restore = Effect.fnUntraced(function* (spec: RuleGroupSpec, deps: RuleGroupDeps, runtime: GroupRuntime) {
  const open = Effect.tryPromise(() => openGroupStore(deps.disk, deps.stateDir, runtime));
  const path = stateFile(deps.stateDir, spec);
  let opened = yield* Effect.result(open);
  // A disk that fails may be well in a moment, and what it holds is not damaged.
  for (let tries = 1; tries < READ_TRIES && Result.isFailure(opened); tries++) {
    const { cause } = opened.failure;
    if (!(cause instanceof DiskError)) break;
    yield* Effect.logWarning(`rule group ${spec.name}: ${path} cannot be read and is tried again (${reason(cause)})`);
    yield* Effect.sleep(READ_AGAIN_MS);
    opened = yield* Effect.result(open);
  }
  if (Result.isFailure(opened)) {
    yield* Effect.logError(
      `rule group ${spec.name}: state not restored, alerts start anew; ${path} is kept as .damaged (${reason(opened.failure.cause)})`,
    );
    yield* Effect.ignore(Effect.tryPromise(() => deps.disk.rename(path, `${path}.damaged`)));
  }
  const store = Result.isSuccess(opened) ? opened.success : yield* open;
  const now = yield* Clock.currentTimeMillis;
  const gap = runtime.lastEvaluation > 0 ? now - runtime.lastEvaluation : 0;
  if (gap > GAP_INTERVALS * spec.intervalMs) runtime.holdAbsentUntil = now + Math.min(gap, MAX_HOLD_MS);
  return store;
});

/**
 * Ready is asked often, since a page may wait for it; after a minute of no the evaluation is tried anyway. Only at a start: once
 * it was ready, a part that dies must not hold back what the others can see.
 */
const waitUntilReady = Effect.fnUntraced(function* (deps: RuleGroupDeps, patience: { ms: number }) {
  for (let waited = 0; !deps.ready() && waited < patience.ms; waited += 100) yield* Effect.sleep(100);
  patience.ms = 0;
  return deps.ready();
});

/** Nobody has looked at the conditions for the ticks that are left out before `time`. */
const passOver = Effect.fnUntraced(function* (teller: Teller, runtime: GroupRuntime, time: number) {
  const since = runtime.lastEvaluation + runtime.spec.intervalMs;
  if (runtime.lastEvaluation === 0 || since >= time) return;
  const wall = yield* Clock.currentTimeMillis;
  for (const [rule, { table }] of runtime.rules.entries()) {
    if (table === undefined || table.rowOf.size === 0) continue;
    const applied = yield* Effect.promise(() => slice(applyBlindness(table, time, "not_evaluated", since)));
    teller.offer({ rule, applied, time, wall });
  }
});

const evaluateGroup = Effect.fnUntraced(function* (
  deps: RuleGroupDeps,
  runtime: GroupRuntime,
  teller: Teller,
  time: number,
  ready: boolean,
  ahead: Ahead,
) {
  const { spec } = runtime;
  const started = performance.now();
  const patience = Math.min(5000, spec.intervalMs / 2);
  let inputs = yield* inputsComplete(deps, patience);
  if (!ready) inputs ||= "shard_missing";
  runtime.evaluation++;
  let samples = 0;
  for (const i of runtime.rules.keys()) {
    if (ahead.readsWritten(i)) {
      // It reads what a rule before it has just written: let that arrive.
      // Without a bus it does not, and what else can be seen must not wait for it.
      if (inputs !== "bus_down") yield* waited(flush(deps.output), patience);
      inputs ||= yield* inputsComplete(deps, patience);
    }
    const blind = inputs === "" && time < runtime.holdAbsentUntil ? "not_evaluated" : inputs;
    runtime.inputs = inputs;
    samples += yield* evaluateOne({ ...deps, engine: ahead.engineFor(i) }, runtime, teller, i, time, {
      blind,
      lateMs: runtime.lateMs,
    });
  }
  if (inputs !== "") runtime.incomplete.set(inputs, (runtime.incomplete.get(inputs) ?? 0) + 1);
  runtime.lastSamples = samples;
  // Only now: a tick that a crash ended half-way is evaluated again, for those of its rules that were not.
  runtime.lastEvaluation = time;
  // Not waited for: the next tick must not depend on the bus.
  void flush(deps.output);
  const problem = yield* Effect.tryPromise({ try: () => teller.told(), catch: (e) => e });
  if (problem !== "") yield* Effect.logError(`rule group ${spec.name}: alert state not saved (${problem})`);
  runtime.evaluationMs = performance.now() - started;
  runtime.evaluations++;
});

const evaluateOne = Effect.fnUntraced(function* (
  deps: RuleGroupDeps,
  runtime: GroupRuntime,
  teller: Teller,
  index: number,
  time: number,
  circumstances: Circumstances,
) {
  const started = performance.now();
  const rule = runtime.rules[index] as RuleRuntime;
  const context = { engine: deps.engine, tenant: deps.tenant, output: deps.output, templates: deps.templates };
  const evaluated = yield* Effect.promise((signal) =>
    evaluateOrHold({ ...context, signal }, runtime, rule, time, circumstances),
  );
  rule.lastEvaluation = time;
  noteHealth(deps.note, runtime, rule, evaluated.error, time);
  rule.health = evaluated.error === "" ? "ok" : "err";
  if (evaluated.error !== "") {
    runtime.failures++;
    if (evaluated.error !== rule.lastError) {
      yield* Effect.logWarning(`rule ${rule.spec.name} of group ${runtime.spec.name}: ${evaluated.error}`);
    }
  }
  rule.lastError = evaluated.error;
  rule.evaluationMs = performance.now() - started;
  deps.onEvaluated(rule.evaluationMs / 1000);
  if (rule.table !== undefined) {
    teller.offer({ rule: index, applied: evaluated, time, wall: yield* Clock.currentTimeMillis });
  }
  return evaluated.samples;
});

const inputsComplete = (deps: RuleGroupDeps, maxWaitMs: number): Effect.Effect<Reason> => {
  const ask = deps.inputsComplete;
  if (ask === undefined) return Effect.succeed("");
  return Effect.tryPromise(() => ask(maxWaitMs)).pipe(Effect.catch(() => Effect.succeed<Reason>("bus_down")));
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
