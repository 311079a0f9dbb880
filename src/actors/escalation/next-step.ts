import type { EscalationState } from "./escalation.core.ts";
import type { Escalation, EscalationConfig, Schedule } from "./escalation-config.ts";
import { onCallAt } from "./schedule.core.ts";

/** What an escalation does next by itself. Steps count from 1. */
export type NextStep =
  | {
      readonly kind: "page";
      readonly at: number;
      readonly step: number;
      /** It begins again with the first step, after the last one. */
      readonly anew: boolean;
      readonly targets: readonly string[];
    }
  /** All steps are paged and it is not repeated any more. */
  | { readonly kind: "exhausted"; readonly at: number };

/** Receivers that a step (from 0) pages at `t` (Unix ms); none when nobody is on call. */
export function stepTargets(
  policy: Escalation,
  schedules: ReadonlyMap<string, Schedule>,
  step: number,
  t: number,
): string[] {
  const named = (policy.steps[step]?.notify ?? []).flatMap(({ kind, name }) => {
    if (kind === "receiver") return [name];
    const schedule = schedules.get(name);
    const receiver = schedule === undefined ? undefined : onCallAt(schedule, t).receiver;
    return receiver === undefined ? [] : [receiver];
  });
  return [...new Set(named)];
}

/**
 * What an escalation that goes on does at its deadline if nobody acknowledges it before and the configuration stays as it is.
 * Undefined when it does nothing by itself, or only the end of an acknowledgement is waited for.
 *
 * @param fallback the last resort of a run in which nobody is on call
 */
export function nextStepOf(
  { escalations, schedules }: Pick<EscalationConfig, "escalations" | "schedules">,
  s: EscalationState,
  fallback: readonly string[],
): NextStep | undefined {
  const policy = escalations.get(s.escalation);
  if (policy === undefined || s.status !== "triggered" || s.dueAt === 0) return undefined;
  const at = s.dueAt;
  const length = policy.steps.length;
  let from = Math.min(s.step, length);
  const anew = from === length;
  if (anew && s.pass >= policy.repeat) return { kind: "exhausted", at };
  if (anew) from = 0;
  for (let step = from; step < length; step++) {
    const targets = stepTargets(policy, schedules, step, at);
    if (targets.length > 0) return { kind: "page", at, step: step + 1, anew, targets };
  }
  // With somebody paged in this run it waits for the next one: when that is, is decided then.
  if (s.found && !anew) return undefined;
  return { kind: "page", at, step: length, anew, targets: fallback };
}
