import type { ExplainStep } from "../../model/explain.ts";
import type { Labels } from "../../model/labels.ts";
import type { ActiveAlert, AlertingRuleStatus, RuleGroupStatus } from "../../model/rules.ts";
import type { Route } from "../alert/alertmanager-config.ts";
import type { Silence } from "../alert/silence.core.ts";
import type { EscalationState } from "../escalation/escalation.core.ts";
import type { EscalationConfig } from "../escalation/escalation-config.ts";
import type { HistoryEvent } from "./alert-history.ts";

/** All that is known of one alert around a time. Events are in the order of their times; those after `time` are there as well. */
export interface Evidence {
  /** Unix ms. */
  readonly time: number;
  readonly now: number;
  /** Undefined when no such alert is known. */
  readonly alert: { readonly labels: Labels; readonly fingerprint: string } | undefined;
  /** Its transitions, and its coming and end where others send it. */
  readonly events: readonly HistoryEvent[];
  /** Of its rule's health, and of its rule group's ticks. */
  readonly ruleEvents: readonly HistoryEvent[];
  /** The rules that make alerts of this name, as they are now. */
  readonly rules: readonly RuleSeen[];
  readonly active: ActiveAlert | undefined;
  /** What the rules' expressions give at that time. */
  readonly recomputed: readonly Recomputed[];
  readonly routes: readonly RouteSeen[];
  readonly silence: (id: string) => Silence | undefined;
}

export interface RuleSeen {
  readonly group: RuleGroupStatus;
  readonly rule: AlertingRuleStatus;
}

export interface Recomputed {
  readonly rule: string;
  readonly query: string;
  readonly time: number;
  readonly outcome: "true" | "false" | "no_data" | "failed";
  /** In words. */
  readonly because: string;
  readonly values: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

export interface RouteSeen {
  readonly route: Route;
  readonly groupKey: string;
  /** Names; undefined: there is no such receiver. */
  readonly integrations: readonly string[] | undefined;
  /** Time intervals that mute it at the time, by the configuration. */
  readonly muting: readonly string[];
  /** The configuration is of that time, and not only of now. */
  readonly ofThen: boolean;
  /** As it is now. */
  readonly held: { readonly nextFlush: number; readonly hasFlushed: boolean } | undefined;
  readonly events: readonly HistoryEvent[];
  readonly escalations: readonly EscalationState[];
  /** As it is configured now. */
  readonly escalationConfig: Pick<EscalationConfig, "escalations" | "schedules">;
}

export function stepOf(
  stage: ExplainStep["stage"],
  at: number | null,
  outcome: string,
  because: string,
  from: ExplainStep["from"],
  details?: ExplainStep["details"],
): ExplainStep {
  const source = from === "query" || from === "configuration" ? "recomputed" : "recorded";
  const more = details === undefined ? {} : { details };
  return { stage, at: at === null ? null : isoTime(at), outcome, because, source, from, ...more };
}

/** RFC 3339; of a time that no date can be, the last one that can. */
export function isoTime(ms: number): string {
  return new Date(Math.min(Math.max(ms, -MAX_DATE_MS), MAX_DATE_MS)).toISOString();
}

const MAX_DATE_MS = 8_640_000_000_000_000;

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The newest one at or before `time` that fits. */
export function lastBefore(
  events: readonly HistoryEvent[],
  time: number,
  fits: (event: HistoryEvent["event"]) => boolean,
): HistoryEvent | undefined {
  return events.findLast((e) => e.time <= time && fits(e.event));
}
