import type { ExplainStep } from "../../model/explain.ts";
import type { HistoryEvent } from "./alert-history.ts";
import { isoTime, stepOf, text } from "./evidence.ts";

/** The notifications of one group that were about an alert. */
export interface Deliveries {
  /** Up to the time in question, in their order. */
  readonly events: readonly HistoryEvent[];
  /** The newest that arrived. */
  readonly arrived: { readonly at: number; readonly whom: string } | undefined;
  /** Ways whose last notification was given up, in the order of that. */
  readonly failed: readonly FailedWay[];
  /** What is under way: one by one, in words. */
  readonly trying: readonly string[];
  /** When the first one after the time in question was sent, Unix ms. */
  readonly later: number | undefined;
}

export interface FailedWay {
  readonly receiver: string;
  readonly integration: string;
  /** When it was given up, Unix ms. */
  readonly at: number;
  readonly reason: string;
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
  const results = new Map<string, HistoryEvent>();
  const open = new Map<string, HistoryEvent>();
  for (const x of before) {
    const way = wayOf(x);
    open.delete(way);
    if (x.event.type !== "result") open.set(way, x);
    else {
      // The order is that of the last results.
      results.delete(way);
      results.set(way, x);
    }
  }
  const failed = [...results.values()].filter(({ event }) => event.ok !== true);
  return {
    events: before,
    arrived: good === undefined ? undefined : { at: good.time, whom: text(good.event.receiver) },
    failed: failed.map(({ time: at, event }) => ({
      receiver: text(event.receiver),
      integration: text(event.integration),
      at,
      reason: text(event.reason),
    })),
    trying: [...open.values()].map((x) => {
      const { event } = x;
      const again = event.type === "attempt" ? `; attempt ${String(event.attempt)} failed: ${text(event.reason)}` : "";
      return `${wayOf(x)} is being told${again}`;
    }),
    later: about.find((x) => x.time > time && x.event.type === "intent")?.time,
  };
}

/** Which ways failed, with what error and when. */
export function failuresInWords(failed: readonly FailedWay[]): string {
  const words = failed.map(
    ({ receiver, integration, at, reason }) =>
      `${receiver}/${integration} could not be told and was given up at ${isoTime(at)}: ${reason}`,
  );
  return words.join("; ");
}

function wayOf({ event }: HistoryEvent): string {
  return `${text(event.receiver)}/${text(event.integration)}`;
}

/** Whoever can publish can publish anything. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Steps of deliveries; of many the first and the newest. */
const SHOWN = 12;

/** @param standsIn whether a receiver is told in place of the route's own */
export function deliverySteps(
  { events, later }: Deliveries,
  time: number,
  standsIn: (receiver: string) => boolean,
): ExplainStep[] {
  const shown = events.length <= SHOWN ? events : [...events.slice(0, 3), ...events.slice(3 - SHOWN)];
  const out = shown.map((x) => {
    const { event, time: at, from } = x;
    const to = `${wayOf(x)}${standsIn(text(event.receiver)) ? " (fallback)" : ""}`;
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
