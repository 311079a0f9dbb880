import type { ExplainStep } from "../../model/explain.ts";
import type { EscalationState } from "../escalation/escalation.core.ts";
import { isoTime, stepOf } from "./evidence.ts";

export interface EscalationStory {
  readonly steps: readonly ExplainStep[];
  readonly told: { readonly at: number; readonly whom: string } | undefined;
  /** Who holds it back at the time in question. */
  readonly acknowledged: string | undefined;
}

const SHOWN = 20;

/** The escalations of a group, up to a time (Unix ms). */
export function escalationSteps(states: readonly EscalationState[], _alert: string, time: number): EscalationStory {
  const steps: ExplainStep[] = [];
  let told: EscalationStory["told"];
  let acknowledged: string | undefined;
  for (const state of states.filter((s) => s.startedAt <= time && (s.resolvedAt === 0 || s.resolvedAt >= time))) {
    const past = state.history.filter((h) => h.at <= time);
    for (const { at, what, detail } of past.slice(-SHOWN)) {
      const stage = what.startsWith("acknowledge") ? "acknowledgement" : "escalation";
      const because = `${what}${detail === "" ? "" : `: ${detail}`}`;
      steps.push(stepOf(stage, at, what.replaceAll(" ", "_"), because, "disk", { id: state.id }));
      if (what === "told") told = { at, whom: detail };
      if (what === "acknowledgement ran out" || what === "new alerts" || what === "triggered") acknowledged = undefined;
      if (what === "acknowledged") {
        const until = state.acknowledgement?.at === at ? state.acknowledgement.until : 0;
        const end = until === 0 ? "as long as the alerts fire" : `until ${isoTime(until)}`;
        acknowledged = `acknowledged by ${detail} at ${isoTime(at)}, ${end}`;
      }
    }
  }
  return { steps, told, acknowledged };
}
