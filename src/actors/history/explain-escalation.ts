import type { ExplainStep } from "../../model/explain.ts";
import type { EscalationState, HistoryEntry } from "../escalation/escalation.core.ts";
import { nextStepOf } from "../escalation/next-step.ts";
import { isoTime, type RouteSeen, stepOf } from "./evidence.ts";

export interface EscalationStory {
  readonly steps: readonly ExplainStep[];
  readonly told: { readonly at: number; readonly whom: string } | undefined;
  /** Who holds it back at the time in question. */
  readonly acknowledged: string | undefined;
  /** What comes of it next: by what it holds now, or for a time that is past by what came then. */
  readonly next: Next | undefined;
}

interface Next {
  readonly reason: "escalation_step" | "escalation_exhausted";
  readonly because: string;
  readonly advice: readonly string[];
}

const SHOWN = 20;

/**
 * The escalations of a route's group, up to a time.
 *
 * @param firedAt when the alert began to fire, Unix ms: what was told before was about others
 * @param time Unix ms
 */
export function escalationSteps(
  r: Pick<RouteSeen, "escalations" | "escalationConfig" | "route">,
  firedAt: number,
  time: number,
): EscalationStory {
  const steps: ExplainStep[] = [];
  let told: EscalationStory["told"];
  let acknowledged: string | undefined;
  let next: Next | undefined;
  const lived = r.escalations.filter((s) => s.startedAt <= time && (s.resolvedAt === 0 || s.resolvedAt >= time));
  for (const state of lived.toSorted((a, b) => a.startedAt - b.startedAt)) {
    const past = state.history.filter((h) => h.at <= time);
    for (const { at, what, detail } of past.slice(-SHOWN)) {
      const stage = what.startsWith("acknowledge") ? "acknowledgement" : "escalation";
      const because = `${what}${detail === "" ? "" : `: ${detail}`}`;
      steps.push(stepOf(stage, at, what.replaceAll(" ", "_"), because, "disk", { id: state.id }));
    }
    const lastTold = past.findLast((h) => h.what === "told" && h.at >= firedAt);
    // The detail names the page in brackets.
    if (lastTold !== undefined) told = { at: lastTold.at, whom: lastTold.detail.replace(/ \([^()]*\)$/, "") };
    acknowledged = acknowledgedAt(state, past.length - 1);
    const found = acknowledged === undefined ? nextAt(r, state, time) : undefined;
    next = found?.next;
    if (found !== undefined) {
      steps.push(stepOf("escalation", found.at, "next", found.next.because, "disk", { id: state.id }));
    }
  }
  return { steps, told, acknowledged, next };
}

/** Who had acknowledged it after the entry at `i` of its history, in words. */
function acknowledgedAt(state: EscalationState, i: number): string | undefined {
  const { history } = state;
  let ack: HistoryEntry | undefined;
  for (const [k, h] of history.entries()) {
    if (k > i) break;
    if (h.what === "acknowledged") ack = h;
    else if (PAGES.has(h.what) || h.what === "triggered") ack = undefined;
    else if (h.what === "new alerts" && ack !== undefined && endsAck(state, k)) ack = undefined;
  }
  if (ack === undefined) return undefined;
  const held = state.acknowledgement?.at === ack.at ? state.acknowledgement : undefined;
  const after = history.slice(history.indexOf(ack) + 1);
  const ranOut = after.find((h) => h.what === "acknowledgement ran out" || h.what === "acknowledged");
  let until = "as long as the alerts fire";
  if (held !== undefined && held.until > 0) until = `until ${isoTime(held.until)}`;
  else if (held === undefined && ranOut?.what === "acknowledgement ran out") until = `until ${isoTime(ranOut.at)}`;
  else if (held === undefined) until = "for the time being";
  return `acknowledged by ${ack.detail} at ${isoTime(ack.at)}, ${until}`;
}

const PAGES: ReadonlySet<string> = new Set(["paged", "nobody on call", "exhausted", "acknowledgement ran out"]);

/** Whether new alerts (the entry at `i`) began it anew, which is configured: what came next tells. */
function endsAck({ history, status }: EscalationState, i: number): boolean {
  const then = history.slice(i + 1).find((h) => PAGES.has(h.what) || h.what === "acknowledged");
  if (then === undefined) return status === "triggered" || status === "exhausted";
  return then.what !== "acknowledgement ran out" && then.what !== "acknowledged";
}

/** Entries that tell what became of the step that was next. */
const ENDS: ReadonlySet<HistoryEntry["what"]> = new Set(["paged", "acknowledged", "exhausted", "resolved", "closed"]);

function nextAt(
  { escalationConfig, route }: Pick<RouteSeen, "escalationConfig" | "route">,
  state: EscalationState,
  time: number,
): { readonly at: number; readonly next: Next } | undefined {
  const { id, escalation, history, status } = state;
  const answer = (at: number, because: string, advice: readonly string[] = [], exhausted = false) => ({
    at,
    next: { reason: exhausted ? ("escalation_exhausted" as const) : ("escalation_step" as const), because, advice },
  });
  const came = history.find((h) => h.at > time && ENDS.has(h.what));
  const last = history.findLast((h) => h.at <= time && (h.what === "exhausted" || h.what === "paged"));
  // New alerts begin it anew, or do not: that is configured, and what came next tells.
  const anew = came === undefined ? status === "triggered" : came.what === "paged";
  if (last?.what === "exhausted" && !anew) {
    const because = `escalation ${escalation} is exhausted since ${isoTime(last.at)}: nobody is paged again, unless a new alert begins it anew`;
    return answer(last.at, because, [ackWith(id)], true);
  }
  if (came !== undefined) return answer(came.at, cameOf(came, escalation));
  const next = nextStepOf(escalationConfig, state, [route.receiver]);
  if (next === undefined) return undefined;
  const at = isoTime(next.at);
  if (next.kind === "exhausted") {
    const because = `escalation ${escalation} has paged all its steps: it is exhausted at ${at} unless somebody acknowledges before`;
    return answer(next.at, because, [ackWith(id)]);
  }
  const due = next.at <= time ? `is due since ${at}` : `comes at ${at} unless somebody acknowledges before`;
  const again = next.anew ? `, which begins anew,` : "";
  const because = `step ${next.step} of escalation ${escalation}${again} pages ${next.targets.join(", ")} and ${due}`;
  return answer(next.at, because, [ackWith(id)]);
}

function cameOf({ at, what, detail }: HistoryEntry, escalation: string): string {
  const when = isoTime(at);
  switch (what) {
    case "paged":
      return `the next page of escalation ${escalation} came at ${when}: ${detail}`;
    case "acknowledged":
      return `${detail} acknowledged escalation ${escalation} at ${when}, before its next step`;
    case "exhausted":
      return `escalation ${escalation} had paged all its steps: it was exhausted at ${when}`;
    case "closed":
      return `escalation ${escalation} was closed at ${when}, before its next step: ${detail}`;
    default:
      return `the alerts of escalation ${escalation} ended at ${when}, before its next step`;
  }
}

function ackWith(id: string): string {
  return `acknowledge with: tocsin ack ${id}`;
}
