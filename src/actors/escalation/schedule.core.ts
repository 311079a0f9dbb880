import type { Override, Restriction, Rotation, Schedule } from "./escalation-config.ts";
import { DAY_MS, fromLocal, toLocal } from "./zone-time.ts";

/** Who is on call at one time. */
export interface OnCall {
  /** Undefined: nobody. */
  readonly receiver: string | undefined;
  readonly by: "override" | "rotation" | undefined;
}

/** A stretch of time, end exclusive, Unix ms. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const NOBODY: OnCall = { receiver: undefined, by: undefined };

/** Who is on call at `t` (Unix ms). */
export function onCallAt(schedule: Schedule, t: number): OnCall {
  const override = schedule.overrides.find((o) => o.start <= t && t < o.end);
  if (override !== undefined) return { receiver: override.receiver, by: "override" };
  for (const rotation of schedule.rotations.toReversed()) {
    const receiver = rotationAt(rotation, schedule.zone, t);
    if (receiver !== undefined) return { receiver, by: "rotation" };
  }
  return NOBODY;
}

/** How far ahead a hand-over is looked for, in steps from one possible one to the next. */
const MAX_LOOKS = 2000;

/**
 * The next time after `t` at which somebody else is on call (or nobody any more), Unix ms. Undefined when the schedule
 * stays as it is for as long as it was looked through.
 */
export function nextHandOver(schedule: Schedule, t: number): number | undefined {
  const now = onCallAt(schedule, t).receiver;
  let at = t;
  for (let i = 0; i < MAX_LOOKS; i++) {
    const next = nextBoundary(schedule, at);
    if (next === undefined) return undefined;
    if (onCallAt(schedule, next).receiver !== now) return next;
    at = next;
  }
  return undefined;
}

/** The first time after `t` at which anything in the schedule begins or ends. */
function nextBoundary(schedule: Schedule, t: number): number | undefined {
  const { zone, rotations, overrides } = schedule;
  const times = [
    ...overrides.flatMap((o: Override) => [o.start, o.end]),
    ...rotations.flatMap((r) => rotationBoundaries(r, zone, t)),
  ];
  const later = times.filter((x) => x > t);
  return later.length === 0 ? undefined : Math.min(...later);
}

function rotationAt(rotation: Rotation, zone: string, t: number): string | undefined {
  const n = shiftAt(rotation, zone, t);
  if (n < 0 || (rotation.end !== undefined && t >= fromLocal(zone, rotation.end))) return undefined;
  if (rotation.restrict.length > 0 && !windowsAround(rotation.restrict, zone, t).some((w) => holds(w, t))) {
    return undefined;
  }
  return rotation.receivers[n % rotation.receivers.length];
}

/** The number of the shift that `t` is in, from 0; negative before the first. */
function shiftAt(rotation: Rotation, zone: string, t: number): number {
  let n = Math.floor((toLocal(zone, t) - rotation.start) / rotation.shiftMs);
  // An hour that the clocks show twice, or not at all, may belong to the shift beside.
  while (handOver(rotation, zone, n) > t) n--;
  while (handOver(rotation, zone, n + 1) <= t) n++;
  return n;
}

/** When shift `n` begins, Unix ms. */
function handOver(rotation: Rotation, zone: string, n: number): number {
  return fromLocal(zone, rotation.start + n * rotation.shiftMs);
}

function rotationBoundaries(rotation: Rotation, zone: string, t: number): number[] {
  const out = [handOver(rotation, zone, Math.max(0, shiftAt(rotation, zone, t) + 1))];
  if (rotation.end !== undefined) {
    const end = fromLocal(zone, rotation.end);
    if (end <= t) return [];
    out.push(end);
  }
  // A window begins within a week, whatever its weekdays are.
  for (const w of windowsAround(rotation.restrict, zone, t, 8)) out.push(w.start, w.end);
  return out;
}

function holds(span: Span, t: number): boolean {
  return span.start <= t && t < span.end;
}

/** The windows that begin from two days before `t` to so many days after it. */
function windowsAround(restrict: readonly Restriction[], zone: string, t: number, daysAfter = 1): Span[] {
  const out: Span[] = [];
  const today = Math.floor(toLocal(zone, t) / DAY_MS) * DAY_MS;
  for (let day = today - 2 * DAY_MS; day <= today + daysAfter * DAY_MS; day += DAY_MS) {
    const weekday = new Date(day).getUTCDay();
    for (const { weekdays, from, to } of restrict) {
      if (weekdays.length > 0 && !weekdays.includes(weekday)) continue;
      const end = day + to * 60_000 + (to <= from ? DAY_MS : 0);
      out.push({ start: fromLocal(zone, day + from * 60_000), end: fromLocal(zone, end) });
    }
  }
  return out;
}
