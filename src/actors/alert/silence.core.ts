import { goQuote, isValidUtf8 } from "../../lib/go-quote.ts";
import type { Labels } from "../../model/labels.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { LabelTest } from "./route.core.ts";
import { compileMatchers } from "./route.core.ts";
import { containsTime, type TimeInterval } from "./time-interval.ts";

/**
 * A silence: who does not want to hear of which alerts, from when to when. Times are Unix milliseconds.
 *
 * The first part is Alertmanager's, with its rules. The second is Tocsin's own:
 * - `recurrence`: between start and end it mutes only while one of these intervals holds;
 * - `untilResolved`: it ends as soon as the alerts it has muted are resolved, at the latest at `endsAt`. The end of an alert is
 *   told in spite of it, for whoever was told of the beginning;
 * - `noticeBeforeMs`: so long before its end an alert says that it will end.
 */
export interface Silence {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly startsAt: number;
  readonly endsAt: number;
  readonly updatedAt: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Empty or absent: all the time. */
  readonly recurrence?: readonly TimeInterval[];
  readonly untilResolved?: boolean;
  /** With `untilResolved`: when it was first seen to mute an alert. */
  readonly matchedAt?: number;
  readonly noticeBeforeMs?: number;
}

/** What a person asks for: `id` of the silence to change, "" for a new one; `startsAt` 0 for now. */
export type SilenceDraft = Omit<Silence, "updatedAt" | "matchedAt">;

export type SilenceState = "active" | "pending" | "expired";

/** All silences, by id; never changed in place. */
export type SilenceTable = ReadonlyMap<string, Silence>;

export interface SilenceLimits {
  /** Expired ones that are still kept included. */
  readonly maxSilences: number;
  /** Of one silence as it is stored. */
  readonly maxBytes: number;
}

/** Why a silence was not taken. */
export class SilenceRefused extends Error {
  readonly reason: "not_found" | "invalid";
  constructor(reason: SilenceRefused["reason"], message: string) {
    super(message);
    this.name = "SilenceRefused";
    this.reason = reason;
  }
}

/** By its bounds alone. */
export function boundsState(s: Silence, now: number): SilenceState {
  if (now < s.startsAt) return "pending";
  return now >= s.endsAt ? "expired" : "active";
}

/** As it is shown: a recurring silence is pending outside of its hours. */
export function stateOf(s: Silence, now: number): SilenceState {
  const state = boundsState(s, now);
  return state === "active" && !inHours(s, now) ? "pending" : state;
}

function inHours(s: Silence, now: number): boolean {
  return s.recurrence === undefined || s.recurrence.length === 0 || s.recurrence.some((i) => containsTime(i, now));
}

/** The silences that a change has made or changed, the one that was asked for last; to be stored together. */
export type SilenceChange = readonly Silence[];

/**
 * What becomes of the table when a silence is set. A change that would rewrite what has been (other matchers, another start
 * of one that is active) ends the old silence and makes a new one. Throws SilenceRefused.
 * @param newId for a silence that is made
 */
export function setSilence(
  table: SilenceTable,
  draft: SilenceDraft,
  now: number,
  newId: string,
  limits: SilenceLimits,
): SilenceChange {
  const wanted = draft.startsAt === 0 ? { ...draft, startsAt: now } : draft;
  validateSilence(wanted);
  const before = table.get(wanted.id);
  if (wanted.id !== "" && before === undefined) throw new SilenceRefused("not_found", "silence not found");
  if (before !== undefined && canUpdate(before, wanted, now)) {
    const { matchedAt } = before;
    const next = { ...wanted, updatedAt: now, ...(matchedAt === undefined ? {} : { matchedAt }) };
    checkSize(next, limits);
    return [next];
  }
  if (table.size + 1 > limits.maxSilences) {
    const reason = `exceeded maximum number of silences: ${table.size} (limit: ${limits.maxSilences})`;
    throw new SilenceRefused("invalid", reason);
  }
  const made: Silence = { ...wanted, id: newId, startsAt: Math.max(wanted.startsAt, now), updatedAt: now };
  checkSize(made, limits);
  return before === undefined ? [made] : [...expireSilence(table, before.id, now), made];
}

/** What becomes of the table when a silence is ended; nothing when it has ended already. Throws SilenceRefused. */
export function expireSilence(table: SilenceTable, id: string, now: number): SilenceChange {
  const s = table.get(id);
  if (s === undefined) throw new SilenceRefused("not_found", "silence not found");
  const state = boundsState(s, now);
  if (state === "expired") return [];
  return [{ ...s, startsAt: state === "pending" ? now : s.startsAt, endsAt: now, updatedAt: now }];
}

/** Ids of the silences that ended so long ago that they are forgotten. */
export function forgettable(table: SilenceTable, now: number, retentionMs: number): string[] {
  return [...table.values()].filter((s) => s.endsAt + retentionMs <= now).map((s) => s.id);
}

function canUpdate(before: Silence, next: SilenceDraft, now: number): boolean {
  if (whatItMutes(before) !== whatItMutes(next)) return false;
  switch (boundsState(before, now)) {
    case "active":
      // Clients hand back times without their fractions.
      return Math.floor(next.startsAt / 1000) === Math.floor(before.startsAt / 1000) && next.endsAt >= now;
    case "pending":
      return next.startsAt >= now;
    case "expired":
      return false;
  }
}

function whatItMutes(s: SilenceDraft): string {
  return JSON.stringify([s.matchers.map((m) => [m.name, m.op, m.value]), s.recurrence ?? [], s.untilResolved ?? false]);
}

function validateSilence(s: SilenceDraft): void {
  const fail = (reason: string): never => {
    throw new SilenceRefused("invalid", `invalid silence: ${reason}`);
  };
  if (s.matchers.length === 0) fail("at least one matcher required");
  let findsNothing = true;
  for (const [i, m] of s.matchers.entries()) {
    const bad = (reason: string) => fail(`invalid label matcher ${i} in set 0: ${reason}`);
    if (m.name === "" || !isValidUtf8(m.name)) bad(`invalid label name ${goQuote(m.name)}`);
    if (!isValidUtf8(m.value)) bad(`invalid label value ${goQuote(m.value)}`);
    try {
      // Negative matchers find whatever lacks the label, which is not what this check is about.
      if (m.op === "!=" || m.op === "!~") {
        compileMatcher(m);
        findsNothing = false;
      } else if (!compileMatcher(m)("")) findsNothing = false;
    } catch (e) {
      bad(`invalid regular expression ${goQuote(m.value)}: ${(e as Error).message}`);
    }
  }
  if (findsNothing) fail("matcher set 0: at least one matcher must not match the empty string");
  if (s.endsAt < s.startsAt) fail("end time must not be before start time");
}

function checkSize(s: Silence, limits: SilenceLimits): void {
  const bytes = Buffer.byteLength(JSON.stringify(s));
  if (bytes > limits.maxBytes) {
    const reason = `silence exceeded maximum size: ${bytes} bytes (limit: ${limits.maxBytes} bytes)`;
    throw new SilenceRefused("invalid", reason);
  }
}

/** A silence with its matchers ready to be asked. */
export interface CompiledSilence {
  readonly silence: Silence;
  readonly matches: LabelTest;
}

export function compileSilences(table: SilenceTable): CompiledSilence[] {
  return [...table.values()].map((silence) => ({ silence, matches: compileMatchers(silence.matchers) }));
}

/** Whether a silence that matches an alert mutes it at `now`. */
export function mutesAt(s: Silence, resolved: boolean, now: number): boolean {
  return boundsState(s, now) === "active" && !(resolved && s.untilResolved === true) && inHours(s, now);
}

/** What the clock and the alerts bring about. */
export interface SilenceEvents {
  /** Until-resolved silences that were seen to mute something for the first time. */
  readonly matched: readonly Silence[];
  /** Until-resolved silences whose alerts are resolved. */
  readonly finished: readonly Silence[];
  /** Silences that will end within their notice time. */
  readonly ending: readonly Silence[];
}

/**
 * @param firing labels of the alerts that fire
 * @param settled false while alerts may be missing that fire, as after a start: no silence is finished then
 */
export function silenceEvents(
  compiled: readonly CompiledSilence[],
  firing: () => Iterable<Labels>,
  settled: boolean,
  now: number,
): SilenceEvents {
  const matched: Silence[] = [];
  const finished: Silence[] = [];
  const ending: Silence[] = [];
  for (const { silence: s, matches } of compiled) {
    if (boundsState(s, now) !== "active") continue;
    if (s.noticeBeforeMs !== undefined && s.endsAt - s.noticeBeforeMs <= now) ending.push(s);
    if (s.untilResolved !== true || (s.matchedAt !== undefined && !settled)) continue;
    const mutes = some(firing(), matches);
    if (mutes && s.matchedAt === undefined) matched.push({ ...s, matchedAt: now });
    if (!mutes && s.matchedAt !== undefined) finished.push({ ...s, endsAt: now, updatedAt: now });
  }
  return { matched, finished, ending };
}

function some(all: Iterable<Labels>, matches: LabelTest): boolean {
  for (const labels of all) if (matches(labels)) return true;
  return false;
}

const STATE_ORDER: Readonly<Record<SilenceState, number>> = { active: 1, pending: 2, expired: 3 };

/** Alertmanager's order: active ones by their end, pending ones by their start, expired ones by the newest end. */
export function sortSilences(silences: Iterable<Silence>, now: number): Silence[] {
  return [...silences]
    .map((s) => ({ s, state: stateOf(s, now) }))
    .sort((a, b) => {
      if (a.state !== b.state) return STATE_ORDER[a.state] - STATE_ORDER[b.state];
      if (a.state === "active") return a.s.endsAt - b.s.endsAt;
      return a.state === "pending" ? a.s.startsAt - b.s.startsAt : b.s.endsAt - a.s.endsAt;
    })
    .map(({ s }) => s);
}

/** True when the silence has each of the given matchers, letter by letter; how silences are searched for. */
export function hasMatchers(s: Silence, wanted: readonly Matcher[]): boolean {
  return wanted.every((w) => s.matchers.some((m) => m.name === w.name && m.op === w.op && m.value === w.value));
}
