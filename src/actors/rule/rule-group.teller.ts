import type { AlertSink, PostedAlert } from "../../model/alerts.ts";
import { labelsFromObject } from "../../model/labels.ts";
import type { Reason } from "./absence.ts";
import { type AlertTransition, type Applied, type SendOptions, takeUnsent } from "./alert-rule.core.ts";
import type { AlertTemplates } from "./alert-template.ts";
import type { GroupRuntime, RuleRuntime } from "./rule-group.state.ts";
import type { GroupStore } from "./rule-group.store.ts";
import { isShadow, type RuleSpec } from "./rule-spec.ts";
import { tallied, turnedTransitions, withdrawals } from "./shadow.ts";

/**
 * Tells what evaluations have changed: on disk first, then to the alert manager and to the stream of transitions. While one
 * batch is on its way to the disk the next rules are evaluated; what they change is the next batch.
 *
 * Invariants:
 * - Nobody is told what is not on disk, so a restart never forgets what was announced. What cannot be written is told
 *   anyway: a full disk must not silence a page.
 * - Everything is told in the order in which it was offered.
 * - Of a shadow rule the alert manager is told nothing, but for the end of what it was told while the rule was live.
 */
export interface Teller {
  /**
   * Tells at once what was on disk as firing or resolved: a crash may have come between the disk and the telling, and the next
   * evaluation may end an alert that nobody has heard of.
   */
  resume(wall: number): void;
  /** Tells at once what it means that rules have turned to or from shadow since their state was written. */
  turned(wall: number): void;
  offer(changed: Offered): void;
  /**
   * Resolves when all that was offered is told and the group is noted to be alive, with what went wrong with the disk, "" for
   * nothing. Rejects with what the alert manager's ear throws.
   */
  told(): Promise<string>;
  /** Waits for what is under way, and lets go of the files. */
  close(): Promise<void>;
}

export interface Offered {
  /** Its place in the group. */
  readonly rule: number;
  readonly applied: Applied;
  /** Of the evaluation; by the clock it is `wall`. Unix ms. */
  readonly time: number;
  readonly wall: number;
}

export interface TellerOptions {
  readonly runtime: GroupRuntime;
  readonly store: GroupStore;
  readonly templates: AlertTemplates;
  readonly resendDelayMs: number;
  readonly sink: AlertSink;
  readonly transition: (event: TransitionEvent) => void;
  /** Whether a live rule of this name is counted, since there is a shadow rule of it. Absent: none is. */
  readonly counted?: (rule: string) => boolean;
}

export interface TransitionEvent extends AlertTransition {
  readonly group: string;
  readonly file: string;
  readonly rule: string;
  readonly time: number;
  /** Why the inputs of the evaluation were not complete; "" when they were. */
  readonly inputs: Reason;
  /** How many ms after its time the evaluation was, where that is worth telling; else 0. */
  readonly lateMs: number;
  /** Of a shadow rule. Absent: not. */
  readonly shadow?: true;
}

export function makeTeller(options: TellerOptions): Teller {
  const { runtime, store, templates, resendDelayMs } = options;
  const { name: group, file, intervalMs } = runtime.spec;
  const externalLabels = labelsFromObject(templates.externalLabels);
  let waiting: Offered[] = [];
  let telling: Promise<void> | undefined;
  let problem = "";
  let thrown: { readonly error: unknown } | undefined;

  const tell = async (): Promise<void> => {
    while (waiting.length > 0 && thrown === undefined) {
      const batch = waiting;
      waiting = [];
      const changed = batch
        .map(({ rule, applied: { dirty, gone } }) => ({ rule, dirty, gone }))
        .filter(({ dirty, gone }) => dirty.length + gone.length > 0);
      if (changed.length > 0) await attempt(() => store.save(changed));
      announce(batch);
    }
    // At once, so that what is offered from now on begins anew.
    telling = undefined;
  };
  const announce = (batch: readonly Offered[]): void => {
    const alerts: PostedAlert[] = [];
    try {
      for (const { rule, wall } of batch) {
        const { table, spec } = runtime.rules[rule] as RuleRuntime;
        if (table === undefined || table.rowOf.size === 0 || isShadow(spec)) continue;
        alerts.push(...takeUnsent(table, wall, sendOptions(spec)));
      }
      if (alerts.length > 0) options.sink(alerts);
      for (const { rule, applied, time } of batch) {
        record(runtime.rules[rule] as RuleRuntime, applied.transitions, time);
      }
    } catch (error) {
      thrown ??= { error };
    }
  };
  const record = ({ spec }: RuleRuntime, transitions: readonly AlertTransition[], time: number): void => {
    const { inputs, lateMs } = runtime;
    const shadow = isShadow(spec) ? ({ shadow: true } as const) : {};
    const about = { group, file, rule: spec.name, time, inputs, lateMs, ...shadow };
    for (const t of transitions) options.transition({ ...t, ...about });
  };
  const sendOptions = (spec: RuleSpec): SendOptions => {
    const generatorUrl = `${templates.externalUrl}/graph?g0.expr=${encodeURIComponent(spec.query)}&g0.tab=1`;
    return { resendDelayMs, intervalMs, externalLabels, generatorUrl };
  };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      problem ||= error instanceof Error ? error.message : String(error);
    }
  };
  const rest = async (): Promise<void> => {
    while (telling !== undefined) await telling;
  };

  return {
    resume: (wall) => {
      const alerts = runtime.rules.flatMap(({ spec, table }) =>
        table === undefined || isShadow(spec) ? [] : takeUnsent(table, wall, sendOptions(spec)),
      );
      if (alerts.length > 0) options.sink(alerts);
    },
    turned: (wall) => {
      for (const rule of runtime.rules) {
        if (rule.turned === undefined || rule.table === undefined) continue;
        const ended = rule.turned === "shadow" ? withdrawals(rule.table, wall, sendOptions(rule.spec)) : [];
        if (ended.length > 0) options.sink(ended);
        const action = rule.turned === "shadow" ? "becameShadow" : "becameLive";
        record(rule, turnedTransitions(rule.table, action), wall);
      }
    },
    offer: (changed) => {
      const rule = runtime.rules[changed.rule] as RuleRuntime;
      if (rule.table !== undefined) {
        const counts = isShadow(rule.spec) || options.counted?.(rule.spec.name) === true;
        rule.tally = counts ? tallied(rule.tally, rule.table, changed.applied, changed.time) : undefined;
      }
      waiting.push(changed);
      telling ??= Promise.resolve().then(tell);
    },
    told: async () => {
      await rest();
      if (thrown !== undefined) throw thrown.error;
      // A lost note does no harm, so nobody is told of one.
      await store.alive().catch(() => undefined);
      const said = problem;
      problem = "";
      return said;
    },
    close: async () => {
      await rest();
      await attempt(store.close);
    },
  };
}
