import type { ExplainStep } from "../../model/explain.ts";
import type { HistoryEvent } from "./alert-history.ts";
import { stepOf, text } from "./evidence.ts";

/** The notifications of one group that were about an alert. */
export interface Deliveries {
  /** Up to the time in question, in their order. */
  readonly events: readonly HistoryEvent[];
  readonly arrived: { readonly at: number; readonly whom: string } | undefined;
  /** Why the last one failed, where none arrived. */
  readonly failed: string | undefined;
  /** One is under way: what is known of it. */
  readonly trying: string | undefined;
  /** When the first one after the time in question was sent, Unix ms. */
  readonly later: number | undefined;
}

/** @param firedAt @param time Unix ms */
export function deliveriesOf(
  events: readonly HistoryEvent[],
  fingerprint: string,
  firedAt: number,
  time: number,
): Deliveries {
  const about = events.filter(({ event, time: at }) => {
    const names = [event.firing, event.resolved].some((list) => listOf(list).includes(fingerprint));
    return names && ["intent", "attempt", "result"].includes(text(event.type)) && at >= firedAt;
  });
  const before = about.filter((x) => x.time <= time);
  const tellsBegin = (x: HistoryEvent) => listOf(x.event.firing).includes(fingerprint);
  const good = before.findLast((x) => x.event.type === "result" && x.event.ok === true && tellsBegin(x));
  const last = before.at(-1);
  const open = last !== undefined && last.event.type !== "result";
  const failure = before.findLast((x) => x.event.type === "result" && x.event.ok === false);
  const attempt = open && last.event.type === "attempt" ? `; attempt ${String(last.event.attempt)} failed: ` : "";
  return {
    events: before,
    arrived: good === undefined ? undefined : { at: good.time, whom: text(good.event.receiver) },
    failed: good === undefined && !open && failure !== undefined ? text(failure.event.reason) : undefined,
    trying: open ? attempt + (attempt === "" ? "" : text(last.event.reason)) : undefined,
    later: about.find((x) => x.time > time && x.event.type === "intent")?.time,
  };
}

/** Whoever can publish can publish anything. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Steps of deliveries; of many the first and the newest. */
const SHOWN = 12;

export function deliverySteps({ events, later }: Deliveries, time: number): ExplainStep[] {
  const shown = events.length <= SHOWN ? events : [...events.slice(0, 3), ...events.slice(3 - SHOWN)];
  const out = shown.map(({ event, time: at, from }) => {
    const to = `${text(event.receiver)}/${text(event.integration)}`;
    const what = listOf(event.firing).length > 0 ? "" : " (the end)";
    const details = { id: event.id, receiver: event.receiver, integration: event.integration, key: event.key };
    if (event.type === "intent") return stepOf("delivery", at, "intent", `to be told: ${to}${what}`, from, details);
    if (event.type === "attempt") {
      const because = `attempt ${String(event.attempt)} to tell ${to} failed: ${text(event.reason)}`;
      return stepOf("delivery", at, "attempt_failed", because, from, details);
    }
    if (event.ok === true) return stepOf("delivery", at, "told", `${to} was told${what}`, from, details);
    const because = `${to} was given up, dead letter: ${text(event.reason)}`;
    return stepOf("delivery", at, "failed", because, from, details);
  });
  if (later !== undefined && later > time) {
    out.push(stepOf("delivery", later, "later", "after the time in question it was to be told", "stream"));
  }
  return out;
}
