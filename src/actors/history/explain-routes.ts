import { formatDuration } from "../../lib/duration.ts";
import type { ExplainStep } from "../../model/explain.ts";
import { formatLabels, labelsFromObject } from "../../model/labels.ts";
import { formatMatcher } from "../../model/matcher.ts";
import type { Silence } from "../alert/silence.core.ts";
import { type Evidence, isoTime, lastBefore, type RouteSeen, stepOf, text } from "./evidence.ts";
import { type Deliveries, deliveriesOf, deliverySteps, failuresInWords } from "./explain-delivery.ts";
import { escalationSteps } from "./explain-escalation.ts";

/** What became of a firing alert on one of its routes. */
export interface RouteStory {
  readonly steps: readonly ExplainStep[];
  /** When somebody was told of this firing last, and who; undefined: nobody was. */
  readonly told: { readonly at: number; readonly whom: string } | undefined;
  /** Something keeps further pages back: a silence, an acknowledgement. */
  readonly held: boolean;
  /** Why nobody was told, or why nobody is told again. */
  readonly reason: string;
  readonly because: string;
  readonly advice: readonly string[];
}

/** @param firedAt when this firing began, Unix ms */
export function routeStory(e: Evidence, r: RouteSeen, firedAt: number): RouteStory {
  const { route } = r;
  const where = route.escalation === undefined ? `receiver ${route.receiver}` : `escalation ${route.escalation}`;
  const path = `${where} by the route ${route.key}`;
  const details = {
    receiver: route.receiver,
    route: route.key,
    matchers: route.matchers.map(formatMatcher),
    groupWait: formatDuration(route.groupWaitMs),
    groupInterval: formatDuration(route.groupIntervalMs),
    repeatInterval: formatDuration(route.repeatIntervalMs),
  };
  const unsure = r.ofThen ? "" : "; the configuration of that time is not recorded, this is today's";
  const steps: ExplainStep[] = [stepOf("route", null, "matched", `${path}${unsure}`, "configuration", details)];
  const started = lastBefore(r.events, e.time, (x) => x.type === "group");
  if (started !== undefined) {
    const because = `group ${r.groupKey} began, to be looked at from ${text(started.event.nextFlush)}`;
    steps.push(stepOf("group", started.time, "began", because, started.from, { groupKey: r.groupKey }));
  }
  const look = lastBefore(r.events, e.time, (x) => x.type === "flush");
  const fp = e.alert?.fingerprint ?? "";
  const inhibiting = causesOf(look?.event.inhibited, fp);
  const silencing = causesOf(look?.event.silenced, fp);
  const muting = Array.isArray(look?.event.muting) ? look.event.muting.map(String) : [];
  const at = look?.time ?? null;
  const from = look?.from ?? "memory";
  const advice: string[] = [];
  const held: { reason: string; because: string }[] = [];
  const hold = (reason: string, because: string) => held.push({ reason, because });
  for (const id of inhibiting) {
    const source = (look?.event.sources as Record<string, Record<string, string>> | undefined)?.[id];
    const because = `inhibited by ${source === undefined ? `alert ${id}` : formatLabels(labelsFromObject(source))}`;
    steps.push(stepOf("inhibition", at, "inhibited", because, from, { by: id, labels: source ?? null }));
    hold("inhibited", because);
    advice.push("it is told when the alert that inhibits it has ended, if it still fires");
  }
  for (const id of silencing) {
    const silence = e.silence(id);
    const because = `silenced by ${silence === undefined ? `silence ${id}, which is forgotten by now` : describe(silence)}`;
    steps.push(stepOf("silence", at, "silenced", because, from, { id, ...(silence && silenceDetails(silence)) }));
    hold("silenced", because);
    advice.push(`end the silence with: amtool silence expire ${id}`);
  }
  const others = Number(look?.event.silencedMore ?? 0) + Number(look?.event.inhibitedMore ?? 0);
  if (others > 0 && inhibiting.length + silencing.length === 0) {
    const because = `${others} more alerts of the group were muted than the record names; this may be one of them`;
    steps.push(stepOf("silence", at, "not_recorded", because, from));
  }
  if (muting.length > 0) {
    const because = `the route was muted by time interval ${muting.join(", ")}`;
    steps.push(stepOf("time_interval", at, "muted", because, from, { intervals: muting }));
    hold("muted_time_interval", because);
    advice.push(`look at mute_time_intervals and active_time_intervals of the route ${route.key}`);
  } else if (look === undefined && r.muting.length > 0) {
    const because = `time interval ${r.muting.join(", ")} mutes the route at that time`;
    steps.push(stepOf("time_interval", null, "muted", because, "configuration", { intervals: r.muting }));
    hold("muted_time_interval", because);
  }
  if (look !== undefined && inhibiting.length + silencing.length + muting.length + others === 0) {
    steps.push(stepOf("group", look.time, "open", "looked at: nothing holds this alert back", look.from));
  }
  const deliveries = deliveriesOf(r.events, fp, firedAt, e.time);
  const paged = new Set(r.escalations.flatMap((s) => s.paged));
  const standsIn = (receiver: string) => receiver !== route.receiver && !paged.has(receiver);
  steps.push(...deliverySteps(deliveries, e.time, standsIn));
  const quiet = lastBefore(r.events, e.time, (x) => x.type === "quiet" && x.lastTold !== null);
  if (quiet !== undefined) {
    const because = `${text(quiet.event.integration)} has been told of all this at ${text(quiet.event.lastTold)}; again at ${text(quiet.event.repeatAt)} if it still fires`;
    steps.push(stepOf("delivery", quiet.time, "nothing_new", because, quiet.from));
  }
  const escalated = escalationSteps(r, firedAt, e.time);
  steps.push(...escalated.steps);
  const told = escalated.told ?? toldOf(deliveries, quiet?.event, route.receiver, firedAt);
  const main = held[0];
  if (main !== undefined) return { steps, told, held: true, ...main, advice };
  if (escalated.acknowledged !== undefined) {
    return { steps, told, held: true, reason: "acknowledged", because: escalated.acknowledged, advice };
  }
  const { next } = escalated;
  const { failed } = deliveries;
  if (told !== undefined && failed.length > 0) {
    const onward = next ?? againAfter(e, r, deliveries);
    const instead = standsIn(told.whom);
    const because = instead
      ? `it stands in as the fallback: ${failuresInWords(failed)}; ${onward.because}`
      : `but ${failuresInWords(failed)}; ${onward.because}`;
    const reason = next?.reason ?? (instead ? "fallback_told" : "delivery_failed");
    return { steps, told, held: false, reason, because, advice: [...advice, ...(next?.advice ?? []), REDRIVE] };
  }
  const tried = failed.length + deliveries.trying.length > 0;
  if (next !== undefined && (told !== undefined || !tried)) return { steps, told, held: false, ...next };
  const found = withoutHold(e, r, deliveries, started?.event, told, advice);
  if (next === undefined) return { steps, told, held: false, ...found };
  const because = `${found.because}; ${next.because}`;
  return { steps, told, held: false, ...found, because, advice: [...found.advice, ...next.advice] };
}

const REDRIVE = "see what failed with: tocsin notifications; send it again with: tocsin redrive ID";

/** When a receiver that failed is told again. */
function againAfter(e: Evidence, r: RouteSeen, d: Deliveries): { readonly because: string } {
  const whom = [...new Set(d.failed.map((f) => f.receiver))].filter((name) => name === r.route.receiver);
  if (whom.length === 0) return { because: "what failed is kept as a dead letter" };
  const next = r.held?.nextFlush ?? 0;
  const isNow = next > e.time && e.now - e.time < r.route.groupIntervalMs;
  const at = d.later ?? (isNow ? next : undefined);
  const when = at === undefined ? "" : `, at ${isoTime(at)}`;
  return { because: `${whom.join(", ")} is tried again when the group is looked at next${when}` };
}

function toldOf(
  deliveries: Deliveries,
  quiet: Readonly<Record<string, unknown>> | undefined,
  receiver: string,
  firedAt: number,
): RouteStory["told"] {
  if (deliveries.arrived !== undefined) return deliveries.arrived;
  const lastTold = Date.parse(text(quiet?.lastTold));
  // What was told before this firing began was another one.
  return lastTold >= firedAt ? { at: lastTold, whom: receiver } : undefined;
}

/** Why nothing came of it although nothing mutes it. */
function withoutHold(
  e: Evidence,
  r: RouteSeen,
  d: Deliveries,
  started: Readonly<Record<string, unknown>> | undefined,
  told: RouteStory["told"],
  advice: string[],
): Pick<RouteStory, "reason" | "because" | "advice"> {
  const { route } = r;
  if (told !== undefined) {
    const because = `nothing new until the repeat interval of ${formatDuration(route.repeatIntervalMs)} is over, at ${isoTime(told.at + route.repeatIntervalMs)}`;
    return { reason: "repeat_interval", because, advice };
  }
  if (d.trying.length > 0) {
    const because = [...(d.failed.length > 0 ? [failuresInWords(d.failed)] : []), ...d.trying].join("; ");
    return { reason: "delivery_under_way", because, advice };
  }
  if (d.failed.length > 0) {
    return { reason: "delivery_failed", because: failuresInWords(d.failed), advice: [...advice, REDRIVE] };
  }
  if (r.integrations === undefined || r.integrations.length === 0) {
    const because = `receiver ${route.receiver} has no integrations, so it tells nobody`;
    return { reason: "no_integrations", because, advice: [...advice, `give the receiver ${route.receiver} a way`] };
  }
  const next = r.held?.nextFlush ?? 0;
  const first = Date.parse(text(started?.nextFlush));
  if (r.held !== undefined && next > e.time && e.now - e.time < route.groupIntervalMs) {
    const [reason, what] = r.held.hasFlushed
      ? (["group_interval", `group_interval of ${formatDuration(route.groupIntervalMs)}`] as const)
      : (["group_wait", `group_wait of ${formatDuration(route.groupWaitMs)}`] as const);
    return { reason, because: `the ${what} is not over: the group is looked at next at ${isoTime(next)}`, advice };
  }
  if (first > e.time) {
    const because = `the group_wait of ${formatDuration(route.groupWaitMs)} was not over before ${isoTime(first)}`;
    return { reason: "group_wait", because, advice };
  }
  if (d.later !== undefined) {
    return { reason: "group_interval", because: `the group was looked at next at ${isoTime(d.later)}`, advice };
  }
  return { reason: "not_recorded", because: "no record says what became of it on this route", advice };
}

function causesOf(byCause: unknown, fingerprint: string): string[] {
  const causes = Object.entries((byCause ?? {}) as Record<string, unknown>);
  return causes.filter(([, alerts]) => Array.isArray(alerts) && alerts.includes(fingerprint)).map(([cause]) => cause);
}

function describe(s: Silence): string {
  const comment = s.comment === "" ? "" : `: ${JSON.stringify(s.comment)}`;
  return `silence ${s.id} by ${s.createdBy || "somebody"}, until ${isoTime(s.endsAt)}${comment}`;
}

function silenceDetails(s: Silence): Readonly<Record<string, unknown>> {
  const { createdBy, comment } = s;
  return {
    createdBy,
    comment,
    startsAt: isoTime(s.startsAt),
    endsAt: isoTime(s.endsAt),
    matchers: s.matchers.map(formatMatcher),
  };
}
