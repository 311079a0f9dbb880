import { formatDuration } from "../../lib/duration.ts";
import type { ExplainStep } from "../../model/explain.ts";
import { type Evidence, isoTime, lastBefore, stepOf, text } from "./evidence.ts";

/** What an alert was at a time. */
export interface AlertState {
  readonly state: "inactive" | "pending" | "firing" | "resolved" | "unseen_pending" | "unseen_firing" | "never";
  /** Since when, Unix ms. */
  readonly since: number | undefined;
  /** When this firing began. */
  readonly firedAt: number | undefined;
  readonly reason: string;
  readonly shadow: boolean;
  /** The rule group that made it; undefined: no record says. */
  readonly group: string | undefined;
}

const STATES: Readonly<Record<string, AlertState["state"]>> = {
  inactive: "inactive",
  pending: "pending",
  firing: "firing",
  keeping: "firing",
  resolved: "resolved",
  unknownPending: "unseen_pending",
  unknownFiring: "unseen_firing",
  unknownKeeping: "unseen_firing",
};
const WHY: Readonly<Record<string, string>> = {
  query_failed: "its query failed",
  shard_missing: "a part of the stored data did not answer",
  bus_lagging: "samples that were published had not been read",
  bus_down: "the bus did not answer",
  not_evaluated: "nothing was evaluated for a while",
  target_gone: "its target is gone",
  sender_silent: "no samples come any more",
  no_data: "there is no data",
  becameShadow: "its rule was made a shadow rule",
  becameLive: "its shadow rule was made a live one",
};

/** The state of the alert at the evidence's time, by its records; by what this process holds where they say nothing. */
export function stateAt(e: Evidence): AlertState {
  const ofShadow = (x: Evidence["events"][number]) => x.event.shadow === true;
  if (!e.events.some(ofShadow)) return stateBy(e);
  // A live rule and a shadow rule may make the same alert: what nobody hears of says nothing of what somebody was told.
  const live = stateBy({ ...e, events: eventsOf(e.events, false) });
  if (isActive(live)) return live;
  const shadow = stateBy({ ...e, events: eventsOf(e.events, true), active: undefined });
  if (isActive(shadow) || live.state === "never") return shadow;
  return shadow.state !== "never" && (shadow.since ?? 0) > (live.since ?? 0) ? shadow : live;
}

/** Those of a live rule or of a shadow rule; its turning into the other is the end of the alert there. */
function eventsOf(events: Evidence["events"], shadow: boolean): Evidence["events"] {
  const groups = new Set<string>();
  return events.flatMap((x) => {
    const { event } = x;
    if ((event.shadow === true) === shadow) {
      groups.add(text(event.group));
      return [x];
    }
    if (!TURNS.has(text(event.action)) || !groups.has(text(event.group))) return [];
    return [{ ...x, event: { ...event, to: "resolved", reason: event.action } }];
  });
}

const TURNS: ReadonlySet<string> = new Set(["becameShadow", "becameLive"]);

function isActive({ state }: AlertState): boolean {
  return state !== "inactive" && state !== "resolved" && state !== "never";
}

function stateBy({ events, time, now, active: held }: Evidence): AlertState {
  const moved = lastBefore(events, time, (e) => "to" in e || e.type === "received");
  const shadow = moved?.event.shadow === true;
  if (moved !== undefined) {
    const { event } = moved;
    const posted = event.type === "received";
    let state = posted ? (event.action as "firing" | "resolved") : (STATES[text(event.to)] ?? "inactive");
    const reason = text(event.reason);
    const starts = events.filter((e) => e.time <= time && begins(e.event));
    // What others send has an end of its own, which comes without a word.
    const ends = posted ? Date.parse(text(event.endsAt)) : Number.NaN;
    if (state === "firing" && ends <= time && !events.some((e) => e.time > moved.time && e.time <= ends)) {
      if (held === undefined) state = "resolved";
    }
    const firedAt = state === "firing" || state === "unseen_firing" ? starts.at(-1)?.time : undefined;
    const group = text(event.group) || undefined;
    // A pending alert that becomes unseen, or whose rule is promoted, keeps its clock.
    const active = Date.parse(text(event.activeAt));
    const since = state.endsWith("pending") && active < moved.time ? active : moved.time;
    return { state, since, firedAt: firedAt ?? moved.time, reason, shadow, group };
  }
  if (held !== undefined && held.activeAt <= time && now - time < 60_000) {
    const unseen = held.unknown === true;
    const state = unseen ? (`unseen_${held.state}` as const) : held.state;
    const { activeAt, reason = "" } = held;
    return { state, since: activeAt, firedAt: activeAt, reason, shadow: held.shadow === true, group: undefined };
  }
  return { state: "never", since: undefined, firedAt: undefined, reason: "", shadow: false, group: undefined };
}

function begins(event: Evidence["events"][number]["event"]): boolean {
  return event.action === "becameFiring" || (event.type === "received" && event.action === "firing");
}

/** The steps from the samples to the alert. */
export function evaluationSteps(e: Evidence, state: AlertState): ExplainStep[] {
  const out: ExplainStep[] = [];
  for (const { rule, group } of e.rules) {
    const isNow = e.now - e.time < 2 * group.intervalMs + 60_000;
    const health = lastBefore(e.ruleEvents, e.time, (x) => x.type === "health" && x.rule === rule.name);
    const failing = isNow ? rule.health === "err" : health?.event.health === "err";
    if (failing) {
      const error = isNow ? rule.lastError : text(health?.event.error);
      const at = isNow ? rule.lastEvaluation : (health?.time ?? null);
      const because = `rule ${rule.name} of group ${group.name} cannot be evaluated: ${error}`;
      out.push(stepOf("evaluation", at, "rule_unhealthy", because, isNow ? "memory" : (health?.from ?? "memory")));
    }
    if (isNow && rule.lastEvaluation === 0) {
      const because = `rule ${rule.name} of group ${group.name} has not been evaluated yet`;
      out.push(stepOf("evaluation", null, "not_evaluated", because, "memory"));
    }
  }
  for (const x of e.ruleEvents.filter((x) => x.event.type !== "health" && x.time <= e.time).slice(-3)) {
    const { type, group, ticks, inputs, lateMs } = x.event;
    if (type === "missed")
      out.push(
        stepOf("evaluation", x.time, "missed", `group ${text(group)} left out ${String(ticks)} evaluations`, x.from),
      );
    else if (text(inputs) !== "" || Number(lateMs) > 0) {
      const late = Number(lateMs) > 0 ? ` ${formatDuration(Number(lateMs))} late` : "";
      const why = text(inputs) === "" ? "" : ` on incomplete data: ${WHY[text(inputs)] ?? text(inputs)}`;
      out.push(
        stepOf("evaluation", x.time, "late_or_incomplete", `group ${text(group)} was evaluated${late}${why}`, x.from),
      );
    }
  }
  for (const r of e.recomputed) {
    const details = { query: r.query, values: r.values };
    out.push(stepOf("evaluation", r.time, r.outcome, `${r.rule}: ${r.because}`, "query", details));
  }
  out.push(...alertSteps(e, state));
  return out;
}

const MOVES = 8;
const TURNED: Readonly<Record<string, string>> = {
  becameLive: "its rule was promoted: a shadow rule until then, a live one from now on",
  becameShadow: "its rule was demoted to a shadow rule: nobody is told of it from now on",
};

function turnedInto(event: Evidence["events"][number]["event"]): string {
  return event.action === "becameLive" ? "promoted" : "demoted";
}

function alertSteps(e: Evidence, state: AlertState): ExplainStep[] {
  const moves = e.events.filter((x) => x.time <= e.time && ("to" in x.event || x.event.type === "received"));
  if (moves.length === 0) {
    if (state.state === "never") return [];
    return [stepOf("alert", state.since ?? null, state.state, "this process holds it; no record says more", "memory")];
  }
  return moves.slice(-MOVES).map(({ event, time, from }) => {
    if (event.type === "received") {
      const what = event.action === "resolved" ? "ended" : `fires, until ${text(event.endsAt)} unless sent again`;
      return stepOf("alert", time, text(event.action), `sent by a client of the API: ${what}`, from);
    }
    const why = text(event.reason) === "" ? "" : `, because ${WHY[text(event.reason)] ?? text(event.reason)}`;
    const late = Number(event.lateMs) > 0 ? `, found ${formatDuration(Number(event.lateMs))} late` : "";
    const shadow = event.shadow === true ? " (shadow rule: never told)" : "";
    const turned = TURNED[text(event.action)];
    if (turned !== undefined) {
      const because = `${turned}; the alert goes on as ${STATES[text(event.to)] ?? text(event.to)}, value ${text(event.value)}${late}`;
      return stepOf("alert", time, turnedInto(event), because, from, {
        action: event.action,
        activeAt: event.activeAt,
      });
    }
    const because = `${text(event.from)} -> ${text(event.to)}, value ${text(event.value)}${why}${late}${shadow}`;
    const outcome = STATES[text(event.to)] ?? text(event.to);
    return stepOf("alert", time, outcome, because, from, { action: event.action, activeAt: event.activeAt });
  });
}

/** Why an alert does not fire: a word and a sentence. */
export function whyNotFiring(e: Evidence, state: AlertState): { readonly reason: string; readonly sentence: string } {
  const failing = evaluationSteps({ ...e, events: [] }, state).find((s) => s.outcome === "rule_unhealthy");
  if (state.state === "pending" || state.state === "unseen_pending") {
    const seen =
      state.state === "unseen_pending" ? `, and it cannot be seen: ${WHY[state.reason] ?? state.reason}` : "";
    const hold = e.rules[0]?.rule.holdMs;
    const due =
      hold === undefined || state.since === undefined
        ? ""
        : `; it fires when it has held for ${formatDuration(hold)}, at ${isoTime(state.since + hold)} at the earliest`;
    const reason = state.state === "unseen_pending" ? "unknown" : "for";
    return { reason, sentence: `it was pending since ${isoTime(state.since ?? e.time)}${due}${seen}` };
  }
  if (failing !== undefined) return { reason: "rule_unhealthy", sentence: failing.because };
  const no = e.recomputed.find((r) => r.outcome !== "true");
  const ended = state.since === undefined ? "" : ` since ${isoTime(state.since)}`;
  if (state.state === "resolved" || (state.state === "inactive" && state.since !== undefined)) {
    const why = state.reason === "" ? "" : ` (${WHY[state.reason] ?? state.reason})`;
    return { reason: "resolved", sentence: `it was over${ended}${why}${no === undefined ? "" : `: ${no.because}`}` };
  }
  if (no !== undefined) {
    const reason = no.outcome === "no_data" ? "no_data" : no.outcome === "failed" ? "query_failed" : "condition_false";
    return { reason, sentence: no.because };
  }
  if (e.rules.length === 0)
    return { reason: "no_rule", sentence: "no rule makes such an alert, and nobody has sent one" };
  const true_ = e.recomputed.find((r) => r.outcome === "true");
  if (true_ !== undefined) {
    const sentence = `the expression is true by the samples that are stored now, but no record says that it was seen so: they came late, or the rule is newer (${true_.because})`;
    return { reason: "not_seen", sentence };
  }
  return { reason: "never_active", sentence: "no record says that it was ever active" };
}
