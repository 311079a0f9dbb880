import type { PostedAlert } from "../../model/alerts.ts";
import type { Labels } from "../../model/labels.ts";
import type { FiringTally } from "../../model/rules.ts";
import { type AlertTransition, type Applied, isFiring, reasonOf, withExternal } from "./alert-rule.core.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  type Annotations,
  cellOf,
  FIRED_AT,
  RESOLVED,
  RESOLVED_AT,
  STATE,
  STATE_NAMES,
  VALUE,
} from "./alert-table.ts";

/**
 * Shadow rules are evaluated and recorded, and told to nobody. What is here: how the alerts of a rule that becomes one are taken
 * back, and how what it would have told is counted.
 */

/** `AlertSight.reason` of an alert whose rule became a shadow rule: its condition has not ended. */
export const BECAME_SHADOW = "shadow";

/** Names of the series that alert rules make; a shadow rule's have their own, so that nobody's `ALERTS` selects them. */
export function alertSeriesNames(shadow: boolean): { readonly alerts: string; readonly forState: string } {
  return shadow ? SHADOW_NAMES : LIVE_NAMES;
}

const LIVE_NAMES = { alerts: "ALERTS", forState: "ALERTS_FOR_STATE" };
const SHADOW_NAMES = { alerts: "SHADOW_ALERTS", forState: "SHADOW_ALERTS_FOR_STATE" };

/**
 * The ends of all that fires of a rule that is a shadow rule from `now` on (Unix ms, by the clock). What has ended was told as ended
 * while the rule was live; was that lost, it ends in the alert manager by itself.
 */
export function withdrawals(
  table: AlertTable,
  now: number,
  { externalLabels, generatorUrl }: { readonly externalLabels: Labels; readonly generatorUrl: string },
): PostedAlert[] {
  const out: PostedAlert[] = [];
  for (const row of table.rowOf.values()) {
    const state = cellOf(table, row, STATE);
    if (!isFiring(state)) continue;
    const startsAt = cellOf(table, row, FIRED_AT);
    out.push({
      labels: withExternal(table.labels[row] as Labels, externalLabels),
      annotations: table.annotations[row] as Annotations,
      startsAt,
      endsAt: Math.max(now, startsAt),
      generatorUrl,
      sight: { reason: BECAME_SHADOW },
    });
  }
  return out;
}

/** What the log of transitions is told of the instances of a rule that has turned. */
export function turnedTransitions(table: AlertTable, action: "becameShadow" | "becameLive"): AlertTransition[] {
  const out: AlertTransition[] = [];
  for (const row of table.rowOf.values()) {
    const state = cellOf(table, row, STATE);
    if (state === RESOLVED) continue;
    out.push({
      action,
      from: STATE_NAMES[state] as string,
      to: STATE_NAMES[state] as string,
      labels: table.labels[row] as Labels,
      annotations: table.annotations[row] as Annotations,
      value: cellOf(table, row, VALUE),
      activeAt: cellOf(table, row, ACTIVE_AT),
      reason: reasonOf(table, row),
    });
  }
  return out;
}

/** The tally after an evaluation at `time`; a new one, from then on, where there was none. */
export function tallied(
  before: FiringTally | undefined,
  table: AlertTable,
  applied: Applied,
  time: number,
): FiringTally {
  const tally = before ?? { since: time, fired: 0, episodes: 0, longestMs: 0, lastFired: 0, most: firingNow(table) };
  if (applied.transitions.length === 0) return tally;
  const began = applied.transitions.filter((t) => t.action === "becameFiring").length;
  const ended = applied.transitions.filter((t) => t.action === "becameResolved").length;
  if (began + ended === 0) return tally;
  const now = firingNow(table);
  let { longestMs } = tally;
  for (const row of applied.dirty) {
    if (cellOf(table, row, STATE) !== RESOLVED || cellOf(table, row, RESOLVED_AT) !== time) continue;
    longestMs = Math.max(longestMs, time - cellOf(table, row, FIRED_AT));
  }
  return {
    since: tally.since,
    fired: tally.fired + began,
    episodes: tally.episodes + (began > 0 && now - began + ended <= 0 ? 1 : 0),
    longestMs,
    lastFired: began > 0 ? time : tally.lastFired,
    most: Math.max(tally.most, now),
  };
}

function firingNow(table: AlertTable): number {
  let n = 0;
  for (const row of table.rowOf.values()) if (isFiring(cellOf(table, row, STATE))) n++;
  return n;
}
